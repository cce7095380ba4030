"""The filter chain of a real server: lists in DNS (nsd), greylisting, rate limits, rules about content, quarantine,
`briefwerkctl filter test`, and what is logged of all that."""
import base64
import glob
import io
import json
import os
import smtplib
import socket
import tempfile
import time
import zipfile

from harness import (BIN, Server, bodies, check, equal, main, message, run, that, on_one_day, wait_for, wait_for_mail)
from names import Authority

CLEAN, LISTED, SCORED, TRUSTED, OTHER = "127.9.1.1", "127.9.2.1", "127.9.3.1", "127.9.4.1", "127.9.5.1"


def reverse(address):
    return ".".join(reversed(address.split(".")))


class Lists(Authority):
    """nsd with the zone test, full of lists."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="briefwerk-e2e-lists-")
        with open(self.dir + "/zone", "w") as f:
            f.write(f"""$ORIGIN test.
$TTL 60
@ SOA ns.test. root.test. 1 60 60 60 60
@ NS ns.test.
ns A 127.0.0.1
bl A 127.0.0.1
2.0.0.127.bl A 127.0.0.2
{reverse(LISTED)}.bl A 127.0.0.4
{reverse(SCORED)}.bl A 127.0.0.2
{reverse(TRUSTED)}.bl A 127.0.0.4
2.0.0.127.allow A 127.0.0.2
{reverse(TRUSTED)}.allow A 127.0.9.3
2.0.0.127.refuses A 127.255.255.254
1.0.0.127.refuses A 127.255.255.254
*.refuses A 127.255.255.254
test.domains A 127.0.1.2
shop.example.domains A 127.0.1.2
bad.example.domains A 127.0.1.2
""")
        super().__init__(self.dir, {"test": "zone"})


def server(chain, names=None, **more):
    def change(config):
        config["filter"] = chain
        config.setdefault("delivery", {})["dns_servers"] = [f"127.0.0.1:{names.port}"] if names else ["127.0.0.1:9"]
        config.update(more)
    host = Server(change=change)
    host.domain("example.org")
    host.account("alice@example.org")
    return host


def client(host, address=CLEAN):
    """A session that came from that address, encrypted."""
    one = smtplib.SMTP(timeout=60, source_address=(address, 0), local_hostname="client.example")
    one._host = "127.0.0.1"
    code, text = one.connect(host.address, host.ports["smtp"])
    if code != 220:
        raise smtplib.SMTPConnectError(code, text)
    one.starttls(context=host.trust())
    one.ehlo()
    return one


def send(host, sender="bob@far.example", to="alice@example.org", address=CLEAN, text=None):
    """The reply that decided: code and text."""
    with client(host, address) as one:
        for code, said in (one.mail(sender), one.rcpt(to)):
            if code >= 400:
                return code, said.decode()
        code, said = one.data((text or message(sender, to)).encode())
        return code, said.decode()


def verdicts(host, stage):
    return [e for e in map(json.loads, host.log().splitlines()) if e["event"] == "filter.verdict" and e["stage"] == stage]


@check
def lists_in_dns():
    names = Lists()
    try:
        lists = [{"zone": "bl.test", "codes": [{"answer": "127.0.0.4", "action": "reject", "score": 1, "meaning": "broken into"},
                                               {"answer": "127.0.0.2", "score": 6}]},
                 {"zone": "allow.test", "allow": True, "score": -3},
                 {"zone": "refuses.test", "score": 100},
                 {"zone": "domains.test", "lists": "domains", "score": 6}]
        host = server({"dns_lists": {"lists": lists}}, names)
        wait_for("the check of the lists", lambda: "filter.list_not_working" in host.log())
        equal([json.loads(line)["reason"].split()[0] for line in host.log().splitlines() if "filter.list_not_working" in line],
              ["refuses.test"], "lists that do not work")

        equal(send(host)[0], 250, "a clean client, although a list refuses to answer")
        try:
            send(host, address=LISTED)
            raise AssertionError("a listed client was let in")
        except smtplib.SMTPConnectError as refused:
            equal((refused.smtp_code, b"is listed in bl.test" in refused.smtp_error), (554, True), "a listed client")
        equal(send(host, address=TRUSTED)[0], 250, "listed, but on the allow list too")
        equal(send(host, address=SCORED)[0], 250, "a score alone refuses nobody")
        equal(send(host, sender="x@bad.example")[0], 250, "a listed sender")
        equal(send(host, text=message("a@b.example", "c", body="see https://www.shop.example/x\r\n"))[0], 250, "a listed link")
        inbox, junk = bodies(host.imap("alice@example.org")), bodies(host.imap("alice@example.org"), "Junk")
        equal((len(inbox), len(junk)), (2, 3), "messages in the inbox and in Junk")
        that(all(b"X-Spam-Status: Yes, score=6.0" in one for one in junk), "the score stands in the header")
        told = verdicts(host, "dns_lists")
        that(any(e["peer"] == LISTED and e["action"] == "reject" and e["reason"] == f"{LISTED} in bl.test (broken into)" for e in told),
             f"the decision is logged: {told}")
        that("a subject" not in host.log() and "shop.example/x" not in host.log(), "no content in the log")
    finally:
        names.stop()


@check
def a_list_that_is_silent_delays_nobody():
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    host = Server(change=lambda c: c.update(
        filter={"dns_lists": {"limit_ms": 300, "lists": [{"zone": "bl.test", "action": "reject"}]}},
        delivery={**c.get("delivery", {}), "dns_servers": [f"127.0.0.1:{silent.getsockname()[1]}"]}))
    host.domain("example.org")
    host.account("alice@example.org")
    began = time.monotonic()
    equal(send(host)[0], 250, "mail while the list is silent")
    that(time.monotonic() - began < 10, "it did not wait for the list")
    silent.close()


@check
def greylisting():
    host = server({"greylist": {"enabled": True, "delay_seconds": 300, "trusted_after": 2}})
    code, text = send(host)
    that(code == 451 and "4.7.1" in text and "try again in 300 seconds" in text, f"the first mail waits: {code} {text}")
    equal(send(host)[0], 451, "too early")
    host.stop()
    host.start(days=0.01)
    equal(send(host)[0], 250, "who waited is let in, over a restart")
    equal(send(host, address=OTHER)[0], 451, "another network")
    equal(send(host, sender="carol@far.example")[0], 451, "another sender")
    equal(send(host)[0], 250, "the second good message of the network")
    equal(send(host, sender="dave@far.example")[0], 250, "by now the network is trusted")
    with host.submit("alice@example.org") as user:
        equal(user.sendmail("alice@example.org", ["alice@example.org"], message("alice@example.org", "alice@example.org")), {}, "users never wait")
    told = verdicts(host, "greylist")
    that(any(e["from"] == "bob@far.example" and e["to"] == "alice@example.org" and e["action"] == "defer" for e in told),
         f"the decision is logged with its envelope: {told}")


@check
def rate_limits():
    rules = [{"by": "address", "of": "messages", "count": 2, "seconds": 3600, "only": "inbound"},
             {"by": "sender_domain", "of": "recipients", "count": 1, "seconds": 3600, "only": "inbound"}]
    host = server({"rate": {"rules": rules}})
    equal(send(host, "a@one.example")[0], 250, "the first")
    code, text = send(host, "b@one.example")
    that(code == 451 and "Too many recipients" in text, f"the second of a domain: {code} {text}")
    host.stop()
    host.start()
    code, text = send(host, "a@two.example")
    that(code == 451 and "4.7.1" in text and "Too many messages, please try again in" in text, f"over a restart: {code} {text}")
    equal(send(host, "a@two.example", address=OTHER)[0], 250, "another address")


@check
def an_account_that_looks_hijacked():
    on_one_day()
    host = server({"rate": {"new_recipients_a_day": 3}}, administrator="admin@example.org")
    for name in ("admin", "r1", "r2", "r3", "r4"):
        host.account(f"{name}@example.org")
    with host.submit("alice@example.org") as user:
        for to in ("r1", "r2", "r3", "r3"):
            user.sendmail("alice@example.org", [f"{to}@example.org"], message("alice@example.org", to))
        user.sendmail("alice@example.org", ["r4@example.org", "far@elsewhere.example"], message("alice@example.org", "r4", mark="held1"))
        user.sendmail("alice@example.org", ["r1@example.org"], message("alice@example.org", "r1", mark="held2"))
    equal(len(bodies(host.imap("r3@example.org"))), 2, "mail before the limit")
    equal(bodies(host.imap("r4@example.org")), [], "mail past the limit is held")
    equal(host.ask("queue", "list")["items"], [], "what is held does not wait to be sent")
    held = host.ask("quarantine", "list")["items"]
    equal([(one["recipients"], one["reason"]) for one in held],
          [(["r4@example.org", "far@elsewhere.example"], "held: 5 new recipients today"), (["r1@example.org"], "held: 5 new recipients today")], "held")
    notice = wait_for_mail(host, "admin@example.org", lambda text: b"Account held: alice@example.org" in text)
    that(b"5 new recipients today" in notice and b"Auto-Submitted: auto-generated" in notice, "the notice says why")
    equal(len(bodies(host.imap("admin@example.org"))), 1, "one notice a day")

    shown = host.ctl("quarantine", "show", held[0]["id"]).stdout
    that(b"held1@client.example" in shown and b"far@elsewhere.example" in shown, "quarantine show")
    host.ctl("quarantine", "release", held[0]["id"])
    wait_for_mail(host, "r4@example.org", lambda text: b"held1@client.example" in text)
    host.ctl("quarantine", "delete", held[1]["id"])
    equal(host.ask("quarantine", "list")["items"], [], "nothing is left")
    equal(len(bodies(host.imap("r1@example.org"))), 1, "what was deleted is not delivered")
    equal([one["recipients"][-1]["address"] for one in host.ask("queue", "list")["items"]], ["far@elsewhere.example"], "the rest is on its way")
    that(host.ctl("quarantine", "release", held[1]["id"], ok=False).returncode != 0, "it is gone")


def attached(name, octets):
    lines = base64.encodebytes(octets).decode().replace("\n", "\r\n")
    return (f"From: bob@far.example\r\nSubject: papers\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
            f"--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\r\n"
            f"{lines}\r\n--b--\r\n")


def zipped(name, octets):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, octets)
    return out.getvalue()


RULES = {"senders": ["evil.example"], "recipients": ["closed.example"],
         "attachments": [{"extensions": ["exe"], "types": ["windows_program"], "unreadable": True},
                         {"extensions": ["iso"], "action": "quarantine"}],
         "headers": [{"name": "lottery", "field": "Subject", "pattern": "(?i)you won", "score": 7},
                     {"name": "mailer", "field": "X-Mailer", "pattern": "^Bulk", "action": "discard"}]}


@check
def rules_about_content():
    host = server({"content": RULES})
    equal(send(host, sender="x@mail.evil.example")[0], 550, "a banned sender")
    equal(send(host, text=attached("a.txt", b"Hello"))[0], 250, "a harmless attachment")
    equal(send(host, text=attached("a.exe", b"Hello"))[0], 550, "by name")
    equal(send(host, text=attached("a.txt", b"MZ" + bytes(300)))[0], 550, "by its octets")
    equal(send(host, text=attached("a.zip", zipped("b.exe", b"Hello")))[0], 550, "in an archive")
    bomb = zipped("bomb.zip", bytes(200 << 20))
    began = time.monotonic()
    equal(send(host, text=attached("a.zip", bomb))[0], 550, "an archive that unpacks to 200 MiB")
    that(time.monotonic() - began < 20, "it is bounded")
    equal(send(host, text=message("a@b.example", "c", subject="YOU WON a prize"))[0], 250, "a score")
    equal(send(host, text=attached("disk.iso", b"Hello"))[0], 250, "into quarantine")
    equal(send(host, text=message("a@b.example", "c").replace("Subject:", "X-Mailer: Bulk 1\r\nSubject:"))[0], 250, "discarded")
    equal((len(bodies(host.imap("alice@example.org"))), len(bodies(host.imap("alice@example.org"), "Junk"))), (1, 1), "inbox and Junk")
    held = host.ask("quarantine", "list")["items"]
    equal([one["reason"] for one in held], ["attachment .iso"], "in quarantine")
    host.stop()
    host.ctl("quarantine", "release", held[0]["id"])  # without a server as well
    host.start()
    wait_for_mail(host, "alice@example.org", lambda text: b"disk.iso" in text)


@check
def explained():
    chain = {"greylist": {"enabled": True}, "content": RULES, "stages": [{"name": "content", "dry_run": True}]}
    host = server(chain)
    path = host.dir + "/message"
    with open(path, "w", newline="") as f:
        f.write(attached("a.exe", b"Hello"))
    arguments = ("filter", "test", path, "--address", CLEAN, "--from", "bob@far.example", "--to", "alice@example.org")

    def look():
        said = host.ask(*arguments)["files"][0]
        equal(said["verdict"]["action"], "defer", "what would become of it")
        by_name = {(one["stage"], one["hook"]): one for one in said["stages"]}
        that("try again in 300 seconds" in by_name["greylist", "rcpt"]["text"], "greylisting explains itself, and does not remember")
        one = by_name["content", "message"]
        equal((one["action"], one["reason"], one["dry_run"]), ("reject", "attachment .exe", True), "a dry run is shown as one")
    look()
    look()
    text = host.ctl(*arguments).stdout.decode()
    that("greylist" in text and "attachment .exe" in text and "dry_run" in text, f"for people: {text}")
    host.stop()
    look()  # where no server runs
    host.start()
    with client(host) as one:
        one.mail("bob@far.example")
        equal(one.rcpt("alice@example.org")[0], 451, "the trial did not count as the first contact")


@check
def a_dry_run_does_nothing():
    host = server({"content": RULES, "stages": [{"name": "content", "dry_run": True}]})
    equal(send(host, text=attached("a.exe", b"Hello"))[0], 250, "delivered all the same")
    equal([(e["action"], e["dry_run"]) for e in verdicts(host, "content")], [("reject", True)], "and logged")


@check
def a_dry_run_of_every_stage():
    names = Lists()
    try:
        lists = [{"zone": "bl.test", "codes": [{"answer": "127.0.0.4", "action": "reject"}]}]
        stages = ("dns_lists", "greylist", "rate", "content", "virus", "spam")
        host = server({"dns_lists": {"lists": lists}, "greylist": {"enabled": True}, "content": RULES, "spam": {"enabled": True},
                       "rate": {"rules": [{"by": "address", "of": "messages", "count": 1, "seconds": 3600}]},
                       "virus": {"scanner": "clamd", "socket": "/nowhere/clamd"}, "junk_score": 0.1,
                       "stages": [{"name": one, "dry_run": True} for one in stages]}, names)
        for turn in range(2):
            equal(send(host, address=LISTED, text=attached("a.exe", b"Hello"))[0], 250, f"mail that each of them objects to, {turn}")
        inbox = bodies(host.imap("alice@example.org"))
        equal(len(inbox), 2, "in the inbox")
        that(not any(b"X-Briefwerk-Spam" in one or b"X-Spam-Status" in one for one in inbox), "without a field of theirs")
        for stage, action in (("dns_lists", "reject"), ("greylist", "defer"), ("rate", "defer"), ("content", "reject"), ("virus", "defer")):
            told = verdicts(host, stage)
            that(told and all(one["dry_run"] for one in told) and action in {one["action"] for one in told}, f"logged of {stage}: {told}")
        counters = host.ask("status")["counters"]
        for stage in stages:
            that(counters[f"filter.{stage}.asked"] > 0, f"{stage} was asked: {counters}")
        host.stop()
        # The same without dry runs: each of them alone keeps that mail away, or out of the inbox.
        for stage, code in (("dns_lists", 554), ("greylist", 451), ("content", 550), ("virus", 451), ("spam", 250)):
            host.config["filter"]["stages"] = [{"name": one, "dry_run": one != stage} for one in stages]
            host.write_config()
            host.start()
            before = len(bodies(host.imap("alice@example.org")))
            try:
                got = send(host, address=LISTED, text=attached("a.exe", b"Hello"))[0]
            except smtplib.SMTPConnectError as refused:
                got = refused.smtp_code
            equal((got, len(bodies(host.imap("alice@example.org")))), (code, before), f"with {stage}")
            counters = host.ask("status")["counters"]
            action = {451: "defer", 250: "tag"}.get(code, "reject")
            if stage == "spam":
                equal(len(bodies(host.imap("alice@example.org"), "Junk")), 1, "in Junk")
            else:
                that(counters[f"filter.{stage}.{action}"] > 0, f"{stage} counts what it said: {counters}")
            host.stop()
    finally:
        names.stop()


@check
def scopes():
    host = server({"content": RULES})
    host.domain("example.net")
    host.account("carol@example.org")
    host.account("dave@example.net")
    host.stop()

    def comes_in(to):
        return send(host, to=to, text=attached("a.exe", b"Hello"))[0]

    def is_sent(by):
        with host.submit(by) as user:
            try:
                user.sendmail(by, ["alice@example.org"], attached("a.exe", b"Hello").replace("bob@far.example", by))
                return 250
            except smtplib.SMTPDataError as refused:
                return refused.smtp_code
    people = ("alice@example.org", "carol@example.org", "dave@example.net")
    for scope, inbound, submission in (
            ({}, (550, 550, 550), (550, 550, 550)),
            ({"only": "inbound"}, (550, 550, 550), (250, 250, 250)),
            ({"only": "submission"}, (250, 250, 250), (550, 550, 550)),
            ({"domains": ["example.org"]}, (550, 550, 250), (550, 550, 250)),
            ({"accounts": ["Alice@example.org"]}, (550, 250, 250), (550, 250, 250)),
            ({"domains": ["example.net"], "accounts": ["carol@example.org"], "only": "inbound"}, (250, 550, 550), (250, 250, 250))):
        host.config["filter"]["stages"] = [{"name": "content", **scope}]
        host.write_config()
        host.start()
        equal(tuple(map(comes_in, people)), inbound, f"mail from others, {scope}")
        equal(tuple(map(is_sent, people)), submission, f"mail of users, {scope}")
        host.stop()


@check
def wrong_configurations():
    host = server({})
    host.stop()
    for change, expected in (({"content": {"headers": [{"name": "x", "field": "Subject", "pattern": "("}]}}, "/filter/content/headers"),
                             ({"content": {"attachments": [{"types": ["virus"]}]}}, "/filter/content/attachments/0/types"),
                             ({"dns_lists": {"lists": [{"zone": "bl.test", "codes": [{"answer": "10.0.0.1"}]}]}}, "/filter/dns_lists/lists/0/codes/0"),
                             ({"junk_score": -1}, "/filter/junk_score"),
                             ({"greylist": {"networks": ["nonsense"]}}, "/filter/greylist/networks/0")):
        host.config["filter"] = change
        host.write_config()
        said = run([f"{BIN}/briefwerkd", "--check", "--config", host.config_file], ok=False)
        that(said.returncode != 0 and expected in said.stderr.decode(), f"{expected}: {said.stderr.decode()}")


@check
def log_files_go():
    on_one_day()
    host = Server(change=lambda c: c["log"].update(retention_days=5, pseudonymise_days=2), start=False)
    now = time.time()
    day = lambda ago: time.strftime("%Y-%m-%d", time.gmtime(now - ago * 86400))
    line = lambda ago: json.dumps({"time": day(ago) + "T12:00:00.000Z", "level": "info", "event": "x", "peer": "192.0.2.1"},
                                  separators=(",", ":")) + "\n"
    for ago in (2, 4, 5, 40):
        with open(f"{host.log_file}-{day(ago)}", "w") as f:
            f.write(line(ago))
    with open(host.log_file, "w") as f:
        f.write(line(1))
    host.start()
    wait_for("the old files to go", lambda: sorted(os.path.basename(p) for p in glob.glob(host.log_file + "-*")) ==
             sorted([f"log-{day(1)}", f"log-{day(2)}.p", f"log-{day(4)}.p"]))
    with open(f"{host.log_file}-{day(1)}") as f:
        that("192.0.2.1" in f.read(), "yesterday's file has addresses")
    with open(f"{host.log_file}-{day(2)}.p") as f:
        that("192.0.2.1" not in f.read(), "that of the day before has none")
    host.ctl("domain", "add", "example.org")
    host.stop()
    that("server.stopped" in host.log(), "the log goes on in a new file")


main()
