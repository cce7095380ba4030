#!/usr/bin/env python3
"""Logins under attack: one honest user's latency while many addresses guess passwords, and the server's memory.

    guard_attack.py BIN_FOLDER [ATTEMPTS [ADDRESSES]]        (200000 attempts from 50000 addresses)

Half of the addresses are real ones of the loopback range, half are told by the PROXY protocol. Each guesses some names
over IMAP in the clear, so that the load generator pays for guessing and not for TLS. The honest user works over IMAPS
from an address of his own: connection, login, SELECT, FETCH, LOGOUT, twenty times a second at most.

Attackers and user would be on other machines, but share the processors with the server here. So the attackers run only
where nobody else wants to (SCHED_IDLE); what the kernel does for their packets is paid by all. The time of each round is
told as it was, and without what the user's own program waited for a processor ("without_own_waits"). Quiet and under
attack are measured in the same way, in one run. The last line is JSON.
"""
import asyncio
import json
import multiprocessing
import os
import random
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/e2e"))
ATTEMPTS = int(sys.argv[2]) if len(sys.argv) > 2 else 200_000
ADDRESSES = int(sys.argv[3]) if len(sys.argv) > 3 else 50_000
sys.argv[2:] = []
from harness import Server, message  # noqa: E402  (reads sys.argv)

HONEST = "127.255.0.1"
CONNECTIONS = 4000  # of the attackers at once: their failing answers are delayed, up to 15 s each


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(len(values) * q))] * 1000 if values else 0.0


def own_waits():
    """Seconds that this thread was ready to run and did not (Documentation/scheduler/sched-stats.rst)."""
    with open("/proc/thread-self/schedstat") as f:
        return int(f.read().split()[1]) / 1e9


class Honest(threading.Thread):
    """Works until it is told to end; took[] holds the seconds of each round, waited[] those for a processor."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.took, self.waited, self.failed, self.ending = server, [], [], 0, False
        self.context = server.trust()

    def run(self):
        while not self.ending:
            waited, begun = own_waits(), time.monotonic()
            try:
                self.once()
                self.took.append(time.monotonic() - begun)
                self.waited.append(own_waits() - waited)
            except OSError as why:
                if self.failed == 0:
                    print("the honest user failed:", why, file=sys.stderr)
                self.failed += 1
            time.sleep(max(0.0, 0.05 - (time.monotonic() - begun)))

    def once(self):
        raw = socket.create_connection(("127.0.0.1", self.server.ports["imaps"]), 60, source_address=(HONEST, 0))
        with self.context.wrap_socket(raw, server_hostname="localhost") as client:
            lines = client.makefile("rb")
            lines.readline()
            for tag, command in (("a", 'LOGIN "alice@example.test" "correct horse"'), ("b", "SELECT INBOX"),
                                 ("c", "FETCH 1:* (UID FLAGS)"), ("d", "LOGOUT")):
                client.sendall(f"{tag} {command}\r\n".encode())
                while True:
                    line = lines.readline()
                    if not line:
                        raise OSError(f"the connection ended at {command.split()[0]}")
                    if line.startswith(tag.encode() + b" "):
                        if not line.startswith(tag.encode() + b" OK"):
                            raise OSError(line.decode())
                        break


def proxy_header(source):
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + socket.inet_aton(source) + socket.inet_aton("127.0.0.1") + struct.pack(">HH", 1, 143)


async def guess(server, number, attempts, counts):
    """One address's connections, up to so many attempts."""
    proxied = number % 2
    source = socket.inet_ntoa(struct.pack(">I", ((10 << 24) if proxied else (127 << 24) + (1 << 16)) + number))
    while attempts > 0:
        reader = writer = None
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", server.ports["imap"], local_addr=("127.0.0.1" if proxied else source, 0))
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
    order = iter(random.sample(range(ADDRESSES), ADDRESSES))
    each = max(1, ATTEMPTS // ADDRESSES)

    async def worker():
        for number in order:
            await guess(server, number, each, counts)
    await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))


def attack_apart(server):
    """In a process of its own: the generator's work must not be what the honest user waits for."""
    mine, theirs = multiprocessing.Pipe()

    def run():
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        counts = dict.fromkeys(("refused", "busy", "turned away", "other", "failed connections"), 0)
        asyncio.run(attack(server, counts))
        theirs.send(counts)
    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    counts = mine.recv()
    process.join()
    return counts


def latencies(name, user):
    without = [took - waited for took, waited in zip(user.took, user.waited)]
    return {f"{name}_{what}p{q}_ms": round(quantile(values, q / 100), 2)
            for what, values in (("", user.took), ("without_own_waits_", without)) for q in (50, 99)}


def measure(server, honest_for):
    user = Honest(server)
    user.start()
    result = honest_for()
    user.ending = True
    user.join(120)
    return user, result


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
    measure(server, lambda: time.sleep(1))
    quiet, _ = measure(server, lambda: time.sleep(20))
    memory = server.memory()
    begun = time.monotonic()
    busy, counts = measure(server, lambda: attack_apart(server))
    seconds = time.monotonic() - begun
    status = server.ask("status")["counters"]
    figures = {
        "attempts": sum(counts.values()), "seconds": round(seconds, 1), **counts,
        **latencies("quiet", quiet), **latencies("attack", busy),
        "quiet_rounds": len(quiet.took), "attack_rounds": len(busy.took), "honest_failures": busy.failed,
        "bans": status.get("guard.bans", 0), "memory_before_mib": memory >> 20, "memory_after_mib": server.memory() >> 20,
        "memory_peak_mib": server.memory("VmHWM") >> 20,
    }
    server.stop()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
