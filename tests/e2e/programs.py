"""Mail programs that fetch, keep in step, read and send: fetchmail, getmail, offlineimap and mutt; each over STARTTLS
(getmail has none) and over TLS from the start, told to check the certificate, which offlineimap does not do behind STARTTLS.
In the end both sides hold the same. (mbsync: clients.py.)"""
import email
import email.policy
import glob
import os
import pty
import re
import select
import shutil
import subprocess
import time

from harness import Server, _die_with_parent, check, equal, main, message, need, run, that, wait_for_mail

USER, PASSWORD = "alice@example.test", "correct horse"
LETTERS = (("S", rb"\Seen"), ("R", rb"\Answered"), ("F", rb"\Flagged"), ("D", rb"\Draft"))


def serve():
    server = Server()
    server.domain("example.test")
    server.account(USER)
    server.account("bob@example.test")
    return server


def deliver(server, subjects):
    for subject in subjects:
        server.deliver("x@elsewhere.example", [USER],
                       message("x@elsewhere.example", USER, subject, f"{subject}\r\n.dot\r\n..dots\r\nFrom here\r\n"))


def subject_of(octets):
    return re.search(rb"^Subject: (.*?)\r?$", octets, re.M)[1].decode()


def unix(octets):
    return octets.replace(b"\r\n", b"\n")


def on_server(server, mailbox="INBOX"):
    """Subject: (message with LF, flags as letters)."""
    c = server.imap(USER)
    kind, data = c.select(f'"{mailbox}"', readonly=True)
    equal(kind, "OK", data)
    state = {}
    if data != [b"0"]:
        data = c.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")[1]
        for index, part in enumerate(data):
            if isinstance(part, tuple):
                flags = part[0] + (data[index + 1] if isinstance(data[index + 1], bytes) else b"")
                state[subject_of(part[1])] = (unix(part[1]), "".join(sorted(l for l, f in LETTERS if f in flags)))
    c.logout()
    return state


def in_maildir(folder):
    state = {}
    for name in glob.glob(f"{folder}/cur/*") + glob.glob(f"{folder}/new/*"):
        with open(name, "rb") as f:
            text = unix(f.read())
        letters = name.split(":2,")[1] if ":2," in name else ""
        state[subject_of(text)] = (text, "".join(sorted(set(letters) & set("DFRS"))))
    return state


def write(file, text):
    with open(file, "w") as f:
        f.write(text)
    os.chmod(file, 0o600)


@check
def fetchmail_fetches():
    need("fetchmail")
    for implicit in (False, True):
        server = serve()
        home = server.dir + "/fetchmail"
        os.makedirs(home + "/got")
        write(home + "/take", f'f=$(mktemp {home}/got/XXXXXX) && cat > "$f"\n')
        write(home + "/rc", f'set no bouncemail\npoll localhost service {server.ports["imaps" if implicit else "imap"]} protocol IMAP\n'
              f'  user "{USER}" password "{PASSWORD}" no rewrite {"ssl" if implicit else ""} sslproto "TLS1.2+" sslcertck\n'
              f'  sslcertfile "{server.ca}" mda "sh {home}/take"\n')
        fetch = ["fetchmail", "-f", home + "/rc", "--pidfile", home + "/pid", "-i", home + "/ids"]
        environment = dict(os.environ, HOME=home, FETCHMAILHOME=home)
        deliver(server, [f"number {n}" for n in range(12)])
        before = on_server(server)
        run(fetch + ["--keep"], env=environment)
        after = on_server(server)
        equal({s: text for s, (text, _) in after.items()}, {s: text for s, (text, _) in before.items()}, "kept mail")
        equal({flags for _, flags in after.values()}, {"S"}, "what fetchmail has is seen")
        deliver(server, ["another"])
        server_has = on_server(server)
        equal(run(fetch + ["--all"], env=environment).returncode, 0)
        equal(on_server(server), {}, "what was fetched is gone")
        got = {}
        for name in glob.glob(home + "/got/*"):
            with open(name, "rb") as f:
                text = unix(f.read())
            that(b"with IMAP (fetchmail" in text, text)  # its own Received stands below Return-Path
            got.setdefault(subject_of(text), []).append(text[text.index(b"\nFrom: "):])
        equal({s: len(texts) for s, texts in got.items()}, {s: 1 if s == "another" else 2 for s in server_has})
        for subject, (text, _) in server_has.items():
            equal(set(got[subject]), {text[text.index(b"\nFrom: "):]}, subject)
        equal(run(fetch, env=environment, ok=False).returncode, 1, "nothing is left")
        other = Server(start=False)
        with open(home + "/rc") as f:
            write(home + "/rc", f.read().replace(server.ca, other.ca))
        that(run(fetch, env=environment, ok=False).returncode == 2, "fetchmail takes another certificate")


@check
def getmail_fetches():
    """Over TLS from the start only: getmail has no STARTTLS."""
    need("getmail")
    server = serve()
    home = server.dir + "/getmail"
    for part in ("cur", "new", "tmp"):
        os.makedirs(f"{home}/mail/{part}")
    user = ""
    if os.getuid() == 0:  # it does not deliver as root
        user = "user = nobody\n"
        for folder, _, _ in os.walk(home + "/mail"):
            shutil.chown(folder, "nobody")
    write(home + "/rc", f"[retriever]\ntype = SimpleIMAPSSLRetriever\nserver = localhost\nport = {server.ports['imaps']}\n"
          f"username = {USER}\npassword = {PASSWORD}\nmailboxes = ('INBOX', 'Archive')\nca_certs = {server.ca}\n"
          f"[destination]\ntype = Maildir\npath = {home}/mail/\n{user}"
          "[options]\nread_all = false\ndelivered_to = false\nreceived = false\ndelete = false\n")
    fetch = ["getmail", "--getmaildir", home, "--rcfile", "rc"]
    deliver(server, [f"number {n}" for n in range(12)])
    c = server.imap(USER)
    c.append("Archive", r"(\Seen)", None, ("Return-Path: <x@elsewhere.example>\r\n" + message("x@elsewhere.example", USER, "archived")).encode())
    c.logout()
    run(fetch)
    wanted = {s: text for box in ("INBOX", "Archive") for s, (text, _) in on_server(server, box).items()}
    equal(len(wanted), 13)
    got = {s: re.sub(rb"X-getmail-retrieved-from-mailbox: .*\n", b"", text) for s, (text, _) in in_maildir(home + "/mail").items()}
    equal(got, wanted, "fetched mail")
    run(fetch)
    equal(len(glob.glob(home + "/mail/new/*")), 13, "fetched once only")
    deliver(server, ["another"])
    run(fetch + ["--delete"])
    equal(len(glob.glob(home + "/mail/new/*")), 14)
    equal((on_server(server), on_server(server, "Archive")), ({}, {}), "what was fetched is gone")
    other = Server(start=False)
    with open(home + "/rc") as f:
        write(home + "/rc", f.read().replace(server.ca, other.ca))
    that(run(fetch, ok=False).returncode != 0, "getmail takes another certificate")


@check
def offlineimap_keeps_both_sides_equal():
    need("offlineimap")
    for implicit in (False, True):
        server = serve()
        home = server.dir + "/offlineimap"
        os.makedirs(home + "/mail")
        write(home + "/rc", f"""[general]
accounts = a
metadata = {home}/metadata
ui = quiet
[Account a]
utf8foldernames = yes
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {home}/mail
[Repository far]
type = IMAP
remotehost = localhost
remoteport = {server.ports["imaps" if implicit else "imap"]}
remoteuser = {USER}
remotepass = {PASSWORD}
ssl = {"yes" if implicit else "no"}
starttls = {"no" if implicit else "yes"}
sslcacertfile = {server.ca}
folderfilter = lambda name: name in ('INBOX', 'Archive', 'Grüße')
""")

        def without_marks(state):  # the field by which it finds what it uploaded
            return {s: (re.sub(rb"X-OfflineIMAP: .*\n", b"", text), flags) for s, (text, flags) in state.items()}
        on = lambda box: on_server(server, "Gr&APwA3w-e" if box == "Grüße" else box)
        boxes = ["INBOX", "Archive"]

        def sync():
            run(["offlineimap", "-c", home + "/rc", "-o"], env=dict(os.environ, HOME=home), timeout=120)
            for box in boxes:
                equal(without_marks(in_maildir(f"{home}/mail/{box}")), without_marks(on(box)), f"{box} differs")
        deliver(server, [f"far {n}" for n in range(10)])
        sync()
        equal(len(on_server(server)), 10)
        c = server.imap(USER)  # flags, a removal, a new mailbox on the far side
        c.select("INBOX")
        c.store("1:3", "+FLAGS", r"(\Seen \Flagged)")
        c.store("4", "+FLAGS", r"(\Deleted)")
        c.expunge()
        c.create('"Gr&APwA3w-e"')
        c.append('"Gr&APwA3w-e"', r"(\Answered)", None, message("a@b.example", USER, "greeting").encode())
        c.logout()
        boxes.append("Grüße")
        for n in range(3):  # new mail on the near side
            write(f"{home}/mail/INBOX/new/{1700000000 + n}.M{n}.host", unix(message("near@client.example", USER, f"near {n}").encode()).decode())
        sync()
        equal((len(on("INBOX")), on("Grüße")["greeting"][1]), (12, "R"))
        names = sorted(glob.glob(f"{home}/mail/INBOX/*/*"))
        for number, name in enumerate(names[:4]):  # flags and removals on the near side
            if number < 2:
                os.rename(name, f"{home}/mail/INBOX/cur/{os.path.basename(name).split(':2,')[0]}:2,RS")
            else:
                os.remove(name)
        for _ in range(2):  # the second has nothing to do
            sync()
            equal((len(on("INBOX")), sum("R" in flags for _, flags in on("INBOX").values())), (10, 2))
        other = Server(start=False)
        with open(home + "/rc") as f:
            write(home + "/rc", f.read().replace(server.ca, other.ca))
        if not implicit:
            continue  # it does not check the certificate behind STARTTLS
        deliver(server, ["not seen"])
        run(["offlineimap", "-c", home + "/rc", "-o"], ok=False, env=dict(os.environ, HOME=home))  # it tells nothing
        that("not seen" not in in_maildir(home + "/mail/INBOX"), "offlineimap fetched in spite of the certificate")


def in_terminal(command, environment, seconds=60):
    """Runs a program that wants a terminal; gives what it drew."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=dict(environment, TERM="xterm"),
                               start_new_session=True, preexec_fn=_die_with_parent)
    os.close(follower)
    drawn, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([leader], [], [], 0.2)[0]:
            try:
                drawn += os.read(leader, 65536)
            except OSError:
                break
        elif process.poll() is not None:
            break
    if process.poll() is None and time.monotonic() >= end:
        process.kill()
    process.wait()
    os.close(leader)
    shown = re.sub(rb"\x1b[^a-zA-Z]*[a-zA-Z]", b" ", drawn)[-1500:].decode(errors="replace")
    that(process.returncode == 0, f"{command[0]} ended with {process.returncode}: {shown}")
    return drawn


@check
def mutt_reads_and_sends():
    need("mutt")
    for implicit in (False, True):
        server = serve()
        home = server.dir + "/mutt"
        os.makedirs(home)
        deliver(server, ["flagged", "filed", "deleted", "read", "left"])
        account = f"alice%40example.test@localhost"
        base = f'{"imaps" if implicit else "imap"}://{account}:{server.ports["imaps" if implicit else "imap"]}'
        # Cyrus SASL, which mutt sends with, picks SCRAM with a channel binding that TLS 1.3 does not have.
        write(home + "/rc", f"""set smtp_authenticators="plain"
set imap_pass="{PASSWORD}" smtp_pass="{PASSWORD}" ssl_force_tls=yes ssl_starttls=yes
set ssl_ca_certificates_file="{server.ca}" certificate_file="{home}/certificates"
set smtp_url="{'smtps' if implicit else 'smtp'}://{account}:{server.ports['submissions' if implicit else 'submission']}"
set folder="{base}" spoolfile="+INBOX" record="+Sent" from="{USER}" realname="Alice Österreich" use_from=yes
set charset=utf-8 sort=mailbox-order delete=yes quit=yes confirmappend=no move=no wait_key=no header_cache="" copy=yes
set mail_check=60 imap_check_subscribed=no
""")
        keys = ("<search>~s flagged<enter><flag-message><search>~s filed<enter><save-message>=Archive<enter>"
                "<search>~s deleted<enter><delete-message><search>~s read<enter><display-message><exit>"
                "<sync-mailbox><quit>")
        before = on_server(server)
        environment = dict(os.environ, HOME=home, LC_ALL="C.UTF-8")
        in_terminal(["mutt", "-F", home + "/rc", "-f", base + "/INBOX", "-e", f'push "{keys}"'], environment)
        inbox = on_server(server)
        equal({s: f for s, (_, f) in inbox.items()}, {"flagged": "F", "read": "S", "left": ""}, "flags after mutt")
        equal({s: t for s, (t, _) in inbox.items()}, {s: before[s][0] for s in inbox}, "messages after mutt")
        equal({s: t for s, (t, _) in on_server(server, "Archive").items()}, {"filed": before["filed"][0]})
        attached = home + "/Anlage.bin"
        with open(attached, "wb") as f:
            f.write(bytes(range(256)) * 8)
        run(["mutt", "-F", home + "/rc", "-s", "Grüße aus Österreich", "-a", attached, "--", "bob@example.test"],
            stdin="Schöner Text, 日本\n", env=environment)
        arrived = wait_for_mail(server, "bob@example.test", lambda one: b"Subject:" in one)
        (sent, _), = on_server(server, "Sent").values()
        for one in (arrived, sent):
            parsed = email.message_from_bytes(one, policy=email.policy.default)
            equal(str(parsed["Subject"]), "Grüße aus Österreich")
            equal(parsed.get_body().get_content().strip(), "Schöner Text, 日本")
            equal([a.get_content() for a in parsed.iter_attachments()], [bytes(range(256)) * 8])


main()
