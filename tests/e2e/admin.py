"""Administration: briefwerkctl, briefwerkd --check and --schema, reload, stop, privileges."""
import email.message
import gzip
import json
import mailbox
import os
import pwd
import re
import resource
import signal
import socket
import ssl
import time

from harness import BIN, Server, Skipped, bodies, check, equal, main, message, run, that, wait_for

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../apps/config/briefwerk.schema.json")


def serve(change=None):
    server = Server(change=change)
    server.domain("example.test")
    server.account("alice@example.test")
    return server


@check
def every_sub_command_online_and_offline():
    server = Server(start=False)
    for running in (False, True):  # the same answers from the data and from the server
        if running:
            server.start()
        name = "on" if running else "off"
        that("is served" in server.ctl("domain", "add", f"{name}.test").stdout.decode(), "domain add")
        equal(server.ask("domain", "add", f"{name}2.test")["ok"], True)
        server.ctl("domain", "delete", f"{name}2.test")
        server.account(f"a@{name}.test")
        made = server.ask("account", "add", f"b@{name}.test", "--generate")
        that(len(made["password"]) >= 15, "the password is too short")
        server.ctl("account", "change", f"b@{name}.test", "--quota", "1000000", "--send-as", f"c@{name}.test")
        server.ctl("account", "password", f"b@{name}.test", "--password-file", "-", stdin="another one\n")
        server.ctl("alias", "add", f"all@{name}.test", f"a@{name}.test", f"b@{name}.test")
        server.ctl("domain", "add", f"{name}.test", "--catch-all", f"a@{name}.test")
        refusals = [
            ("domain with accounts", ["domain", "delete", f"{name}.test"]), ("no domain name", ["domain", "add", "not a name"]),
            ("account of a foreign domain", ["account", "add", "x@nowhere.test", "--generate"]),
            ("account that exists", ["account", "add", f"a@{name}.test", "--generate"]),
            ("account that does not exist", ["account", "change", f"x@{name}.test", "--disable"]),
            ("no address", ["account", "add", "nobody", "--generate"]), ("no alias", ["alias", "delete", f"x@{name}.test"]),
            ("no such account", ["account", "delete", f"x@{name}.test"]), ("no such message", ["queue", "show", "x"]),
            ("no such account", ["mailbox", "list", f"x@{name}.test"]),
            ("no such mailbox", ["mailbox", "export", f"a@{name}.test", server.dir + "/none", "--mailbox", "Nowhere"]),
            ("no file", ["mailbox", "import", f"a@{name}.test", server.dir + "/missing"]),
            ("a folder instead of a message", ["verify", server.dir]), ("a folder instead of a password", ["account", "password", f"a@{name}.test", "--password-file", server.dir]),
            ("an address instead of a domain", ["domain", "add", "192.0.2.1"]), ("nothing to change", ["account", "change", f"a@{name}.test"]),
            ("no address to send as", ["account", "change", f"a@{name}.test", "--send-as", "nobody"]),
        ]
        for why, arguments in refusals:
            done = server.ctl(*arguments, ok=False)
            that(done.returncode == 1 and done.stderr, f"{why}: {done}")
        for command in (["account", "add", f'"a b"@{name}.test', "--generate"], ["alias", "add", f'"a b"@{name}.test', f"a@{name}.test"]):
            that(b"needs quotes" in server.ctl(*command, ok=False).stderr, f"{command}: no explanation")
        usage = [
            ("unknown sub-command", ["frobnicate"]), ("unknown option", ["domain", "list", "--frobnicate"]), ("no sub-command", []),
            ("negative quota", ["account", "change", f"a@{name}.test", "--quota", "-5"]), ("no number", ["account", "change", f"a@{name}.test", "--quota", "much"]),
            ("both at once", ["account", "change", f"a@{name}.test", "--enable", "--disable"]),
            ("two passwords", ["account", "password", f"a@{name}.test", "--generate", "--password-file", "-"]),
        ]
        for why, arguments in usage:
            done = server.ctl(*arguments, ok=False)
            that(done.returncode == 2 and done.stderr and not done.stdout, f"{why}: {done}")
        server.ctl("account", "change", f"a@{name}.test", "--quota", "2G")
        quotas = {one["address"]: one["quota_octets"] for one in server.ask("account", "list")["accounts"]}
        equal((quotas[f"a@{name}.test"], quotas[f"b@{name}.test"]), (2 << 30, 1000000), "quotas")
        server.ctl("domain", "add", f"{name}.test", "--separator", "-")
        rows = {one["name"]: one for one in server.ask("domain", "list")["domains"]}
        equal((rows[f"{name}.test"]["catch_all"], rows[f"{name}.test"]["separator"]), (f"a@{name}.test", "-"), "what is not named stays")
        for command, rows in ((["domain", "list"], "domains"), (["account", "list"], "accounts"), (["alias", "list"], "aliases"),
                              (["queue", "list"], "items"), (["mailbox", "list", f"a@{name}.test"], "mailboxes")):
            listed = server.ask(*command)[rows]
            lines = server.ctl(*command).stdout.decode().splitlines()
            equal(len(lines), len(listed) + 1, f"{command}: lines and rows")
        status = server.ask("status")
        equal((status["running"], status["queue"]), (running, 0))
        that("running" in server.ctl("status").stdout.decode(), "status")
        boxes = {one["name"]: one.get("use") for one in server.ask("mailbox", "list", f"a@{name}.test")["mailboxes"]}
        equal(set(boxes), {"INBOX", "Sent", "Drafts", "Junk", "Trash", "Archive"})
    commands = (["domain", "list"], ["account", "list"], ["alias", "list"], ["mailbox", "list", "a@on.test"], ["queue", "list"])
    online = [server.ctl("--json", *command).stdout for command in commands] + [server.ctl(*command).stdout for command in commands]
    equal(server.stop(), 0)
    offline = [server.ctl("--json", *command).stdout for command in commands] + [server.ctl(*command).stdout for command in commands]
    equal(offline, online, "answers without the server")
    that("--config" in run([f"{BIN}/briefwerkctl", "--help"]).stdout.decode(), "--help")
    that(run([f"{BIN}/briefwerkctl", "--version"]).stdout.startswith(b"briefwerkctl "), "--version")
    that(run([f"{BIN}/briefwerkd", "--version"]).stdout.startswith(b"briefwerkd "), "--version")
    for secret in ("correct horse", "another one"):
        for folder, _, files in os.walk(server.dir):
            for file in files:
                if os.path.isfile(os.path.join(folder, file)):
                    with open(os.path.join(folder, file), "rb") as f:
                        that(secret.encode() not in f.read(), f"the password stands in {file}")
    that(server.ctl("init", "--hostname", "x", "--data", server.dir + "/x", ok=False).returncode == 1, "init overwrites")


@check
def init_refuses_what_the_server_would_refuse():
    server = Server(start=False)
    server.config_file = server.dir + "/other.json"
    certificate = ["--certificate", server.dir + "/certificate.pem"]
    for why, more in (("no name", ["--hostname", "not a name"]), ("empty name", ["--hostname", ""]), ("no address", ["--listen", "here"]),
                      ("port beyond the last", ["--port-offset", "65000"]), ("port before the first", ["--port-offset", "-5"]),
                      ("user unknown", ["--user", "no-such-user"]), ("no key", certificate), ("no file", ["--certificate", "/no.pem", "--key", "/no.pem"]),
                      ("no key in the file", [*certificate, "--key", server.dir + "/certificate.pem"])):
        arguments = more if "--hostname" in more else ["--hostname", "mail.example.test", *more]
        done = server.ctl("init", "--data", server.dir + "/made", *arguments, ok=False)
        that(done.returncode in (1, 2) and (done.stderr or done.stdout), f"{why}: {done}")
        that(not os.path.exists(server.config_file) and not os.path.exists(server.dir + "/made"), f"{why}: something is left")
    server.ctl("init", "--hostname", "mail.example.test", "--data", server.dir + "/made", *certificate, "--key", server.dir + "/key.pem")
    run([f"{BIN}/briefwerkd", "--check", "--config", server.config_file])


@check
def init_and_links():
    server = Server(start=False)
    root = os.geteuid() == 0
    os.mkdir(server.dir + "/disk")
    os.symlink(server.dir + "/disk", server.dir + "/link")
    server.config_file = server.dir + "/other.json"
    init = ["init", "--hostname", "mail.example.test", *(["--user", "nobody"] if root else []), "--data"]
    server.ctl(*init, server.dir + "/link")
    that(os.path.islink(server.dir + "/link"), "the link stays")
    state = os.stat(server.dir + "/disk")
    equal((state.st_mode & 0o777, state.st_uid), (0o700, pwd.getpwnam("nobody").pw_uid if root else os.geteuid()), "the folder behind the link")
    equal(server.read_config()["data"], server.dir + "/link", "the name that was given")
    server.config_file = server.dir + "/third.json"
    os.mkdir(server.dir + "/open")
    os.mkdir(server.dir + "/open/inner")
    os.chmod(server.dir + "/open", 0o777)
    os.symlink("/nowhere/at/all", server.dir + "/dangling")
    os.makedirs(server.dir + "/others/work")
    os.chmod(server.dir + "/others", 0o755)
    os.mkdir(server.dir + "/others/lost+found")
    os.symlink(server.ca, server.dir + "/file")
    rows = [("a folder that others may replace", "/open/data", b"everybody may write"), ("the same further up", "/open/inner/data", b"everybody may write"),
            ("a link into nothing", "/dangling", b"leads nowhere"), ("a link to a file", "/file", b"no folder"),
            ("a folder that others live in", "/others", b"holds work")]
    if root:
        os.mkdir(server.dir + "/theirs")
        os.chown(server.dir + "/theirs", 12345, 12345)
        rows.append(("a folder of somebody else", "/theirs", b"another user"))
    for why, path, text in rows:
        done = server.ctl(*init, server.dir + path, ok=False)
        that(done.returncode == 1 and text in done.stderr, f"{why}: {done}")
        that(not os.path.exists(server.config_file), f"{why}: a configuration is left")
    equal(os.stat(server.dir + "/others").st_mode & 0o777, 0o755, "a folder that others live in stays as it was")
    os.chmod(server.dir + "/open", 0o1777)
    server.ctl(*init, server.dir + "/open/data")


@check
def export_and_import():
    server = serve()
    server.account("bob@example.test")
    server.account("carol@example.test")
    rows = [
        ("\\Seen \\Flagged", 1_000_000_000, message("a@client.example", "alice@example.test", "one")),
        ("", 1_500_000_001, message("a@client.example", "alice@example.test", "From_", "From here\r\n>From there\r\n>>From all\r\n From x\r\n\r\nFrom y\r\n")),
        ("\\Answered \\Draft", 1_600_000_002, message("a@client.example", "alice@example.test", "eight", "Gr\u00fc\u00dfe \u65e5\u672c\r\n\r\n\r\n")),
        ("\\Deleted", 1_700_000_003, message("a@client.example", "alice@example.test", "no body", "")),
        ("\\Seen", 1_700_000_004, message("a@client.example", "alice@example.test", "many empty lines", "\r\n\r\n\r\nx\r\n\r\n")),
    ]
    imap = server.imap("alice@example.test")
    for flags, date, text in rows:
        zone = time.strftime('"%d-%b-%Y %H:%M:%S +0000"', time.gmtime(date))
        that(imap.append("INBOX", f"({flags})", zone, text.encode())[0] == "OK", "APPEND")
    imap.logout()

    def state(user):
        imap = server.imap(f"{user}@example.test")
        imap.select("INBOX", readonly=True)
        data = imap.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
        imap.logout()
        found = []
        for index, part in enumerate(data):
            if isinstance(part, tuple):
                about = (part[0] + (data[index + 1] if isinstance(data[index + 1], bytes) else b"")).decode()
                flags = set(re.search(r"FLAGS \(([^)]*)\)", about)[1].split()) - {"\\Recent"}
                found.append((sorted(flags), re.search(r'INTERNALDATE "([^"]*)"', about)[1], part[1]))
        return found
    before = state("alice")
    equal(len(before), len(rows))
    equal(before[2][2], rows[2][2].encode())
    for form, user in (("mbox", "bob"), ("maildir", "carol")):
        path = f"{server.dir}/{form}"
        equal(server.ask("mailbox", "export", "alice@example.test", path, "--format", form)["messages"], len(rows))
        kept = mailbox.mbox(path) if form == "mbox" else mailbox.Maildir(path)
        equal(len(kept), len(rows), f"Python reads the {form}")
        equal(sorted(one["Subject"] for one in kept), sorted(["one", "From_", "eight", "no body", "many empty lines"]))
        equal(server.ask("mailbox", "import", f"{user}@example.test", path)["messages"], len(rows))
        for expected, got in zip(before, state(user)):
            equal(got, expected, f"{form} there and back")
        equal(os.stat(path).st_mode & 0o077 if form == "mbox" else 0, 0, "others may read the mail")
    foreign = mailbox.mbox(server.dir + "/foreign")  # as another program writes it
    for n in range(300):
        one = mailbox.mboxMessage(message("a@client.example", "bob@example.test", f"foreign {n}", "From me\n").replace("\r\n", "\n"))
        one.set_flags("RF" if n % 2 else "")
        foreign.add(one)
    foreign.flush()
    equal(server.ask("mailbox", "import", "bob@example.test", server.dir + "/foreign", "--mailbox", "Old/2020")["messages"], 300)
    imap = server.imap("bob@example.test")
    equal(imap.select("Old/2020")[1], [b"300"])
    equal(len(imap.search(None, "SEEN FLAGGED")[1][0].split()), 150)
    imap.logout()
    before = server.ctl("mailbox", "export", "bob@example.test", server.dir + "/online", "--mailbox", "Old/2020")
    equal(server.stop(), 0)
    server.ctl("mailbox", "export", "bob@example.test", server.dir + "/offline", "--mailbox", "Old/2020")
    with open(server.dir + "/online", "rb") as a, open(server.dir + "/offline", "rb") as b:
        equal(a.read(), b.read(), "export with and without the server")


@check
def all_of_a_user_is_exported_and_erased():
    server = serve()
    server.account("bob@example.test")
    server.ctl("alias", "add", "team@example.test", "Alice@EXAMPLE.test", "bob@example.test")
    imap = server.imap("alice@example.test")
    names = ["INBOX", "Work", "Work/2020", "../../escaped", "Gr&APYA3w-e"]
    for name in names:
        imap.create(f'"{name}"')
        that(imap.append(f'"{name}"', None, None, message("a@client.example", "alice@example.test", name).encode())[0] == "OK", f"APPEND {name}")
    imap.logout()
    for number, form in enumerate(("mbox", "maildir")):
        if number == 1:
            server.stop()  # and without the server
        path = f"{server.dir}/of-alice-{form}"
        equal(server.ask("account", "export", "alice@example.test", path, "--format", form)["messages"], len(names))
        with open(path + "/account.json") as f:
            about = json.load(f)
        equal((about["account"]["address"], about["aliases"]), ("alice@example.test", ["team@example.test"]))
        that("credentials" not in json.dumps(about), "credentials are exported")
        files = {one["file"] for one in about["mailboxes"] if one["messages"]}
        equal(len(files), len(names))
        equal({one["file"] for one in about["mailboxes"]} | {"account.json"}, set(os.listdir(path)))
        subjects = []
        for file in files:
            kept = mailbox.mbox(f"{path}/{file}") if form == "mbox" else mailbox.Maildir(f"{path}/{file}", create=False)
            subjects += [one["Subject"] for one in kept]
        equal(sorted(subjects), sorted(names))
        equal(os.stat(path).st_mode & 0o077, 0, "others may read the mail")
        that(server.ctl("account", "export", "alice@example.test", path, ok=False).returncode == 1, "an export over another")
        that(server.ctl("account", "export", "nobody@example.test", path + "x", ok=False).returncode == 1, "an export of nobody")
        that(not os.path.exists(path + "x"), "an export of nobody left a folder")
    server.start()
    equal(server.ask("account", "delete", "alice@example.test")["aliases"], ["team@example.test"])
    that("the alias team@example.test still names it" in server.ctl("account", "delete", "bob@example.test").stdout.decode(), "aliases are not named")


@check
def the_server_uses_all_descriptors_that_it_may():
    server = Server(start=False)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
    try:
        server.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    with open(f"/proc/{server.pid}/limits") as f:
        equal(re.search(r"Max open files\s+(\d+)\s+(\d+)", f.read()).groups(), (str(before[1]), str(before[1])))


DMARC_REPORT = """<?xml version="1.0"?><feedback><report_metadata><org_name>Example</org_name><report_id>{0}</report_id>
<date_range><begin>1795564800</begin><end>1795651199</end></date_range></report_metadata>
<policy_published><domain>example.test</domain><p>none</p></policy_published><record><row><source_ip>192.0.2.1</source_ip>
<count>{0}</count><policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
<identifiers><header_from>example.test</header_from></identifiers></record></feedback>"""


@check
def dmarc_reports_of_others_are_summed_up():
    server = Server(start=False)
    server.domain("example.test")
    server.account("alice@example.test")
    with open(server.dir + "/report.xml", "w") as file:
        file.write(DMARC_REPORT.format(3))
    with gzip.open(server.dir + "/report.xml.gz", "wt") as file:
        file.write(DMARC_REPORT.format(4))
    mails = mailbox.mbox(server.dir + "/mails")
    for attached in (None, (server.dir + "/report.xml.gz")):
        one = email.message.EmailMessage()
        one["From"] = "noreply@reporter.example"
        one.set_content("a report, perhaps")
        if attached:
            with open(attached, "rb") as file:
                one.add_attachment(file.read(), "application", "gzip", filename="report.xml.gz")
        mails.add(mailbox.mboxMessage(one))
    mails.flush()
    equal(server.ask("mailbox", "import", "alice@example.test", server.dir + "/mails")["messages"], 2)

    files = [server.dir + "/report.xml", server.dir + "/report.xml.gz"]
    for where, expected in ((files, 7), ([server.dir + "/mails"], 4), (["--account", "alice@example.test"], 4)):
        found = server.ask("dmarc", "report", *where)["domains"]
        equal([one["domain"] for one in found], ["example.test"], where)
        equal([found[0][key] for key in ("messages", "passed", "dkim", "spf")], [expected, expected, expected, 0], where)
        equal(found[0]["sources"][0]["source"], "192.0.2.1")
        that(f"{expected} messages, {expected} passed" in server.ctl("dmarc", "report", *where).stdout.decode(), "for people")
    equal([one["id"] for one in server.ask("dmarc", "list", *files)["reports"]], ["3", "4"])
    for arguments in ([], [server.dir + "/missing"], [files[0], "--account", "alice@example.test"], [server.config_file]):
        that(server.ctl("dmarc", "report", *arguments, ok=False).returncode == 1, f"dmarc report {arguments}")


@check
def quota():
    server = serve()
    server.account("small@example.test", quota=20000)
    big = message("x@elsewhere.example", "small@example.test", body="x" * 70 + "\r\n") + ("y" * 70 + "\r\n") * 400
    with server.smtp() as client:
        equal(client.docmd("MAIL", f"FROM:<x@elsewhere.example> SIZE={len(big)}")[0], 250)
        code, text = client.docmd("RCPT", "TO:<small@example.test>")
        that(code == 452 and text.startswith(b"4.2.2"), f"announced: {code} {text}")
        client.rset()
        equal(client.docmd("MAIL", "FROM:<x@elsewhere.example>")[0], 250)
        equal(client.docmd("RCPT", "TO:<small@example.test>")[0], 250)
        # The last message that was accepted with room to spare may exceed the quota; then nothing more is taken.
        equal(client.data(big)[0], 250)
        equal(client.docmd("MAIL", "FROM:<x@elsewhere.example>")[0], 250)
        code, text = client.docmd("RCPT", "TO:<small@example.test>")
        that(code == 452 and text.startswith(b"4.2.2"), f"a full mailbox: {code} {text}")
        equal(client.docmd("RCPT", "TO:<alice@example.test>")[0], 250, "another recipient of the same message")
    imap = server.imap("small@example.test")
    kind, data = imap.append("INBOX", None, None, big.encode())
    that(kind == "NO" and b"[OVERQUOTA]" in data[0], (kind, data))
    usage = [one for one in server.ask("account", "list")["accounts"] if one["address"] == "small@example.test"][0]
    that(usage["octets"] > 20000, usage)
    equal((usage["messages"], usage["quota_octets"]), (1, 20000))
    server.ctl("account", "change", "small@example.test", "--quota", "0")
    equal(imap.append("INBOX", None, None, big.encode())[0], "OK", "without a quota")


@check
def disabled_and_deleted_accounts():
    server = serve()
    server.ctl("account", "change", "alice@example.test", "--disable")
    try:
        server.imap("alice@example.test")
        raise AssertionError("a disabled account may log in")
    except Exception as refused:
        that("AssertionError" not in type(refused).__name__, refused)
    server.deliver("x@elsewhere.example", ["alice@example.test"], message("x@elsewhere.example", "alice@example.test"))
    server.ctl("account", "change", "alice@example.test", "--enable")
    imap = server.imap("alice@example.test")
    equal(len(bodies(imap)), 1, "mail while it was disabled")
    server.ctl("account", "password", "alice@example.test", "--password-file", "-", stdin="new secret\n")
    try:
        server.imap("alice@example.test")
        raise AssertionError("the old password still works")
    except Exception as refused:
        that("AssertionError" not in type(refused).__name__, refused)
    server.imap("alice@example.test", "new secret")
    server.ctl("account", "delete", "alice@example.test")
    with server.smtp() as client:
        client.docmd("MAIL", "FROM:<x@elsewhere.example>")
        equal(client.docmd("RCPT", "TO:<alice@example.test>")[0], 550, "a deleted account")
    server.account("alice@example.test")
    equal(bodies(server.imap("alice@example.test")), [], "mail of the account before")


@check
def wrong_configurations_are_explained():
    server = Server(start=False)
    good = json.dumps(server.config)
    file = server.dir + "/wrong.json"

    def answer(text):
        with open(file, "w") as f:
            f.write(text)
        return run([f"{BIN}/briefwerkd", "--check", "--config", file], ok=False)
    done = answer(good)
    that(done.returncode == 0 and b"correct" in done.stdout, done)
    equal(answer("// a comment\n" + good[:-1] + "/* another */ }").returncode, 0, "comments")

    def changed(change):
        conf = json.loads(good)
        change(conf)
        return json.dumps(conf)
    other_key = Server(start=False).dir + "/key.pem"
    rows = [
        ("unknown key", lambda c: c.update(hostnam="x"), "/hostnam"),
        ("unknown key inside", lambda c: c["log"].update(levle="info"), "/log/levle"),
        ("unknown key in a list", lambda c: c["tls"]["certificates"][0].update(kee="x"), "/tls/certificates/0/kee"),
        ("required key is missing", lambda c: c.pop("hostname"), "hostname"),
        ("empty text", lambda c: c.update(hostname=""), "/hostname"),
        ("number instead of text", lambda c: c.update(hostname=5), "/hostname"),
        ("text instead of number", lambda c: c.update(limits={"recipients": "many"}), "/limits/recipients"),
        ("too small", lambda c: c.update(limits={"recipients": 1}), "/limits/recipients"),
        ("too large", lambda c: c.update(limits={"imap_idle_minutes": 100000}), "/limits/imap_idle_minutes"),
        ("negative", lambda c: c.update(threads=-1), "/threads"),
        ("not one of the words", lambda c: c["log"].update(format="xml"), "/log/format"),
        ("no endpoint", lambda c: c["listen"].update(smtp=["localhost:25"]), "/listen/smtp/0"),
        ("no port", lambda c: c["listen"].update(imap=["127.0.0.1:1143", "127.0.0.1"]), "/listen/imap/1"),
        ("text instead of list", lambda c: c["listen"].update(smtp="127.0.0.1:25"), "/listen/smtp"),
        ("nothing to listen on", lambda c: c.update(listen={}), "/listen"),
        ("object instead of flag", lambda c: c.update(require_tls={}), "/require_tls"),
        ("list instead of object", lambda c: c.update(tls=[]), "/tls"),
        ("no certificate", lambda c: c.update(tls={}), "/tls/certificates"),
        ("certificate that is not there", lambda c: c["tls"]["certificates"][0].update(certificate="/nowhere.pem"), "/tls/certificates/0/certificate"),
        ("IPv6 for IPv4", lambda c: c.update(delivery={"source_v4": "::1"}), "/delivery/source_v4"),
        ("next hop without a domain", lambda c: c.update(delivery={"next_hops": [{"host": "x"}]}), "/delivery/next_hops/0"),
        ("user that is not there", lambda c: c.update(user="no-such-user"), "/user"),
        ("folder that is not there", lambda c: c.update(data="/nowhere/at/all"), "/data"),
        ("file instead of a folder", lambda c: c.update(data=server.config_file), "/data"),
        ("address of another machine", lambda c: c["listen"].update(imap=["127.0.0.1:1", "192.0.2.1:143"]), "/listen/imap/1"),
        ("to send from it", lambda c: c.update(delivery={"source_v6": "2001:db8::1"}), "/delivery/source_v6"),
        ("mechanism in small letters", lambda c: c.update(auth={"disabled_mechanisms": ["PLAIN", "login"]}), "/auth/disabled_mechanisms/1"),
        ("no stage", lambda c: c.update(filter={"stages": [{"name": "spam"}, {"name": "grey"}]}), "/filter/stages/1/name"),
        ("after no stage", lambda c: c.update(filter={"stages": [{"name": "spam", "after": ["nothing"]}]}), "/filter/stages/0/after/0"),
        ("sealer that is no domain", lambda c: c.update(authentication={"trusted_sealers": ["a.example", "b c"]}), "/authentication/trusted_sealers/1"),
        ("next hop of no domain", lambda c: c.update(delivery={"next_hops": [{"domain": "a b", "host": "127.0.0.1"}]}), "/delivery/next_hops/0/domain"),
        ("next hop that is no host", lambda c: c.update(delivery={"next_hops": [{"domain": "*", "host": "a b"}]}), "/delivery/next_hops/0/host"),
        ("reports from nobody", lambda c: c.update(dmarc={"reports": {"address": "reports"}}), "/dmarc/reports/address"),
        ("socket with too long a name", lambda c: c.update(control="/tmp/" + "x" * 120), "/control"),
        ("no name", lambda c: c.update(hostname="mail server"), "/hostname"),
        ("name not in ASCII", lambda c: c.update(hostname="b\u00fccher.example"), "/hostname"),
        ("one address for two", lambda c: c["listen"].update(imap=c["listen"]["smtp"]), "/listen/imap/0"),
        ("key of another certificate", lambda c: c["tls"]["certificates"][0].update(key=other_key), "/tls/certificates/0"),
        ("no certificate in the file", lambda c: c["tls"]["certificates"][0].update(certificate=c["tls"]["certificates"][0]["key"]), "/tls/certificates/0"),
        ("log in a folder that is not there", lambda c: c["log"].update(file="/nowhere/log"), "/log/file"),
    ]
    for why, change, path in rows:
        done = answer(changed(change))
        equal(done.returncode, 1, f"{why}: exit code")
        that(path in done.stderr.decode(), f"{why}: {done.stderr.decode()} does not name {path}")
        that(done.stderr.decode().startswith(file + ":"), f"{why}: the file is not named")
    done = answer(changed(lambda c: (c.update(x=1, y=2), c["log"].update(z=3))))
    equal(len(done.stderr.splitlines()), 3, "several errors at once")
    done = answer('{\n "hostname": "a",\n oops\n}')
    that(done.returncode == 1 and b"line 3" in done.stderr, done.stderr)
    for why, text, path in (
            ("key given twice", good[:-1] + ', "hostname": "b.example"}', "/hostname"),
            ("key given twice in a list", good[:-1] + ', "filter": {"milters": [[1], {"name": "x", "name": "y"}]}}', "/filter/milters/1/name")):
        done = answer(text)
        that(done.returncode == 1 and f"{path}: stands here twice" in done.stderr.decode(), f"{why}: {done.stderr}")
    done = run([f"{BIN}/briefwerkd", "--check", "--config", server.dir], ok=False)
    that(done.returncode == 1 and b"Is a directory" in done.stderr, done)
    equal(answer("[]").returncode, 1, "a list")
    equal(run([f"{BIN}/briefwerkd", "--check", "--config", server.dir + "/none"], ok=False).returncode, 1, "no file")
    equal(run([f"{BIN}/briefwerkd"], ok=False).returncode, 2, "no --config")
    that(run([f"{BIN}/briefwerkd", "--frobnicate"], ok=False).returncode not in (0, 1), "an unknown option")
    with open(file, "w") as f:
        f.write(changed(lambda c: c.update(x=1)))
    done = run([f"{BIN}/briefwerkd", "--config", file], ok=False)
    that(done.returncode == 1 and b"/x" in done.stderr, "a start with a wrong configuration")


KEYWORDS = {"$schema", "title", "description", "default", "type", "properties", "additionalProperties", "required", "items",
            "minimum", "maximum", "minLength", "pattern", "enum"}


def validate(value, schema, path=""):
    """The JSON Schema keywords that the schema uses; another keyword is an error of the schema."""
    that(set(schema) <= KEYWORDS, f"{path}: keywords unknown to this validator: {set(schema) - KEYWORDS}")
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    errors = []
    kind = kinds[schema["type"]]
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        return [f"{path} is not of the type {schema['type']}"]
    if kind is dict:
        errors += [f"{path} lacks {key}" for key in schema.get("required", []) if key not in value]
        for key, inner in value.items():
            if key in schema["properties"]:
                errors += validate(inner, schema["properties"][key], f"{path}/{key}")
            elif schema.get("additionalProperties") is False:
                errors.append(f"{path}/{key} is unknown")
    elif kind is list:
        for index, inner in enumerate(value):
            errors += validate(inner, schema["items"], f"{path}/{index}")
    elif kind is str:
        if len(value) < schema.get("minLength", 0) or not re.search(schema.get("pattern", ""), value) or \
                value not in schema.get("enum", [value]):
            errors.append(f"{path} has a wrong value")
    elif schema["type"] in ("integer", "number") and not schema["minimum"] <= value <= schema["maximum"]:
        errors.append(f"{path} is out of bounds")
    return errors


@check
def schema():
    text = run([f"{BIN}/briefwerkd", "--schema"]).stdout.decode()
    with open(SCHEMA) as f:
        that(f.read() == text, "apps/config/briefwerk.schema.json is not what briefwerkd --schema prints: write it anew")
    tree = json.loads(text)
    server = Server(start=False)
    equal(validate(server.config, tree), [])
    wrong = dict(server.config, x=1, threads=-1, listen={"smtp": ["here"]})
    wrong.pop("hostname")
    equal(len(validate(wrong, tree)), 4)

    def defaults(inner, path=""):
        for key, one in inner["properties"].items():
            that(one.get("description"), f"{path}/{key} is not explained")
            if "default" in one:
                equal(validate(one["default"], one), [], f"the default of {path}/{key}")
            for nested in (one, one.get("items", {})):
                if "properties" in nested:
                    defaults(nested, f"{path}/{key}")
    defaults(tree)


def certificate_of(server, port="imaps", hostname="localhost"):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((server.address, server.ports[port]), 10) as raw:
        with context.wrap_socket(raw, server_hostname=hostname) as tls:
            return tls.getpeercert(binary_form=True)


@check
def reload():
    server = serve()
    old = certificate_of(server)
    staying = server.imap("alice@example.test")
    other = Server(start=False)
    for name in ("certificate.pem", "key.pem"):
        with open(f"{other.dir}/{name}") as source, open(f"{server.dir}/{name}", "w") as target:
            target.write(source.read())
    os.rename(server.log_file, server.log_file + ".1")
    os.kill(server.pid, signal.SIGHUP)
    new = wait_for("the new certificate", lambda: (now := certificate_of(server)) != old and now)
    wait_for("a new log file", lambda: os.path.exists(server.log_file) and "server.reloaded" in server.log())
    equal(staying.noop()[0], "OK", "a session from before")
    server.imap("alice@example.test").logout()
    for text in ("broken", ""):
        with open(server.dir + "/certificate.pem", "w") as f:
            f.write(text)
        with open(server.log_file, "w"):
            pass
        os.kill(server.pid, signal.SIGHUP)
        wait_for("an error in the log", lambda: "tls.reload_failed" in server.log())
        equal(certificate_of(server), new, "the certificate behind a broken file")
    os.unlink(server.dir + "/certificate.pem")
    os.kill(server.pid, signal.SIGHUP)
    wait_for("an error in the log", lambda: server.log().count("tls.reload_failed") >= 1)
    equal(certificate_of(server), new, "the certificate behind a missing file")
    row = [json.loads(line) for line in server.log().splitlines() if "tls.reload_failed" in line][0]
    equal(row["level"], "error")


@check
def a_certificate_that_ends_is_told_of():
    server = Server(start=False)
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,DNS:other.example,IP:127.0.0.1"]

    def certificate(days):
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(days), *subject,
             "-keyout", f"{server.dir}/key.pem", "-out", f"{server.dir}/certificate.pem"])
    certificate(20)
    server.start()
    that("tls.certificate_end" not in server.log(), "a certificate that is good for long")
    ends = [time.strftime("%Y-%m-%d", time.gmtime(time.time() + 6 * 86400))]
    certificate(6)
    ends.append(time.strftime("%Y-%m-%d", time.gmtime(time.time() + 6 * 86400)))
    os.kill(server.pid, signal.SIGHUP)
    wait_for("the warning", lambda: "tls.certificate_ends" in server.log())
    row = [json.loads(line) for line in server.log().splitlines() if "tls.certificate_ends" in line][0]
    equal((row["level"], row["days"], row["file"]), ("warning", 5, f"{server.dir}/certificate.pem"))
    one = server.ask("status")["certificates"][0]
    equal((one["file"], one["names"]), (f"{server.dir}/certificate.pem", ["localhost", "other.example"]))
    that(one["ends"][:10] in ends, one)
    that(f"certificate.pem for localhost, other.example ends at {one['ends']}" in server.ctl("status").stdout.decode(), "for people")
    server.stop()
    os.unlink(server.log_file)  # a week later it would be set aside and removed, with what is new in it
    server.start(days=7)
    wait_for("the error", lambda: "tls.certificate_ended" in server.log())


@check
def graceful_stop():
    server = serve()
    idle = server.imap("alice@example.test")
    line = server.raw_tls("smtp")
    for command, expected in (("MAIL FROM:<x@elsewhere.example>", "250"), ("RCPT TO:<alice@example.test>", "250"), ("DATA", "354")):
        that(line.ask(command).startswith(expected), command)
    line.send(message("x@elsewhere.example", "alice@example.test", "under way"))
    os.kill(server.pid, signal.SIGTERM)

    def closed():
        try:
            socket.create_connection((server.address, server.ports["smtp"]), 2).close()
            return False
        except OSError:
            return True
    wait_for("closed listeners", closed)
    line.send("the end\r\n.\r\n")
    that(line.reply().startswith("250"), "the message under way")
    line.close()
    idle.shutdown()
    equal(server.process.wait(40), 0, "exit code")
    server.process = None
    that("server.stopped" in server.log(), "the log tells of the stop")
    that(not os.path.exists(server.dir + "/data/control.sock"), "the control socket is left")
    server.start()
    equal(len(bodies(server.imap("alice@example.test"))), 1)
    began = time.monotonic()
    equal(server.stop(signal.SIGINT), 0)
    that(time.monotonic() - began < 30, "a stop without sessions takes too long")


@check
def idle_sessions_do_not_hold_up_a_stop():
    server = serve(lambda c: c.update(stop_seconds=600))
    idle = server.raw_tls("imaps")
    idle.imap("a", 'LOGIN alice@example.test "correct horse"')
    idle.imap("b", "SELECT INBOX")
    idle.send("c IDLE\r\n")
    idle.line()
    waiting = server.raw_tls("imap")
    waiting.imap("a", "NOOP")
    mail, clear = server.raw_tls("smtp"), server.raw("smtp")
    mail.ask("NOOP")
    clear.reply()
    control = socket.socket(socket.AF_UNIX)
    control.connect(server.dir + "/data/control.sock")
    control.sendall(b'{"command": "domain.list"}\n')
    that(control.recv(65536).endswith(b"\n"), "an answer on the control socket")
    os.kill(server.pid, signal.SIGTERM)
    for line, expected in ((idle, "* BYE"), (waiting, "* BYE"), (mail, "421 4.3.2"), (clear, "421 4.3.2")):
        got = line.line()
        that(got.startswith(expected), f"{expected} was expected, not {got!r}")
        line.close()
    equal(server.process.wait(60), 0, "exit code")
    equal(control.recv(1), b"", "the control socket is closed")
    control.close()
    server.process = None


@check
def two_servers_on_one_folder():
    server = serve()
    second = run([f"{BIN}/briefwerkd", "--config", server.config_file], ok=False)
    equal(second.returncode, 1)
    that(second.stderr, "no explanation")
    equal(server.imap("alice@example.test").noop()[0], "OK")


@check
def a_server_that_hangs_is_told_of():
    server = serve()
    server.process.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    done = server.ctl("--timeout", "1", "status", ok=False)
    that(done.returncode == 2 and b"does not answer" in done.stderr and not done.stdout, done)
    that(time.monotonic() - begun < 20, "the time limit is not kept")
    server.process.send_signal(signal.SIGCONT)
    equal(server.ask("--timeout", "30", "status")["running"], True)
    equal(server.stop(), 0)
    # Nobody accepts: the queue of connections is full.
    with socket.socket(socket.AF_UNIX) as full, socket.socket(socket.AF_UNIX) as first:
        full.bind(server.dir + "/data/control.sock")
        full.listen(0)
        first.connect(server.dir + "/data/control.sock")
        done = server.ctl("--timeout", "1", "domain", "list", ok=False)
        that(done.returncode == 2 and b"does not answer" in done.stderr, done)
    os.unlink(server.dir + "/data/control.sock")


@check
def a_server_that_works_for_long_is_waited_for():
    with socket.socket(type=socket.SOCK_DGRAM) as silent_dns:
        silent_dns.bind(("127.0.0.1", 0))
        server = serve(lambda c: c.setdefault("delivery", {}).update(dns_servers=["127.0.0.1:%d" % silent_dns.getsockname()[1]]))
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(server.dir + "/data/control.sock")
            control.settimeout(60)
            control.sendall(json.dumps({"command": "dkim.generate", "domain": "example.test", "kind": "ed25519"}).encode() + b"\n")
            that(control.recv(1 << 20).startswith(b"{"), "an answer at once has no spaces")
            control.sendall(json.dumps({"command": "dkim.check", "domain": "example.test"}).encode() + b"\n")
            equal((control.recv(1), control.recv(1)), (b" ", b" "), "signs of life while DNS is silent")
        done = server.ctl("--timeout", "3", "dkim", "check", "example.test", ok=False)  # takes longer than that
        that(done.returncode == 1 and b"DNS does not show" in done.stderr, done)
        equal(server.stop(), 0)


@check
def privileges_are_dropped():
    if os.geteuid() != 0:
        raise Skipped("needs root")
    nobody = pwd.getpwnam("nobody")
    server = Server(start=False, user="nobody")
    equal(server.config["user"], "nobody")
    server.log_file = server.config["log"]["file"] = server.dir + "/logs/log"
    os.mkdir(server.dir + "/logs")
    server.write_config()
    checking = [f"{BIN}/briefwerkd", "--check", "--config", server.config_file]
    refused = run(checking, ok=False)
    that(refused.returncode == 1 and b"/log/file: cannot use" in refused.stderr and b"as the user nobody" in refused.stderr, refused)
    os.chown(server.dir + "/logs", nobody.pw_uid, nobody.pw_gid)
    # What root does before the first start, and between two, leaves nothing that the server cannot open.
    server.domain("example.test")
    server.account("alice@example.test")
    run(checking)
    os.chown(server.dir + "/key.pem", 0, 0)
    refused = run(checking, ok=False)
    that(b"/tls/certificates/0/key: cannot read" in refused.stderr, refused)
    os.chown(server.dir + "/key.pem", nobody.pw_uid, nobody.pw_gid)
    server.start()
    equal(server.stop(), 0)
    server.account("bob@example.test")
    equal(server.ask("mailbox", "export", "bob@example.test", server.dir + "/exported")["messages"], 0)
    equal(os.stat(server.dir + "/exported").st_uid, 0, "root's export is root's")
    for folder, folders, files in os.walk(server.dir + "/data"):
        for name in [*folders, *files]:
            equal(os.stat(os.path.join(folder, name)).st_uid, nobody.pw_uid, f"the owner of {name}")
    run(checking)
    server.start()
    for task in os.listdir(f"/proc/{server.pid}/task"):
        try:
            with open(f"/proc/{server.pid}/task/{task}/status") as f:
                status = f.read()
        except (FileNotFoundError, ProcessLookupError):
            continue  # a thread that has ended
        equal(re.search(r"^Uid:\s+(.*)$", status, re.M)[1].split(), [str(nobody.pw_uid)] * 4, "Uid of each thread")
        equal(re.search(r"^Gid:\s+(.*)$", status, re.M)[1].split(), [str(nobody.pw_gid)] * 4)
        that("0" not in re.search(r"^Groups:(.*)$", status, re.M)[1].split(), "still in root's groups")
        equal(int(re.search(r"^CapEff:\s+(\w+)$", status, re.M)[1], 16), 0, "capabilities")
    server.deliver("x@elsewhere.example", ["alice@example.test"], message("x@elsewhere.example", "alice@example.test"))
    equal(len(bodies(server.imap("alice@example.test"))), 1)
    equal(server.ask("status")["running"], True, "root may ask")
    os.kill(server.pid, signal.SIGHUP)
    wait_for("the end of the reload", lambda: "server.reloaded" in server.log())
    that("log.reopen_failed" not in server.log(), "the log that root made cannot be opened again")
    equal(server.stop(), 0)


@check
def the_log_is_opened_without_roots_rights():
    if os.geteuid() != 0:
        raise Skipped("needs root")
    nobody = pwd.getpwnam("nobody")
    server = Server(start=False, user="nobody")
    os.mkdir(server.dir + "/theirs")
    os.chown(server.dir + "/theirs", nobody.pw_uid, nobody.pw_gid)
    for name in ("secret", "hard"):
        with open(server.dir + "/" + name, "w") as f:
            f.write("of root")
        os.chmod(server.dir + "/" + name, 0o600)
    os.symlink(server.dir + "/secret", server.dir + "/theirs/link")
    os.link(server.dir + "/hard", server.dir + "/theirs/hard")
    os.mkdir(server.dir + "/roots")
    os.symlink(server.dir + "/roots", server.dir + "/theirs/folder")
    for name in ("link", "hard", "folder/log"):
        server.config["log"]["file"] = server.dir + "/theirs/" + name
        server.write_config()
        done = run([f"{BIN}/briefwerkd", "--config", server.config_file], ok=False)
        that(done.returncode == 1 and b"cannot open the log" in done.stderr and b"as the user nobody" in done.stderr, f"{name}: {done}")
    for name in ("secret", "hard"):
        with open(server.dir + "/" + name) as f:
            equal((f.read(), os.stat(server.dir + "/" + name).st_uid), ("of root", 0), name)
    equal(os.listdir(server.dir + "/roots"), [], "nothing is made behind a link of the user's")
    # In a folder that is root's alone the user could not make it.
    server.log_file = server.config["log"]["file"] = server.dir + "/roots/log"
    server.write_config()
    server.start()
    equal(os.stat(server.log_file).st_uid, nobody.pw_uid)
    os.kill(server.pid, signal.SIGHUP)
    wait_for("the end of the reload", lambda: "server.reloaded" in server.log())
    that("log.reopen_failed" not in server.log(), "the log cannot be opened again")
    equal(server.stop(), 0)


main()
