"""Sessions that change the same mailboxes at random: each keeps the picture that it was told, and in the end the picture is true."""
import random
import re

from harness import Server, check, equal, main, message, that

USER = "alice@example.test"
MAILBOXES = ("INBOX", "Work", "Work/Old")
FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Work", "later")
KEYS = {"ALL": lambda flags: True, "UNSEEN": lambda flags: "\\seen" not in flags, "DELETED": lambda flags: "\\deleted" in flags,
        "NOT (FLAGGED SEEN)": lambda flags: not {"\\flagged", "\\seen"} <= flags,
        "OR KEYWORD later UNANSWERED": lambda flags: "later" in flags or "\\answered" not in flags}


def numbers(text):
    """The numbers of a set, ascending."""
    out = set()
    for part in text.split(","):
        first, _, last = part.partition(":")
        out.update(range(int(first), int(last or first) + 1))
    return sorted(out)


class Session:
    """One client, and the mailbox as it was told: a message is a dictionary of what is known of it."""

    def __init__(self, server, name, enable=""):
        self.name, self.server, self.enable, self.count = name, server, enable, 0
        self.known = {}  # of mailboxes left: what a client keeps for QRESYNC
        self.connect()

    def connect(self):
        self.line = self.server.raw_tls("imaps")
        self.mailbox, self.messages = None, []
        self.ask(f'LOGIN {USER} "correct horse"')
        if self.enable:
            self.ask(f"ENABLE {self.enable}")

    def ask(self, command, may_expunge=True):
        """The lines up to the tagged OK. What they say of the mailbox goes into the picture."""
        self.count += 1
        tag = f"{self.name}{self.count}"
        lines = self.line.imap(tag, command)
        that(lines[-1].startswith(f"{tag} OK"), f"{command[:80]}: {lines[-1]}")
        for line in lines[:-1]:
            self.take(line, may_expunge)
        if found := re.search(r"\[HIGHESTMODSEQ (\d+)\]", "\n".join(lines)):
            self.modseq = int(found[1])
        elif told := [m["modseq"] for m in self.messages if "modseq" in m]:
            self.modseq = max(self.modseq, *told)  # RFC 7162 §6
        if self.mailbox and self.enable and any("uid" not in one for one in self.messages):
            self.ask("UID FETCH 1:* (FLAGS)")  # RFC 7162 §3.2.10: VANISHED names UIDs
        return lines

    def take(self, line, may_expunge):
        if found := re.fullmatch(r"\* (\d+) EXISTS", line):
            that(int(found[1]) >= len(self.messages), f"{self.name}: EXISTS below the count: {line}")
            self.messages += [{} for _ in range(int(found[1]) - len(self.messages))]
        elif found := re.fullmatch(r"\* (\d+) EXPUNGE", line):
            that(may_expunge and not self.enable, f"{self.name}: {line}")
            del self.messages[int(found[1]) - 1]
        elif found := re.fullmatch(r"\* VANISHED (\(EARLIER\) )?(\S+)", line):
            that(self.enable and (may_expunge or found[1]), f"{self.name}: {line}")
            gone = set(numbers(found[2]))
            self.messages = [m for m in self.messages if m.get("uid") not in gone]
        elif found := re.fullmatch(r"\* (\d+) FETCH \((.*)\)", line):
            one = self.messages[int(found[1]) - 1]
            if uid := re.search(r"UID (\d+)", found[2]):
                equal(int(uid[1]), one.setdefault("uid", int(uid[1])), f"{self.name}: the UID of number {found[1]}")
            if flags := re.search(r"FLAGS \((.*?)\)", found[2]):
                one["flags"] = set(flags[1].lower().split()) - {"\\recent"}
            if modseq := re.search(r"MODSEQ \((\d+)\)", found[2]):
                that(int(modseq[1]) >= one.get("modseq", 0), f"{self.name}: MODSEQ fell: {line}")
                one["modseq"] = int(modseq[1])

    def leave(self):
        if self.mailbox and self.enable and all({"uid", "flags"} <= m.keys() for m in self.messages):
            self.known[self.mailbox] = self.validity, self.modseq, {m["uid"]: m["flags"] for m in self.messages}
        self.mailbox, self.messages, self.modseq = None, [], 0

    def select(self, mailbox):
        self.leave()
        again, self.messages = self.known.get(mailbox), []
        lines = self.ask(f"SELECT {mailbox}" + (f" (QRESYNC ({again[0]} {again[1]}))" if again else ""))
        self.mailbox, self.validity = mailbox, re.search(r"UIDVALIDITY (\d+)", "\n".join(lines))[1]
        gone = {uid for line in lines if "VANISHED" in line for uid in numbers(line.split()[-1])}
        told = {m["uid"]: m["flags"] for m in self.messages if "uid" in m}
        self.ask("UID FETCH 1:* (FLAGS)")
        if again:
            before = {uid: flags for uid, flags in again[2].items() if uid not in gone}
            equal(before | told, {m["uid"]: m["flags"] for m in self.messages}, f"{self.name}: {mailbox} after QRESYNC")

    def some(self, chance, by_uid):
        """A set of messages that are there."""
        if by_uid:
            uids = [m["uid"] for m in self.messages if "uid" in m]
            return ",".join(str(uid) for uid in chance.sample(uids, min(len(uids), 4))) or "1:*"
        first = chance.randint(1, len(self.messages))
        return f"{first}:{min(len(self.messages), first + chance.randint(0, 3))}"

    def step(self, chance):
        what = chance.choice(("select", "append", "append", "store", "store", "fetch", "search", "copy", "move", "delete",
                              "delete", "expunge", "noop", "lose"))
        if self.mailbox is None or what == "select":
            return self.select(chance.choice(MAILBOXES))
        if what == "append":
            pieces = ""
            for _ in range(chance.randint(1, 3)):
                text = message("friend@elsewhere.example", USER, f"number {chance.random()}")
                pieces += f" ({' '.join(chance.sample(FLAGS, 2))}) {{{len(text)}+}}\r\n{text}"
            return self.ask(f"APPEND {chance.choice(MAILBOXES)}{pieces}")
        if what in ("noop", "expunge"):
            return self.ask(what)
        if what == "lose" and self.enable:
            self.leave()
            self.line.close()
            return self.connect()
        by_uid = chance.random() < 0.5
        if not self.messages or what == "lose":
            return None
        uid, some = "UID " if by_uid else "", self.some(chance, by_uid)
        if what == "delete":
            return self.ask(f"{uid}STORE {some} +FLAGS (\\Deleted)", by_uid)
        if what == "store":
            return self.ask(f"{uid}STORE {some} {chance.choice('+-')}FLAGS ({' '.join(chance.sample(FLAGS, 2))})", by_uid)
        if what == "fetch":
            return self.ask(f"{uid}FETCH {some} (UID FLAGS{' MODSEQ' if self.enable else ''})", by_uid)
        if what == "search":
            return self.ask(f"{uid}SEARCH {chance.choice(list(KEYS))}", by_uid)
        return self.ask(f"{uid}{what.upper()} {some} {chance.choice(MAILBOXES)}")


def agree(session, fresh):
    """After a NOOP the session knows all that somebody sees who comes now."""
    session.ask("NOOP")
    equal(len(session.ask("NOOP")), 1, f"{session.name}: news after news")
    fresh.select(session.mailbox)
    now = fresh.messages
    equal(len(session.messages), len(now), f"{session.name}: messages in {session.mailbox}")
    for known, true in zip(session.messages, now):
        for what in ("uid", "flags"):
            equal(known.get(what, true[what]), true[what], f"{session.name}: {what} of {true} in {session.mailbox}")
    session.ask("UID FETCH 1:* (FLAGS)")
    for key, holds in KEYS.items():
        found = re.search(r"\* SEARCH((?: \d+)*)", "\n".join(fresh.ask(f"UID SEARCH {key}")))[1]
        equal([int(uid) for uid in found.split()], [m["uid"] for m in now if holds(m["flags"])], f"SEARCH {key}")
    unseen = sum("\\seen" not in m["flags"] for m in now)
    deleted = sum("\\deleted" in m["flags"] for m in now)
    equal(fresh.ask(f"STATUS {session.mailbox} (MESSAGES UNSEEN DELETED)")[0],
          f"* STATUS {session.mailbox} (MESSAGES {len(now)} UNSEEN {unseen} DELETED {deleted})", "STATUS")


@check
def sessions_at_random():
    server = Server()
    server.domain("example.test")
    server.account(USER)
    fresh = Session(server, "f")
    for mailbox in MAILBOXES[1:]:
        fresh.ask(f"CREATE {mailbox}")
    sessions = [Session(server, "a"), Session(server, "b"), Session(server, "c", "QRESYNC"), Session(server, "d", "QRESYNC")]
    chance = random.Random(7162)
    for n in range(6000):
        chance.choice(sessions).step(chance)
        if n % 40 == 39:
            for session in sessions:
                if session.mailbox:
                    agree(session, fresh)
    for session in (*sessions, fresh):
        session.line.close()
    equal(server.stop(), 0)


main()
