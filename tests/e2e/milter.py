"""Milters: a scripted one that does all that the protocol has, at every step, hangs, dies and talks rubbish; Debian's
OpenDKIM signing and verifying; Debian's rspamd."""
import json
import os
import smtplib
import socket
import struct
import subprocess
import tempfile
import threading

from harness import (BIN, Server, _die_with_parent, bodies, check, equal, free_ports, main, message, need, run, that, wait_for,
                     wait_for_mail)

# Of the protocol: what the milter may do, and how they talk.
ALL_ACTIONS = 0x1FF
NO_CONNECT, NO_HELLO, NO_MAIL, NO_RCPT, NO_BODY, NO_HEADERS, NO_EOH, NR_HDR = 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80
NO_UNKNOWN, NO_DATA, SKIP, NR_CONN, NR_HELO, NR_MAIL, NR_RCPT, NR_DATA = 0x100, 0x200, 0x400, 0x1000, 0x2000, 0x4000, 0x8000, 0x10000
NR_EOH, NR_BODY, LEADING_SPACE, DATA_1M = 0x40000, 0x80000, 0x100000, 0x20000000
SILENT = {b"C": NR_CONN, b"H": NR_HELO, b"M": NR_MAIL, b"R": NR_RCPT, b"T": NR_DATA, b"L": NR_HDR, b"N": NR_EOH, b"B": NR_BODY}

HANG, DIE, RUBBISH = "hang", "die", "rubbish"


def packet(content):
    return struct.pack(">I", len(content)) + content


def number(value):
    return struct.pack(">I", value)


class Milter:
    """Answers "continue" unless `answers` has packets (or HANG, DIE, RUBBISH) for a command."""

    def __init__(self, answers=None, steps=0, actions=ALL_ACTIONS, version=6, symbols=b"", tcp=False):
        self.answers, self.steps, self.actions, self.version, self.symbols = answers or {}, steps, actions, version, symbols
        self.heard = []  # (command, data, macros that came with it)
        self.folder = tempfile.mkdtemp(prefix="briefwerk-e2e-milter-")
        self.path = self.folder + "/socket"
        self.address = "unix:" + self.path
        self.tcp = tcp
        self.listen()

    def listen(self):
        self.released = threading.Event()
        if self.tcp:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.address = f"inet:{self.listener.getsockname()[1]}@localhost"
        else:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.path)
            self.listener.listen(50)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connected,), daemon=True).start()

    def stop(self):
        self.released.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        if not self.tcp:
            os.unlink(self.path)

    def serve(self, connected):
        try:
            with connected, connected.makefile("rb") as reader:
                self.talk(connected, reader)
        except OSError:
            pass

    def talk(self, connected, reader):
        macros = {}
        while True:
            head = reader.read(4)
            if len(head) < 4:
                self.heard.append((b"closed", b"", {}))
                return
            content = reader.read(struct.unpack(">I", head)[0])
            command, data = content[:1], content[1:]
            if command == b"D":
                words = data[1:].split(b"\0")[:-1]
                macros[data[:1]] = dict(zip(words[::2], words[1::2]))
                continue
            self.heard.append((command, data, macros.pop(command, {})))
            if command == b"O":
                self.offered = struct.unpack(">III", data)
                answer = self.answers.get(b"O", [b"O" + number(self.version) + number(self.actions) + number(self.steps) + self.symbols])
            elif command in b"AQK":
                continue
            else:
                answer = self.answers.get(command)
                if answer is None:
                    answer = [] if self.steps & SILENT.get(command, 0) else [b"c"]
            if answer == HANG:
                self.released.wait(60)
                return
            if answer == DIE:
                return
            if answer == RUBBISH:
                connected.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                continue
            if answer:
                connected.sendall(b"".join(packet(one) for one in answer))

    def commands(self):
        return b"".join(one[0] if one[0] != b"closed" else b"." for one in self.heard).decode()

    def forget(self):
        """The start of a server looks whether somebody answers, and so do some tests."""
        wait_for("the end of all sessions", lambda: self.commands().count("O") == self.commands().count("."))
        self.heard.clear()

    def all(self, command):
        return [one for one in self.heard if one[0] == command]


def stage(milter, name="scripted", **more):
    return {"name": name, "address": milter, **more}


def server(*stages):
    milters = [one["address"] for one in stages if isinstance(one["address"], Milter)]
    config = [{**one, "address": getattr(one["address"], "address", one["address"])} for one in stages]
    host = Server(change=lambda c: c.update(filter={"milters": config}, delivery={"dns_servers": ["127.0.0.1:9"]}))
    host.domain("example.org")
    for name in ("alice", "bob"):
        host.account(f"{name}@example.org")
    for one in milters:
        one.forget()
    return host


def attempt(host, text=None, sender="carol@far.example", to="alice@example.org"):
    """The reply that decided, and after which command."""
    one = smtplib.SMTP(timeout=60, local_hostname="client.example")
    one._host = "127.0.0.1"
    code, said = one.connect(host.address, host.ports["smtp"])
    if code != 220:
        one.close()
        return code, "connect", said.decode()
    try:
        code, said = one.ehlo()
        if code >= 400:
            return code, "ehlo", said.decode()
        one.starttls(context=host.trust())
        one.ehlo()
        code, said = one.mail(sender)
        if code >= 400:
            return code, "mail", said.decode()
        code, said = one.rcpt(to)
        if code >= 400:
            return code, "rcpt", said.decode()
        code, said = one.data((text or message(sender, to)).encode())
        return code, "data", said.decode()
    finally:
        one.close()


def deliver(host, text=None, sender="carol@far.example", to="alice@example.org"):
    code, where, said = attempt(host, text, sender, to)
    equal((code, where), (250, "data"), f"the delivery ({said})")


def inbox(host, who="alice", mailbox="INBOX"):
    return bodies(host.imap(f"{who}@example.org"), mailbox)


def count(host, who="alice"):
    return len(inbox(host, who))


def verdicts(host, name="scripted"):
    return [e for e in map(json.loads, host.log().splitlines()) if e["event"] == "filter.verdict" and e["stage"] == name]


@check
def everything_is_told():
    milter = Milter()
    host = server(stage(milter))
    with host.smtp() as one:
        one.mail("carol@far.example", ["SIZE=1000", "BODY=8BITMIME"])
        one.rcpt("alice@example.org", ["NOTIFY=NEVER"])
        equal(one.rcpt("nobody@example.org")[0], 550, "a recipient that is refused anyway")
        one.rcpt("bob@example.org")
        one.data(b"Subject: one\r\nX-Folded: a\r\n  b\r\n\r\nHello\r\n.dot\r\n")
        one.mail("")
        one.rcpt("alice@example.org")
        one.rset()
        one.mail("carol@far.example")
    wait_for("the end of the session", lambda: milter.commands().endswith("."))
    equal(milter.commands(), "OCHHMRRTLLNBEMRAMQ.", "what it hears")
    equal(milter.offered[0], 6, "the version")
    connect = milter.all(b"C")[0]
    that(connect[1].startswith(b"[127.0.0.1]\0004") and connect[1].endswith(b"127.0.0.1\0"), f"the client: {connect[1]}")
    macros = connect[2]
    equal((macros[b"j"], macros[b"{daemon_name}"], macros[b"{client_addr}"], macros[b"v"], macros[b"{daemon_port}"]),
          (b"localhost", b"MTA", b"127.0.0.1", b"Briefwerk", str(host.ports["smtp"]).encode()), "macros of connect")
    equal([one[1] for one in milter.all(b"H")], [b"client.example\0"] * 2, "HELO, in the clear and inside TLS")
    equal(milter.all(b"H")[1][2][b"{tls_version}"], b"TLSv1.3", "a macro of HELO")
    equal(milter.all(b"M")[0][1], b"<carol@far.example>\0SIZE=1000\0BODY=8BITMIME\0", "MAIL")
    equal(milter.all(b"M")[0][2][b"{mail_addr}"], b"carol@far.example", "a macro of MAIL")
    equal(milter.all(b"M")[1][1], b"<>\0", "the null sender")
    equal([one[1] for one in milter.all(b"R")], [b"<alice@example.org>\0NOTIFY=NEVER\0", b"<bob@example.org>\0", b"<alice@example.org>\0"], "RCPT")
    equal(milter.all(b"R")[0][2][b"{rcpt_addr}"], b"alice@example.org", "a macro of RCPT")
    equal([one[1] for one in milter.all(b"L")], [b"Subject\0one\0", b"X-Folded\0a\n  b\0"], "the header")
    equal(milter.all(b"B")[0][1], b"Hello\r\n.dot\r\n", "the body")
    that(milter.all(b"E")[0][2][b"i"] in inbox(host)[0], "the id is the one in Received")

    milter.heard.clear()
    with host.submit("alice@example.org") as one:
        one.sendmail("alice@example.org", ["bob@example.org"], "From: alice@example.org\r\nSubject: two\r\n\r\nHello\r\n")
    wait_for("the end of the session", lambda: milter.commands().endswith("."))
    macros = milter.all(b"M")[0][2]
    equal((macros[b"{auth_authen}"], b"{auth_type}" in macros), (b"alice@example.org", True), "who logged in")
    equal(milter.all(b"C")[0][2][b"{daemon_name}"], b"ORIGINATING", "the daemon's name for mail from users")
    names = [one[1].split(b"\0")[0] for one in milter.all(b"L")]
    that(b"Date" in names and b"Message-ID" in names, f"submitted mail is complete: {names}")


@check
def every_change():
    milter = Milter(answers={b"E": [
        b"p",
        b"hX-Added\0 at the end\0",
        b"i" + number(0) + b"X-Inserted\0 in front\0",
        b"m" + number(1) + b"Subject\0 changed\n\tand folded\0",
        b"m" + number(2) + b"X-Twice\0\0",
        b"m" + number(1) + b"X-Not-There\0 now it is\0",
        b"bnew ", b"bbody\r\n",
        b"e<dave@far.example>\0",
        b"+<bob@example.org>\0",
        b"-<alice@example.org>\0",
        b"c"]}, tcp=True, steps=LEADING_SPACE)
    host = server(stage(milter))
    text = "X-Twice: 1\r\nSubject: a subject\r\nX-Twice: 2\r\nAuthentication-Results: localhost; spf=pass\r\n\r\nold body\r\n"
    deliver(host, text)
    equal(count(host), 0, "messages of who was removed")
    [got] = inbox(host, "bob")
    header, _, body = got.partition(b"\r\n\r\n")
    that(header.startswith(b"Return-Path: <dave@far.example>\r\n"), "the sender is another")
    that(header.endswith(b"\r\nX-Inserted: in front\r\nX-Twice: 1\r\nSubject: changed\r\n\tand folded\r\nX-Added: at the end\r\n"
                         b"X-Not-There: now it is"), f"the header: {header}")
    equal(body, b"new body\r\n", "the body")
    that(b"spf=pass" not in header, "what forges our results goes")
    equal(verdicts(host)[0]["action"], "tag", "the verdict")
    that("changed" not in host.log() and "X-Added" not in host.log(), "no content in the log")

    milter.answers = {b"E": [b"2<bob@example.org>\0NOTIFY=NEVER\0", b"hX-Added\0 yes\0", b"a"]}
    deliver(host, text)
    equal((count(host), count(host, "bob")), (1, 2), "a recipient with parameters is added")
    milter.answers = {b"E": [b"-<alice@example.org>\0", b"c"]}
    deliver(host, text)
    equal((count(host), count(host, "bob")), (1, 2), "nobody is left: it is dropped")
    milter.answers = {b"E": [b"qlooks odd\0", b"hX-Kept\0 yes\0", b"c"]}
    deliver(host, text)
    equal((count(host), count(host, "bob")), (1, 2), "in quarantine, not in a mailbox")
    [held] = host.ask("quarantine", "list")["items"]
    equal(held["reason"], "looks odd", "why it is kept apart")
    host.ctl("quarantine", "release", held["id"])
    wait_for_mail(host, "alice@example.org", lambda one: b"X-Kept: yes" in one)
    # Headers of our own results stay where a milter writes them.
    milter.answers = {b"E": [b"i" + number(0) + b"Authentication-Results\0 localhost; dkim=pass (milter)\0", b"c"]}
    deliver(host, text)
    that(any(b"dkim=pass (milter)" in one for one in inbox(host)), "a milter may write results in our name")
    # Those of users as well.
    milter.answers = {b"E": [b"hX-Submitted\0 yes\0", b"c"]}
    with host.submit("alice@example.org") as one:
        one.sendmail("alice@example.org", ["bob@example.org"], "From: alice@example.org\r\nSubject: two\r\n\r\nHello\r\n")
    wait_for_mail(host, "bob@example.org", lambda got: b"X-Submitted: yes" in got)


# Where each command of the protocol decides.
PLACES = {b"C": "connect", b"H": "ehlo", b"M": "mail", b"R": "rcpt", b"T": "data", b"L": "data", b"N": "data", b"B": "data", b"E": "data"}


@check
def every_answer_at_every_step():
    milter = Milter()
    host = server(stage(milter))
    delivered = 0
    for command, where in PLACES.items():
        early = where == "connect"
        rows = [("reject", b"r", 554 if early else 550), ("tempfail", b"t", 421 if early else 451), ("discard", b"d", 0), ("accept", b"a", 0),
                ("5yz", b"y550 5.7.1 go away\0", 554 if early else 550), ("4yz", b"y450-4.7.1 go\r\n450 4.7.1 away\0", 421 if early else 450),
                ("shutdown", b"4", 421), ("connection failed", b"f", 421)]
        for name, answer, code in rows:
            milter.answers = {command: [answer]}
            milter.heard.clear()
            got = attempt(host)
            what = f"{name} at {command.decode()}"
            equal(got[:2], (code, where) if code else (250, "data"), what)
            if answer.startswith(b"y"):
                that("go" in got[2] and "away" in got[2] and "." in got[2], f"the milter's words: {got[2]}")
            wait_for("the milter's end", lambda: milter.commands().endswith("."))
            if not code:
                that(milter.commands().rstrip("Q.A").endswith(command.decode()), f"it is asked no more: {milter.commands()} after {what}")
            delivered += name == "accept"
    equal(count(host), delivered, "messages that were delivered")
    reasons = {(e["action"], e["reason"]) for e in verdicts(host)}
    that({("reject", "reject"), ("defer", "tempfail"), ("discard", "discard"), ("reject", "reply 550 5.7.1"),
          ("defer", "close the connection")} <= reasons, f"the log: {reasons}")

    # One recipient of two is refused.
    milter.answers = {}
    with host.smtp() as one:
        one.mail("carol@far.example")
        milter.answers = {b"R": [b"r"]}
        equal(one.rcpt("alice@example.org")[0], 550, "a recipient")
        milter.answers = {}
        equal(one.rcpt("bob@example.org")[0], 250, "another one")
        equal(one.data(b"Subject: x\r\n\r\nHello\r\n")[0], 250, "the message")
        # A refused message leaves the session usable, for both.
        milter.answers = {b"E": [b"r"]}
        equal(one.mail("carol@far.example")[0], 250, "the next")
        one.rcpt("bob@example.org")
        equal(one.data(b"Subject: x\r\n\r\nHello\r\n")[0], 550, "refused")
        milter.answers = {}
        one.mail("carol@far.example")
        one.rcpt("bob@example.org")
        equal(one.data(b"Subject: x\r\n\r\nHello\r\n")[0], 250, "the one after")
    equal((count(host), count(host, "bob")), (delivered, 2), "messages")


@check
def where_it_fails():
    deferring, passing = Milter(), Milter()
    hosts = ((server(stage(deferring, seconds=3, message_seconds=3)), deferring, "defer"),
             (server(stage(passing, seconds=3, message_seconds=3, failure="open")), passing, "open"))
    for host, milter, failure in hosts:
        delivered = 0
        for command, where in {b"O": "connect", **PLACES}.items():
            for how in (HANG, DIE, RUBBISH, [b"Z"], [b"cx"], [b"hX-Early\0 x\0", b"c"] if command != b"E" else [b"e<no address>\0", b"c"]):
                if how == HANG and command not in (b"O", b"C", b"R", b"E"):
                    continue  # each takes three seconds
                milter.answers = {command: how}
                milter.heard.clear()
                got = attempt(host)
                if failure == "open":
                    equal(got[:2], (250, "data"), f"{how} at {command}, open")
                    delivered += 1
                else:
                    equal(got[:2], (421 if where == "connect" else 451, where), f"{how} at {command}, defer")
        equal(count(host), delivered, "messages that were delivered")

        # In one session: it is there again for the next message.
        milter.answers = {b"L": DIE}
        with host.smtp() as one:
            for expected in ((451, 250) if failure == "defer" else (250, 250)):
                one.mail("carol@far.example")
                one.rcpt("bob@example.org")
                equal(one.data(b"Subject: x\r\n\r\nHello\r\n")[0], expected, f"after a failure, {failure}")
                milter.answers = {b"E": [b"hX-Seen\0yes\0", b"c"]}
        that(b"X-Seen: yes" in inbox(host, "bob")[-1], f"the milter saw the second one, {failure}: {milter.commands()}")

        # What it may not do, since it did not ask for it.
        milter.actions = 0x10
        equal(attempt(host)[0], 451 if failure == "defer" else 250, "an addition that was not agreed")
        milter.actions, milter.answers = 0x200, {}
        equal(attempt(host)[0], 421 if failure == "defer" else 250, "an action that was not offered")
        milter.actions, milter.version = ALL_ACTIONS, 7
        equal(attempt(host)[0], 421 if failure == "defer" else 250, "a version that is not known")
        milter.version = 2
        deliver(host)
        milter.stop()
        equal(attempt(host)[0], 421 if failure == "defer" else 250, "nobody listens")
        milter.version = 6
        milter.listen()
        deliver(host)
        that(any("no use of the milter" in e["reason"] for e in verdicts(host)), "the log says why")
        counters = host.ctl("status").stdout.decode()
        that("filter.scripted.failed" in json.dumps(host.ask("status")) or "scripted" in counters, "it is counted")


@check
def what_it_does_not_want():
    large = "Subject: large\r\n\r\n" + "0123456789012345678901234567890123456789012345678901234567890123456789\r\n" * 5000
    milter = Milter(steps=NR_CONN | NR_HELO | NR_MAIL | NR_RCPT | NR_DATA | NR_HDR | NR_EOH | NR_BODY | LEADING_SPACE)
    host = server(stage(milter))
    deliver(host, large)
    wait_for("the end", lambda: milter.commands().endswith("."))
    equal(milter.commands(), "OCHHMRTLNBBBBBBEQ.", "nothing is answered but the end")
    equal(milter.all(b"L")[0][1], b"Subject\0 large\0", "the leading space")
    equal(b"".join(one[1] for one in milter.all(b"B")), large.partition("\r\n\r\n")[2].encode(), "the body in pieces")
    that(max(len(one[1]) for one in milter.all(b"B")) == 65535, "of 65535 octets")

    for steps, commands in ((NO_CONNECT | NO_HELLO | NO_MAIL | NO_RCPT | NO_DATA | NO_HEADERS | NO_EOH | NO_BODY, "OEQ."),
                            (NO_CONNECT | NO_BODY, "OHHMRTLNEQ."), (DATA_1M, "OCHHMRTLNBEQ.")):
        milter.steps = steps
        milter.heard.clear()
        deliver(host, large)
        wait_for("the end", lambda: milter.commands().endswith("."))
        equal(milter.commands(), commands, f"steps {steps:x}")
    milter.steps, milter.answers = SKIP, {b"B": [b"s"]}
    milter.heard.clear()
    deliver(host, large)
    wait_for("the end", lambda: milter.commands().endswith("."))
    equal(milter.commands(), "OCHHMRTLNBEQ.", "no more of the body after skip")
    milter.steps, milter.answers = 0, {}
    milter.symbols = number(0) + b"{client_port} {unknown} j\0" + number(2) + b"\0" + number(5) + b"{mail_addr}\0"
    milter.heard.clear()
    deliver(host)
    equal(sorted(milter.all(b"C")[0][2]), [b"j", b"{client_port}"], "macros that it asked for")
    equal(milter.all(b"M")[0][2], {}, "none")
    equal(milter.all(b"E")[0][2], {b"{mail_addr}": b"carol@far.example"}, "one")
    that(b"{rcpt_addr}" in milter.all(b"R")[0][2], "the usual ones where it asked for nothing")
    equal(count(host), 6, "all were delivered")


@check
def several_in_a_row():
    first = Milter(answers={b"E": [b"m" + number(1) + b"X-A\0\0", b"m" + number(2) + b"X-A\0second, changed\0", b"i" + number(0) + b"X-First\0yes\0",
                                   b"bshort\r\n", b"c"]})
    second = Milter(answers={b"E": [b"m" + number(1) + b"X-A\0third\0", b"hX-Second\0yes\0", b"c"]})
    dry = Milter(answers={b"E": [b"hX-Dry\0yes\0", b"c"], b"R": [b"r"]})
    host = server(stage(first, "first"), stage(dry, "dry", dry_run=True), stage(second, "second"))
    deliver(host, "X-A: 1\r\nX-A: 2\r\nSubject: x\r\n\r\na long body\r\n")
    equal([one[1] for one in second.all(b"L")], [b"X-First\0yes\0", b"X-A\0second, changed\0", b"Subject\0x\0"], "what the second one sees")
    equal(second.all(b"B")[0][1], b"short\r\n", "and its body")
    equal(dry.commands().rstrip("AQ."), "OCHHMR" + "TLLLNBE", "one that only tries")
    [got] = inbox(host)
    that(got.endswith(b"\r\nX-First: yes\r\nX-A: third\r\nSubject: x\r\nX-Second: yes\r\n\r\nshort\r\n"), f"the message: {got}")
    that(any(e["dry_run"] and e["action"] == "reject" for e in verdicts(host, "dry")), "what it would have done is logged")
    # Who comes later hears nothing of a recipient that an earlier one refuses.
    first.answers = {b"R": [b"r"]}
    second.forget()
    equal(attempt(host)[:2], (550, "rcpt"), "the first one refuses")
    that("R" not in second.commands(), f"the second one hears: {second.commands()}")


@check
def whom_it_is_asked_about():
    inbound, users, some = Milter(), Milter(), Milter(answers={b"E": [b"hX-Some\0yes\0", b"c"]})
    host = server(stage(inbound, "inbound", only="inbound"), stage(users, "users", only="submission"),
                  stage(some, "some", accounts=["bob@example.org"]))
    deliver(host)
    deliver(host, to="bob@example.org")
    equal((bool(inbound.heard), bool(users.heard)), (True, False), "mail from outside")
    inbound.forget()
    equal(some.commands().rstrip("AQ."), "OCHMRTLLLLLNBE", "connection and transaction are told at the first recipient that counts")
    with host.submit("alice@example.org") as one:
        one.sendmail("alice@example.org", ["bob@example.org"], message("alice@example.org", "bob@example.org"))
    equal((bool(inbound.heard), bool(users.heard)), (False, True), "mail from users")
    equal(([b"X-Some" in one for one in inbox(host)], b"X-Some" in inbox(host, "bob")[0]), ([False], True), "the one for some")


@check
def it_is_explained():
    milter = Milter(answers={b"R": [b"y550 5.7.1 not her\0"], b"E": [b"hX-A\0b\0", b"bnew\r\n", b"c"]})
    host = server(stage(milter))
    path = f"{host.dir}/message"
    with open(path, "w", newline="") as f:
        f.write(message("carol@far.example", "alice@example.org"))
    [told] = host.ask("filter", "test", path, "--from", "carol@far.example", "--to", "alice@example.org")["files"]
    rows = {row["hook"]: row for row in told["stages"] if row["stage"] == "scripted"}
    equal((rows["rcpt"]["action"], rows["rcpt"]["text"]), ("reject", "not her"), "the recipient")
    equal(rows["message"]["edits"], ["add X-A: b", "new body of 5 octets"], "the message")
    that("scripted: add X-A: b\nscripted: new body of 5 octets\n" in host.ctl("filter", "test", path, "--to", "alice@example.org").stdout.decode(),
         "the same for people")
    equal(count(host), 0, "nothing is delivered by it")
    host.stop()
    for wrong in ("inet:nowhere", "unix:relative", "8891"):
        host.config["filter"]["milters"][0]["address"] = wrong
        host.write_config()
        said = run([f"{BIN}/briefwerkd", "--check", "--config", host.config_file], ok=False).stderr.decode()
        that("/filter/milters/0/address" in said, f"{wrong}: {said}")


@check
def opendkim():
    for program in ("opendkim", "openssl"):
        need(program)
    folder = tempfile.mkdtemp(prefix="briefwerk-e2e-opendkim-")
    run(["openssl", "genrsa", "-out", folder + "/key", "2048"])
    os.chmod(folder + "/key", 0o600)
    public = run(["openssl", "rsa", "-in", folder + "/key", "-pubout"]).stdout.decode()
    with open(folder + "/keys", "w") as f:
        f.write("s1._domainkey.example.org v=DKIM1; k=rsa; p=" + "".join(public.splitlines()[1:-1]) + "\n")
    with open(folder + "/hosts", "w") as f:
        f.write("192.0.2.1\n")  # nobody signs by address here
    with open(folder + "/conf", "w") as f:
        f.write(f"Syslog no\nBackground no\nUMask 002\nSocket local:{folder}/socket\nPidFile {folder}/pid\nMode sv\nDomain example.org\n"
                f"Selector s1\nKeyFile {folder}/key\nRequireSafeKeys no\nTestPublicKeys {folder}/keys\nInternalHosts {folder}/hosts\n"
                f"MacroList daemon_name|ORIGINATING\nAuthservID localhost\nCanonicalization relaxed/simple\nOversignHeaders From\n")
    with open(folder + "/out", "w") as out:
        filtering = subprocess.Popen(["/usr/sbin/opendkim", "-f", "-x", folder + "/conf"], stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=out, preexec_fn=_die_with_parent)
    try:
        def ready():
            that(filtering.poll() is None, "opendkim ended: " + open(folder + "/out").read())
            return os.path.exists(folder + "/socket")
        wait_for("opendkim", ready)
        host = server(stage(f"unix:{folder}/socket", "opendkim"))
        with host.submit("alice@example.org") as one:
            one.sendmail("alice@example.org", ["bob@example.org"], "From: alice@example.org\r\nTo: bob@example.org\r\nSubject: signed\r\n\r\nHello\r\n")
        signed = wait_for_mail(host, "bob@example.org", lambda got: b"DKIM-Signature:" in got)
        that(b"d=example.org; s=s1;" in signed, f"signed by OpenDKIM: {signed}")
        # What the server put on top is not signed; the rest comes back from outside.
        original = signed[signed.index(b"DKIM-Signature:"):].decode()
        forged = "Authentication-Results: localhost; dkim=pass header.d=forged.example\r\n"
        deliver(host, forged + original, sender="alice@example.org")
        deliver(host, original.replace("Hello", "Goodbye"), sender="alice@example.org")
        deliver(host, message("carol@far.example", "alice@example.org"))
        good, bad, plain = sorted(inbox(host) + inbox(host, mailbox="Junk"), key=lambda one: (b"Subject: signed" not in one, b"Goodbye" in one))

        def results(one):
            unfolded = one.partition(b"\r\n\r\n")[0].replace(b"\r\n\t", b" ").replace(b"\r\n ", b" ")
            return [line for line in unfolded.split(b"\r\n") if line.startswith(b"Authentication-Results:") and b"header.b=" in line]
        that(any(b"dkim=pass" in line for line in results(good)), f"verified: {good}")
        that(b"forged.example" not in good, "forged results are gone")
        that(results(bad) and not any(b"dkim=pass" in line for line in results(bad)), f"the body was changed: {bad}")
        equal(results(plain), [], "nothing to verify")
        that(b"Subject: a subject" in plain, "the plain one is as it was")
    finally:
        filtering.terminate()
        filtering.wait(10)


RSPAMD = """
options {{ filters = ""; tempdir = "{0}"; hs_cache_dir = "{0}"; pidfile = "{0}/pid"; dynamic_conf = "{0}/dynamic";
  url_tld = "/usr/share/rspamd/effective_tld_names.dat"; enable_test_patterns = true;
  dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }} }}
logging {{ type = "file"; filename = "{0}/log"; level = "info"; }}
actions {{ reject = 15; add_header = 6; }}
worker "rspamd_proxy" {{ bind_socket = "127.0.0.1:{1}"; milter = yes; count = 1; timeout = 10s;
  upstream "local" {{ default = yes; self_scan = yes; }} }}
modules {{ path = "/usr/share/rspamd/plugins/milter_headers.lua"; path = "/usr/share/rspamd/plugins/multimap.lua"; }}
milter_headers {{ use = ["x-spamd-result", "x-rspamd-queue-id"]; skip_local = false; skip_authenticated = false; }}
multimap {{
  SPAMMY {{ type = "header"; header = "Subject"; map = "{0}/spammy"; regexp = true; score = 7.0; }}
}}
lua = "/usr/share/rspamd/rules/rspamd.lua";
"""

# In two parts, so that no filter takes this file for it.
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*" + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


@check
def rspamd():
    need("rspamd")
    folder = tempfile.mkdtemp(prefix="briefwerk-e2e-rspamd-")
    port = free_ports(1)[0]
    with open(folder + "/conf", "w") as f:
        f.write(RSPAMD.format(folder, port))
    with open(folder + "/spammy", "w") as f:
        f.write("/very cheap/i\n")
    with open(folder + "/out", "w") as out:
        filtering = subprocess.Popen(["rspamd", "-f", "-i", "-c", folder + "/conf"], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                     preexec_fn=_die_with_parent)
    try:
        def ready():
            that(filtering.poll() is None, "rspamd ended: " + open(folder + "/out").read())
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                return False
        wait_for("rspamd", ready, 240, 0.2)
        host = server(stage(f"inet:{port}@localhost", "rspamd", junk_field="X-Spam"))
        deliver(host)
        [clean] = inbox(host)
        that(b"X-Spamd-Result:" in clean and b"X-Rspamd-Queue-Id:" in clean, f"fields of rspamd: {clean}")
        code, where, said = attempt(host, message("carol@far.example", "alice@example.org", body=GTUBE + "\r\n"))
        equal((code, where), (554, "data"), f"the test message for spam filters ({said})")
        that("Gtube" in said, f"in its words: {said}")
        deliver(host, message("carol@far.example", "alice@example.org", subject="Very cheap things"))
        [spam] = inbox(host, mailbox="Junk")
        that(b"X-Spam: Yes" in spam and b"SPAMMY(7.00)" in spam, f"spam by its points: {spam}")
        with host.submit("alice@example.org") as one:
            one.sendmail("alice@example.org", ["bob@example.org"], message("alice@example.org", "bob@example.org"))
        wait_for_mail(host, "bob@example.org", lambda got: b"X-Spamd-Result:" in got)
        with host.smtp() as one:  # several messages over one connection
            for name in ("alice", "bob", "alice"):
                one.sendmail("carol@far.example", [f"{name}@example.org"], message("carol@far.example", f"{name}@example.org"))
        equal((count(host), count(host, "bob")), (3, 2), "messages")
    finally:
        filtering.terminate()
        filtering.wait(20)


main()
