"""What the server refuses, what it adds to a message, and what its log may say."""
import base64
import email
import json
import re
import smtplib
import ssl
import warnings

from harness import Server, bodies, check, equal, main, message, that

PASSWORD = "correct horse"


def serve(change=None):
    server = Server(change=change)
    server.domain("example.test")
    for user in ("alice", "bob"):
        server.account(f"{user}@example.test")
    return server


@check
def nothing_before_tls():
    server = serve()
    line = server.raw("smtp")
    line.reply()
    hello = line.ask("EHLO client.example")
    that("STARTTLS" in hello and "AUTH" not in hello, hello)
    that(line.ask("MAIL FROM:<a@client.example>").startswith("530 5.7.0"), "MAIL before TLS on 25")
    for port in ("submission",):
        line = server.raw(port)
        line.reply()
        that("AUTH" not in line.ask("EHLO client.example"), "AUTH is offered in the clear")
        that(line.ask("MAIL FROM:<alice@example.test>").startswith("530 5.7.0"), "MAIL before TLS on 587")
        secret = base64.b64encode(b"\0alice@example.test\0" + PASSWORD.encode()).decode()
        answer = line.ask(f"AUTH PLAIN {secret}")
        that(answer[:3] in ("530", "538"), f"AUTH in the clear: {answer}")
    line = server.raw("imap")
    greeting = line.line()
    capabilities = greeting + " ".join(line.imap("a", "CAPABILITY"))
    that("LOGINDISABLED" in capabilities and "STARTTLS" in capabilities and "AUTH=PLAIN" not in capabilities, capabilities)
    that(line.imap("b", f'LOGIN alice@example.test "{PASSWORD}"')[-1].startswith("b NO [PRIVACYREQUIRED]"), "LOGIN in the clear")
    answer = line.imap("c", f"AUTHENTICATE PLAIN {secret}")[-1]
    that(answer.startswith("c NO"), f"AUTHENTICATE in the clear: {answer}")
    # Commands slipped in before the handshake must not be obeyed or answered inside TLS (CVE-2011-0411).
    line.send(b'd STARTTLS\r\ne LOGIN alice@example.test "correct horse"\r\n')
    that(line.line().startswith("d OK"), "STARTTLS")
    try:
        line.socket = server.trust().wrap_socket(line.socket, server_hostname="localhost")
        answers = line.imap("f", "SELECT INBOX")
        that(not any(one.startswith("e ") for one in answers), f"an injected LOGIN was answered: {answers}")
        that(not answers[-1].startswith("f OK"), "an injected LOGIN was obeyed")
    except (ssl.SSLError, OSError):
        pass  # ending the connection is right, too
    line = server.raw("smtp")
    line.reply()
    line.ask("EHLO client.example")
    line.send("STARTTLS\r\nMAIL FROM:<injected@client.example>\r\n")
    answer = line.reply()
    if answer.startswith("220"):
        try:
            line.socket = server.trust().wrap_socket(line.socket, server_hostname="localhost")
            line.buffer = b""
            that(line.ask("NOOP").startswith("250"), "an injected command was answered")
            that(line.ask("QUIT").startswith("221"), "an injected command was answered")
        except (ssl.SSLError, OSError):
            pass


@check
def no_open_relay():
    server = serve()
    rows = [
        ("a stranger", "a@client.example", "b@elsewhere.example"),
        ("percent hack", "a@client.example", "b%elsewhere.example@example.test"),
        ("bang path", "a@client.example", "elsewhere.example!b@example.test"),
        ("source route to a stranger", "a@client.example", "@example.test:b@elsewhere.example"),
        ("quoted address in the local part", "a@client.example", '"b@elsewhere.example"@example.test'),
        ("quoted with percent", "a@client.example", '"b%elsewhere.example"@example.test'),
        ("address literal", "a@client.example", "b@[192.0.2.1]"),
        ("literal of this machine", "a@client.example", "b@[127.0.0.1]"),
        ("null sender", "", "b@elsewhere.example"),
        ("a local sender", "alice@example.test", "b@elsewhere.example"),
        ("sub-domain", "a@client.example", "alice@sub.example.test"),
        ("two at signs", "a@client.example", "b@elsewhere.example@example.test"),
        ("name of the host", "a@client.example", "b@localhost.elsewhere.example"),
        ("trailing dot", "a@client.example", "b@elsewhere.example."),
        ("no domain", "a@client.example", "b"),
    ]
    for why, sender, recipient in rows:
        with server.smtp() as client:
            code, text = client.docmd("MAIL", f"FROM:<{sender}>")
            if code == 250:
                code, text = client.docmd("RCPT", f"TO:<{recipient}>")
            that(500 <= code < 600, f"{why}: {code} {text}")
    with server.smtp() as client:  # AUTH has no place on 25
        that("auth" not in client.esmtp_features, "AUTH is offered on 25")
        that(client.docmd("AUTH", "PLAIN " + base64.b64encode(b"\0alice@example.test\0correct horse").decode())[0] >= 500, "AUTH on 25")
    equal(server.ask("queue", "list")["items"], [], "the queue")
    with server.smtp() as client:  # and what must work: postmaster without a domain may be answered either way, alice is taken
        equal(client.docmd("MAIL", "FROM:<>")[0], 250)
        equal(client.docmd("RCPT", "TO:<ALICE+tag@Example.TEST>")[0], 250)
        equal(client.docmd("RCPT", "TO:<nobody@example.test>")[0], 550)


@check
def sender_must_be_ones_own():
    server = serve()
    server.ctl("alias", "add", "sales@example.test", "alice@example.test")
    server.ctl("account", "change", "bob@example.test", "--send-as", "office@example.test", "--send-as", "@team.test")
    rows = [
        ("alice", "alice@example.test", 250), ("alice", "Alice@Example.Test", 250), ("alice", "alice+news@example.test", 250),
        ("alice", "bob@example.test", 550), ("alice", "alice@elsewhere.example", 550), ("alice", "office@example.test", 550),
        ("bob", "office@example.test", 250), ("bob", "any@team.test", 250), ("bob", "alice@example.test", 550),
        ("bob", "any@sub.team.test", 550),
    ]
    for user, sender, expected in rows:
        with server.submit(f"{user}@example.test") as client:
            code, text = client.docmd("MAIL", f"FROM:<{sender}>")
            that(code == expected or (expected == 550 and 550 <= code <= 554), f"{user} as {sender}: {code} {text}")
    line = server.raw_tls("submission")
    that(line.ask("MAIL FROM:<alice@example.test>").startswith("530"), "Submission without a login")
    # What the recipient will see is held to the same rule.
    for user, authors, expected in [
            ("alice", "From: Alice <Alice@Example.Test>\r\n", 250), ("alice", "From: sales@example.test\r\n", 250),
            ("bob", "From: office@example.test\r\nSender: bob@example.test\r\n", 250),
            ("alice", "From: bob@example.test\r\n", 550), ("alice", "From: ceo@bank.example\r\n", 550),
            ("alice", "From: alice@example.test, bob@example.test\r\n", 550), ("alice", "Subject: nobody\r\n", 550),
            ("alice", "From: alice@example.test\r\nFrom: bob@example.test\r\n", 550),
            ("alice", "From: alice@example.test\r\nSender: bob@example.test\r\n", 550)]:
        with server.submit(f"{user}@example.test") as client:
            client.docmd("MAIL", f"FROM:<{user}@example.test>")
            client.docmd("RCPT", "TO:<bob@example.test>")
            code, text = client.data(authors + "\r\nHello\r\n")
            equal((code, b"5.7.1" in text), (expected, expected == 550), f"{user} with {authors!r}: {text}")


@check
def tls_versions():
    server = serve()
    for port in ("submissions", "imaps"):
        for version, expected in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)):
            context = server.trust()
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings(action="ignore"):  # of the old version, which is the point
                context.minimum_version = context.maximum_version = version
            line = server.raw(port)
            try:
                context.wrap_socket(line.socket, server_hostname="localhost").close()
                worked = True
            except (ssl.SSLError, OSError):
                worked = False
            equal(worked, expected, f"{port} with {version.name}")


@check
def wrong_password():
    server = serve()
    with server.smtp("submission") as client:
        for user in ("alice@example.test", "nobody@example.test"):
            try:
                client.login(user, "wrong")
                raise AssertionError("taken")
            except smtplib.SMTPAuthenticationError as refused:
                equal(refused.smtp_code, 535)
                that(refused.smtp_error.startswith(b"5.7.8"), refused.smtp_error)
    line = server.raw_tls("imaps")
    answers = [line.imap(f"a{n}", "LOGIN alice@example.test wrong") for n in range(10)]
    that(answers[0][-1].startswith("a0 NO [AUTHENTICATIONFAILED]"), answers[0])
    that(any("BYE" in one for rows in answers for one in rows), "guessing goes on for ever")


@check
def trace_lines():
    server = serve()
    server.deliver("friend@elsewhere.example", ["alice@example.test"],
                   "Return-Path: <forged@elsewhere.example>\r\n" + message("friend@elsewhere.example", "alice@example.test"))
    got = email.message_from_bytes(bodies(server.imap("alice@example.test"))[0])
    equal(got.get_all("Return-Path"), ["<friend@elsewhere.example>"], "Return-Path")
    received = got.get_all("Received")
    equal(len(received), 1)
    flat = " ".join(received[0].split())
    that(re.search(r"^from client\.example \(.*127\.0\.0\.1.*\) by localhost .*with ESMTPS\b.*; \w{3}, ", flat), flat)
    with server.submit("alice@example.test") as client:
        client.sendmail("alice@example.test", ["bob@example.test"], "From: alice@example.test\r\nSubject: bare\r\n\r\nHello\r\n")
    got = email.message_from_bytes(bodies(server.imap("bob@example.test"))[0])
    that(got["Date"] and re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", got["Message-ID"]), f"added lines: {got.items()}")
    flat = " ".join(got["Received"].split())
    that("with ESMTPSA" in flat, flat)
    mine = message("alice@example.test", "bob@example.test", mark="kept")
    with server.submit("alice@example.test") as client:
        client.sendmail("alice@example.test", ["bob@example.test"], mine)
    got = email.message_from_bytes(bodies(server.imap("bob@example.test"))[1])
    equal(got.get_all("Message-ID"), ["<kept@client.example>"], "a Message-ID that was there")
    equal(len(got.get_all("Date")), 1)


@check
def the_log_keeps_secrets():
    for form in ("json", "text"):
        server = serve(lambda c: c["log"].update(format=form, level="debug"))
        server.account("carol@example.test", password="Zebra-Secret-9")
        server.ctl("account", "password", "carol@example.test", "--password-file", "-", stdin="Yak-Secret-8\n")
        text = ("From: Display-Xylophone <friend@elsewhere.example>\r\nTo: Display-Ukulele <carol@example.test>\r\n"
                "Subject: Subject-Quagmire\r\nX-Private: Header-Walrus\r\n\r\nBody-Jellyfish\r\n")
        server.deliver("friend@elsewhere.example", ["carol@example.test"], text)
        with server.smtp("submission") as client:
            client.login("carol@example.test", "Yak-Secret-8")
            client.sendmail("carol@example.test", ["alice@example.test"], text.replace("friend@elsewhere.example", "carol@example.test"))
            client.docmd("Command-Narwhal", "Argument-Narwhal")
            client.docmd("RCPT", "TO:<who@elsewhere.example>")
        with server.smtp("submission") as client:
            try:
                client.login("carol@example.test", "Wrong-Secret-7")
            except smtplib.SMTPAuthenticationError:
                pass
        imap = server.imap("carol@example.test", "Yak-Secret-8")
        imap.select("INBOX")
        imap.search(None, 'SUBJECT "Subject-Quagmire"')
        imap.append("INBOX", None, None, text.encode())
        imap.create("Mailbox-Ocelot")
        try:
            imap.xatom("Bogus-Narwhal", "x")
        except Exception:
            pass
        try:
            server.imap("carol@example.test", "Wrong-Secret-6")
        except Exception:
            pass
        status = server.ctl("status").stdout.decode() + server.ctl("--json", "status").stdout.decode()
        equal(server.stop(), 0)
        log = server.log() + server.tail(1000)
        for secret in ("Zebra-Secret", "Yak-Secret", "Wrong-Secret", "Xylophone", "Ukulele", "Quagmire", "Walrus", "Jellyfish",
                       base64.b64encode(b"\0carol@example.test\0Yak-Secret-8").decode()):
            that(secret not in log, f"the {form} log tells {secret}")
            that(secret not in status, f"status tells {secret}")
        for fact in ("friend@elsewhere.example", "carol@example.test", "127.0.0.1", ".message.accepted", ".login.refused", ".login.accepted"):
            that(fact in log, f"the {form} log does not tell {fact}")
        lines = server.log().splitlines()
        if form == "json":
            rows = [json.loads(line) for line in lines]
            that(all("time" in row and "event" in row for row in rows), rows[0])
            accepted = [row for row in rows if row["event"].endswith(".message.accepted")]
            that(accepted and all(row.get("session") for row in accepted), accepted)
        server.stop()


main()
