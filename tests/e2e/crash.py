"""Kills the server without warning (kill -9) under full load: whatever was acknowledged is there after the restart.

crash.py BIN_FOLDER [COUNT]: COUNT kills during delivery (2), and as many during APPEND and STORE.
"""
import random
import re
import signal
import sys
import threading
import time

from harness import Server, bodies, check, equal, main, sha, that

COUNT = next((int(a) for a in sys.argv[1:] if a.isdigit()), 2)
CONNECTIONS = 16
USERS = 4
END = b"\r\n.\r\n"


def text_of(mark, rng):
    body = "".join(f"line {n} of {mark} {rng.getrandbits(160):040x}\r\n" for n in range(rng.choice((3, 40, 60, 400))))
    return (f"From: load@client.example\r\nTo: u@example.test\r\nSubject: {mark}\r\nMessage-ID: <{mark}@client.example>\r\n\r\n"
            f"{body}").encode()


class Sender(threading.Thread):
    """One connection over STARTTLS; the commands of a message go out together with the end of the one before."""

    def __init__(self, server, round_, number):
        super().__init__(daemon=True)
        self.server, self.round, self.number = server, round_, number
        self.sent, self.acknowledged, self.error = {}, set(), None

    def run(self):
        rng = random.Random(self.round * 1000 + self.number)
        try:
            line = self.server.raw_tls("smtp")
            user = f"u{self.number % USERS}r{self.round}@example.test"
            head = f"MAIL FROM:<load@client.example>\r\nRCPT TO:<{user}>\r\nDATA\r\n".encode()
            line.send(head)
            for n in range(1_000_000):
                mark = f"r{self.round}c{self.number}n{n}"
                for expected in ("250", "250", "354"):
                    got = line.reply()
                    if got == "":
                        return
                    that(got.startswith(expected), f"{expected} was expected, not {got!r}")
                text = text_of(mark, rng)
                self.sent[mark] = text
                line.send(text + b".\r\n" + head)
                got = line.reply()
                if got == "":
                    return
                that(got.startswith("250"), f"the message was answered {got!r}")
                self.acknowledged.add(mark)
        except OSError:
            pass  # the kill
        except AssertionError as why:
            self.error = why


def verify(server, senders, round_):
    """Everything acknowledged is there, whole and once; nothing is there that was not sent."""
    sent, acknowledged = {}, set()
    for one in senders:
        if one.error:
            raise one.error
        sent.update(one.sent)
        acknowledged |= one.acknowledged
    found = {}
    for user in range(USERS):
        imap = server.imap(f"u{user}r{round_}@example.test", timeout=240)
        for octets in bodies(imap):
            mark = re.search(rb"^Message-ID: <(\w+)@", octets, re.M)[1].decode()
            that(mark in sent, f"{mark} was never sent")
            start = octets.index(b"From: load@client.example\r\n")
            equal(sha(octets[start:]), sha(sent[mark]), f"the content of {mark}")
            found[mark] = found.get(mark, 0) + 1
        imap.logout()
    lost = acknowledged - found.keys()
    that(not lost, f"{len(lost)} acknowledged messages are lost: {sorted(lost)[:5]}")
    that(len(found) - len(acknowledged) <= CONNECTIONS, "more was stored than acknowledged and under way")
    twice = [mark for mark, times in found.items() if times > 1]
    that(not twice, f"stored twice: {twice[:5]}")
    return len(acknowledged), len(found)


@check
def killed_during_delivery():
    server = Server()
    server.domain("example.test")
    rounds = []
    for round_ in range(COUNT):
        for user in range(USERS):
            server.account(f"u{user}r{round_}@example.test")
        senders = [Sender(server, round_, n) for n in range(CONNECTIONS)]
        for one in senders:
            one.start()
        end = time.monotonic() + 60
        while sum(len(one.acknowledged) for one in senders) < 200 and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(random.uniform(0.1, 1.0))
        that(all(one.is_alive() for one in senders), f"a connection ended too early: {[one.error for one in senders if one.error]}")
        equal(server.stop(signal.SIGKILL), -signal.SIGKILL)
        for one in senders:
            one.join(30)
        server.start()
        count, stored = verify(server, senders, round_)
        print(f"         kill {round_ + 1}: {count} acknowledged, {stored} stored", flush=True)
        rounds.append((senders, round_))
    for senders, round_ in rounds:  # later kills took nothing of earlier rounds
        verify(server, senders, round_)


class Filer(threading.Thread):
    """APPENDs and STOREs by turns; remembers what was answered OK."""

    def __init__(self, server, round_, number):
        super().__init__(daemon=True)
        self.server, self.round, self.number = server, round_, number
        self.appended, self.flagged, self.seen, self.sent, self.error = {}, {}, set(), {}, None

    def run(self):
        rng = random.Random(self.round * 77 + self.number)
        try:
            line = self.server.raw_tls("imaps")
            that(line.imap("l", f'LOGIN f{self.number}@example.test "correct horse"')[-1].startswith("l OK"), "LOGIN")
            line.imap("s", "SELECT INBOX")
            for n in range(1_000_000):
                mark = f"r{self.round}f{self.number}n{n}"
                text = text_of(mark, rng)
                self.sent[mark] = text
                line.send(b"a%d APPEND INBOX {%d+}\r\n" % (n, len(text)) + text + b"\r\n")
                got = line.until(f"a{n}")[-1]
                if not got:
                    return
                uid = int(re.search(r"OK \[APPENDUID \d+ (\d+)\]", got)[1])
                self.appended[uid] = mark
                word = f"w{rng.randrange(8)}"
                got = line.imap(f"b{n}", f"UID STORE {uid} +FLAGS.SILENT ({word} \\Flagged)")[-1]
                if not got:
                    return
                that(got.startswith(f"b{n} OK"), got)
                self.flagged[uid] = word
                earlier = rng.choice(list(self.flagged))  # often in a page of the index that is finished
                got = line.imap(f"c{n}", f"UID STORE {earlier} +FLAGS.SILENT (\\Seen)")[-1]
                if not got:
                    return
                that(got.startswith(f"c{n} OK"), got)
                self.seen.add(earlier)
        except OSError:
            pass
        except (AssertionError, TypeError) as why:
            self.error = why


def kill_filers(writers, messages):
    server = Server()
    server.domain("example.test")
    for user in range(writers):
        server.account(f"f{user}@example.test")
    for round_ in range(COUNT):
        filers = [Filer(server, round_, n) for n in range(writers)]
        for one in filers:
            one.start()
        end = time.monotonic() + 60
        while sum(len(one.flagged) for one in filers) < messages and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(random.uniform(0.1, 0.6))
        server.stop(signal.SIGKILL)
        for one in filers:
            one.join(30)
            if one.error:
                raise one.error
        server.start()
        for one in filers:
            imap = server.imap(f"f{one.number}@example.test", timeout=240)
            imap.select("INBOX", readonly=True)
            data = imap.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")[1]
            found = {}
            for index, part in enumerate(data):
                if isinstance(part, tuple):
                    about = part[0] + (data[index + 1] if isinstance(data[index + 1], bytes) else b"")
                    found[int(re.search(rb"UID (\d+)", about)[1])] = (about.decode(), part[1])
            imap.logout()
            for uid, mark in one.appended.items():
                that(uid in found, f"the APPEND of {mark} was answered OK and is lost")
                equal(sha(found[uid][1]), sha(one.sent[mark]), f"the content of {mark}")
            for uid, word in one.flagged.items():
                that(word in found[uid][0] and "\\Flagged" in found[uid][0], f"the STORE on UID {uid} is lost: {found[uid][0]}")
            for uid in one.seen:
                that("\\Seen" in found[uid][0], f"the STORE of \\Seen on UID {uid} is lost: {found[uid][0]}")
        print(f"         kill {round_ + 1}: {sum(len(one.appended) for one in filers)} appended, "
              f"{sum(len(one.flagged) for one in filers)} flagged", flush=True)


@check
def killed_during_append_and_store():
    kill_filers(8, 100)


@check
def killed_while_one_writes_alone():
    kill_filers(1, 300)


main(560 + 140 * COUNT)
