"""Spam by rules and by what users teach: a real server, judged mail in Junk with its reasons in the header, training by
moving mail with a real IMAP client and by briefwerkctl, restarts, and the file of rules."""
import glob
import json
import os
import re
import signal
import smtplib

from harness import BIN, Server, bodies, check, equal, main, message, run, that, wait_for, wait_for_mail

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


main()
