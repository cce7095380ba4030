#!/usr/bin/env python3
"""imap_rows.py DIR [--messages 100000] [--million] [--only-million] [--fill] [--out FILE]: what users do in large mailboxes, one JSON line a row.

DIR/ports.json describes a server as those of the side-by-side trial do (up-briefwerk.sh, up-postfix-dovecot.sh, …). One
client over TLS, account u05; mailboxes are made once and kept, so that a second run measures the same. Rows: SEARCH, SORT
and THREAD over all messages, STORE, COPY and EXPUNGE of 10,000, resynchronisation after 1,000 changes (QRESYNC, RFC 7162)
and the same with --million over a mailbox of a million, with SELECT and FETCH FLAGS. `first`: the first time in a session;
`cpu`: processor time of all of the server's processes (DIR/root.pid), which says more where others work on the machine.
--fill: only makes the mailboxes (before an index is waited for that is built in the background).
"""
import argparse
import hashlib
import json
import os
import random
import re
import socket
import ssl
import statistics
import sys
import time

import processes

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("dir")
arguments.add_argument("--messages", type=int, default=100_000)
arguments.add_argument("--million", action="store_true")
arguments.add_argument("--only-million", action="store_true")
arguments.add_argument("--fill", action="store_true")
arguments.add_argument("--out")
options = arguments.parse_args()
with open(options.dir + "/ports.json", encoding="utf-8") as file:
    PORTS = json.load(file)

WORDS = [hashlib.md5(str(i).encode()).hexdigest()[:4 + i % 6].translate(str.maketrans("0123456789", "ghijklmnop")) for i in range(3000)]
BATCH = 200  # messages of one APPEND


class Refused(Exception):
    pass


class Client:
    def __init__(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        raw = socket.create_connection((PORTS["host"], PORTS["imaps"]))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(raw)
        self.number = 0
        while not self.socket.recv(65536).endswith(b"\r\n"):
            pass
        self.ask(f'LOGIN "{PORTS["user_pattern"] % 5}" "{PORTS["pass_pattern"] % 5}"')

    def ask(self, command, keep=65536):
        """The end of the answer, so many octets of it at least; the whole of shorter ones."""
        self.number += 1
        tag = b"t%d" % self.number
        self.socket.sendall(tag + b" " + (command if isinstance(command, bytes) else command.encode()) + b"\r\n")
        told, end = bytearray(), b"\r\n" + tag + b" "
        while True:
            piece = self.socket.recv(1 << 18)
            if not piece:
                raise Refused(f"the connection ended at {command[:60]}")
            told += piece
            if len(told) > 2 * keep + (1 << 18):
                del told[:len(told) - keep]
            if not told.endswith(b"\r\n"):
                continue
            at = max(told.rfind(end), 0 if told.startswith(end[2:]) else -1)
            if at < 0 or told.find(b"\r\n", at + 2) != len(told) - 2:
                continue
            if told[at:].lstrip().split(b" ", 2)[1] != b"OK":
                raise Refused(f"{command[:60]}: {bytes(told[at:]).decode(errors='replace').strip()}")
            return bytes(told)

    def timed(self, command):
        begun = time.perf_counter()
        self.ask(command)
        return time.perf_counter() - begun


def message(number):
    chance = random.Random(number)
    topic = chance.randrange(max(1, options.messages // 8))
    first = f"<{topic}@topic.bench.test>"
    subject = ("Re: " if chance.random() < 0.7 else "") + f"{WORDS[topic % 3000]} {WORDS[topic * 7 % 3000]} {topic}"
    lines = [f"From: {WORDS[chance.randrange(300)].title()} <p{chance.randrange(300)}@people.test>", f"To: u05@bench.test",
             f"Subject: {subject}", f"Message-ID: <{number}@load.bench.test>", f"References: {first}", f"X-Trial: {WORDS[chance.randrange(3000)]}",
             time.strftime("Date: %a, %d %b %Y %H:%M:%S +0000", time.gmtime(1_700_000_000 + chance.randrange(30_000_000))), ""]
    lines += [" ".join(chance.choices(WORDS, k=10)) for _ in range(8)]
    return ("\r\n".join(lines) + "\r\n").encode()


def fill(client):
    try:
        client.ask('STATUS "Rows" (MESSAGES)')
        return
    except Refused:
        client.ask('CREATE "Rows"')
    begun = time.perf_counter()
    for first in range(0, options.messages, BATCH):
        parts = [b"APPEND \"Rows\""]
        for number in range(first, min(first + BATCH, options.messages)):
            octets = message(number)
            parts.append(b" {%d+}\r\n" % len(octets) + octets)
        client.ask(b"".join(parts))
    tell("fill", options.messages / (time.perf_counter() - begun), "msg/s")


def tell(what, value, unit):
    row = {"peer": PORTS["peer"], "what": f"rows.{what}", "value": value, "unit": unit}
    line = json.dumps(row)
    print(line, flush=True)
    if options.out:
        with open(options.out, "a", encoding="utf-8") as out:
            out.write(line + "\n")


def processor_time():
    """Milliseconds, of the processes below DIR/root.pid."""
    total = 0
    for pid in processes.below(options.dir):
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                    total += int(file.read().split()[0])
        except OSError:
            pass
    return total / 1e6


def measure(what, run, times=5):
    """Milliseconds: the first time, and the median of the others."""
    took, used = [], []
    try:
        for _ in range(times):
            before = processor_time()
            took.append(run() * 1000)
            used.append(processor_time() - before)
    except Refused as why:
        print(f"{PORTS['peer']} rows.{what}: {why}", file=sys.stderr)
        return
    if times == 1:
        tell(what, took[0], "ms")
        return
    tell(what + ".first", took[0], "ms")
    tell(what, statistics.median(took[1:]), "ms")
    tell(what + ".cpu", statistics.median(used[1:]), "ms")


def searches(client):
    client.ask('SELECT "Rows"')
    rows = {"search_subject": f"SEARCH SUBJECT {WORDS[77]}", "search_header": f"SEARCH HEADER X-Trial {WORDS[99]}",
            "search_from": "SEARCH FROM p17@people",
            "search_body": f"SEARCH BODY {WORDS[123]}", "search_body_part": f"SEARCH BODY {WORDS[123][1:]}",
            "search_body_absent": "SEARCH BODY nowhereinthismail", "search_text": f"SEARCH TEXT {WORDS[200]}",
            "sort_subject": "SORT (SUBJECT) UTF-8 ALL", "sort_date": "SORT (REVERSE DATE) UTF-8 ALL",
            "sort_from": "SORT (FROM ARRIVAL) UTF-8 ALL", "sort_arrival": "SORT (ARRIVAL) UTF-8 ALL",
            "sort_size": "SORT (SIZE) UTF-8 ALL",
            "thread_references": "THREAD REFERENCES UTF-8 ALL", "thread_subject": "THREAD ORDEREDSUBJECT UTF-8 ALL"}
    for what, command in rows.items():
        measure(f"{what}.n{options.messages}", lambda command=command: client.timed(command))


def sort_after_new(client):
    """SORT when one message more has come since the last: what was kept is brought up to date. They go again."""
    client.ask('SELECT "Rows"')
    took = []
    for number in range(5):
        octets = message(options.messages + number)
        client.ask(b"APPEND \"Rows\" {%d+}\r\n" % len(octets) + octets)
        client.ask("NOOP")
        took.append(client.timed("SORT (SUBJECT) UTF-8 ALL") * 1000)
    client.ask(f"STORE {options.messages + 1}:* +FLAGS.SILENT (\\Deleted)")
    client.ask("EXPUNGE")
    tell(f"sort_subject_after_new.n{options.messages}", statistics.median(took), "ms")


def lots(client):
    """COPY, STORE, EXPUNGE of 10,000, three rounds."""
    lot = min(10_000, options.messages)
    took = {"copy": [], "store": [], "store_silent": [], "expunge": []}
    for _ in range(3):
        client.ask('SELECT "Rows"')  # a session whose mailbox goes may be ended
        for command in ('DELETE "Lot"', 'CREATE "Lot"'):
            try:
                client.ask(command)
            except Refused:
                pass
        took["copy"].append(client.timed(f'COPY 1:{lot} "Lot"'))
        client.ask('SELECT "Lot"')
        took["store"].append(client.timed("STORE 1:* +FLAGS (\\Flagged)"))
        took["store_silent"].append(client.timed("STORE 1:* +FLAGS.SILENT (\\Deleted)"))
        took["expunge"].append(client.timed("EXPUNGE"))
    for what, all_rounds in took.items():
        tell(f"{what}.n{lot}", lot / statistics.median(all_rounds), "msg/s")


def resync(client, mailbox, name):
    """Half of the changes are flags, half are messages that went."""
    told = client.ask(f'SELECT "{mailbox}"')
    validity = int(re.search(rb"UIDVALIDITY (\d+)", told)[1])
    try:
        client.ask("ENABLE QRESYNC")
        told = client.ask(f'SELECT "{mailbox}"')
        modseq = int(re.search(rb"HIGHESTMODSEQ (\d+)", told)[1])
    except (Refused, TypeError) as why:
        print(f"{PORTS['peer']} rows.resync: {why}", file=sys.stderr)
        return
    other = Client()
    other.ask(f'SELECT "{mailbox}"')
    step = int(re.search(rb"(\d+) EXISTS", told)[1]) // 1001
    flagged = ",".join(str(1 + i * 2 * step) for i in range(500))
    gone = ",".join(str(1 + (2 * i + 1) * step) for i in range(500))
    other.ask(f"STORE {flagged} +FLAGS.SILENT (\\Answered)")
    other.ask(f"STORE {gone} +FLAGS.SILENT (\\Deleted)")
    other.ask("EXPUNGE")
    client.ask("UNSELECT")
    measure(f"resync.{name}", lambda: client.timed(f'SELECT "{mailbox}" (QRESYNC ({validity} {modseq}))'))


def fill_million(client):
    try:
        client.ask('STATUS "Million" (MESSAGES)')
    except Refused:
        client.ask('CREATE "Million"')
        client.ask('SELECT "Rows"')
        for _ in range(-(-1_000_000 // options.messages)):
            client.ask('COPY 1:* "Million"')


def million():
    fresh = Client()
    measure("select.n1000000", lambda: fresh.timed('SELECT "Million"'))
    measure("fetch_flags.n1000000", lambda: fresh.timed("FETCH 1:* (FLAGS)"), 3)
    resync(Client(), "Million", "n1000000")


def main():
    client = Client()
    fill(client)
    if options.million or options.only_million:
        fill_million(client)
    if options.fill:
        return
    if options.only_million:
        million()
        return
    searches(client)
    sort_after_new(client)
    lots(client)
    if options.million:
        million()
    resync(Client(), "Rows", f"n{options.messages}")


main()
