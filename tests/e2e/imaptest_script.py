"""The scripts of imaptest: a header, then commands with the answers that they must (`*`), must not (`!`) or may (`?`) bring;
see dovecot.github.io/imaptest/scripted_test."""
import os
import re


class Nil(str):
    pass


class Atom(str):
    pass


class String(str):
    pass


def parse_args(text, at=0, depth=0):
    """IMAP arguments as Dovecot's parser reads them: atoms end at a space or a parenthesis only."""
    out = []
    while at < len(text):
        c = text[at]
        if c in " \r\n":
            at += 1
        elif c == "(":
            inner, at = parse_args(text, at + 1, depth + 1)
            out.append(inner)
        elif c == ")" and depth:
            return out, at + 1
        elif c == '"':
            end, value = at + 1, ""
            while end < len(text) and text[end] != '"':
                if text[end] == "\\":
                    end += 1
                value += text[end:end + 1]
                end += 1
            out.append(String(value))
            at = end + 1
        elif literal := re.compile(r"~?\{(\d+)\+?\}\r\n").match(text, at):
            at = literal.end() + int(literal[1])
            out.append(String(text[literal.end():at]))
        else:
            end = at
            while end < len(text) and text[end] not in " \r\n" + ("()" if depth else "("):
                end += 1
            end = max(end, at + 1)
            atom = text[at:end]
            out.append(Nil(atom) if atom.upper() == "NIL" else Atom(atom))
            at = end
    return out, at


class Expected:
    def __init__(self, existence, text):
        self.existence, self.text = existence, text
        self.args = parse_args(text)[0]
        named = self.args[0] if self.args else ""
        if re.match(r"[$\d]", str(named)) and len(self.args) > 1:
            named = self.args[1]
        add_directives(self.args, str(named).lower() if isinstance(named, str) else "", ())


def add_directives(args, name, path, before=""):
    """Which lists have no order: the defaults of the suite, where a script gives no directive."""
    has_own = bool(args) and isinstance(args[0], Atom) and args[0].startswith("$!")
    if path and not has_own:
        if name in ("list", "lsub") and path == (1,):
            args.insert(0, Atom("$!unordered"))
        elif name in ("status", "fetch") and path == (2,):
            args.insert(0, Atom("$!unordered=2"))
        elif name == "fetch" and len(path) == 2 and path[0] == 2 and before == "flags":
            args[0:0] = [Atom("$!unordered"), Atom("$!noextra"), Atom("$!ignore=\\recent")]
    previous = ""
    for i, one in enumerate(args):
        if isinstance(one, list):
            add_directives(one, name, path + (i,), previous)
        elif isinstance(one, Atom):
            previous = one.lower()


class Command:
    def __init__(self, line, tag, reply, text):
        self.line, self.tag, self.reply, self.text, self.sent = line, tag, reply, text, None


class Group:
    def __init__(self, connection):
        self.connection, self.commands, self.expected, self.sleep = connection, [], [], 0

    def pending(self):
        return [one for one in self.commands if one.reply is None]


class Script:
    def __init__(self, path):
        self.name = os.path.basename(path)
        self.header = {"connections": "1", "state": "selected", "messages": "0", "capabilities": ""}
        self.groups = []
        own = path + ".mbox"
        self.messages = read_mbox(own if os.path.exists(own) else os.path.join(os.path.dirname(path), "default.mbox"))
        in_header, skip = True, []
        for number, line in logical_lines(path):
            if line == "":
                in_header = False
            elif line.startswith("#"):
                continue
            elif in_header:
                key, value = line.split(":", 1)
                self.header[key.strip().lower()] = value.strip()
            elif line.startswith(("!ifenv ", "!ifnenv ")):
                skip.append((line.split()[1] in os.environ) == line.startswith("!ifnenv"))
            elif line == "!else":
                skip[-1] = not skip[-1]
            elif line == "!endif":
                skip.pop()
            elif not any(skip):
                self.command_line(number, line)

    @property
    def connections(self):
        return int(self.header["connections"])

    def command_line(self, number, line):
        group = self.groups[-1] if self.groups else None
        if line.startswith("!sleep "):
            amount, unit = re.fullmatch(r"(\d+)\s*(\w*)", line[7:]).groups()
            group.sleep = int(amount) / (1000 if unit.startswith("ms") else 1)
            return
        if line[:2] in ("* ", "! ", "? ") and group:
            group.expected.append(Expected(line[0], line[2:]))
            return
        connection = 1
        if self.connections > 1:
            connection, line = line.split(" ", 1) if " " in line else (line, "")
            connection = int(connection)
        tag, reply, rest = split_reply(line)
        if group and group.pending() and reply is not None:
            one = [c for c in group.pending() if c.tag == tag][0]
            one.reply = parse_args(reply + " " + rest)[0] if reply != '""' else []
            return
        if not group or not group.pending():
            group = Group(connection)
            self.groups.append(group)
        wanted = None if reply is None else [] if reply == '""' else [Atom(reply)]
        group.commands.append(Command(number, tag, wanted, rest))


def split_reply(line):
    tag = re.match(r"(tag[1-9]\d*) ", line, re.I)
    if tag:
        line = line[tag.end():]
    reply = re.match(r'(ok|no|bad|"")(?: |$)', line, re.I)
    return tag and tag[1].lower(), reply and reply[1].lower(), line[reply.end():] if reply else line


def logical_lines(path):
    """Lines with their numbers; {{{ … }}} as a literal."""
    with open(path, "rb") as f:
        physical = f.read().decode("latin-1").split("\n")
    if physical[-1] == "":
        physical.pop()
    at = 0
    while at < len(physical):
        number, line = at + 1, physical[at].rstrip("\r")
        at += 1
        while line.endswith("{{{") and not line.startswith("#"):
            binary = line.endswith("~{{{")
            text, ends = "", 0
            while not physical[at].startswith("}}}"):
                one = physical[at]
                text += one if binary else one.rstrip("\r")
                ends = len(text)
                text += "\n" if binary else "\r\n"
                at += 1
            text = text[:ends]
            line = f"{line[:-4] + '~' if binary else line[:-3]}{{{len(text)}}}\r\n{text}{physical[at].rstrip(chr(13))[3:]}"
            at += 1
        yield number, line


def read_mbox(path):
    with open(path, "rb") as f:
        text = f.read().decode("latin-1")
    out = []
    for piece in re.split(r"^(?=From \S+ .*\d\d:\d\d:\d\d)", text, flags=re.M):
        if not piece:
            continue
        first, body = piece.split("\n", 1)
        when = re.search(r"(\w{3}) +(\d+) +(\d+:\d+:\d+) +(\d{4})( [+-]\d{4})?", first)
        date = f"{int(when[2]):2d}-{when[1]}-{when[4]} {when[3]} {(when[5] or ' +0000').strip()}"
        out.append((date, body.replace("\r\n", "\n").replace("\n", "\r\n")))
    return out
