"""What IMAP clients keep between connections, and what lies between them and the server."""
import re
import zlib

from harness import Server, check, equal, main, message, that

USER = "alice@example.test"


def serve():
    server = Server()
    server.domain("example.test")
    server.account(USER)
    return server


def open_mailbox(server):
    line = server.raw_tls("imaps")
    that(line.imap("l", f'LOGIN {USER} "correct horse"')[-1].startswith("l OK"), "login")
    return line


def fill(line, count):
    for n in range(count):
        text = message("friend@elsewhere.example", USER, f"message {n}", "Hello.\r\n" * (n + 1))
        line.send(f"f{n} APPEND INBOX {{{len(text)}+}}\r\n{text}\r\n")
        that(line.until(f"f{n}")[-1].startswith(f"f{n} OK"), "append")


def number(lines, name):
    return re.search(name + r" (\d+)", "\n".join(lines))[1]


@check
def resynchronisation_after_a_restart():
    """RFC 7162: flags and removals since a modification sequence, known after the server was killed."""
    server = serve()
    line = open_mailbox(server)
    fill(line, 6)
    opened = line.imap("s", "SELECT INBOX")
    validity, away = number(opened, "UIDVALIDITY"), number(opened, "HIGHESTMODSEQ")
    line.imap("d", "STORE 2,5 +FLAGS.SILENT (\\Deleted)")
    line.imap("x", "EXPUNGE")
    line.imap("k", "UID STORE 3 +FLAGS (\\Flagged $Work)")
    line.close()
    server.stop(9)
    server.start()
    line = open_mailbox(server)
    equal(line.imap("e", "ENABLE QRESYNC")[0], "* ENABLED QRESYNC")
    rows = line.imap("q", f"SELECT INBOX (QRESYNC ({validity} {away}))")
    that("* VANISHED (EARLIER) 2,5" in rows, rows)
    changed = [row for row in rows if " FETCH " in row]
    that(len(changed) == 1 and "UID 3 FLAGS (\\Flagged" in changed[0] and "$Work" in changed[0], rows)
    equal(number(rows, "UIDVALIDITY"), validity)
    equal(server.stop(), 0)


@check
def what_is_noted_stays():
    """RFC 5464: what was noted at a mailbox and for the account is there after the server was killed."""
    server = serve()
    line = open_mailbox(server)
    noted = 'SETMETADATA {} ({} "blue")'
    that(line.imap("a", noted.format("INBOX", "/shared/vendor/v/color"))[-1].startswith("a OK"), "SETMETADATA")
    that(line.imap("b", noted.format('""', "/private/vendor/v/color"))[-1].startswith("b OK"), "SETMETADATA")
    line.close()
    server.stop(9)
    server.start()
    line = open_mailbox(server)
    equal(line.imap("c", "GETMETADATA INBOX /shared/vendor/v/color")[0], '* METADATA INBOX (/shared/vendor/v/color "blue")')
    equal(line.imap("d", 'GETMETADATA (DEPTH infinity) "" /private')[0], '* METADATA "" (/private/vendor/v/color "blue")')
    equal(server.stop(), 0)


class Deflated:
    """A connection inside COMPRESS=DEFLATE (RFC 4978), with zlib's own window."""

    def __init__(self, line):
        self.line, self.text = line, b""
        self.out, self.into = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)
        self.received = 0

    def send(self, text):
        self.line.send(self.out.compress(text.encode()) + self.out.flush(zlib.Z_SYNC_FLUSH))

    def until(self, tag):
        while not re.search(rf"(?m)^{tag} .*\r\n\Z".encode(), self.text):
            got = self.line.socket.recv(65536)
            that(got, f"the connection ended before {tag}: {self.text[-200:]}")
            self.received += len(got)
            self.text += self.into.decompress(got)
        rows, self.text = self.text.decode(), b""
        return rows


@check
def compression():
    server = serve()
    line = open_mailbox(server)
    fill(line, 40)
    that(line.imap("c", "COMPRESS DEFLATE")[-1].startswith("c OK"), "COMPRESS")
    client = Deflated(line)
    for n in range(3):  # with pauses, in which the server gives back what it can
        client.send(f"s{n} SELECT INBOX\r\n")
        that("* 40 EXISTS" in client.until(f"s{n}"), "SELECT")
        before = client.received
        client.send(f"f{n} FETCH 1:40 (FLAGS ENVELOPE BODY.PEEK[])\r\n")
        rows = client.until(f"f{n}")
        that(rows.count("FETCH (") == 40 and "message 39" in rows, "FETCH")
        that(client.received - before < len(rows) / 3, f"{client.received - before} octets for {len(rows)}")
    client.send("i IDLE\r\n")
    while b"+ idling" not in client.text:
        client.text += client.into.decompress(line.socket.recv(65536))
    server.deliver("friend@elsewhere.example", [USER], message("friend@elsewhere.example", USER))
    while b"* 41 EXISTS" not in client.text:
        client.text += client.into.decompress(line.socket.recv(65536))
    client.send("DONE\r\nt COMPRESS DEFLATE\r\n")
    that("t NO [COMPRESSIONACTIVE]" in client.until("t"), "twice")
    # RFC 8437 §4.1: compression ends with the login.
    client.send("u UNAUTHENTICATE\r\n")
    client.until("u")
    that(line.imap("l", f'LOGIN {USER} "correct horse"')[-1].startswith("l OK"), "login in the clear text of TLS")
    line.send(b"c COMPRESS DEFLATE\r\n")
    that(line.until("c")[-1].startswith("c OK"), "again")
    line.send(b"this is no DEFLATE" * 100)
    equal(line.socket.recv(100), b"", "broken DEFLATE ends the connection")
    equal(server.stop(), 0)


@check
def a_bomb_of_deflate():
    """A few kilobytes that mean a gigabyte: refused in bounded memory."""
    server = serve()
    line = open_mailbox(server)
    that(line.imap("c", "COMPRESS DEFLATE")[-1].startswith("c OK"), "COMPRESS")
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    before = server.reset_peak()
    bomb = squeeze.compress(b"a NOOP ")
    for _ in range(512):
        bomb += squeeze.compress(b"x" * (1 << 20))
    bomb += squeeze.flush(zlib.Z_SYNC_FLUSH)
    try:
        line.send(bomb)
        while line.socket.recv(65536):
            pass
    except OSError:
        pass
    that(server.memory("VmHWM") - before < 64 << 20, f"{(server.memory('VmHWM') - before) >> 20} MiB")
    that("* 0 EXISTS" in open_mailbox(server).imap("s", "SELECT INBOX"), "the server goes on")


main()
