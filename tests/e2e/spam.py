"""Spam by rules and by what users teach: a real server, judged mail in Junk with its reasons in the header, training by
moving mail with a real IMAP client and by briefwerkctl, restarts, and the file of rules."""
import glob
import json
import os
import re
import signal
import smtplib

from harness import BIN, Server, bodies, check, equal, main, message, on_one_day, run, that, wait_for, wait_for_mail

RARE = "quibblewort"  # a word that must not be found in any file
SPAM = f"Cheap {RARE} pills, discount lottery winner offer, buy now without prescription"
HAM = "The agenda of the quarterly review, with minutes of the budget meeting and the roadmap"


def server(spam=None, change=None):
    def configure(config):
        config["filter"] = {"spam": {"enabled": True, **(spam or {})}}
        if change:
            change(config)
    host = Server(change=configure)
    host.domain("example.org")
    for name in ("alice", "bob"):
        host.account(f"{name}@example.org")
    return host


def send(host, text, to="alice@example.org", sender="far@far.example"):
    with smtplib.SMTP(host.address, host.ports["smtp"], local_hostname="mx.far.example", timeout=60) as client:
        client._host = "127.0.0.1"
        client.starttls(context=host.trust())
        client.ehlo()
        client.sendmail(sender, [to], text)


def letter(body, number, subject="a subject", more=""):
    return more + message("Far <far@far.example>", "alice@example.org", subject, f"{body} {number}.\r\n", f"m{number}")


def verdict_field(octets):
    found = re.findall(rb"^X-Briefwerk-Spam: ([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", octets, re.M)
    return [b" ".join(one.split()).decode() for one in found]


def counters(host):
    return host.ask("status")["counters"]


@check
def rules_and_their_points():
    host = server()
    send(host, letter(HAM, 1))
    send(host, "From: \"help@bank.example\" <x@evil.example>\r\nX-Briefwerk-Spam: -100.0 forged\r\n"
               "Subject: YOU WON THE LOTTERY!!!\r\n\r\nClaim it.\r\n")
    inbox, junk = bodies(host.imap("alice@example.org")), bodies(host.imap("alice@example.org"), "Junk")
    equal((len(inbox), len(junk)), (1, 1), "messages in the inbox and in Junk")
    field, = verdict_field(junk[0])
    points = dict(one.split("=") for one in field.split()[1:])
    that(float(field.split()[0]) >= 5 and points["from_other_address"] == "2.0" and "no_date" in points, f"the field: {field}")
    that(abs(sum(map(float, points.values())) - float(field.split()[0])) < 0.06 * len(points), f"the sum of its rules: {field}")
    imap = host.imap("alice@example.org")
    imap.select("Junk")
    that(b"$Junk" in imap.fetch("1", "(FLAGS)")[1][0], "it has $Junk")
    that(counters(host)["spam.rule.from_other_address"] == 1, "rules are counted")


@check
def the_file_of_rules():
    host = server()
    path = host.dir + "/rules.json"
    tagged = letter(HAM, 1, more="X-Kind: green\r\n")

    def write(rules):
        with open(path, "w") as f:
            f.write("// ours\n" + json.dumps({"rules": rules}))

    def judged():
        with open(host.dir + "/message", "w", newline="") as f:
            f.write(tagged)
        said = host.ask("filter", "test", host.dir + "/message", "--address", "192.0.2.1", "--hello", "mx.far.example",
                        "--from", "far@far.example", "--to", "alice@example.org")
        return [one for one in said["files"][0]["stages"] if one["stage"] == "spam"][0]

    def reload(event, count):
        host.process.send_signal(signal.SIGHUP)
        wait_for(event, lambda: host.log().count(event) == count)

    write([{"name": "kind", "field": "X-Kind", "pattern": "^green$", "score": 7},
           {"name": "off", "test": "spf_pass", "score": 1}])
    host.stop()
    host.config["filter"]["spam"].update(rules=path, scores=[{"rule": "off", "score": 0}])
    host.write_config()
    host.start()
    one = judged()
    equal((one["score"], one["fields"]), (7, ["X-Briefwerk-Spam: 7.0 kind=7.0"]), "filter test explains")
    write([{"name": "kind", "field": "X-Kind", "pattern": "green", "score": 2}, {"name": "off", "test": "spf_pass", "score": 1}])
    reload("spam.rules_read", 1)
    equal(judged()["score"], 2, "the new rules")
    bad = [([{"name": "kind", "field": "X-Kind", "pattern": "(", "score": 2}, {"name": "off", "test": "no_to", "score": 1}],
            "the pattern of the rule kind: missing )"),
           ([{"name": "kind", "test": "no_such_test", "score": 2}, {"name": "off", "test": "no_to", "score": 1}],
            "the rule kind: there is no test"),
           ([{"name": "kind", "test": "no_to"}], "the rule kind: score is missing"),
           ([{"name": "kind", "test": "no_to", "score": 1, "colour": 1}], "the rule kind: there is no key"),
           ([{"name": "kind", "test": "no_to", "score": 1}], "there is no rule off")]
    for number, (rules, says) in enumerate(bad, 1):
        write(rules)
        reload("spam.rules_refused", number)
        told = [json.loads(line)["reason"] for line in host.log().splitlines() if "spam.rules_refused" in line][-1]
        that(says in told and (path in told or "off" in told), f"the log says why: {told}")
        equal(judged()["score"], 2, "a bad file keeps the old rules")
        checked = run([f"{BIN}/briefwerkd", "--check", "--config", host.config_file], ok=False)
        that(checked.returncode != 0 and says in checked.stderr.decode(), f"--check says it as well: {checked.stderr}")
    shipped = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../apps/filter/spam-rules.json")
    host.config["filter"]["spam"].update(rules=shipped, scores=[])
    host.write_config()
    run([f"{BIN}/briefwerkd", "--check", "--config", host.config_file])


def uids(imap, criterion="ALL"):
    return imap.uid("SEARCH", criterion)[1][0].split()


def seen(host):
    """Messages that the classifier was shown, whether they taught it something or not."""
    return sum(value for name, value in counters(host).items() if name.startswith("spam.learned."))


def learned(host, kind, count):
    return wait_for(f"{count} {kind} to be learned", lambda: counters(host)[f"spam.learned.{kind}"] >= count)


def taught():
    """A server whose alice has moved spam to Junk and marked other mail as wanted."""
    host = server({"classifier": {"least_messages": 4}})
    for number in range(4):
        send(host, letter(SPAM, number, "great offer"))
        send(host, letter(HAM, 100 + number, "minutes"))
    imap = host.imap("alice@example.org")
    imap.select("INBOX")
    equal(imap.uid("MOVE", b",".join(uids(imap, 'SUBJECT "offer"')), "Junk")[0], "OK", "MOVE")
    imap.uid("STORE", b",".join(uids(imap)), "+FLAGS.SILENT", "($NotJunk)")
    learned(host, "spam", 4)
    learned(host, "ham", 4)
    return host, imap


def places(host, user="alice@example.org"):
    """How many messages with the newest spam's words are in the inbox and in Junk."""
    return tuple(sum(b"lottery" in one for one in bodies(host.imap(user), box)) for box in ("INBOX", "Junk"))


@check
def users_teach():
    host, imap = taught()
    send(host, letter(SPAM, 50, "great offer"))
    send(host, letter(HAM, 150, "minutes"))
    equal(places(host), (0, 5), "the next one is in Junk")
    newest = bodies(host.imap("alice@example.org"), "Junk")[-1]
    field, = verdict_field(newest)
    that("classifier=" in field and float(field.split()[0]) >= 5, f"the header says why: {field}")
    imap.select("Junk")
    that(b"$Junk" in imap.uid("FETCH", uids(imap)[-1], "(FLAGS)")[1][0], "it has $Junk")
    send(host, letter(SPAM, 51, "great offer"), to="bob@example.org")
    equal(places(host, "bob@example.org"), (0, 1), "what one teaches counts for all")

    # She wants them after all.
    status = host.ask("spam", "status", "--account", "alice@example.org")
    equal((status["spam"], status["ham"]), (4, 4), "learned of her")
    before = seen(host)
    imap.uid("MOVE", b",".join(uids(imap)), "INBOX")
    wait_for("her five messages", lambda: seen(host) == before + 5)
    status = host.ask("spam", "status", "--account", "alice@example.org")
    equal(status["spam"], 0, "what was taught as spam is taken back")
    that(status["ham"] > 4, f"and learned as the contrary: {status}")
    send(host, letter(SPAM, 52, "great offer"))
    equal(places(host), (6, 0), "the next one is in her inbox")
    log = host.log()
    that("lottery" not in log and "great offer" not in log, "no content in the log")


@check
def a_restart_keeps_what_was_learned():
    host, imap = taught()
    host.stop()  # at once: what waits is learned and written
    offline = host.ask("spam", "status", "--account", "alice@example.org")
    equal((offline["spam"], offline["ham"]), (4, 4), "without a server")
    host.start()
    send(host, letter(SPAM, 50, "great offer"))
    equal(places(host), (0, 5), "in Junk after the restart")
    imap = host.imap("alice@example.org")
    imap.select("INBOX")
    imap.uid("STORE", "1:*", "+FLAGS", "($NotJunk)")
    imap.uid("STORE", "1:*", "-FLAGS", "($NotJunk)")
    before = counters(host)["spam.learned.nothing"]
    imap.uid("STORE", "1:*", "+FLAGS", "($NotJunk)")
    wait_for("the marks", lambda: counters(host)["spam.learned.nothing"] >= before + 4)
    equal(host.ask("spam", "status", "--account", "alice@example.org")["ham"], 4, "nothing is learned twice, over a restart too")


@check
def a_copy_and_a_mark_count_once():
    host = server({"classifier": {"least_messages": 4}})
    send(host, letter(SPAM, 1))
    imap = host.imap("alice@example.org")
    imap.select("INBOX")
    imap.uid("STORE", "1:*", "+FLAGS", "($Junk)")  # as some mail programs do before they move
    imap.uid("COPY", "1:*", "Junk")
    imap.uid("STORE", "1:*", "+FLAGS", "(\\Deleted)")
    imap.expunge()
    wait_for("both to be looked at", lambda: seen(host) == 2)
    equal(host.ask("spam", "status")["spam"], 1, "learned once")
    equal(counters(host)["spam.training.waiting"], 0, "nothing waits")


@check
def the_administrator_teaches():
    host = server({"classifier": {"least_messages": 4}})
    folder = host.dir + "/spam"
    os.mkdir(folder)
    for number in range(6):
        with open(f"{folder}/{number}", "w") as f:  # LF, as files have it
            f.write(letter(SPAM, number, f"great {RARE}").replace("\r\n", "\n"))
    with open(host.dir + "/ham.mbox", "w") as f:
        for number in range(6):
            f.write("From x Sat Nov  7 10:15:00 2026\n" + letter(HAM, 100 + number, "minutes").replace("\r\n", "\n") + "\n")
    # At least least_messages of them; what is judged well by then teaches nothing more.
    said = host.ask("spam", "learn", "--spam", folder)
    that(said["messages"] == 6 and 4 <= said["learned"] <= 6, f"a folder: {said}")
    equal(host.ask("spam", "learn", "--spam", folder + "/3"), {"messages": 1, "learned": 0}, "not twice")
    host.stop()
    said = host.ask("spam", "learn", "--ham", host.dir + "/ham.mbox")
    that(said["messages"] == 6 and 4 <= said["learned"] <= 6, f"an mbox file, without a server: {said}")
    host.start()
    status = host.ask("spam", "status")
    that(status["spam"] >= 4 and status["ham"] >= 4, f"learned: {status}")
    that(f"{status['spam']} spam and {status['ham']} ham" in host.ctl("spam", "status").stdout.decode(), "for people")
    for path in glob.glob(host.dir + "/data/**", recursive=True):
        if os.path.isfile(path):
            with open(path, "rb") as f:
                that(RARE.encode() not in f.read().lower(), f"{path} holds a word of what was learned")
    send(host, letter(SPAM, 50, f"great {RARE}"))
    equal(places(host), (0, 1), "in Junk")
    equal(host.ask("spam", "learn", "--ham", "--account", "alice@example.org", folder)["messages"], 6, "for an account alone")
    that(host.ask("spam", "status", "--account", "alice@example.org")["ham"] >= 4, "its own")
    that(host.ask("spam", "forget", "--account", "alice@example.org")["counts"] > 10, "forgotten")
    equal(host.ask("spam", "status", "--account", "alice@example.org")["ham"], 0, "nothing is left of it")
    equal(host.ask("spam", "status")["spam"] > 0, True, "what all share stays")
    for arguments in (["learn", folder], ["learn", "--spam", host.dir + "/none"], ["status", "--account", "nobody@example.org"]):
        that(host.ctl("spam", *arguments, ok=False).returncode == 1, f"{arguments} is refused")
    that("from_other_address" in host.ctl("spam", "tests").stdout.decode(), "spam tests")


@check
def an_account_goes_with_what_it_taught():
    host = server({"classifier": {"least_messages": 4, "share": False}})
    path = host.dir + "/one"
    with open(path, "w") as f:
        f.write(letter(SPAM, 1))
    host.ctl("spam", "learn", "--spam", "--account", "bob@example.org", path)
    that(host.ask("spam", "status")["spam"] == 0, "nothing is shared")
    host.ctl("account", "delete", "bob@example.org")
    host.stop()
    equal(host.ask("spam", "status")["entries"], 0, "not one count is left")


@check
def the_queue_is_bounded():
    host = server({"classifier": {"queue": 3}})
    for number in range(10):
        send(host, letter(SPAM, number))
    imap = host.imap("alice@example.org")
    imap.select("INBOX")
    equal(imap.uid("MOVE", "1:*", "Junk")[0], "OK", "the move itself is not held up")
    wait_for("three to be learned", lambda: seen(host) == 3)
    equal((counters(host)["spam.training.dropped"], counters(host)["spam.training.waiting"]), (7, 0), "the others are dropped")


@check
def one_account_does_not_decide_for_all():
    on_one_day()
    host = server({"classifier": {"share_a_day": 2, "least_messages": 100}})
    for number in range(5):
        send(host, letter(SPAM, number))
    imap = host.imap("alice@example.org")
    imap.select("INBOX")
    imap.uid("MOVE", "1:*", "Junk")
    wait_for("five to be learned", lambda: seen(host) == 5)
    equal(host.ask("spam", "status")["spam"], 2, "for all")
    equal(host.ask("spam", "status", "--account", "alice@example.org")["spam"], 5, "for her")


@check
def switched_off():
    host = server({"classifier": {"enabled": False}})
    that("classifier is switched off" in host.ctl("spam", "status", ok=False).stderr.decode(), "no classifier")
    host.stop()
    host.config["filter"]["spam"]["enabled"] = False
    host.write_config()
    host.start()
    that("filter.spam.enabled" in host.ctl("spam", "status", ok=False).stderr.decode(), "no judgement at all")
    send(host, letter(SPAM, 1))
    equal(verdict_field(bodies(host.imap("alice@example.org"))[0]), [], "no field")
    host.stop()
    host.config["filter"]["spam"] = {"enabled": True, "classifier": {"users": False}}
    host.write_config()
    host.start()
    imap = host.imap("alice@example.org")
    imap.select("INBOX")
    imap.uid("MOVE", "1:*", "Junk")
    host.stop()
    equal(host.ask("spam", "status")["spam"], 0, "users do not teach")


main()
