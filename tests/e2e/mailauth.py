"""SPF, DKIM, DMARC, ARC and SRS with a real DNS (nsd behind unbound) and dkimpy as the other side.

Servers: a.test sends, b.test receives and forwards, c.test is the third. As root they have loopback addresses with
port 25 and find each other by MX; elsewhere next_hops name host and port.
"""
import email
import json
import os
import re
import smtplib
import socket
import ssl
import subprocess
import tempfile

from harness import BIN, Server, Skipped, bodies, check, equal, main, message, on_one_day, run, that, wait_for, wait_for_mail
from names import Names

NET = f"127.{64 + os.getpid() // 250 % 128}.{os.getpid() % 250 + 1}"
A, B, C, GOOD, BAD = (f"{NET}.{n}" for n in (2, 3, 4, 21, 22))


def may_bind_25():
    try:
        with socket.socket() as s:
            s.bind((B, 25))
        return True
    except OSError:
        return False


ROOT = may_bind_25()


class Net:
    """DNS, and servers that ask it."""

    def __init__(self, lines=""):
        self.folder = tempfile.TemporaryDirectory(prefix="briefwerk-dns-")
        self.servers = {}
        reverse = {GOOD: "good.test", A: "mx.a.test", B: "mx.b.test", C: "mx.c.test"}
        self.names = Names(self.folder.name, lines, reverse)

    def serve(self, name, change=None, records=True):
        address = {"a.test": A, "b.test": B, "c.test": C}[name]
        server = Server(f"mx.{name}", address if ROOT else "127.0.0.1", {"smtp": 25} if ROOT else None, start=False)
        server.config["delivery"] = {"dns_servers": [self.names.server], "retry_first_seconds": 3600, "ignored_networks": []}
        if ROOT:
            server.config["delivery"]["source_v4"] = address
        else:
            server.config["delivery"]["next_hops"] = [
                {"domain": other, "host": "127.0.0.1", "port": one.ports["smtp"]} for other, one in self.servers.items()]
        server.config["authentication"] = {"exempt_networks": []}
        if change:
            change(server.config)
        server.write_config()
        server.domain(name)
        server.start()
        self.servers[name] = server
        if records:
            self.publish(server, name)
        return server

    def publish(self, server, name):
        """Exactly what briefwerkctl dns says."""
        self.names.add(server.ctl("dns", name).stdout.decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.names.stop()
        self.folder.cleanup()


def need_25():
    if not ROOT:
        raise Skipped("needs port 25")


def client_of(server, source, hello="client.example"):
    client = smtplib.SMTP(server.address, server.ports["smtp"], local_hostname=hello, timeout=90, source_address=(source, 0))
    context = ssl.create_default_context(cafile=server.ca)
    context.check_hostname = False
    client._host = server.hostname
    client.starttls(context=context)
    client.ehlo(hello)
    return client


def deliver_from(source, server, sender, recipient, text, hello="client.example"):
    with client_of(server, source, hello) as client:
        client.sendmail(sender, [recipient], text)


def results_of(octets):
    fields = email.message_from_bytes(octets).get_all("Authentication-Results") or []
    equal(len(fields), 1, f"Authentication-Results fields in {octets[:2000]!r}")
    return " ".join(fields[0].split())


def mail_in(server, user, mark, mailbox="INBOX"):
    return [one for one in bodies(server.imap(user), mailbox) if mark.encode() in one]


ZONE = f"""
good TXT "v=spf1 ip4:{GOOD} -all"
good A {GOOD}
soft TXT "v=spf1 ~all"
strict TXT "v=spf1 ip4:{GOOD} -all"
_dmarc.strict TXT "v=DMARC1; p=reject"
_dmarc.careful TXT "v=DMARC1; p=quarantine"
"""


@check
def incoming_mail_is_judged():
    with Net(ZONE) as net:
        server = net.serve("b.test")
        server.account("bob@b.test")
        rows = [
            # source, envelope sender, From, the mailbox, a part of the results
            (GOOD, "x@good.test", "x@good.test", "INBOX", "spf=pass"),
            (GOOD, "x@good.test", "x@good.test", "INBOX", "iprev=pass"),
            (BAD, "x@good.test", "x@good.test", "Junk", "spf=fail"),
            (BAD, "x@soft.test", "x@soft.test", "Junk", "spf=softfail"),
            (BAD, "x@unknown.test", "x@unknown.test", "Junk", "spf=none"),
            (GOOD, "x@strict.test", "x@strict.test", "INBOX", "dmarc=pass"),
            (GOOD, "x@good.test", "x@strict.test", "Junk", "dmarc=fail"),
            (GOOD, "x@good.test", "x@careful.test", "Junk", "dmarc=fail"),
        ]
        for n, (source, sender, author, mailbox, part) in enumerate(rows):
            deliver_from(source, server, sender, "bob@b.test", message(author, "bob@b.test", f"row {n}."))
            found = mail_in(server, "bob@b.test", f"Subject: row {n}.", mailbox)
            equal(len(found), 1, f"row {n} in {mailbox}")
            that(part in results_of(found[0]), f"row {n}: {results_of(found[0])}")
            tree = email.message_from_bytes(found[0])
            equal(tree["X-Spam-Flag"], "YES" if mailbox == "Junk" else None, f"row {n}")
        imap = server.imap("bob@b.test")
        imap.select("Junk", readonly=True)
        equal(len(imap.search(None, "KEYWORD", "$Junk")[1][0].split()), sum(row[3] == "Junk" for row in rows), "$Junk")

        # What the sender claims in our name is gone; what others say stays.
        forged = ("Authentication-Results: mx.b.test; spf=pass smtp.mailfrom=ceo@bank.test\r\n"
                  "Authentication-Results: MX.B.test. 1; dkim=pass header.d=bank.test\r\n"
                  "Authentication-Results: elsewhere.example; spf=pass\r\n"
                  "ARC-Authentication-Results: i=1; mx.b.test; dmarc=pass\r\n"
                  "X-Spam-Flag: NO\r\n")
        deliver_from(BAD, server, "x@good.test", "bob@b.test", forged + message("x@good.test", "bob@b.test", "forged"))
        tree = email.message_from_bytes(mail_in(server, "bob@b.test", "Subject: forged", "Junk")[0])
        fields = tree.get_all("Authentication-Results")
        equal(len(fields), 2, f"{fields}")
        that("spf=fail" in fields[0] and fields[0].startswith("mx.b.test"), fields[0])
        that(fields[1].startswith("elsewhere.example"), fields[1])
        equal(tree.get_all("ARC-Authentication-Results"), None)
        equal(tree.get_all("X-Spam-Flag"), ["YES"])

        # DNS is away: nothing is lost, and nothing called spam for it.
        net.names.authority.stop()
        deliver_from(BAD, server, "x@good.test", "bob@b.test", message("x@good.test", "bob@b.test", "no DNS"))
        found = mail_in(server, "bob@b.test", "Subject: no DNS")
        equal(len(found), 1, "mail without DNS")
        that("spf=temperror" in results_of(found[0]), results_of(found[0]))
        net.names.authority.start()


@check
def a_policy_is_obeyed_where_asked():
    with Net(ZONE) as net:
        server = net.serve("b.test", lambda c: c["authentication"].update(dmarc="obey"))
        server.account("bob@b.test")
        try:
            deliver_from(GOOD, server, "x@good.test", "bob@b.test", message("x@strict.test", "bob@b.test", "refused"))
            that(False, "a message against a policy of reject was taken")
        except smtplib.SMTPDataError as why:
            equal(why.smtp_code, 550)
            that(b"5.7.1" in why.smtp_error and b"strict.test" in why.smtp_error, why.smtp_error)
        deliver_from(GOOD, server, "x@good.test", "bob@b.test", message("x@careful.test", "bob@b.test", "kept"))
        equal(len(mail_in(server, "bob@b.test", "Subject: kept", "Junk")), 1)
        equal(mail_in(server, "bob@b.test", "Subject: refused", "Junk"), [])


DKIMPY = """
import sys, dkim, dns.resolver
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port = ["127.0.0.1"], int(sys.argv[1])
def txt(name, timeout=5):
    answer = resolver.resolve(name.decode() if isinstance(name, bytes) else name, "TXT")
    return b"".join(answer[0].strings)
message = sys.stdin.buffer.read()
verifier = dkim.DKIM(message)
count = sum(1 for name, _ in verifier.headers if name.lower() == b"dkim-signature")
print(" ".join("pass" if dkim.DKIM(message).verify(idx=n, dnsfunc=txt) else "fail" for n in range(count)))
"""


def dkimpy(names, octets):
    if subprocess.run(["/usr/bin/python3", "-c", "import dkim, nacl, dns.resolver"], capture_output=True).returncode != 0:
        raise Skipped("python3-dkim, python3-nacl and python3-dnspython are not installed")
    return run(["/usr/bin/python3", "-c", DKIMPY, str(names.port)], stdin=octets).stdout.decode().split()


@check
def outgoing_mail_is_signed_and_verified():
    need_25()
    with Net() as net:
        a = net.serve("a.test", records=False)
        b = net.serve("b.test")
        a.account("alice@a.test")
        a.account("anna@a.test")
        b.account("bob@b.test")

        keys = a.ask("dkim", "generate", "a.test")["keys"]
        equal([one["state"] for one in keys], ["pending", "pending"])
        that("PRIVATE" not in json.dumps(a.ask("dkim", "list")), "a private key was shown")
        that(a.ctl("dkim", "check", "a.test", ok=False).returncode != 0, "keys that nobody can see pass the check")
        that(a.ctl("dkim", "activate", "a.test", ok=False).returncode != 0, "keys that nobody can see are used")
        that(a.ctl("dns", "a.test", "--check", ok=False).returncode != 0, "an empty zone passes the check")

        net.publish(a, "a.test")
        rows = a.ask("dns", "a.test", "--check")["records"]
        equal({row["status"] for row in rows}, {"published"}, json.dumps(rows, indent=1))
        that({"MX", "TXT", "TLSA", "SRV", "A"} <= {row["type"] for row in rows}, rows)
        a.ctl("dkim", "check", "a.test")
        a.ctl("dkim", "activate", "a.test")
        equal({one["state"] for one in a.ask("dkim", "list", "a.test")["keys"]}, {"active"})

        with a.submit("alice@a.test") as client:
            client.sendmail("alice@a.test", ["bob@b.test", "anna@a.test"], message("alice@a.test", "bob@b.test", "signed twice", body="Hello\r\n\r\n"))
        got = wait_for_mail(b, "bob@b.test", lambda one: b"Subject: signed twice" in one)
        said = results_of(got)
        equal(said.count("dkim=pass"), 2, said)
        for part in ("header.a=rsa-sha256", "header.a=ed25519-sha256", "spf=pass", "dmarc=pass", "iprev=pass"):
            that(part in said, f"{part} in {said}")
        # What stays here is signed as well.
        local = wait_for_mail(a, "anna@a.test", lambda one: b"Subject: signed twice" in one)
        for copy in (got, local):
            equal(dkimpy(net.names, copy), ["pass", "pass"], "dkimpy")

        # A report of ours is signed by the domain above the host's name.
        with a.submit("alice@a.test") as client:
            client.sendmail("alice@a.test", ["nobody@b.test"], message("alice@a.test", "nobody@b.test", "to nobody"))
        report = wait_for_mail(a, "alice@a.test", lambda one: b"multipart/report" in one)
        equal(dkimpy(net.names, report), ["pass", "pass"], "dkimpy on the report")

        # Change of keys with an overlap.
        fresh = [one for one in a.ask("dkim", "rotate", "a.test")["keys"]]
        equal([one["state"] for one in fresh], ["pending", "pending"])
        net.names.add("".join(line + "\n" for line in a.ctl("dns", "a.test").stdout.decode().splitlines()
                              if "; p=" in line and any(one["selector"] + "._domainkey" in line for one in fresh)))
        a.ctl("dkim", "rotate", "a.test")
        states = {one["selector"]: one["state"] for one in a.ask("dkim", "list", "a.test")["keys"]}
        equal(sorted(states.values()), ["active", "active", "retiring", "retiring"])
        with a.submit("alice@a.test") as client:
            client.sendmail("alice@a.test", ["bob@b.test"], message("alice@a.test", "bob@b.test", "new keys"))
        said = results_of(wait_for_mail(b, "bob@b.test", lambda one: b"Subject: new keys" in one))
        equal(said.count("dkim=pass"), 2, said)
        for one in fresh:
            that(f"header.s={one['selector']}" in said, said)

        # Why it passes, step by step, from a file.
        path = f"{a.dir}/message"
        with open(path, "wb") as f:
            f.write(got)
        text = a.ctl("verify", path, "--ip", A, "--helo", "mx.a.test", "--from", "alice@a.test").stdout.decode()
        for part in ("=> pass", "TXT a.test", "_domainkey.a.test", "_dmarc.a.test", "Authentication-Results:"):
            that(part in text, f"{part} in {text}")
        told = a.ask("verify", path, "--ip", BAD, "--helo", "mx.a.test", "--from", "alice@a.test", "--dns", net.names.server)
        methods = {one["method"]: one for one in told["methods"]}
        equal(methods["spf (MAIL FROM)"]["results"][0]["result"], "fail")
        equal([one["result"] for one in methods["dkim"]["results"]], ["pass", "pass"])
        equal(methods["dmarc"]["results"][0]["result"], "pass")


@check
def forwarded_mail_passes_at_the_third_server():
    need_25()
    with Net() as net:
        servers = {name: net.serve(name, records=False) for name in ("a.test", "b.test", "c.test")}
        a, b, c = servers["a.test"], servers["b.test"], servers["c.test"]
        for name in ("a.test", "b.test"):
            servers[name].ctl("dkim", "generate", name)
            servers[name].ctl("dkim", "activate", name, "--force")
        for name, server in servers.items():
            net.publish(server, name)
        a.account("alice@a.test")
        c.account("carol@c.test")
        b.ctl("alias", "add", "far@b.test", "carol@c.test")
        with a.submit("alice@a.test") as client:
            client.sendmail("alice@a.test", ["far@b.test"], message("alice@a.test", "far@b.test", "forwarded"))
        got = wait_for_mail(c, "carol@c.test", lambda one: b"Subject: forwarded" in one, seconds=60)
        said = results_of(got.replace(b"Authentication-Results: mx.b.test", b"X-Results: mx.b.test"))
        for part in ("spf=pass", "dmarc=pass", "arc=pass"):
            that(part in said, f"{part} in {said}")
        equal(said.count("dkim=pass"), 2, said)
        tree = email.message_from_bytes(got)
        path = tree["Return-Path"].strip("<>")
        that(re.match(r"SRS0=.*=a\.test=alice@b\.test$", path), path)
        equal(len(tree.get_all("ARC-Seal")), 1)
        that("mx.b.test" in tree["ARC-Authentication-Results"], tree["ARC-Authentication-Results"])

        # A bounce finds the way back; one to an address that nobody of ours made does not.
        deliver_from(C, b, "", path, message("MAILER-DAEMON@relay.test", path, "a bounce"), "mx.c.test")
        back = wait_for_mail(a, "alice@a.test", lambda one: b"Subject: a bounce" in one)
        equal(email.message_from_bytes(back)["Return-Path"], "<>")
        with client_of(b, C) as client:
            client.docmd("MAIL", "FROM:<>")
            code, text = client.docmd("RCPT", f"TO:<{path.replace('=a.test=alice', '=a.test=victim')}>")
            equal((code, b"5.1.1" in text), (550, True), text)


@check
def a_day_is_reported():
    need_25()
    with Net(ZONE) as net:
        a = net.serve("a.test", records=False)
        b = net.serve("b.test", lambda c: c.update(dmarc={"reports": {"enabled": True}}), records=False)
        a.account("postmaster@a.test")  # where reports go by what is published for a.test
        b.account("bob@b.test")
        net.publish(a, "a.test")
        b.ctl("dkim", "generate", "b.test")
        net.publish(b, "b.test")
        b.ctl("dkim", "activate", "b.test")
        b.stop()
        on_one_day()
        b.start(days=-2)
        for source, sender, mark in ((A, "x@a.test", "own"), (A, "x@a.test", "again"), (BAD, "x@a.test", "forged")):
            deliver_from(source, b, sender, "bob@b.test", message("x@a.test", "bob@b.test", mark))
        b.stop()
        b.start()  # what was counted two days ago is still known
        got = wait_for_mail(a, "postmaster@a.test", lambda one: b"Report Domain: a.test" in one, seconds=60)
        that("dmarc=pass" in results_of(got), results_of(got))
        equal(dkimpy(net.names, got), ["pass", "pass"], "dkimpy on the report")
        files = [part for part in email.message_from_bytes(got).walk() if part.get_content_type() == "application/gzip"]
        equal(len(files), 1)
        that(re.match(r"mx\.b\.test!a\.test!\d+!\d+\.xml\.gz$", files[0].get_filename()), files[0].get_filename())
        path = f"{a.dir}/{files[0].get_filename()}"
        with open(path, "wb") as f:
            f.write(files[0].get_payload(decode=True))
        # From the file, and from the mailbox in which reports pile up.
        for where in ([path], ["--account", "postmaster@a.test"]):
            (told,) = a.ask("dmarc", "report", *where)["domains"]
            equal((told["domain"], told["messages"], told["passed"], told["spf"]), ("a.test", 3, 2, 2), json.dumps(told))
            equal({one["source"]: one["messages"] for one in told["sources"]}, {A: 2, BAD: 1})
        b.stop()
        b.start()
        equal(len(mail_in(a, "postmaster@a.test", "Report Domain: a.test")), 1, "the report is sent once")


main()
