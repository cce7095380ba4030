#!/usr/bin/env python3
"""The login guard with the real server: bans on all ports, over a restart, by hand, behind a proxy, in the kernel."""
import base64
import glob
import json
import os
import socket
import subprocess
import time

from harness import Line, Server, check, equal, free_ports, main, need, that, wait_for

FAILED = "Secret-That-Is-Wrong"


def guarded(change=None, **more):
    """A server whose guard knows no allowed networks; logins with the password "correct horse"."""
    def with_guard(config):
        config["login_guard"] = {"longest_delay_seconds": 4}
        config["delivery"] = {"dns_servers": []}
        if change:
            change(config)
    server = Server(change=with_guard, **more)
    server.domain("example.test")
    for name in ("alice", "bob"):
        server.account(f"{name}@example.test")
    return server


def connect(server, port, source="127.0.0.2"):
    return Line(socket.create_connection((server.address, server.ports[port]), 30, source_address=(source, 0)))


def secure(server, line):
    line.socket = server.trust().wrap_socket(line.socket, server_hostname="localhost")
    line.buffer = b""
    return line


def imap_login(server, source, user, password, line=None):
    """The tagged answer; the untagged farewell where there is one instead of it."""
    if line is None:
        line = secure(server, connect(server, "imaps", source))
        line.line()
    return line.imap("a", f'LOGIN "{user}" "{password}"')[-1]


def submission_login(server, source, user, password):
    line = connect(server, "submission", source)
    greeting = line.reply()
    if not greeting.startswith("220"):
        return greeting
    line.ask("EHLO client.example")
    line.ask("STARTTLS")
    secure(server, line)
    line.ask("EHLO client.example")
    return line.ask("AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode())


def fail_until_banned(server, source, name="nobody"):
    for i in range(5):
        answer = imap_login(server, source, f"{name}{i}@example.test", f"{FAILED}-{i}")
        that(answer.startswith("a NO [AUTHENTICATIONFAILED]"), answer)


def is_open(server, port, source):
    line = connect(server, port, source)
    first = line.line() if port in ("smtp", "submission", "imap") else secure_hello(server, line)
    line.close()
    return first.startswith(("220", "* OK"))


def secure_hello(server, line):
    try:
        return secure(server, line).line()
    except OSError:
        return ""


def written(server, text):
    """Whether the files of the server hold the text."""
    for name in glob.glob(f"{server.dir}/data/**", recursive=True):
        try:
            with open(name, "rb") as f:
                if text.encode() in f.read():
                    return True
        except OSError:
            pass  # a folder, a socket, or gone
    return False


def explain(server, address):
    return server.ask("ban", "explain", address)


@check
def failures_on_two_ports_ban_on_all_and_over_a_restart():
    server = guarded()
    me = "127.0.0.9"
    for i in range(3):
        that(imap_login(server, me, f"user{i}@example.test", f"{FAILED}-{i}").startswith("a NO [AUTHENTICATIONFAILED]"), i)
    that(abs(explain(server, me)["failures"] - 3) < 0.2, explain(server, me))
    for i in range(2):
        that(submission_login(server, me, "alice@example.test", f"{FAILED}-x{i}").startswith("535 5.7.8"), i)
    told = "Too many failed logins from 127.0.0.9: try again in 10 minutes"

    def banned_everywhere():
        for port in ("smtp", "submission"):
            equal(connect(server, port, me).reply(), f"421 4.7.0 localhost {told}", port)
        equal(connect(server, "imap", me).line(), f"* BYE [ALERT] {told}", "imap")
        for port in ("submissions", "imaps"):
            that(not is_open(server, port, me), port)
        for port in server.ports:
            that(is_open(server, port, "127.0.0.10"), port)
    banned_everywhere()
    [ban] = server.ask("ban", "list")["bans"]
    equal((ban["network"], ban["kind"], ban["bans"]), (me, "automatic", 1))
    that("alice@example.test" in ban["reason"], ban)
    why = explain(server, me)
    that(why["banned"] and why["last_service"] == "submission" and any("5 failed logins" in rule for rule in why["rules"]), why)
    that(b"127.0.0.9 is banned" in server.ctl("ban", "explain", me).stdout, "explain as text")

    equal(server.stop(), 0)
    server.start()
    banned_everywhere()
    server.ctl("ban", "remove", me)
    for port in server.ports:
        that(is_open(server, port, me), port)
    equal(server.ask("ban", "list")["total"], 0)
    that(imap_login(server, me, "alice@example.test", "correct horse").startswith("a OK"), "after the removal")
    events = [json.loads(line) for line in server.log().splitlines()]
    [banned] = [one for one in events if one["event"] == "guard.banned"]
    equal((banned["network"], banned["seconds"], banned["service"]), (f"{me}/32", 600, "submission"))
    that(FAILED not in server.log() and FAILED not in server.tail(1000), "a password is in the log")
    server.stop()


@check
def a_ban_made_just_before_a_kill_is_there_again():
    server = guarded()
    fail_until_banned(server, "127.0.0.9")
    wait_for("the ban to be written, about a second behind", lambda: written(server, "nobody4@example.test"))
    server.process.kill()
    server.process.wait()
    server.process = None
    os.unlink(f"{server.dir}/data/control.sock")
    server.start()
    that(not is_open(server, "imap", "127.0.0.9"), "the ban is lost")
    server.stop()


@check
def an_open_session_of_a_banned_address_is_told_so():
    server = guarded()
    open_imap = secure(server, connect(server, "imaps", "127.0.0.9"))
    open_imap.line()
    fail_until_banned(server, "127.0.0.9")
    # Even with the right password, and not as if it were wrong.
    said = open_imap.imap("a", 'LOGIN "alice@example.test" "correct horse"')
    that(said[-1].startswith("a NO [UNAVAILABLE] Too many failed logins"), said)
    that(open_imap.line().startswith("* BYE [ALERT] Too many failed logins"), "BYE")
    server.stop()


@check
def allowed_networks_are_never_banned():
    server = guarded(lambda config: config["login_guard"].update(allow=["127.0.0.9", "127.0.1.0/24"]))
    for i in range(12):
        imap_login(server, "127.0.1.77", f"user{i}@example.test", f"{FAILED}-{i}")
    that(is_open(server, "imap", "127.0.1.77"), "an allowed address is banned")
    refused = server.ctl("ban", "add", "127.0.0.9", ok=False)
    that(refused.returncode == 1 and b"allow list" in refused.stderr, refused.stderr)
    server.ctl("ban", "add", "127.0.0.0/16")
    that(is_open(server, "imap", "127.0.0.9") and not is_open(server, "imap", "127.0.0.10"), "allow lists are obeyed")
    equal(explain(server, "127.0.0.9")["allowed_by"], "127.0.0.9")
    server.stop()


@check
def what_init_writes_lets_a_webmail_on_this_machine_live():
    server = Server()
    server.domain("example.test")
    for i in range(8):
        imap_login(server, "127.0.0.1", f"user{i}@example.test", f"{FAILED}-{i}")
    that(is_open(server, "imap", "127.0.0.1"), "the machine itself is banned")
    server.stop()


@check
def a_correct_login_heals_and_a_stubborn_program_is_no_attacker():
    server = guarded()
    for _ in range(2):
        for i in range(4):
            imap_login(server, "127.0.0.9", "alice@example.test", f"{FAILED}-{i}")
        that(imap_login(server, "127.0.0.9", "alice@example.test", "correct horse").startswith("a OK"), "login")
    equal(explain(server, "127.0.0.9")["failures"], 0)
    for _ in range(12):
        imap_login(server, "127.0.0.11", "alice@example.test", FAILED)
    that(is_open(server, "imap", "127.0.0.11"), "the same wrong password was counted again and again")
    that(explain(server, "127.0.0.11")["failures"] <= 1, explain(server, "127.0.0.11"))
    server.stop()


@check
def guessing_one_account_slows_failures_and_does_not_lock_its_owner_out():
    server = guarded()
    that(imap_login(server, "127.0.0.9", "alice@example.test", "correct horse").startswith("a OK"), "owner")
    replies, times = {}, {}
    for name in ("alice", "no-such-user"):
        for i in range(14):
            begun = time.monotonic()
            replies.setdefault(name, []).append(imap_login(server, f"127.0.2.{i + 1}", f"{name}@example.test", f"{FAILED}{name}{i}"))
            times.setdefault(name, []).append(time.monotonic() - begun)
    equal(replies["alice"], replies["no-such-user"])
    for name, took in times.items():
        that(took[13] >= 4 > took[0], f"{name}: {took}")
    begun = time.monotonic()
    that(imap_login(server, "127.0.0.9", "alice@example.test", "correct horse").startswith("a OK"), "owner")
    that(imap_login(server, "127.0.0.10", "alice@example.test", "correct horse").startswith("a OK"), "owner elsewhere")
    that(time.monotonic() - begun < 4, "the owner had to wait")
    that(imap_login(server, "127.0.0.9", "alice@example.test", FAILED).startswith("a NO"), "owner mistypes")
    that(time.monotonic() - begun < 4, "the owner's failures are slowed")
    slowed = {one["login"] for one in server.ask("ban", "list")["slowed"]}
    equal(slowed, {"alice@example.test", "no-such-user@example.test"})
    server.stop()


@check
def bans_by_hand_act_at_once_and_without_a_server():
    server = guarded()
    equal(server.ask("ban", "add", "127.0.0.0/28", "--for", "1h30m", "--reason", "scans us")["network"], "127.0.0.0/28")
    equal(connect(server, "smtp", "127.0.0.9").reply(),
          "421 4.7.0 localhost Connections from 127.0.0.9 are refused: try again in 90 minutes")
    server.ctl("ban", "add", "127.0.0.9")
    equal(connect(server, "submission", "127.0.0.9").reply(), "554 5.7.1 localhost Connections from 127.0.0.9 are refused")
    that("still_banned_by" in server.ask("ban", "remove", "127.0.0.9"), "the network is still banned")
    failed = server.ctl("ban", "remove", "127.0.0.9", ok=False)
    that(b"127.0.0.0/28: remove that" in failed.stderr, failed.stderr)
    that(not is_open(server, "imap", "127.0.0.9"), "the network's ban")
    listed = server.ctl("ban", "list").stdout.decode()
    that("127.0.0.0/28" in listed and "scans us" in listed, listed)
    for wrong in (["add", "127.0.0.1/33"], ["add", "nonsense"], ["add", "127.0.0.1", "--for", "soon"], ["explain", "x"]):
        equal(server.ctl("ban", *wrong, ok=False).returncode, 1, wrong)
    server.stop()
    server.ctl("ban", "remove", "127.0.0.0/28")
    server.ctl("ban", "add", "127.0.0.20", "--reason", "while it was down")
    equal([one["network"] for one in server.ask("ban", "list")["bans"]], ["127.0.0.20"])
    server.start()
    that(is_open(server, "imap", "127.0.0.9") and not is_open(server, "imap", "127.0.0.20"), "bans made without a server")
    that(explain(server, "127.0.0.20")["bans"][0]["reason"] == "while it was down", explain(server, "127.0.0.20"))
    server.stop()


@check
def port_25_may_stay_open():
    server = guarded(lambda config: config["login_guard"].update(smtp="accept"))
    fail_until_banned(server, "127.0.0.9")
    that(is_open(server, "smtp", "127.0.0.9") and not is_open(server, "submission", "127.0.0.9"), "smtp: accept")
    server.stop()


@check
def without_a_guard_nobody_is_banned():
    server = guarded(lambda config: config["login_guard"].update(enabled=False))
    fail_until_banned(server, "127.0.0.9")
    that(is_open(server, "imap", "127.0.0.9"), "banned")
    that(b"switched off" in server.ctl("ban", "list", ok=False).stderr, "ban list")
    server.stop()


@check
def behind_haproxy_the_real_address_counts():
    need("haproxy")
    services = ("imap", "submission")

    def proxied(config):
        config["listen"]["proxies"] = [{"networks": ["127.0.0.1"], "services": list(services), "wait_seconds": 2}]
    server = guarded(proxied)
    ports = dict(zip([(service, version) for service in services for version in (1, 2)], free_ports(4)))
    with open(f"{server.dir}/haproxy.cfg", "w") as f:
        f.write("defaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n")
        for (service, version), port in ports.items():
            f.write(f"listen {service}{version}\n bind 127.0.0.1:{port}\n"
                    f" server s 127.0.0.1:{server.ports[service]} {'send-proxy' if version == 1 else 'send-proxy-v2'}\n")
    haproxy = subprocess.Popen(["haproxy", "-db", "-f", f"{server.dir}/haproxy.cfg"], stdin=subprocess.DEVNULL,
                               env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
    try:
        def through(service, version, source):
            return Line(socket.create_connection(("127.0.0.1", ports[service, version]), 30, source_address=(source, 0)))
        wait_for("haproxy", lambda: not socket.socket().connect_ex(("127.0.0.1", ports["imap", 1])))
        for version in (1, 2):
            me = f"127.0.0.{30 + version}"
            for i in range(5):
                line = through("imap", version, me)
                that(line.line().startswith("* OK"), "greeting")
                line.send("s STARTTLS\r\n")
                line.until("s")
                that(imap_login(server, me, f"u{i}@example.test", f"{FAILED}{i}", secure(server, line)).startswith("a NO"), i)
            that("Too many failed logins from " + me in through("imap", version, me).line(), "banned by IMAP through the proxy")
            that("Too many failed logins from " + me in through("submission", version, me).reply(), "and by SMTP")
            that("Too many failed logins from " + me in connect(server, "smtp", me).reply(), "and directly")
            that(through("submission", version, "127.0.0.40").reply().startswith("220"), "others are not")
        # The proxy itself without a header is refused; others' headers are not believed.
        equal(connect(server, "imap", "127.0.0.1").line(), "")
        line = connect(server, "imap", "127.0.0.50")
        line.line()
        line.send("PROXY TCP4 127.0.0.60 127.0.0.1 1 2\r\n")
        that("BAD" in line.line(), "a header of somebody else is no IMAP command")
        peers = {one.get("peer") for one in map(json.loads, server.log().splitlines()) if one["event"] == "imap.session.opened"}
        that({"127.0.0.31", "127.0.0.32", "127.0.0.50"} <= peers and "127.0.0.60" not in peers, peers)
    finally:
        haproxy.terminate()
        haproxy.wait()
    server.stop()


def in_namespace(name, *command, **more):
    return subprocess.run(["ip", "netns", "exec", name, *command], capture_output=True, timeout=60, **more)


@check
def exported_bans_stop_packets_in_the_kernel():
    need("ip")
    need("nft")
    here, there = f"bw{os.getpid()}a", f"bw{os.getpid()}b"
    made = [subprocess.run(["ip", "netns", "add", name], capture_output=True) for name in (here, there)]
    if any(one.returncode for one in made):
        print("left out: network namespaces are not permitted here: " + made[0].stderr.decode().strip())
        return
    listener = None
    server = guarded(start=False, address="127.0.0.1")
    try:
        for command in (["link", "add", "v0", "netns", here, "type", "veth", "peer", "name", "v0", "netns", there],
                        ["-n", here, "addr", "add", "10.99.0.1/24", "dev", "v0"],
                        ["-n", here, "addr", "add", "fd00:99::1/64", "dev", "v0", "nodad"],
                        ["-n", there, "addr", "add", "10.99.0.2/24", "dev", "v0"],
                        ["-n", there, "addr", "add", "10.99.0.3/24", "dev", "v0"],
                        ["-n", there, "addr", "add", "fd00:99::2/64", "dev", "v0", "nodad"],
                        ["-n", here, "link", "set", "v0", "up"], ["-n", there, "link", "set", "v0", "up"],
                        ["-n", here, "link", "set", "lo", "up"]):
            subprocess.run(["ip", *command], check=True, capture_output=True)
        port = server.ports["imap"]
        serve = ("import socket\n"
                 "s = socket.create_server(('::', %d), family=socket.AF_INET6, dualstack_ipv6=True)\n"
                 "print('ready', flush=True)\nwhile True: s.accept()[0].close()\n" % port)
        listener = subprocess.Popen(["ip", "netns", "exec", here, "python3", "-c", serve], stdout=subprocess.PIPE)
        equal(listener.stdout.readline(), b"ready\n")

        def reaches(source, target="10.99.0.1"):
            code = f"import socket; socket.create_connection(('{target}', {port}), 1.5, source_address=('{source}', 0))"
            return in_namespace(there, "python3", "-c", code).returncode == 0

        def apply():
            text = server.ctl("ban", "export", "--nft").stdout
            done = in_namespace(here, "nft", "-f", "-", input=text)
            equal(done.returncode, 0, done.stderr.decode() + text.decode())
            return text.decode()

        wait_for("the way", lambda: reaches("10.99.0.2") and reaches("fd00:99::2", "fd00:99::1"))
        server.ctl("ban", "add", "10.99.0.2", "--for", "4s")
        server.ctl("ban", "add", "10.99.0.0/30")  # overlaps: 10.99.0.2 outlasts its own ban
        server.ctl("ban", "add", "fd00:99::/64", "--for", "1h")
        apply()
        that(not reaches("10.99.0.2") and not reaches("10.99.0.3"), "banned packets arrive")
        that(not reaches("fd00:99::2", "fd00:99::1"), "banned IPv6 packets arrive")
        rules = in_namespace(here, "nft", "list", "table", "inet", "briefwerk").stdout.decode()
        dropped = [line for line in rules.splitlines() if "drop" in line]
        that(len(dropped) == 2 and not any("packets 0 " in line for line in dropped), rules)
        server.ctl("ban", "remove", "10.99.0.0/30")
        server.ctl("ban", "add", "10.99.0.2", "--for", "15s")
        text = apply()
        that("10.99.0.2/32 timeout" in text and "10.99.0.0/30" not in text, text)
        that(not reaches("10.99.0.2") and reaches("10.99.0.3"), "only one is banned now")
        wait_for("the kernel to forget an ended ban", lambda: reaches("10.99.0.2"))
    finally:
        if listener:
            listener.kill()
            listener.wait()
        for name in (here, there):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


@check
def a_hook_that_fails_is_told_of_with_its_exit_code():
    server = guarded(lambda config: config["login_guard"].update(hook=["/bin/sh", "-c", "exit 7"], hook_seconds=1))
    server.ctl("ban", "add", "192.0.2.77")
    wait_for("the failure in the log", lambda: "guard.hook_failed" in server.log())
    that("it ended with 7" in server.log(), server.log())
    equal(server.stop(), 0)


@check
def a_hook_gets_the_bans_when_they_change():
    def hooked(config):
        config["login_guard"].update(hook=["/bin/sh", "-c", f"cat > {os.path.dirname(config['data'])}/rules.new && "
                                           f"mv {os.path.dirname(config['data'])}/rules.new {os.path.dirname(config['data'])}/rules"],
                                     hook_seconds=1)
    server = guarded(hooked)
    rules = lambda: open(f"{server.dir}/rules").read() if os.path.exists(f"{server.dir}/rules") else ""
    wait_for("the first run", rules, 30)
    fail_until_banned(server, "127.0.0.9")
    wait_for("the ban", lambda: "127.0.0.9/32 timeout" in rules(), 30)
    that(str(server.ports["imaps"]) in rules(), rules())
    server.ctl("ban", "remove", "127.0.0.9")
    wait_for("its end", lambda: "127.0.0.9" not in rules(), 30)
    server.stop()


main()
