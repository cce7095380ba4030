"""Clients that are slow, huge, endless or broken: each gets its answer, others are served meanwhile, memory stays bounded."""
import base64
import os
import re
import select
import socket
import ssl
import threading
import time

from harness import Server, bodies, check, equal, main, message, that

MIB = 1 << 20
MAPPED = 96 * MIB  # a large message arrives in a mapped file, whose pages count up to the limit of 50 MiB


def serve(change=None):
    server = Server(change=change)
    server.domain("example.test")
    server.account("alice@example.test")
    still_serves(server)  # caches and tables that fill once
    return server


def still_serves(server):
    server.deliver("x@elsewhere.example", ["alice@example.test"], message("x@elsewhere.example", "alice@example.test"))
    imap = server.imap("alice@example.test")
    that(len(bodies(imap)) > 0, "no mail")
    imap.logout()


def bounded(server, before, what, most=64 * MIB):
    grown = server.memory("VmHWM") - before
    print(f"         {what}: memory grew by {grown / MIB:.1f} MiB at the most", flush=True)
    that(grown < most, f"{what}: memory grew by {grown / MIB:.0f} MiB")


def pour(line, data, octets):
    """Sends until all is out or the server hangs up; reads nothing."""
    sent = 0
    line.socket.settimeout(60)
    try:
        while sent < octets:
            line.send(data)
            sent += len(data)
    except OSError:
        pass
    return sent


def rest(line, seconds=20):
    """What the server still says before it closes."""
    said = ""
    line.socket.settimeout(seconds)
    try:
        while (one := line.line()) != "":
            said += one + "\n"
    except OSError:
        pass
    return said


def flood(line, octets, seconds=120):
    """Sends all of it, or what the server takes, and reads meanwhile; what it said until it closed. In one thread:
    the two directions of a TLS connection share their state."""
    left = memoryview(octets)
    line.socket.settimeout(0)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            got = line.socket.recv(65536)
            if not got:
                break
            line.buffer += got
            continue
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            break
        try:
            left = left[line.socket.send(left[:16384]):] if left else left
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            left = memoryview(b"")
        select.select([line.socket], [line.socket] if left else [], [], 1)
    return line.buffer.decode(errors="replace")


@check
def slow_clients_and_half_open_ones():
    server = serve()
    before = server.reset_peak()
    slow = [server.raw("smtp") for _ in range(20)] + [server.raw("imap") for _ in range(20)] + [server.raw("submissions") for _ in range(20)]
    stop = threading.Event()

    def trickle():
        while not stop.is_set():
            for one in slow[:40]:
                try:
                    one.send(b"N")
                except OSError:
                    pass
            stop.wait(1)
    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    half = []
    for port in ("smtp", "submissions", "imap", "imaps"):
        for _ in range(20):
            one = server.raw(port)
            if port in ("smtp", "imap"):
                one.send(b"EHLO a\r\nSTARTT" if port == "smtp" else b"a LOGIN {100")
            else:
                one.send(b"\x16\x03\x01\x02\x00\x01")  # a ClientHello that never ends
            one.socket.shutdown(socket.SHUT_WR) if len(half) % 2 else None
            half.append(one)
    for _ in range(5):
        still_serves(server)
        time.sleep(1)  # the slow ones go on, an octet a second
    stop.set()
    thread.join()
    bounded(server, before, "120 slow or half-open connections")
    for one in slow + half:
        one.close()


@check
def literal_of_4_gib():
    server = serve()
    before = server.reset_peak()
    for announced in (4 << 30, (4 << 30) - 1, (1 << 63), 10**30):
        for command in ("LOGIN {%d}", "APPEND INBOX {%d}", "LOGIN {%d+}", "APPEND INBOX {%d+}"):
            line = server.raw_tls("imaps")
            if command.startswith("APPEND"):
                line.imap("l", 'LOGIN alice@example.test "correct horse"')
            line.socket.settimeout(60)
            line.send("a " + command % announced + "\r\n")
            if "+}" in command:
                answer = line.line()
                that(answer.startswith(("a NO", "a BAD", "* BYE")), f"{command % announced}: {answer!r}")
            else:
                answer = line.line()
                that(answer.startswith(("a NO", "a BAD", "* BYE")), f"{command % announced}: {answer!r}")
                if not answer.startswith("* BYE"):
                    that(line.imap("b", "NOOP")[-1].startswith("b "), "no further command")
            line.close()
    still_serves(server)
    bounded(server, before, "literals of 4 GiB")


@check
def line_without_end():
    server = serve()
    before = server.reset_peak()
    for port in ("smtp", "submissions", "imaps"):
        line = server.raw_tls(port)
        sent = pour(line, b"A" * 65536, 100 * MIB)
        print(f"         {port}: took {sent / MIB:.1f} MiB", flush=True)
        said = rest(line, 3)
        if sent < 100 * MIB:
            that("500" in said or "421" in said or "BYE" in said or "BAD" in said or said == "", said[:200])
        line.close()
        bounded(server, before, f"a line without end on {port}")
    line = server.raw_tls("smtp")  # and inside DATA, where a long line is content up to the limit of the message
    for command, expected in (("MAIL FROM:<a@client.example>", "250"), ("RCPT TO:<alice@example.test>", "250"), ("DATA", "354")):
        that(line.ask(command).startswith(expected), command)
    pour(line, b"A" * 65536, 100 * MIB)
    try:
        line.send("\r\n.\r\n")
        answer = line.reply()
        that(answer.startswith("552") or answer.startswith("421") or answer == "", f"100 MiB on one line: {answer}")
    except OSError:
        pass
    line.close()
    time.sleep(0.5)
    bounded(server, before, "a line of 100 MiB in DATA", MAPPED)
    still_serves(server)


@check
def ten_thousand_recipients():
    server = serve()
    before = server.reset_peak()
    line = server.raw_tls("smtp", timeout=120)
    that(line.ask("MAIL FROM:<a@client.example>").startswith("250"), "MAIL")
    taken, refused = 0, 0
    for start in range(0, 10000, 500):
        line.send("".join(f"RCPT TO:<alice+{n}@example.test>\r\n" for n in range(start, start + 500)))
        for _ in range(500):
            answer = line.reply()
            if answer.startswith("250"):
                that(not refused, "taken behind a refusal")
                taken += 1
            else:
                that(answer.startswith("452 4.5.3"), f"recipient {taken + 1}: {answer}")
                refused += 1
    equal((taken, refused), (1000, 9000))
    that(line.ask("DATA").startswith("354"), "DATA")
    line.send("Subject: many\r\n\r\n.\r\n")
    that(line.reply().startswith("250"), "the message for the recipients that were taken")
    bounded(server, before, "10,000 recipients")
    still_serves(server)


@check
def message_over_the_limit():
    server = serve(lambda c: c.update(limits={"message_size": 50 * MIB}))
    before = server.reset_peak()
    with server.smtp() as client:
        that(client.esmtp_features["size"] == str(50 * MIB), client.esmtp_features)
        code, text = client.docmd("MAIL", f"FROM:<a@client.example> SIZE={60 * MIB}")
        that(code == 552 and text.startswith(b"5.3.4"), f"announced: {code} {text}")
        equal(client.docmd("MAIL", "FROM:<a@client.example>")[0], 250)
        equal(client.docmd("RCPT", "TO:<alice@example.test>")[0], 250)
        equal(client.docmd("DATA")[0], 354)
        block = (b"x" * 76 + b"\r\n") * 840
        try:
            for _ in range(60 * MIB // len(block) + 1):
                client.sock.sendall(block)
            client.sock.sendall(b".\r\n")
            code, text = client.getreply()
            that(code == 552 and text.startswith(b"5.3.4"), f"not announced: {code} {text}")
            equal(client.noop()[0], 250, "after the refusal")
        except (ConnectionError, ssl.SSLError) as why:
            raise AssertionError(f"the connection ended instead of 552: {why}")
    line = server.raw_tls("smtp")  # the same in chunks
    for command in ("MAIL FROM:<a@client.example>", "RCPT TO:<alice@example.test>"):
        that(line.ask(command).startswith("250"), command)
    codes = []
    chunk = b"y" * (6 * MIB)
    for n in range(10):
        line.send(f"BDAT {len(chunk)}{' LAST' if n == 9 else ''}\r\n".encode() + chunk)
        codes.append(line.reply()[:3])
        if codes[-1] != "250":
            break
    equal(codes[-1], "552", f"BDAT: {codes}")
    imap = server.imap("alice@example.test")
    equal(len(bodies(imap)), 1, "messages after those refused")
    bounded(server, before, "messages of 60 MiB", MAPPED)
    still_serves(server)


@check
def thousands_of_bad_commands():
    server = serve()
    before = server.reset_peak()
    for port, command, last in (("smtp", b"BOGUS nonsense\r\n", "421"), ("submissions", b"BOGUS nonsense\r\n", "421"),
                                ("imaps", b"a BOGUS nonsense\r\n", "BYE"), ("smtp", b"RCPT TO:<<<>\r\n", "421"),
                                ("imaps", b"\r\n", "BYE"), ("imaps", b"*\r\n", "BYE")):
        line = server.raw_tls(port)
        got = flood(line, command * 10000)
        that(last in got, f"{port} {command!r}: no {last} in ...{got[-200:]!r}")
        that(got.count("\n") < 1000, f"{port}: {got.count(chr(10))} answers before the end")
        line.close()
    bounded(server, before, "thousands of bad commands")
    still_serves(server)


@check
def nested_parentheses_and_nul():
    server = serve()
    before = server.reset_peak()
    line = server.raw_tls("imaps")
    line.imap("l", 'LOGIN alice@example.test "correct horse"')
    line.imap("s", "SELECT INBOX")
    for n, command in enumerate((
            "SEARCH " + "(" * 20000 + "ALL" + ")" * 20000,
            "SEARCH " + "NOT " * 10000 + "ALL",
            "SEARCH " + "OR ALL " * 8000 + "ALL",
            "FETCH 1 (" + "BODY[" * 5000 + ")",
            "SEARCH " + "(" * 60000)):
        answer = line.imap(f"n{n}", command)[-1]
        that(answer.startswith((f"n{n} BAD", f"n{n} NO")), f"{command[:30]}…: {answer!r}")
    line.send(b"z NOOP\0\r\n")
    that(line.line().startswith(("z BAD", "* BAD", "* BYE")), "NUL in a command")
    line.close()
    line = server.raw_tls("smtp")
    line.send(b"MAIL FROM:<a\0b@client.example>\r\n")
    that(line.reply().startswith("5"), "NUL in MAIL")
    for command in ("MAIL FROM:<a@client.example>", "RCPT TO:<alice@example.test>", "DATA"):
        line.ask(command)
    line.send(b"Subject: nul\r\n\r\na\0b\r\n.\r\n")
    that(line.reply()[:1] in ("2", "5"), "NUL in a message")
    deep = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(20000))
    server.deliver("a@client.example", ["alice@example.test"], "MIME-Version: 1.0\r\n" + deep + "\r\nend\r\n")
    imap = server.imap("alice@example.test")
    imap.select("INBOX")
    that(imap.fetch("1:*", "(BODYSTRUCTURE ENVELOPE)")[0] == "OK", "FETCH of 20,000 nested parts")
    imap.logout()
    bounded(server, before, "nesting")
    still_serves(server)


@check
def wildcards_that_explode_and_names_that_cannot_be():
    server = serve()
    line = server.raw_tls("imaps")
    line.imap("l", 'LOGIN alice@example.test "correct horse"')
    deep = "a" * 20
    for n in range(1000):
        line.send(f'm{n} CREATE "{deep}/{deep}{n}/{deep}/{deep}"\r\n')
    for n in range(1000):
        that(line.until(f"m{n}")[-1].startswith(f"m{n} OK"), "CREATE")
    before = server.reset_peak()
    for n, pattern in enumerate(("%*" * 400 + "z", "*a" * 400 + "z", "%a*" * 300, "*" * 500, "%/" * 400, "*%" * 300, "*%" * 5000)):
        rows = line.imap(f"w{n}", f'LIST "" "{pattern}"')
        that(rows[-1].startswith(f"w{n} OK"), rows[-1])
        equal(len(rows) - 1 > 1000, pattern in ("*" * 500, "*%" * 300), f"LIST of {pattern[:9]}…")
    for n, name in enumerate((b"a\0b", b"a\rb", b"a\nb", b"a\r\nb", b"\xff\xfe", b"&AAA-", b"&", b"x" * 5000, b"a//b", b"")):
        line.send(b"c%d CREATE {%d+}\r\n%s\r\n" % (n, len(name), name))
        answer = line.until(f"c{n}")[-1]
        that(answer.startswith((f"c{n} NO", f"c{n} BAD")) and len(answer) > 12, f"{name[:9]!r}: {answer!r}")
    line.imap("s", "SELECT INBOX")
    for n, command in enumerate(("FETCH 1:4294967295 FLAGS", "UID FETCH 4294967295:* FLAGS", "SEARCH 1:4294967295",
                                 "STORE 4294967295:1 +FLAGS (x)", "FETCH " + ",".join(map(str, range(1, 200000, 2))) + " FLAGS",
                                 "FETCH 0 FLAGS", "FETCH 4294967296 FLAGS")):
        that(re.match(f"g{n} (OK|NO|BAD) .", line.imap(f"g{n}", command)[-1]), command[:30])
    line.close()
    bounded(server, before, "wildcards and names")
    still_serves(server)


@check
def one_part_asked_for_a_thousand_times():
    server = serve()
    imap = server.imap("alice@example.test")
    part = base64.encodebytes(os.urandom(3 * MIB)).replace(b"\n", b"\r\n")
    header = b"".join(b"X-Field-%d: %s\r\n" % (n, b"y" * 900) for n in range(500))
    imap.append("INBOX", None, None, b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" + part)
    imap.append("INBOX", None, None, header + b"\r\nbody\r\n")
    before = server.reset_peak()
    asked = ("BINARY.PEEK[1]", "2"), ("BODY.PEEK[HEADER.FIELDS.NOT (A)]", "3")
    lines = []
    for item, number in asked:
        line = server.raw_tls("imaps")
        line.imap("l", 'LOGIN alice@example.test "correct horse"')
        line.imap("s", "SELECT INBOX")
        line.send(f"f FETCH {number} ({' '.join([item] * 1000)})\r\n")  # and its answer is not read
        lines.append(line)
    for _ in range(20):
        began = time.monotonic()
        imap.noop()
        that(time.monotonic() - began < 5, "others have to wait")
        time.sleep(0.1)
    bounded(server, before, "one part a thousand times")
    for line in lines:
        line.close()
    imap.logout()
    still_serves(server)


@check
def five_hundred_connections_left_open():
    server = serve()
    before = server.reset_peak()
    left = []
    for n in range(500):
        left.append(server.raw(("smtp", "submission", "submissions", "imap", "imaps")[n % 5]))
    still_serves(server)
    bounded(server, before, "500 connections left open")
    for one in left:
        one.close()
    still_serves(server)


@check
def smuggled_ends_of_data():
    """RFC 5321 §2.3.8: only CRLF.CRLF ends a message; nothing behind a bare LF becomes a second one."""
    server = serve()
    for n, end in enumerate((b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n")):
        line = server.raw_tls("smtp")
        for command in ("MAIL FROM:<a@client.example>", "RCPT TO:<alice@example.test>", "DATA"):
            line.ask(command)
        line.send(b"Subject: outer %d\r\n\r\nbody" % n + end + b"MAIL FROM:<evil@client.example>\r\nRCPT TO:<alice@example.test>\r\n"
                  b"DATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n")
        line.reply()
        line.send("QUIT\r\n")
        rest(line, 2)
    found = bodies(server.imap("alice@example.test"))
    that(not any(b"Return-Path: <evil@" in one for one in found), "a message was smuggled in")


main()
