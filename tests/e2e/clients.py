"""Real clients against the server, every connection over TLS with the certificate checked."""
import imaplib
import os
import smtplib
import tempfile

from harness import (Server, bodies, check, equal, main, message, need, run, that)

PASSWORD = "correct horse"


def serve(recoverable=False, **limits):
    server = Server(change=lambda c: c.update(auth={"recoverable_passwords": recoverable}, limits=limits))
    server.domain("example.test")
    server.account("alice@example.test")
    server.account("bob@example.test")
    server.account("carol@example.test", scheme="plain")
    return server


@check
def smtplib_sends():
    server = serve(recoverable=True)
    server.deliver("x@elsewhere.example", ["alice@example.test"], message("x@elsewhere.example", "alice@example.test", "port 25"))
    for mechanism, user in (("PLAIN", "alice"), ("LOGIN", "alice"), ("CRAM-MD5", "carol")):
        with server.smtp("submission") as client:
            that(mechanism in client.esmtp_features["auth"].split(), f"{mechanism} is not offered: {client.esmtp_features}")
            client.user, client.password = f"{user}@example.test", PASSWORD
            method = "auth_" + mechanism.lower().replace("-", "_")
            equal(client.auth(mechanism, getattr(client, method))[0], 235, mechanism)
            client.sendmail(client.user, ["bob@example.test"], message(client.user, "bob@example.test", "by " + mechanism))
    with smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.trust(), timeout=60) as client:
        client.login("alice@example.test", PASSWORD)
        client.sendmail("alice@example.test", ["bob@example.test"], message("alice@example.test", "bob@example.test", "port 465"))
    eight = message("x@elsewhere.example", "alice@example.test", "eight", "Gr\u00fc\u00dfe\r\n").encode()
    with server.smtp() as client:
        for option in ("8bitmime", "smtputf8", "size", "pipelining", "chunking", "enhancedstatuscodes"):
            that(client.has_extn(option), f"{option} is not offered")
        client.sendmail("x@elsewhere.example", ["alice@example.test"], eight, mail_options=["BODY=8BITMIME"])
        utf8 = message("j\u00f6rg@b\u00fccher.example", "alice@example.test", "Gr\u00f6\u00dfe").encode()
        client.sendmail("j\u00f6rg@b\u00fccher.example", ["alice@example.test"], utf8, mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    imap = server.imap("bob@example.test")
    subjects = [line for one in bodies(imap) for line in one.split(b"\r\n") if line.startswith(b"Subject:")]
    equal(subjects, [b"Subject: by PLAIN", b"Subject: by LOGIN", b"Subject: by CRAM-MD5", b"Subject: port 465"])
    imap = server.imap("alice@example.test")
    found = bodies(imap)
    equal(len(found), 3)
    that(found[1].endswith("\r\n\r\nGr\u00fc\u00dfe\r\n".encode()), "8-bit body was changed")
    that("Subject: Gr\u00f6\u00dfe\r\n".encode() in found[2], "UTF-8 header was changed")


@check
def swaks_sends():
    need("swaks")
    server = serve(recoverable=True)
    common = ["swaks", "--server", "localhost", "--ehlo", "client.example", "--tls-verify", "--tls-ca-path", server.ca,
              "--from", "alice@example.test", "--to", "bob@example.test", "--hide-all"]
    run(common + ["--port", str(server.ports["smtp"]), "--tls", "--header", "Subject: swaks 25"])
    for auth in ("PLAIN", "LOGIN"):
        run(common + ["--port", str(server.ports["submission"]), "--tls", "--auth", auth, "--auth-user", "alice@example.test",
                      "--auth-password", PASSWORD, "--header", "Subject: swaks 587 " + auth])
    run(common + ["--port", str(server.ports["submission"]), "--tls", "--auth", "CRAM-MD5", "--auth-user", "carol@example.test",
                  "--auth-password", PASSWORD, "--from", "carol@example.test", "--header", "Subject: swaks 587 CRAM-MD5"])
    run(common + ["--port", str(server.ports["submissions"]), "--tls-on-connect", "--auth", "PLAIN", "--auth-user",
                  "alice@example.test", "--auth-password", PASSWORD, "--header", "Subject: swaks 465"])
    bad = run(common + ["--port", str(server.ports["submission"]), "--tls", "--auth", "PLAIN", "--auth-user",
                        "alice@example.test", "--auth-password", "wrong"], ok=False)
    that(bad.returncode != 0, "a wrong password was taken")
    other = Server()
    refused = run(["swaks", "--server", "localhost", "--port", str(other.ports["smtp"]), "--tls", "--tls-verify", "--tls-ca-path",
                   server.ca, "--quit-after", "EHLO"], ok=False)
    that(refused.returncode != 0, "the check of the certificate does not check")
    subjects = [s for one in bodies(server.imap("bob@example.test")) for s in one.split(b"\r\n") if s.startswith(b"Subject:")]
    equal(len(subjects), 5, subjects)


def curl(server, url, *lines, ok=True, stdin_file=None):
    settings = f'url = "{url}"\ncacert = "{server.ca}"\nsilent\nshow-error\n' + "".join(one + "\n" for one in lines)
    return run(["curl", "--config", "-"], settings, ok)


@check
def curl_sends_and_reads():
    need("curl")
    server = serve()
    login = f'user = "alice@example.test:{PASSWORD}"'
    with tempfile.TemporaryDirectory() as folder:
        file = folder + "/mail"
        with open(file, "w", newline="") as f:
            f.write(message("alice@example.test", "alice@example.test", "curl one", "Line one\r\n.dot\r\n"))
        send = [f'upload-file = "{file}"', 'mail-from = "alice@example.test"', 'mail-rcpt = "alice@example.test"']
        curl(server, f'smtp://localhost:{server.ports["submission"]}', login, "ssl-reqd", 'mail-auth = "alice@example.test"', *send)
        curl(server, f'smtps://localhost:{server.ports["submissions"]}', login, *send)
        for mechanism in ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1"):
            done = curl(server, f'smtp://localhost:{server.ports["submission"]}', login, "ssl-reqd",
                        f'login-options = "AUTH={mechanism}"', *send, ok=mechanism in ("PLAIN", "LOGIN"))
            # Debian's curl knows SCRAM only where it was built with GNU SASL; then it must work.
            if done.returncode != 0:
                that(done.returncode == 67 and mechanism.startswith("SCRAM"), f"{mechanism}: {done.stderr}")
        for base in (f'imap://localhost:{server.ports["imap"]}', f'imaps://localhost:{server.ports["imaps"]}'):
            tls = "ssl-reqd"
            listing = curl(server, base + "/", login, tls).stdout.decode()
            for name in ("INBOX", "Sent", "Drafts", "Junk", "Trash", "Archive"):
                that(name in listing, f"{name} is missing in {listing}")
            that("\\Trash" in listing or "\\HasNoChildren" in listing, listing)
            whole = curl(server, base + "/INBOX;UID=1", login, tls).stdout
            that(whole.endswith(b"\r\n\r\nLine one\r\n.dot\r\n"), whole)
            part = curl(server, base + "/INBOX;UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)", login, tls).stdout
            equal(part.strip(), b"Subject: curl one")
            found = curl(server, base + "/INBOX?SUBJECT%20curl", login, tls).stdout.decode()
            that(found.startswith("* SEARCH 1 2"), found)
            curl(server, base + "/Archive", login, tls, f'upload-file = "{file}"')
            curl(server, base + "/INBOX;UID=1", login, tls, 'request = "UID STORE 1 +FLAGS (\\\\Flagged)"')
            flagged = curl(server, base + "/INBOX?FLAGGED", login, tls).stdout.decode()
            that(flagged.startswith("* SEARCH 1\r"), flagged)
            curl(server, base + "/INBOX", login, tls, 'request = "STORE 1 -FLAGS (\\\\Flagged)"')
        with open(file, "rb") as f:
            equal(bodies(server.imap("alice@example.test"), "Archive"), [f.read()] * 2, "append by curl")
    bad = curl(server, f'imaps://localhost:{server.ports["imaps"]}/', 'user = "alice@example.test:wrong"', ok=False)
    equal(bad.returncode, 67, "curl with a wrong password")


def imaplib_all_day(server, c):
    def ok(answer):
        equal(answer[0], "OK", answer)
        return answer[1]
    ok(c.authenticate("PLAIN", lambda _: b"\0alice@example.test\0" + PASSWORD.encode()))
    for n in range(10):
        text = message("sender%d@elsewhere.example" % n, "alice@example.test", f"number {n}", "word%d and more\r\n" % n).encode()
        ok(c.append("INBOX", r"(\Seen)" if n % 2 else None, imaplib.Time2Internaldate(1_600_000_000 + n * 86400), text))
    equal(ok(c.select("INBOX")), [b"10"])

    def search(*keys):
        return ok(c.search(None, *keys))[0].decode()
    rows = [
        ("ALL", "1 2 3 4 5 6 7 8 9 10"), ("SEEN", "2 4 6 8 10"), ("UNSEEN", "1 3 5 7 9"), ("NOT SEEN", "1 3 5 7 9"),
        ("1:3,7", "1 2 3 7"), ("UID 2:3", "2 3"), ("OR SUBJECT 3 SUBJECT 5", "4 6"), ('BODY "word7"', "8"), ('TEXT "word7"', "8"),
        ('FROM "sender4@"', "5"), ('TO "alice"', "1 2 3 4 5 6 7 8 9 10"), ('CC "alice"', ""), ('HEADER Subject "number 9"', "10"),
        ("BEFORE 15-Sep-2020", "1 2"), ("SINCE 20-Sep-2020", "8 9 10"), ("ON 16-Sep-2020", "4"), ("LARGER 100000", ""),
        ("SMALLER 100000 SEEN", "2 4 6 8 10"), ("(SEEN 1:4)", "2 4"), ("DELETED", ""), ("FLAGGED", ""), ("KEYWORD $None", ""),
        ("UNKEYWORD $None 1", "1"), ("SENTSINCE 1-Jan-2100", ""), ("UNANSWERED UNDELETED UNDRAFT UNFLAGGED 1", "1"), ("*", "10"),
    ]
    for key, expected in rows:
        equal(search(key), expected, "SEARCH " + key)
    c.literal = "number 3".encode()
    equal(ok(c.search("UTF-8", "SUBJECT"))[0], b"4", "SEARCH with a literal")

    data = ok(c.fetch("1", "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY BODY.PEEK[HEADER] BODY.PEEK[TEXT]<0.4>)"))
    flat = b" ".join(b" ".join(part) if isinstance(part, tuple) else part for part in data)
    for item in (b"UID 1", b"FLAGS (", b'INTERNALDATE "13-Sep-2020', b"RFC822.SIZE ", b'ENVELOPE ("', b'BODYSTRUCTURE ("TEXT" "PLAIN"',
                 b"BODY[HEADER] {", b"BODY[TEXT]<0> {4}", b"word"):
        that(item.lower() in flat.lower(), f"{item} is missing in {flat}")
    for macro in ("ALL", "FAST", "FULL"):
        ok(c.fetch("1:*", macro))
    ok(c.store("1:2", "+FLAGS", r"(\Flagged $Work)"))
    equal(search("FLAGGED KEYWORD $Work"), "1 2")
    ok(c.store("1", "-FLAGS.SILENT", "($Work)"))
    equal(search("KEYWORD $Work"), "2")
    ok(c.uid("STORE", "3", "FLAGS", r"(\Answered)"))
    equal(search("ANSWERED"), "3")

    name = "Entw\u00fcrfe/\u65e5\u672c"  # as modified UTF-7 (RFC 3501 §5.1.3)
    coded = '"Entw&APw-rfe/&ZeVnLA-"'
    ok(c.create(coded))
    ok(c.copy("1:3", coded))
    that(any(b"Entw&APw-rfe/&ZeVnLA-" in row for row in ok(c.list())), "LIST does not show the mailbox")
    ok(c.rename(coded, '"Neu/&U,BTFw-"'))
    that(b"MESSAGES 3" in ok(c.status('"Neu/&U,BTFw-"', "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT)"))[0], "STATUS")
    listed = server.ask("mailbox", "list", "alice@example.test")
    that(any(one["name"] == "Neu/\u53f0\u5317" for one in listed["mailboxes"]), listed)
    ok(c.uid("MOVE", "4:5", '"Neu/&U,BTFw-"'))
    equal(search("ALL"), "1 2 3 4 5 6 7 8")
    ok(c.store("1:2", "+FLAGS", r"\Deleted"))
    c.response("EXPUNGE")  # those of MOVE
    equal(ok(c.expunge()), [b"1", b"1"])
    ok(c.select('"Neu/&U,BTFw-"'))
    equal(search("ALL"), "1 2 3 4 5")
    ok(c.close())
    ok(c.delete('"Neu/&U,BTFw-"'))
    ok(c.subscribe("INBOX"))
    that(any(b"INBOX" in row for row in ok(c.lsub())), "LSUB")
    ok(c.unsubscribe("INBOX"))
    that(b'(("" "/"))' in ok(c.namespace())[0], "NAMESPACE")
    ok(c.xatom("ID", '("name" "e2e")'))
    kind, data = c.select("Nowhere")
    equal(kind, "NO")
    ok(c.enable("UTF8=ACCEPT"))
    equal(c.logout()[0], "BYE")


@check
def imaplib_over_starttls():
    server = serve()
    imaplib_all_day(server, server.imap())


@check
def imaplib_over_tls():
    server = serve()
    imaplib_all_day(server, server.imap(implicit=True))


@check
def imap_idle_tells_of_new_mail():
    server = serve()
    line = server.raw_tls("imaps")
    that(line.imap("a", f'LOGIN alice@example.test "{PASSWORD}"')[-1].startswith("a OK"), "LOGIN")
    line.imap("b", "SELECT INBOX")
    line.send("c IDLE\r\n")
    that(line.line().startswith("+"), "IDLE")
    server.deliver("x@elsewhere.example", ["alice@example.test"], message("x@elsewhere.example", "alice@example.test"))
    while not (got := line.line()).endswith("1 EXISTS"):
        that(got.startswith("*"), f"no EXISTS, but {got!r}")
    line.send("DONE\r\n")
    that(line.until("c")[-1].startswith("c OK"), "DONE")
    line.close()


@check
def imap_idle_hears_a_word_now_and_then():
    server = serve(imap_idle_word_seconds=1)
    line = server.raw_tls("imaps")
    that(line.imap("a", f'LOGIN alice@example.test "{PASSWORD}"')[-1].startswith("a OK"), "LOGIN")
    line.send("b IDLE\r\n")
    that(line.line().startswith("+"), "IDLE")
    for _ in range(2):
        that((got := line.line()) == "* OK Still here", got)
    line.send("DONE\r\n")
    that(line.until("b")[-1].startswith("b OK"), "DONE")
    line.close()


def maildir_state(folder):
    """Messages of a Maildir by content, with their flags."""
    state = {}
    for part in ("cur", "new"):
        for name in os.listdir(f"{folder}/{part}"):
            with open(f"{folder}/{part}/{name}", "rb") as f:
                text = b"".join(l for l in f.read().replace(b"\r\n", b"\n").splitlines(True) if not l.startswith(b"X-TUID"))
            letters = name.split(":2,")[1] if ":2," in name else ""
            state[text] = "".join(sorted(set(letters) & set("DFRS")))
    return state


def imap_state(server, mailbox="INBOX"):
    c = server.imap("alice@example.test")
    c.select(mailbox, readonly=True)
    data = c.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")[1]
    state = {}
    for index, part in enumerate(data):
        if not isinstance(part, tuple):
            continue
        flags = part[0] + (data[index + 1] if isinstance(data[index + 1], bytes) else b"")
        letters = [l for l, f in (("S", rb"\Seen"), ("R", rb"\Answered"), ("F", rb"\Flagged"), ("D", rb"\Draft")) if f in flags]
        text = b"".join(l for l in part[1].replace(b"\r\n", b"\n").splitlines(True) if not l.startswith(b"X-TUID"))
        state[text] = "".join(sorted(letters))
    c.logout()
    return state


def mbsync_keeps_both_sides_equal(implicit):
    server = serve()
    home = server.dir + "/sync"
    os.makedirs(home + "/mail")
    with open(home + "/rc", "w") as f:
        f.write(f"""IMAPAccount a
Host localhost
Port {server.ports["imaps" if implicit else "imap"]}
User alice@example.test
PassCmd "printf '{PASSWORD}'"
SSLType {"IMAPS" if implicit else "STARTTLS"}
CertificateFile {server.ca}
SystemCertificates no

IMAPStore far
Account a

MaildirStore near
Path {home}/mail/
Inbox {home}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns INBOX Archive
Create Both
Expunge Both
Sync All
SyncState *
""")

    def sync():
        run(["mbsync", "-c", home + "/rc", "all"], timeout=120)
        for box in ("INBOX", "Archive"):
            equal(maildir_state(f"{home}/mail/{box}"), imap_state(server, box), f"{box} differs after mbsync")
    for n in range(20):
        server.deliver("x@elsewhere.example", ["alice@example.test"], message("x@elsewhere.example", "alice@example.test", f"far {n}"))
    sync()
    equal(len(maildir_state(home + "/mail/INBOX")), 20)
    for n in range(5):  # new on the near side
        with open(f"{home}/mail/INBOX/new/{1700000000 + n}.M{n}.host", "w") as f:
            f.write(message("near@client.example", "alice@example.test", f"near {n}").replace("\r\n", "\n"))
    c = server.imap("alice@example.test")  # flags and a removal on the far side
    c.select("INBOX")
    c.store("1:3", "+FLAGS", r"(\Seen \Flagged)")
    c.store("4", "+FLAGS", r"(\Deleted)")
    c.expunge()
    c.append("Archive", None, None, message("a@b.example", "alice@example.test", "archived").encode())
    c.logout()
    sync()
    equal(len(maildir_state(home + "/mail/INBOX")), 24)
    inbox = home + "/mail/INBOX"
    files = sorted((name, part) for part in ("cur", "new") for name in os.listdir(f"{inbox}/{part}"))
    for n, (name, part) in enumerate(files[:4]):  # flags and removals on the near side
        os.rename(f"{inbox}/{part}/{name}", f"{inbox}/cur/{name.split(':2,')[0]}:2,{'RS' if n < 2 else 'ST'}")
    sync()
    equal(len(maildir_state(home + "/mail/INBOX")), 22)
    sync()  # nothing left to do
    equal(len(imap_state(server)), 22)
    other = Server(start=False)
    with open(home + "/rc") as f:
        rc = f.read().replace(server.ca, other.ca)
    with open(home + "/rc", "w") as f:
        f.write(rc)
    that(run(["mbsync", "-c", home + "/rc", "all"], ok=False).returncode != 0, "mbsync takes another certificate")


@check
def mbsync_over_starttls():
    need("mbsync")
    mbsync_keeps_both_sides_equal(False)


@check
def mbsync_over_tls():
    need("mbsync")
    mbsync_keeps_both_sides_equal(True)


main()
