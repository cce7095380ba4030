"""SEARCH with the full-text index of a running server: the same answers as without, whatever happens to the index."""
import email.message
import glob
import os
import random
import shutil

from harness import Server, check, equal, main, that, wait_for

USER = "alice@example.test"
WORDS = ["invoice", "Rechnung", "Überweisung", "Straße", "naïve", "日本語", "会議", "привет", "κόσμος", "grün", "x86", "0123456789abcdef77"]
CHARSETS = {"utf-8": WORDS, "iso-8859-1": ["invoice", "Überweisung", "Straße", "grün"], "iso-2022-jp": ["日本語", "会議", "invoice"],
            "koi8-r": ["привет", "invoice"], "windows-1253": ["κόσμος", "invoice"]}


def made(number, rng):
    """A message and the texts in it, as one who reads it sees them."""
    charset = rng.choice(sorted(CHARSETS))
    words = [rng.choice(CHARSETS[charset]) for _ in range(4)]
    body = f"Message {number}: " + ", ".join(words) + ".\n"
    one = email.message.EmailMessage()
    one["From"] = f"sender{number % 7}@elsewhere.example"
    one["To"] = USER
    one["Subject"] = f"{rng.choice(WORDS)} {number}"
    one["X-Series"] = f"series-{number % 5}"
    encodings = ["base64"] if charset == "iso-2022-jp" else ["base64", "quoted-printable"]
    one.set_content(body, charset=charset, cte=rng.choice(encodings))
    return one, body


class Mail:
    def __init__(self, count, seed):
        rng = random.Random(seed)
        self.messages = [made(n, rng) for n in range(count)]

    def uids(self, holds):
        return [n + 1 for n, (one, body) in enumerate(self.messages) if holds(one, body.casefold())]

    def write(self, path, first=0, end=None):
        with open(path, "wb") as f:
            for one, _ in self.messages[first:end]:
                f.write(b"From nobody Thu Jan  1 00:00:00 1970\n" + one.as_bytes().replace(b"\r\n", b"\n") + b"\n")


def serve(**search):
    def change(config):
        config["search"] = {"least_messages": 20, "batch_messages": 20, "lag_seconds": 1, **search}
    server = Server(change=change)
    server.domain("example.test")
    server.account(USER)
    server.stop()
    server.start()  # a new account would be found within a minute
    return server


def fill(server, mail, first=0, end=None):
    path = f"{server.dir}/mbox"
    mail.write(path, first, end)
    server.ctl("mailbox", "import", USER, path)


def indexed(server):
    (row,) = server.ask("index", "status", USER)["accounts"]
    return row["indexed"]


def wait_for_index(server, count):
    # The indexer belongs to the idle class: where other programs want every processor it gets little of them.
    wait_for(f"{count} messages in the index", lambda: indexed(server) == count, 240)


def ask(imap, *program, text=None):
    imap.literal = text.encode() if text is not None else None
    kind, data = imap.uid("SEARCH", *(["CHARSET", "UTF-8"] if text is not None else []), *program)
    equal(kind, "OK")
    return [int(uid) for uid in data[0].split()]


def questions(mail):
    for word in ("Überweisung", "überweis", "straße", "日本", "会議", "ПРИВЕТ", "KÓσμος", "nvoic", "ü", "3456789abc"):
        wanted = word.casefold()
        yield ("BODY",), word, mail.uids(lambda one, body: wanted in body)
        yield ("NOT", "BODY"), word, mail.uids(lambda one, body: wanted not in body)
    for number in (7, 23):
        yield ("BODY",), f"message {number}: ", mail.uids(lambda one, body: f"message {number}: " in body)
        yield ("SUBJECT",), f" {number}", mail.uids(lambda one, body: f" {number}" in one["Subject"])
    yield ("HEADER", "X-Series"), "ries-3", mail.uids(lambda one, body: one["X-Series"] == "series-3")
    yield ("OR", "HEADER X-Series series-1", "BODY"), "grün", mail.uids(lambda one, body: one["X-Series"] == "series-1" or "grün" in body)
    yield ("FROM",), "sender4@", mail.uids(lambda one, body: "sender4@" in one["From"])


def compare(server, mail):
    imap = server.imap(USER)
    imap.select("INBOX", readonly=True)
    for program, text, expected in questions(mail):
        equal(ask(imap, *program, text=text), expected, f"{program} {text}")
    imap.logout()


@check
def answers_are_the_same_while_the_index_grows():
    server = serve()
    mail = Mail(700, 1)
    fill(server, mail)
    compare(server, mail)  # as it is built
    wait_for_index(server, 700)
    compare(server, mail)
    that("index.built" in server.log(), "the log tells of it")
    folder, = glob.glob(f"{server.dir}/data/search/*")
    equal(oct(os.stat(f"{server.dir}/data/search").st_mode & 0o777), "0o700")
    imap = server.imap(USER)
    imap.select("INBOX")
    imap.uid("STORE", "1:50", "+FLAGS.SILENT", "(\\Deleted)")
    imap.expunge()
    wait_for_index(server, 650)
    equal(ask(imap, "BODY", text="message 23: "), [])
    imap.logout()
    server.ctl("account", "delete", USER)
    wait_for("the end of the index", lambda: not os.path.exists(folder))
    equal(server.stop(), 0)


@check
def a_kill_while_it_is_built():
    server = serve()
    mail = Mail(1500, 2)
    fill(server, mail)
    for _ in range(3):
        server.stop(9)
        server.start()
        compare(server, mail)
    wait_for_index(server, 1500)
    compare(server, mail)
    equal(server.stop(), 0)


@check
def a_damaged_index_is_built_anew():
    server = serve()
    mail = Mail(700, 3)
    fill(server, mail)
    wait_for_index(server, 700)
    equal(server.stop(), 0)
    folder, = glob.glob(f"{server.dir}/data/search/*")
    for name in glob.glob(f"{folder}/*.glass"):
        size = os.path.getsize(name)
        with open(name, "wb") as f:
            f.write(os.urandom(size))
    server.start()
    compare(server, mail)
    wait_for_index(server, 700)
    compare(server, mail)
    equal(server.stop(), 0)
    shutil.rmtree(folder)
    server.start()
    compare(server, mail)
    wait_for_index(server, 700)
    server.ctl("index", "rebuild", USER)
    wait_for("the end of the old index", lambda: "index.erased" in server.log(), 240)
    wait_for_index(server, 700)
    compare(server, mail)
    equal(server.stop(), 0)
    # Without a server.
    server.ctl("index", "rebuild")
    that(not os.path.exists(folder), "erased")
    server.ctl("account", "delete", USER)


@check
def without_it():
    server = serve(enabled=False)
    mail = Mail(300, 4)
    fill(server, mail)
    compare(server, mail)
    that(server.ctl("index", "status", ok=False).returncode == 1, "there is none")
    that(not os.path.exists(f"{server.dir}/data/search"), "no folder")
    equal(server.stop(), 0)


main()
