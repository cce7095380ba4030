"""Runs the scripted suite of imaptest, where it is present, against a real briefwerkd.

Groups whose capability is not announced are skipped by name. BRIEFWERK_SUITES names the folder of suites.
"""
import glob
import os
import re

from harness import Server, Skipped, check, main
from imaptest_script import Atom, Nil, Script, String, parse_args

SUITES = os.environ.get("BRIEFWERK_SUITES", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../shared/suites"))
PASSWORD = "correct horse"


class Connection:
    """One client; `known` counts the messages that it has been told of."""

    def __init__(self, server, number):
        self.line = server.raw_tls("imaps")
        self.number, self.count, self.known = number, 0, 0

    def send(self, text):
        self.line.send(text.encode("latin-1"))

    def response(self):
        """A whole response, literals included; None at the end of the connection."""
        text = ""
        while True:
            while b"\r\n" not in self.line.buffer:
                got = self.line.socket.recv(65536)
                if not got:
                    return None
                self.line.buffer += got
            one, self.line.buffer = self.line.buffer.split(b"\r\n", 1)
            text += one.decode("latin-1")
            literal = re.search(r"\{(\d+)\}$", text)
            if not literal:
                return text
            size = int(literal[1])
            while len(self.line.buffer) < size:
                self.line.buffer += self.line.socket.recv(65536)
            text += "\r\n" + self.line.buffer[:size].decode("latin-1")
            self.line.buffer = self.line.buffer[size:]

    def command(self, text, untagged=lambda one: None):
        """Sends a command whose literals wait for their `+`; answers the tagged response, None at the connection's end."""
        self.count += 1
        tag = f"{self.number}.{self.count}"
        answer = self.put(tag, text, untagged)
        return answer or self.wait([tag], untagged).get(tag)

    def put(self, tag, text, untagged):
        pieces, rest = [], f"{tag} {text}"
        while found := re.search(r"~?\{(\d+)\}\r\n", rest):
            pieces.append(rest[:found.end()])
            rest = rest[found.end():]
            pieces.append(rest[:int(found[1])])
            rest = rest[int(found[1]):]
        for i, piece in enumerate(pieces):
            self.send(piece)
            if i % 2 == 0:
                answer = self.wait([tag], untagged, continuation=True)
                if tag in answer:
                    return answer[tag]
        self.send(rest + "\r\n")
        return None

    def wait(self, tags, untagged, continuation=False):
        answers = {}
        while len(answers) < len(tags):
            one = self.response()
            if one is None:
                return answers
            if one.startswith("+") and continuation:
                return answers
            tag, _, rest = one.partition(" ")
            if tag in tags:
                answers[tag] = rest
            elif tag == "*":
                if found := re.match(r"(\d+) EXISTS$", rest, re.I):
                    self.known = int(found[1])
                elif re.match(r"\d+ EXPUNGE$", rest, re.I):
                    self.known -= 1
                untagged(rest)
        return answers


class Failure(Exception):
    pass


class Run:
    """One script under way."""

    def __init__(self, server, script, mailbox):
        self.server, self.script, self.mailbox = server, script, mailbox
        self.variables = {"mailbox": mailbox, "mailbox_url": mailbox}
        for n in range(script.connections):
            user = self.user(n + 1)
            suffix = "" if n == 0 else str(n + 1)
            self.variables.update({"user" + suffix: user, "username" + suffix: user.split("@")[0],
                                   "domain" + suffix: user.split("@")[1], "password" + suffix: PASSWORD})
        self.next_message = 0
        self.sequence = []

    def user(self, number):
        wanted = self.script.header.get(f"user {number}", "$user")
        return "bob@example.test" if "user2" in wanted else "alice@example.test"

    def prepare(self):
        state = self.script.header["state"]
        self.clients = [Connection(self.server, n + 1) for n in range(self.script.connections)]
        if state == "nonauth":
            return
        for n, client in enumerate(self.clients):
            self.must(client, f'LOGIN {self.user(n + 1)} "{PASSWORD}"')
        self.need_capabilities()
        first = self.clients[0]
        if state in ("created", "appended", "selected"):
            self.must(first, f"CREATE {self.mailbox}")
        if state in ("appended", "selected"):
            count = self.script.header["messages"]
            for _ in range(len(self.script.messages) if count == "all" else int(count)):
                self.must(first, self.append_command(self.mailbox))
        if state == "selected":
            for client in self.clients:
                self.must(client, f"SELECT {self.mailbox}")

    def need_capabilities(self):
        found = []
        self.clients[0].command("CAPABILITY", found.append)
        have = {name.upper() for one in found if one.startswith("CAPABILITY") for name in one.split()[1:]}
        missing = [name for name in self.script.header["capabilities"].split() if name.upper() not in have]
        if missing:
            raise Skipped(" ".join(missing))

    def must(self, client, command):
        answer = client.command(command)
        if not answer or not answer.upper().startswith("OK"):
            raise Failure(f"preparation: {command[:80]!r}: {answer}")

    def append_command(self, arguments, name="APPEND", date=True):
        when, text = self.script.messages[self.next_message % len(self.script.messages)]
        self.next_message += 1
        return f'{name} {arguments} ' + (f'"{when}" ' if date else "") + f'{{{len(text)}}}\r\n{text}'

    # Expansion and matching.

    def relative(self, name):
        number = int(name)
        if not 0 < number <= len(self.sequence):
            return "<out of range>"
        return str(self.sequence[number - 1] or "<expunged>")

    def expand(self, text):
        def value(found):
            name = found[1] or found[2]
            if found[0] == "$$":
                return "$"
            if name.isdigit():
                return self.relative(name)
            if name not in self.variables:
                raise Failure(f"variable without a value: {name}")
            return self.variables[name]
        return re.sub(r"\$\$|\$(?:\{([^}]*)\}|(\w+))", value, text)

    def match_text(self, pattern, text, added):
        """The pattern with its variables filled in; None where it cannot match. Also whether case counts."""
        out, at, exact = "", 0, False
        while at < len(pattern):
            if pattern[at] != "$" or pattern[at + 1:at + 2] == "$":
                at += pattern[at] == "$"
                if pattern[at].upper() != text[len(out):len(out) + 1].upper():
                    return None, exact
                out += text[len(out)]
                at += 1
                continue
            found = re.compile(r"\$(?:\{([^}]*)\}|(\w*))").match(pattern, at)
            name, at = found[1] if found[1] is not None else found[2], found.end()
            if name.isdigit():
                value = self.relative(name)
            elif name.startswith("case:"):
                value, exact = name[5:], True
            elif name in self.variables:
                value = self.variables[name]
            else:
                value = self.new_value(name, pattern[at:], text[len(out):], added)
            if text[len(out):len(out) + len(value)] != value:
                return None, exact
            out += value
        return out, exact

    def new_value(self, name, rest, text, added):
        stop = rest
        if rest.startswith("$"):
            following = re.match(r"\$(?:\{([^}]*)\}|(\w*))", rest)
            known = following[1] or following[2]
            stop = self.relative(known) if known.isdigit() else self.variables.get(known, "")
        end = len(text)
        if stop:
            places = [i for i, c in enumerate(text) if c.upper() == stop[0].upper()]
            end = places[0] if places else len(text)
        value = text[:end]
        if re.fullmatch(r"modseq\d+", name):
            index = int(name[6:])
            last_index, last = getattr(self, "modseqs", (0, 0))
            if not value.isdigit() or int(value) < last + index - last_index:
                return "<a modseq of at least %d>" % (last + index - last_index)
            self.modseqs = (index, int(value))
            self.variables[name] = value
        elif name:
            self.variables[name] = value
            added.append(name)
        return value

    def match_args(self, wanted, got, added, prefix=False, partial=False):
        i = 0
        for n, one in enumerate(wanted):
            if isinstance(one, Atom) and one == "$]":
                while i < len(got) and isinstance(got[i], str) and "]" not in got[i]:
                    i += 1
                i += 1
                continue
            if i >= len(got):
                return False
            other = got[i]
            i += 1
            if isinstance(one, list):
                if not isinstance(other, list) or not self.match_list(one, other, added):
                    return False
            elif isinstance(one, Nil):
                if not isinstance(other, Nil):
                    return False
            elif one == "$" and isinstance(other, list):
                continue
            elif isinstance(other, list):
                return False
            else:
                value, exact = self.match_text(one, other, added)
                if value is None:
                    return False
                if prefix and n == len(wanted) - 1:
                    other = other[:len(value)]
                if (value != other) if exact else (value.upper() != other.upper()):
                    return False
        return prefix or partial or i == len(got)

    def match_list(self, wanted, got, added):
        unordered, chain, extra, ignored, banned = False, 1, None, [], []
        wanted = list(wanted)
        while wanted and isinstance(wanted[0], Atom) and wanted[0].startswith("$!"):
            name, _, value = wanted.pop(0)[2:].partition("=")
            if name == "unordered":
                unordered, chain, extra = True, int(value or 1), True if extra is None else extra
            elif name == "ordered":
                unordered = False
            elif name in ("extra", "noextra"):
                extra = name == "extra"
            elif name == "ignore":
                ignored.append(value.lower())
            elif name == "ban":
                banned.append(value.lower())
        if not unordered:
            return self.match_args(wanted, got, added)
        if len(got) % chain:
            return False
        used = set()
        for at in range(0, len(wanted), chain):
            for i in range(0, len(got), chain):
                if self.match_args(wanted[at:at + chain], got[i:i + chain], added):
                    used.add(i)
                    break
            else:
                return False
        left = [str(got[i]).lower() for i in range(0, len(got), chain) if i not in used and isinstance(got[i], str)]
        return not any(one in banned for one in left) if extra else all(one in ignored for one in left)

    # Running.

    def run_group(self, group):
        client = self.clients[group.connection - 1]
        self.sequence = list(range(1, client.known + 1))
        found, strangers = set(), []
        first_tag = f"{client.number}.{client.count + 1}"

        def untagged(text):
            got = parse_args(text)[0]
            prefix = str(got[0]).lower() in ("ok", "no", "bad", "bye") if got and isinstance(got[0], str) else False
            self.variables["tag"] = first_tag
            matched = False
            for n, one in enumerate(group.expected):
                added = []
                if n in found:
                    continue
                if self.match_args(one.args, got, added, prefix):
                    if one.existence == "!":
                        raise Failure(f"unwanted answer: * {text}")
                    found.add(n)
                    matched = True
                else:
                    for name in added:
                        self.variables.pop(name, None)
            self.variables.pop("tag")
            if not matched:
                strangers.append(text)
            if gone := re.match(r"(\d+) EXPUNGE$", text, re.I):
                at = int(gone[1])
                self.sequence = [0 if s == at else s - 1 if s > at else s for s in self.sequence]

        tags, answers = [], {}
        for one in group.commands:
            client.count += 1
            one.sent = f"{client.number}.{client.count}"
            tags.append(one.sent)
            answer = client.put(one.sent, self.command_text(self.expand(one.text)), untagged)
            if answer:
                answers[one.sent] = answer
        answers.update(client.wait([t for t in tags if t not in answers], untagged))
        for one in group.commands:
            self.variables["tag"] = one.sent
            answer = answers.get(one.sent, "")
            if one.reply and not self.match_args(one.reply, parse_args(answer)[0], [], True):
                raise Failure(f"answered {answer!r}, expected {' '.join(map(str, one.reply))!r}")
            self.variables.pop("tag")
        missing = [one.text for n, one in enumerate(group.expected) if one.existence == "*" and n not in found]
        if missing:
            raise Failure(f"missing: {missing[0]!r}; came: {strangers[:8]}")
        if self.script.header.get("ignore_extra_untagged", "yes")[0] != "y" and strangers:
            raise Failure(f"not asked for: {strangers[0]!r}")

    def command_text(self, text):
        """APPEND and REPLACE without a message take the next one of the mbox."""
        word = re.match(r"(append|(?:uid )?replace)(?: (.*))?$", text, re.I | re.S)
        if not word:
            return text
        if word[2] is None:
            return self.append_command(self.mailbox)
        args = parse_args(word[2])[0]
        rest = args[2:] if word[1].lower() != "append" else args[1:]
        if "{" in word[2] or any(isinstance(a, Atom) and a.lower() == "catenate" for a in rest):
            return text
        return self.append_command(word[2], word[1], date=not any(isinstance(a, String) for a in rest))

    def finish(self):
        for client in self.clients:
            client.line.close()


def run_script(server, script, mailbox):
    """The failures of one group."""
    run = Run(server, script, mailbox)
    failures = []
    try:
        run.prepare()
        for group in script.groups:
            try:
                run.run_group(group)
            except Failure as why:
                command = group.commands[0]
                failures.append(f"{script.name}:{command.line}: {command.text.splitlines()[0][:100]}: {why}")
                break
    finally:
        run.finish()
    return failures


@check
def scripted_suite():
    paths = sorted(p for folder in glob.glob(f"{SUITES}/imaptest-*/tests") for p in glob.glob(f"{folder}/*")
                   if not p.endswith(".mbox") and os.path.isfile(p))
    if not paths:
        raise Skipped(f"no imaptest scripts in {SUITES}")
    server = Server()
    server.domain("example.test")
    for user in ("alice", "bob"):
        server.account(f"{user}@example.test")
    only = os.environ.get("IMAPTEST")
    failures, passed, skipped = [], 0, {}
    for n, path in enumerate(paths):
        script = Script(path)
        if only and script.name not in only.split(","):
            continue
        try:
            found = run_script(server, script, f"imaptest{n}")
        except Skipped as why:
            skipped.setdefault(str(why), []).append(script.name)
            continue
        except Failure as why:
            found = [f"{script.name}: {why}"]
        failures += found
        passed += not found
    for why, names in sorted(skipped.items()):
        print(f"    not announced: {why}: {', '.join(names)}")
    print(f"    {passed} groups passed, {sum(map(len, skipped.values()))} skipped, {len(failures)} failed")
    if failures:
        raise AssertionError("\n".join(failures))


main()
