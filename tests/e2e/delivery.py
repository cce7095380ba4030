"""Two servers and a name server (nsd) on loopback: relaying, failure reports, the queue, next hops.

MX records imply port 25. Where this script may bind it (as root), the servers have loopback addresses of their own with
port 25 and are found by their MX records alone; elsewhere next_hops name host and port, and the MX checks are skipped.
"""
import email
import os
import signal
import socket
import threading
import time

from harness import (Server, Skipped, bodies, check, equal, main, message, that, wait_for, wait_for_mail)
from names import Authority

NET = f"127.{64 + os.getpid() // 250 % 128}.{os.getpid() % 250 + 1}"
A, B, SOURCE = f"{NET}.2", f"{NET}.3", f"{NET}.9"


def may_bind_25():
    if "WITHOUT_PORT_25" in os.environ:  # to try the other way as root
        return False
    try:
        with socket.socket() as s:
            s.bind((B, 25))
        return True
    except OSError:
        return False


ROOT = may_bind_25()


class Names(Authority):
    """nsd with the zone test."""

    def __init__(self, folder):
        with open(folder + "/zone", "w") as f:
            f.write(f"""$ORIGIN test.
$TTL 60
@ SOA ns.test. root.test. 1 60 60 60 60
@ NS ns.test.
ns A 127.0.0.1
a MX 10 mx.a
mx.a A {A}
b MX 20 backup.b
b MX 10 mx.b
mx.b A {B}
backup.b A {NET}.77
implicit A {B}
null MX 0 .
loop MX 10 mx.a
inside MX 10 host.inside
host.inside A 127.0.0.1
host.inside A 127.9.9.9
""")
        super().__init__(folder, {"test": "zone"})


class Pair:
    def __init__(self, change_a=None):
        self.names = None
        self.b = Server("mx.b.test", B if ROOT else "127.0.0.1", {"smtp": 25} if ROOT else None, start=False)
        self.a = Server("mx.a.test", A if ROOT else "127.0.0.1", {"smtp": 25} if ROOT else None, start=False)
        self.names = Names(self.a.dir)
        dns = [f"127.0.0.1:{self.names.port}"]
        for server in (self.a, self.b):
            server.config["delivery"] = {"dns_servers": dns, "retry_first_seconds": 3600, "ignored_networks": []}
        if not ROOT:
            self.a.config["delivery"]["next_hops"] = [{"domain": "b.test", "host": "127.0.0.1", "port": self.b.ports["smtp"]}]
        if change_a:
            change_a(self.a.config)
        for server, name in ((self.a, "a.test"), (self.b, "b.test")):
            server.write_config()
            server.domain(name)
        self.a.account("alice@a.test")
        self.b.account("bob@b.test")
        self.a.start()
        self.b.start()

    def send(self, recipient, subject="a subject", sender="alice@a.test"):
        with self.a.submit("alice@a.test") as client:
            client.sendmail(sender, [recipient], message(sender, recipient, subject))

    def queue(self):
        return self.a.ask("queue", "list")["items"]

    def __enter__(self):
        print(f"         {'MX records, port 25' if ROOT else 'next_hops: port 25 cannot be bound here'}", flush=True)
        return self

    def __exit__(self, *_):
        if self.names:
            self.names.stop()


def report_of(octets):
    return b"multipart/report" in octets


def check_report(octets, recipient, status, action=b"failed"):
    tree = email.message_from_bytes(octets)
    equal(tree.get_content_type(), "multipart/report")
    equal(tree.get_param("report-type"), "delivery-status")
    kinds = [part.get_content_type() for part in tree.get_payload()]
    that(kinds[0] == "text/plain" and kinds[1] == "message/delivery-status" and kinds[2] in ("message/rfc822", "text/rfc822-headers"), kinds)
    fields = tree.get_payload()[1].get_payload()[1]
    equal(fields["Action"], action.decode())
    equal(fields["Status"], status)
    that(recipient in fields["Final-Recipient"], fields["Final-Recipient"])
    equal(tree["Return-Path"], "<>", "sender of the report")
    return fields


@check
def from_one_server_to_the_other():
    with Pair() as pair:
        pair.a.ctl("alias", "add", "far@a.test", "bob@b.test")
        pair.send("bob@b.test", "direct")
        got = wait_for_mail(pair.b, "bob@b.test", lambda one: b"Subject: direct" in one)
        received = email.message_from_bytes(got).get_all("Received")
        equal(len(received), 2)
        that("by mx.b.test" in received[0] and "with ESMTPS" in " ".join(received[0].split()), received[0])
        pair.a.deliver("x@elsewhere.example", ["far@a.test"], message("x@elsewhere.example", "far@a.test", "by the alias"))
        wait_for_mail(pair.b, "bob@b.test", lambda one: b"Subject: by the alias" in one)
        wait_for("an empty queue", lambda: pair.queue() == [])


@check
def failures_are_reported():
    with Pair() as pair:
        pair.send("nobody@b.test", "to nobody")
        got = wait_for_mail(pair.a, "alice@a.test", lambda one: report_of(one) and b"nobody@b.test" in one)
        fields = check_report(got, "nobody@b.test", "5.1.1")
        that("550" in fields["Diagnostic-Code"], fields["Diagnostic-Code"])
        that(b"Subject: to nobody" in got, "the report lacks the header of the message")
        pair.send("who@null.test")
        got = wait_for_mail(pair.a, "alice@a.test", lambda one: report_of(one) and b"who@null.test" in one)
        check_report(got, "who@null.test", "5.1.10")
        pair.send("who@no-such-name.test")
        got = wait_for_mail(pair.a, "alice@a.test", lambda one: report_of(one) and b"who@no-such-name.test" in one)
        check_report(got, "who@no-such-name.test", "5.1.2")
        if ROOT:
            pair.send("who@loop.test")
            got = wait_for_mail(pair.a, "alice@a.test", lambda one: report_of(one) and b"who@loop.test" in one)
            check_report(got, "who@loop.test", "5.4.6")
        # A report that cannot be delivered makes no report of its own (RFC 3461 §6.2).
        pair.a.ctl("alias", "add", "gone@a.test", "nobody@b.test")
        pair.a.deliver("", ["gone@a.test"], message("MAILER-DAEMON@elsewhere.example", "gone@a.test", "a bounce"))
        wait_for("an empty queue", lambda: pair.queue() == [])
        equal(pair.b.ask("queue", "list")["items"], [], "the queue of b")


@check
def implicit_mx():
    if not ROOT:
        raise Skipped("needs port 25")
    with Pair() as pair:
        pair.b.domain("implicit.test")
        pair.b.ctl("alias", "add", "info@implicit.test", "bob@b.test")
        pair.send("info@implicit.test", "no MX record")
        wait_for_mail(pair.b, "bob@b.test", lambda one: b"Subject: no MX record" in one)


@check
def the_queue_by_hand():
    with Pair() as pair:
        pair.b.stop()
        for n in range(3):
            pair.send("bob@b.test", f"queued {n}")

        def deferred():
            items = pair.queue()
            return len(items) == 3 and all(one["attempts"] >= 1 for one in items) and items
        items = wait_for("three deferred messages", deferred)
        one = items[0]
        equal(one["sender"], "alice@a.test")
        equal(one["recipients"][0]["state"], "waiting")
        that(one["next_attempt"] > time.time() + 600, "the next attempt is not put off")
        that(one["recipients"][0]["last_reply"], "no reason is given")
        text = pair.a.ctl("queue", "list").stdout.decode()
        that(one["id"] in text and "bob@b.test" in text, text)
        that("bob@b.test" in pair.a.ctl("queue", "show", one["id"]).stdout.decode(), "queue show")
        that(pair.a.ctl("queue", "show", "none-such", ok=False).returncode != 0, "queue show of nothing")
        pair.a.ctl("queue", "delete", one["id"])
        equal(len(pair.queue()), 2)
        # What waits outlives a stop, and a kill.
        equal(pair.a.stop(), 0)
        equal(len(pair.queue()), 2, "the queue while the server is down")
        pair.a.start()
        equal(len(pair.queue()), 2, "the queue after the restart")
        pair.a.stop(signal.SIGKILL)
        pair.a.start()
        equal(len(pair.queue()), 2, "the queue after a kill")
        pair.b.start()
        pair.a.ctl("queue", "retry", items[1]["id"])
        wait_for_mail(pair.b, "bob@b.test", lambda octets: b"Subject: queued" in octets)
        pair.a.ctl("queue", "retry")
        wait_for("an empty queue", lambda: pair.queue() == [])
        equal(len(bodies(pair.b.imap("bob@b.test"))), 2, "messages of bob")


@check
def retries_by_itself():
    with Pair(lambda c: c["delivery"].update(retry_first_seconds=2)) as pair:
        pair.b.stop()
        pair.send("bob@b.test", "tried again")
        wait_for("a first attempt", lambda: any(one["attempts"] >= 1 for one in pair.queue()))
        pair.b.start()
        wait_for_mail(pair.b, "bob@b.test", lambda one: b"Subject: tried again" in one, seconds=60)


@check
def never_sends_to_loopback_that_dns_names():
    with Pair(lambda c: c["delivery"].pop("ignored_networks")) as pair:
        pair.send("bob@inside.test", "for loopback")
        report = wait_for_mail(pair.a, "alice@a.test", lambda one: b"multipart/report" in one)
        that(b"5.4.6" in report and b"host.inside.test has no address that mail is sent to" in report, report[-2000:])


class Plain(threading.Thread):
    """An SMTP server that cannot encrypt."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.peers, self.messages, self.commands = [], [], []
        self.start()

    def run(self):
        while True:
            connection, peer = self.listener.accept()
            self.peers.append(peer[0])
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as lines:
            def say(text):
                connection.sendall(text.encode() + b"\r\n")
            say("220 plain.test ESMTP")
            for line in lines:
                verb = line[:4].upper()
                self.commands.append(verb)
                if verb == b"EHLO":
                    say("250-plain.test\r\n250 8BITMIME")
                elif verb == b"DATA":
                    say("354 go on")
                    text = b""
                    while (line := lines.readline()) not in (b".\r\n", b""):
                        text += line
                    self.messages.append(text)
                    say("250 2.0.0 taken")
                elif verb == b"QUIT":
                    say("221 bye")
                    return
                elif verb == b"STAR":
                    say("502 5.5.1 no")
                else:
                    say("250 2.0.0 ok")


@check
def a_server_that_cannot_encrypt():
    plain = Plain()

    def change(config):
        config["delivery"]["source_v4"] = SOURCE
        config["delivery"]["next_hops"] = config["delivery"].get("next_hops", []) + [
            {"domain": "plain.test", "host": "127.0.0.1", "port": plain.port},
            {"domain": "clear.test", "host": "127.0.0.1", "port": plain.port, "tls": "none"},
            {"domain": "either.test", "host": "127.0.0.1", "port": plain.port, "tls": "optional"}]
    with Pair(change) as pair:
        pair.send("x@plain.test", "must be encrypted")
        wait_for("the refusal of a clear connection", lambda: any(one["attempts"] >= 1 for one in pair.queue()) or any(
            report_of(one) for one in bodies(pair.a.imap("alice@a.test"))))
        equal(plain.messages, [], "messages taken in the clear")
        that(b"MAIL" not in plain.commands, "the sender was told in the clear")
        for domain in ("clear.test", "either.test"):
            pair.send(f"x@{domain}", f"to {domain}")
            wait_for(f"the message to {domain}", lambda: any(f"Subject: to {domain}".encode() in one for one in plain.messages))
        equal(set(plain.peers), {SOURCE}, "the source address")


@check
def the_certificate_is_checked_where_asked():
    def change(config):
        config["delivery"]["tls"] = "verified"
        for hop in config["delivery"].get("next_hops", []):
            hop["tls"] = "verified"
    with Pair(change) as pair:
        pair.send("bob@b.test", "to be verified")
        wait_for("an attempt", lambda: any(one["attempts"] >= 1 for one in pair.queue()) or any(
            report_of(one) for one in bodies(pair.a.imap("alice@a.test"))))
        equal(bodies(pair.b.imap("bob@b.test")), [], "sent to a server whose certificate nobody vouches for")


main()
