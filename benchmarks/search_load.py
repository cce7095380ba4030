#!/usr/bin/env python3
"""search_load.py DIR [--messages 10000] [--settle SECONDS]: fills a mailbox of the server that DIR/ports.json names with
made-up messages of 4 KiB, waits (an index is built in the background), and times SEARCH; one JSON line a measurement."""
import argparse
import imaplib
import json
import random
import ssl
import statistics
import time

options = argparse.ArgumentParser()
options.add_argument("dir")
options.add_argument("--messages", type=int, default=10000)
options.add_argument("--settle", type=float, default=0)
options.add_argument("--measure-only", action="store_true", help="of a mailbox that is filled")
options = options.parse_args()
ports = json.load(open(f"{options.dir}/ports.json"))
imaplib._MAXLINE = 10_000_000

rng = random.Random(5)
words = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(3, 10))) for _ in range(20000)]


def message(number):
    text = "\r\n".join(" ".join(rng.choice(words) for _ in range(10)) for _ in range(50))
    marks = ("needle haystack\r\n" if number % 100 == 0 else "") + ("frequently\r\n" if number % 2 == 0 else "")
    return (f"From: sender{number % 50}@elsewhere.example\r\nTo: u01@bench.test\r\nSubject: {words[number % 20000]} number {number}\r\n"
            f"X-Load-Id: id-{number}\r\nMessage-ID: <{number}@elsewhere.example>\r\n\r\n{text}\r\n{marks}").encode()


def connect():
    imap = imaplib.IMAP4("127.0.0.1", ports["imap"])
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    imap.starttls(trust)
    imap.login("u01@bench.test", "pw-u01")
    return imap


def fill(imap):
    for first in range(0, options.messages, 100):
        many = [message(n) for n in range(first, first + 100)]
        parts = [b"%s{%d+}\r\n%s" % (b" " if i else b"f APPEND INBOX ", len(one), one) for i, one in enumerate(many)]
        imap.send(b"".join(parts) + b"\r\n")
        while not (line := imap.readline()).startswith(b"f "):
            pass
        assert line.startswith(b"f OK"), line


SEARCHES = [("body.rare", "BODY needle"), ("body.half", "BODY frequently"), ("body.part", "BODY eedl"), ("body.none", "BODY xyzzyqqq"),
            ("body.phrase", 'BODY "needle haystack"'), ("text", "TEXT needle"), ("subject", 'SUBJECT "number 77"'),
            ("from", "FROM sender7@"), ("header_x", "HEADER X-Load-Id id-777")]

if not options.measure_only:
    filling = connect()
    fill(filling)
    filling.logout()
    time.sleep(options.settle)
imap = connect()
imap.select("INBOX", readonly=True)
for name, program in SEARCHES:
    times, hits = [], 0
    for _ in range(9):
        begun = time.perf_counter()
        kind, data = imap.uid("SEARCH", program)
        times.append((time.perf_counter() - begun) * 1000)
        hits = len(data[0].split())
    print(json.dumps({"what": f"search.{name}", "median_ms": round(statistics.median(times), 2), "first_ms": round(times[0], 2), "hits": hits}), flush=True)
imap.logout()
