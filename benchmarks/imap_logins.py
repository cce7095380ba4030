#!/usr/bin/env python3
"""imap_logins.py DIR [--client PROGRAM] [--seconds 10] [--connections 1 8] [--out FILE]: what a login costs beyond the handshake.

DIR/ports.json and DIR/root.pid describe a server, as those of the side-by-side trial do (up-briefwerk.sh, …). Connections over
TLS with a login, with a NOOP instead (what any command more costs) and with neither, by the same client (benchmarks/logins), in
turns of a second each, so that all see the same machine. Rows for full handshakes and resumed sessions: connections a second,
processor time of all of the server's processes for each, and logins a second by the others' connections a second.
"""
import argparse
import json
import os
import pathlib
import subprocess

import processes

BUILT = pathlib.Path(__file__).resolve().parent.parent / "build/release/benchmarks/logins"
arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("dir")
arguments.add_argument("--client", default=str(BUILT))
arguments.add_argument("--seconds", type=float, default=10, help="for each row, in turns of one")
arguments.add_argument("--connections", type=int, nargs="+", default=[1, 8])
arguments.add_argument("--out")
options = arguments.parse_args()
with open(options.dir + "/ports.json", encoding="utf-8") as file:
    PORTS = json.load(file)
USERS = [pattern % number for number in range(1, PORTS["users"] + 1) for pattern in (PORTS["user_pattern"], PORTS["pass_pattern"])]


def tell(what, value, unit):
    line = json.dumps({"peer": PORTS["peer"], "what": f"imap.{what}", "value": value, "unit": unit})
    print(line, flush=True)
    if options.out:
        with open(options.out, "a", encoding="utf-8") as out:
            out.write(line + "\n")


def processor_time():
    """Of each of the server's processes, in seconds, with that of its children that ended and were waited for."""
    used = {}
    for pid in processes.below(options.dir):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                times = file.read().rsplit(")", 1)[1].split()[11:15]
            used[pid] = sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
        except OSError:
            pass
    return sum(used.values())


def turn(what, kind, connections):
    begun = processor_time()
    told = subprocess.run([options.client, PORTS["host"], str(PORTS["imaps"]), what, kind, str(connections), "1", *USERS],
                          check=True, capture_output=True, text=True).stdout.split()
    done, took, full, own = int(told[0]), float(told[1]), int(told[2]), float(told[3])
    if kind == "resumed" and full > done / 2:
        raise SystemExit(f"{full} of {done} handshakes were full: this server resumes no sessions")
    return done, took, processor_time() - begun, own


def main():
    for kind in ("full", "resumed"):
        for connections in options.connections:
            rates = {}
            turns = {"bare": [], "noop": [], "login": []}
            for _ in range(max(1, round(options.seconds))):
                for what, all_turns in turns.items():
                    all_turns.append(turn(what, kind, connections))
            for what, all_turns in turns.items():
                done, took, used, own = map(sum, zip(*all_turns))
                rates[what] = done / took
                tell(f"connections.{what}.{kind}.c{connections}", done / took, "1/s")
                tell(f"connections.{what}.{kind}.c{connections}.server_cpu", used / done * 1000, "ms")
                tell(f"connections.{what}.{kind}.c{connections}.client_cpu", own / done * 1000, "ms")
            for what in ("bare", "noop"):
                tell(f"connections.login_by_{what}.{kind}.c{connections}", rates["login"] / rates[what], "")


main()
