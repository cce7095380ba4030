"""Takes the server of quickstart.sh through its main job with clients that are not ours, certificate checked."""
import email.utils
import imaplib
import os
import smtplib
import ssl
import subprocess
import sys
import time
import uuid

HOST = "localhost"
trusting = ssl.create_default_context(cafile=os.environ["CA"])
mark = uuid.uuid4().hex


def message(sender, recipient, subject):
    return (f"From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\n"
            f"Date: {email.utils.formatdate()}\r\nMessage-ID: <{uuid.uuid4()}@example.test>\r\n\r\nHello, {recipient}.\r\n")


# Another server brings mail: no login, STARTTLS. Python says EHLO again inside TLS by itself.
with smtplib.SMTP(HOST, 20025, local_hostname="client.example") as smtp:
    smtp.starttls(context=trusting)
    smtp.sendmail("friend@elsewhere.example", ["alice@example.test"],
                  message("friend@elsewhere.example", "alice@example.test", f"from outside {mark}"))
    print("SMTP        a message from outside was taken for alice (STARTTLS, port 20025)")
    refused = smtp.docmd("MAIL", "FROM:<friend@elsewhere.example>")[0], smtp.docmd("RCPT", "TO:<who@elsewhere.example>")[0]
    if refused != (250, 550):
        sys.exit(f"relaying was not refused: {refused}")
    print("SMTP        mail for strangers was refused: no open relay")

with smtplib.SMTP(HOST, 20587, local_hostname="client.example") as smtp:
    smtp.starttls(context=trusting)
    smtp.login("alice@example.test", os.environ["ALICE"])
    smtp.sendmail("alice@example.test", ["bob@example.test"],
                  message("alice@example.test", "bob@example.test", f"from alice {mark}"))
    print("Submission  alice sent a message to bob (STARTTLS, login, port 20587)")


def fetch_with_imaplib(user, password, subject):
    with imaplib.IMAP4(HOST, 20143) as imap:
        imap.starttls(trusting)
        imap.login(user, password)
        imap.select("INBOX", readonly=True)
        for _ in range(50):
            _, found = imap.search(None, "SUBJECT", f'"{subject}"')
            if found[0]:
                break
            imap.noop()
            time.sleep(0.1)
        else:
            sys.exit(f"{user} has no message \"{subject}\"")
        _, data = imap.fetch(found[0].split()[-1], "(BODY.PEEK[])")
        return data[0][1].decode()


text = fetch_with_imaplib("alice@example.test", os.environ["ALICE"], f"from outside {mark}")
assert "Hello, alice@example.test." in text and "Received: from client.example" in text, text
print("IMAP        alice fetched hers (imaplib, STARTTLS, port 20143)")
text = fetch_with_imaplib("bob@example.test", os.environ["BOB"], f"from alice {mark}")
assert "Hello, bob@example.test." in text, text
print("IMAP        bob fetched his (imaplib, STARTTLS, port 20143)")

# The password goes by a configuration on standard input, not by the command line that others can see.
listing = subprocess.run(["curl", "--silent", "--show-error", "--config", "-"], check=True, capture_output=True, text=True,
                         input=f'url = "imap://{HOST}:20143/INBOX?SUBJECT%20%22{mark}%22"\nssl-reqd\n'
                               f'cacert = "{os.environ["CA"]}"\nuser = "bob@example.test:{os.environ["BOB"]}"\n').stdout
assert listing.startswith("* SEARCH "), listing
print("IMAP        curl found it too:", listing.strip())
