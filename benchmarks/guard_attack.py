"""Logins under attack: honest users' latency while many addresses guess passwords, and the server's memory.

    guard_attack.py BIN_FOLDER [--attempts 200000] [--addresses 50000] [--rounds 2000] [--tls]

Half of the addresses are real ones of the loopback range, half are told by the PROXY protocol. Each guesses some names
over IMAP in the clear, so that the load generator pays for guessing and not for TLS; with --tls the first half do it over
IMAPS, and compete for handshakes too. Two honest users, each from an address of his own, do a round every 50 ms, a
third one once a second:

    "visit":    connection with TLS, LOGIN, SELECT, FETCH of 20 messages, LOGOUT; each part is told as well
    "session":  SELECT and FETCH in one session over TLS that stays
    "newcomer": as a visit, but each from an address and a network where nobody has ever logged in: his password waits
                among those of the attackers, and he may be told to come again ("failed")

First they run until all is settled; then so many rounds with nobody else, then as long as the attack takes, then, when the
attackers' connections have ended, so many rounds again. All phases are measured in the same way. The quiet value is that
of both quiet phases together; each is told as well, and where they differ by much, the machine was not quiet.

Attackers and users would be on other machines, but share the processors with the server here. So the attackers run only
where nobody else wants to (SCHED_IDLE); what the kernel does for their packets is paid by all. The time of each round is
told as it was, and without what the user's own program waited for a processor ("without_own_waits"). Each phase says how
many processors were busy, and how many of them with what is no part of this benchmark ("others": more than 0.05 or so,
and the figures decide nothing). The last line is JSON.
"""
import argparse
import asyncio
import json
import multiprocessing
import os
import random
import socket
import ssl
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/e2e"))
options = argparse.ArgumentParser()
options.add_argument("bin")
options.add_argument("--attempts", type=int, default=200_000)
options.add_argument("--addresses", type=int, default=50_000)
options.add_argument("--rounds", type=int, default=2000)
options.add_argument("--tls", action="store_true")
ARGUMENTS = options.parse_args()
sys.argv[2:] = []
from harness import Server, message  # noqa: E402  (reads sys.argv)

VISITOR, RESIDENT = "127.255.0.1", "127.255.0.2"
CONNECTIONS = 4000  # of the attackers at once: their failing answers are delayed, up to 15 s each
PACE, PACE_OF_NEWCOMERS = 0.05, 1.0
SETTLED = 200  # rounds before the first that counts
TICK = os.sysconf("SC_CLK_TCK")


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(len(values) * q))] * 1000 if values else 0.0


def own_waits():
    """Seconds that this thread was ready to run and did not (Documentation/scheduler/sched-stats.rst)."""
    with open("/proc/thread-self/schedstat") as f:
        return int(f.read().split()[1]) / 1e9


class Client:
    def __init__(self, server, address, context):
        raw = socket.create_connection(("127.0.0.1", server.ports["imaps"]), 60, source_address=(address, 0))
        self.socket = context.wrap_socket(raw, server_hostname="localhost")
        self.lines = self.socket.makefile("rb")
        self.lines.readline()

    def command(self, text):
        self.socket.sendall(b"a " + text.encode() + b"\r\n")
        while not (line := self.lines.readline()).startswith(b"a "):
            if not line:
                raise OSError(f"the connection ended at {text.split()[0]}")
        if not line.startswith(b"a OK"):
            raise OSError(line.decode())

    def close(self):
        self.lines.close()
        self.socket.close()


class Visitor:
    """A round is a whole visit, and answers the seconds of its parts."""
    pace = PACE

    def __init__(self, server):
        self.server, self.context = server, server.trust()

    def address(self):
        return VISITOR

    def round(self):
        parts, at = {}, time.monotonic()

        def done(name):
            nonlocal at
            now = time.monotonic()
            parts[name], at = now - at, now
        client = Client(self.server, self.address(), self.context)
        done("connect")
        try:
            for name, text in (("login", 'LOGIN "alice@example.test" "correct horse"'), ("select", "SELECT INBOX"),
                               ("fetch", "FETCH 1:* (UID FLAGS)"), ("logout", "LOGOUT")):
                client.command(text)
                done(name)
        finally:
            client.close()
        return parts


class Newcomer(Visitor):
    pace, number = PACE_OF_NEWCOMERS, 0

    def address(self):
        self.number += 1
        return f"127.77.{self.number % 256}.{self.number // 256 + 1}"


class Resident:
    pace = PACE

    def __init__(self, server):
        self.client = Client(server, RESIDENT, server.trust())
        self.client.command('LOGIN "alice@example.test" "correct horse"')

    def round(self):
        self.client.command("SELECT INBOX")
        self.client.command("FETCH 1:* (UID FLAGS)")
        return {}


class Honest:
    """A user in a process of his own. begin() and end() bound a phase; end() answers its rounds as lists: seconds of each,
    of them those for a processor, and seconds by part; and how many failed."""

    def __init__(self, kind, server):
        self.mine, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(target=self.work, args=(kind, server, theirs), daemon=True)
        self.process.start()

    def work(self, kind, server, told):
        user, due = kind(server), time.monotonic()
        took, waited, parts, failed = [], [], {}, 0
        while True:
            if told.poll():
                if told.recv() == "begin":
                    took, waited, parts, failed = [], [], {}, 0
                else:
                    told.send((took, waited, parts, failed))
            due = max(due + kind.pace, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
            waits, begun = own_waits(), time.monotonic()
            try:
                for name, seconds in user.round().items():
                    parts.setdefault(name, []).append(seconds)
                took.append(time.monotonic() - begun)
                waited.append(own_waits() - waits)
            except OSError as why:
                if failed == 0 and kind is not Newcomer:
                    print(f"an honest user ({kind.__name__}) failed: {why}", file=sys.stderr)
                failed += 1
                if kind is Resident:
                    user = kind(server)

    def stop(self):
        self.process.terminate()
        self.process.join()

    def begin(self):
        self.mine.send("begin")

    def end(self):
        self.mine.send("end")
        return self.mine.recv()


def busy_seconds():
    """Of all processors: with programs, and with interrupts (of the loopback's packets too), which are nobody's."""
    with open("/proc/stat") as f:
        user, nice, system, _, _, irq, softirq, steal = (int(one) for one in f.readline().split()[1:9])
    return (user + nice + system + steal) / TICK, (irq + softirq) / TICK


def seconds_of(processes):
    total = 0
    for one in processes:
        with open(f"/proc/{one}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / TICK
    return total


def server_waits(server):
    """Seconds that the server's threads were ready to run and did not; those that hash strangers' passwords step back."""
    total = 0
    for task in os.listdir(f"/proc/{server.pid}/task"):
        try:
            with open(f"/proc/{server.pid}/task/{task}/schedstat") as f, open(f"/proc/{server.pid}/task/{task}/sched") as how:
                normal = any(line.startswith("policy") and line.split()[-1] == "0" for line in how)
                total += int(f.read().split()[1]) / 1e9 if normal else 0
        except FileNotFoundError:
            pass
    return total


class Phase:
    """What honest users see while run() goes on, and what the machine did."""

    def __init__(self, server, users, run):
        ours = [server.pid, os.getpid(), *(one.process.pid for one in users.values())]
        begun, own, waits = time.monotonic(), seconds_of(ours), server_waits(server)
        busy, interrupts = busy_seconds()
        of_server = seconds_of([server.pid])
        for one in users.values():
            one.begin()
        self.result, of_attackers = run()
        self.rounds = {name: one.end() for name, one in users.items()}
        self.seconds = time.monotonic() - begun
        known = seconds_of(ours) - own + of_attackers
        busy_at_end, interrupts_at_end = busy_seconds()
        busy, interrupts = busy_at_end - busy, interrupts_at_end - interrupts
        self.machine = {"seconds": round(self.seconds, 1), "busy_processors": round((busy + interrupts) / self.seconds, 2),
                        "interrupts": round(interrupts / self.seconds, 2),
                        "server": round((seconds_of([server.pid]) - of_server) / self.seconds, 3),
                        "others": round((busy - known) / self.seconds, 2),
                        "server_waits_per_s": round((server_waits(server) - waits) / self.seconds, 4),
                        "load": os.getloadavg()[0]}


def latencies(rounds):
    took, waited, parts, failed = rounds

    def of(values, *which):
        return {f"p{q:g}_ms": round(quantile(values, q / 100), 2) for q in which}
    return {"rounds": len(took), "failed": failed, **of(took, 50, 95, 99, 99.9), "max_ms": round(max(took, default=0) * 1000, 1),
            "without_own_waits": of([a - b for a, b in zip(took, waited)], 50, 99),
            **({"parts": {name: of(values, 50, 99) for name, values in parts.items()}} if parts else {})}


def together(*phases):
    """The rounds of several phases as one."""
    parts = {}
    for _, _, of, _ in phases:
        for name, values in of.items():
            parts.setdefault(name, []).extend(values)
    return sum((p[0] for p in phases), []), sum((p[1] for p in phases), []), parts, sum(p[3] for p in phases)


def proxy_header(source):
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + socket.inet_aton(source) + socket.inet_aton("127.0.0.1") + struct.pack(">HH", 1, 143)


async def guess(server, number, attempts, counts, tls):
    """One address's connections, up to so many attempts."""
    proxied = number % 2
    port, over = (server.ports["imaps"], tls) if tls and not proxied else (server.ports["imap"], None)
    source = socket.inet_ntoa(struct.pack(">I", ((10 << 24) if proxied else (127 << 24) + (1 << 16)) + number))
    while attempts > 0:
        reader = writer = None
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=("127.0.0.1" if proxied else source, 0), ssl=over)
            if proxied:
                writer.write(proxy_header(source))
            greeting = await reader.readline()
            if not greeting.startswith(b"* OK"):
                counts["turned away"] += 1
                attempts -= 1
                continue
            while attempts > 0:
                name = "alice" if random.random() < 0.02 else f"user{random.randrange(2000)}"
                writer.write(f'a LOGIN "{name}@example.test" "guess{random.random()}"\r\n'.encode())
                answer = await reader.readline()
                if not answer or answer.startswith(b"* BYE"):
                    break
                attempts -= 1
                counts["refused" if b"AUTHENTICATIONFAILED" in answer else "busy" if b"Logins are not" in answer else "other"] += 1
        except OSError:
            counts["failed connections"] += 1
            attempts -= 1
        finally:
            if writer:
                writer.close()


async def attack(server, counts):
    order = iter(random.sample(range(ARGUMENTS.addresses), ARGUMENTS.addresses))
    tls = None
    if ARGUMENTS.tls:
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    each = max(1, ARGUMENTS.attempts // ARGUMENTS.addresses)

    async def worker():
        for number in order:
            await guess(server, number, each, counts, tls)
    await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))


def attack_apart(server):
    """In a process of its own: the generator's work must not be what the honest users wait for. Counts, and seconds of
    processors."""
    mine, theirs = multiprocessing.Pipe()

    def run():
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        counts = dict.fromkeys(("refused", "busy", "turned away", "other", "failed connections"), 0)
        asyncio.run(attack(server, counts))
        theirs.send((counts, time.process_time()))
    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    told = mine.recv()
    process.join()
    return told


def main():
    def change(config):
        config["auth"] = {"without_tls": True}
        config["login_guard"] = {}
        config["listen"]["proxies"] = [{"networks": ["127.0.0.1"], "services": ["imap"]}]
        config["log"]["level"] = "warning"
        config["limits"] = {"connections": 100000, "connections_per_address": 100000}
    server = Server(change=change)
    server.domain("example.test")
    server.account("alice@example.test")
    for _ in range(20):
        server.deliver("friend@example.test", ["alice@example.test"], message("friend@example.test", "alice@example.test"))
    users = {"visit": Honest(Visitor, server), "session": Honest(Resident, server),
             "newcomer": Honest(Newcomer, server)}

    def quiet():
        time.sleep(ARGUMENTS.rounds * PACE)
        return None, 0
    time.sleep(SETTLED * PACE)
    phases = {"before": Phase(server, users, quiet)}
    memory = server.memory()
    phases["attack"] = Phase(server, users, lambda: attack_apart(server))
    after_attack = server.memory()
    time.sleep(SETTLED * PACE)
    phases["after"] = Phase(server, users, quiet)
    for one in users.values():
        one.stop()
    counts = phases["attack"].result
    figures = {
        "attempts": sum(counts.values()), "over_tls": ARGUMENTS.tls, "seconds": round(phases["attack"].seconds, 1), **counts,
        "bans": server.ask("status")["counters"].get("guard.bans", 0),
        "memory_before_mib": memory >> 20, "memory_after_mib": after_attack >> 20, "memory_peak_mib": server.memory("VmHWM") >> 20,
        "machine": {name: one.machine for name, one in phases.items()},
    }
    for user in users:
        of = {name: one.rounds[user] for name, one in phases.items()}
        of["quiet"] = together(of["before"], of["after"])
        told = {name: latencies(rounds) for name, rounds in of.items()}
        told["attack_to_quiet_p99"] = round(told["attack"]["p99_ms"] / told["quiet"]["p99_ms"], 2)
        told["attack_to_quiet_p99_without_own_waits"] = round(
            told["attack"]["without_own_waits"]["p99_ms"] / told["quiet"]["without_own_waits"]["p99_ms"], 2)
        figures[user] = told
    server.stop()
    print(json.dumps(figures, indent=1))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
