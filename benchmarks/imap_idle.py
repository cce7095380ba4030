#!/usr/bin/env python3
"""imap_idle.py DIR [--sessions 10000] [--compress] [--out FILE]: what sessions cost that do nothing but wait.

DIR/ports.json and DIR/root.pid describe a server, freshly started, as those of the side-by-side trial do (up-briefwerk.sh, …).
Opens sessions over TLS that log in, select INBOX, look at their newest flags and IDLE (with --compress after COMPRESS=DEFLATE,
RFC 4978, and so much traffic that the window of what the client said is full). Rows: memory of all processes of the server
(proportional set size) for each of them, logins a second while they came, and how long a message takes, delivered by SMTP
while all of them wait, until its user's own session hears of it: from its last octet, and from the 250.
"""
import argparse
import concurrent.futures
import json
import os
import re
import resource
import selectors
import socket
import ssl
import statistics
import sys
import time
import zlib

import processes

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("dir")
arguments.add_argument("--sessions", type=int, default=10_000)
arguments.add_argument("--compress", action="store_true")
arguments.add_argument("--deliveries", type=int, default=200)
arguments.add_argument("--settle", type=float, default=3, help="seconds before memory is measured")
arguments.add_argument("--out")
options = arguments.parse_args()
with open(options.dir + "/ports.json", encoding="utf-8") as file:
    PORTS = json.load(file)
TLS = ssl.create_default_context()
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE
WATCHER = PORTS["users"]  # the last one gets the mail
OPENERS = 16


class Session:
    def __init__(self, user):
        raw = socket.create_connection((PORTS["host"], PORTS["imaps"]), timeout=120)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = TLS.wrap_socket(raw)
        self.deflate = self.inflate = None
        self.told = b""
        self.until(rb"^\* OK .*\r\n")
        self.ask(f'LOGIN "{PORTS["user_pattern"] % user}" "{PORTS["pass_pattern"] % user}"')
        if options.compress:
            self.ask("COMPRESS DEFLATE")
            self.deflate, self.inflate = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)
        self.ask("SELECT INBOX")
        self.ask("UID FETCH 1:10 (FLAGS)")
        for _ in range(40 if options.compress else 0):
            self.ask('ID ("name" "%s")' % os.urandom(512).hex())
        self.send(b"i IDLE\r\n")
        self.until(rb"^\+ .*\r\n")

    def send(self, octets):
        if self.deflate:
            octets = self.deflate.compress(octets) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        self.socket.sendall(octets)

    def ask(self, command):
        self.send(b"t " + command.encode() + b"\r\n")
        if not self.until(rb"^t .*\r\n").startswith(b"t OK"):
            raise RuntimeError(f"{command[:20]}: refused")

    def take(self):
        piece = self.socket.recv(65536)
        if not piece:
            raise RuntimeError("the connection ended")
        self.told += self.inflate.decompress(piece) if self.inflate else piece

    def until(self, pattern):
        while not (found := re.search(pattern, self.told, re.M)):
            self.take()
        self.told = self.told[found.end():]
        return found[0]


def memory():
    """KiB."""
    total = 0
    for pid in processes.below(options.dir):
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except OSError:
            pass
    return total


def tell(what, value, unit):
    line = json.dumps({"peer": PORTS["peer"], "what": f"idle.{'compress' if options.compress else 'tls'}.{what}.n{options.sessions}",
                       "value": round(value, 3), "unit": unit})
    print(line, flush=True)
    if options.out:
        with open(options.out, "a", encoding="utf-8") as out:
            out.write(line + "\n")


class Smtp:
    def __init__(self):
        self.socket = socket.create_connection((PORTS["host"], PORTS["smtp"]), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reply()
        self.say("EHLO load.bench.test")
        self.say("STARTTLS")
        self.socket = TLS.wrap_socket(self.socket)
        self.say("EHLO load.bench.test")

    def reply(self):
        told = b""
        while not re.search(rb"^\d{3}( .*)?\r\n\Z", told, re.M):
            piece = self.socket.recv(4096)
            if not piece:
                raise RuntimeError("the SMTP connection ended")
            told += piece
        if told[:1] not in b"23":
            raise RuntimeError(told.decode(errors="replace"))

    def say(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        self.reply()


def deliveries():
    session, smtp = Session(WATCHER), Smtp()
    from_end, from_reply = [], []
    waiting = selectors.DefaultSelector()
    waiting.register(session.socket, selectors.EVENT_READ, "idle")
    waiting.register(smtp.socket, selectors.EVENT_READ, "smtp")
    for number in range(options.deliveries):
        smtp.say("MAIL FROM:<load@load.bench.test>")
        smtp.say(f"RCPT TO:<{PORTS['rcpt_pattern'] % WATCHER}>")
        smtp.say("DATA")
        begun = time.perf_counter()
        smtp.socket.sendall(b"From: <load@load.bench.test>\r\nSubject: %d\r\n\r\n" % number + b"waiting for this\r\n" * 200 + b".\r\n")
        heard = replied = None
        while heard is None or replied is None:
            for key, _ in waiting.select(60) or [sys.exit("no news of a delivery within a minute")]:
                if key.data == "smtp":
                    smtp.reply()
                    replied = time.perf_counter()
                else:
                    session.take()
                    if re.search(rb"^\* \d+ EXISTS\r\n", session.told, re.M):
                        heard = time.perf_counter()
                        session.told = b""
        from_end.append((heard - begun) * 1000)
        from_reply.append(max(0.0, heard - replied) * 1000)
        time.sleep(0.01)
    for what, took in (("notify_from_data_end", from_end), ("notify_from_250", from_reply)):
        tell(what + ".p50", statistics.median(took), "ms")
        tell(what + ".p99", statistics.quantiles(took, n=100)[98], "ms")


def main():
    needed = options.sessions + 200
    hard = max(resource.getrlimit(resource.RLIMIT_NOFILE)[1], needed)
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    before = memory()
    begun = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(OPENERS) as pool:
        sessions = list(pool.map(lambda i: Session(1 + i % (WATCHER - 1)), range(options.sessions)))
    tell("opened", options.sessions / (time.perf_counter() - begun), "session/s")
    time.sleep(options.settle)
    tell("pss_per_session", (memory() - before) / options.sessions, "KiB")
    deliveries()
    answering = 0
    for session in sessions:
        session.send(b"DONE\r\n")
    for session in sessions:
        answering += session.until(rb"^i .*\r\n").startswith(b"i OK")
    tell("answering", answering, "sessions")


main()
