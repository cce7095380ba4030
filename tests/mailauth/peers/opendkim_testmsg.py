#!/usr/bin/env python3
"""DKIM with opendkim-testmsg, which asks the machine's own DNS: in a network of its own, where nsd is that DNS. What we
sign it verifies. It signs with rsa-sha1 only, which never passes here (RFC 8301): dkim_others.py has OpenDKIM's other
algorithm. Needs opendkim-tools, nsd, iproute2 and root; says so where it cannot run.

    opendkim_testmsg.py PEER [MESSAGES]     PEER: the program built from dkim_world.cpp
"""
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from dkim_others import CANONICAL, DOMAIN, Peer, completed, odd_message

TOOL = "/usr/sbin/opendkim-testmsg"
INSIDE = "BRIEFWERK_OWN_NETWORK"


def serve_names(folder, records):
    with open(f"{folder}/zone", "w") as f:
        f.write(f"$ORIGIN {DOMAIN}.\n$TTL 0\n@ SOA ns root 1 60 60 60 0\n@ NS ns\nns A 127.0.0.1\n")
        for name, text in records.items():
            f.write(f"{name}. TXT " + " ".join(f'"{text[at:at + 250]}"' for at in range(0, len(text), 250)) + "\n")
    with open(f"{folder}/nsd.conf", "w") as f:
        f.write(f'server:\n  ip-address: 127.0.0.1\n  username: ""\n  chroot: ""\n  zonesdir: "{folder}"\n  database: ""\n'
                f'  pidfile: "{folder}/nsd.pid"\n  xfrdfile: "{folder}/xfrd"\n  zonelistfile: "{folder}/zones"\n'
                f'  logfile: "{folder}/nsd.log"\n  server-count: 1\nremote-control:\n  control-enable: no\n'
                f'zone:\n  name: {DOMAIN}\n  zonefile: zone\n')
    with open(f"{folder}/resolv.conf", "w") as f:
        f.write("nameserver 127.0.0.1\n")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "--bind", f"{folder}/resolv.conf", "/etc/resolv.conf"], check=True)
    return subprocess.Popen(["/usr/sbin/nsd", "-d", "-c", f"{folder}/nsd.conf"], stdin=subprocess.DEVNULL)


def tool(message, *arguments):
    """Exit code and output."""
    done = subprocess.run([TOOL, *arguments], input=message, capture_output=True)
    return done.returncode, done.stdout + done.stderr


def check(program, count):
    rng = random.Random(8463)
    peer = Peer(program)
    checks, failures = 0, []

    def expect(what, index, answer):
        nonlocal checks
        checks += 1
        if answer is not True:
            failures.append(f"{what}, message {index}: {answer}")

    with tempfile.TemporaryDirectory() as folder:
        name = f"rsa._domainkey.{DOMAIN}"
        record = peer.ask("key", "rsa", f"{folder}/rsa.pem", "rsa")
        peer.ask("key", "ed25519", f"{folder}/ed.pem", "ed")  # signs beside it; OpenDKIM does not know the algorithm
        assert peer.ask("record", name, record) == "ok"
        names = serve_names(folder, {name: record})
        try:
            signed = b""
            for index in range(count):
                message = completed(odd_message(rng))
                with open(f"{folder}/in.eml", "wb") as f:
                    f.write(message)
                for header, body in CANONICAL:
                    assert peer.ask("sign", header, body, DOMAIN, f"{folder}/in.eml", f"{folder}/out.eml", f"{folder}/ed.eml") == "ok"
                    with open(f"{folder}/out.eml", "rb") as f:
                        signed = f.read()
                    end = time.monotonic() + 5
                    answer = tool(signed)
                    while answer != (0, b"") and index == 0 and time.monotonic() < end:  # nsd starts
                        answer = tool(signed)
                    expect(f"ours {header}/{body}, opendkim-testmsg", index, answer == (0, b"") or answer)
                code, theirs = tool(message, "-C", "-d", DOMAIN, "-s", "rsa", "-k", f"{folder}/rsa.pem")
                assert code == 0, theirs
                with open(f"{folder}/theirs.eml", "wb") as f:
                    f.write(theirs)
                answer = peer.ask("verify", f"{folder}/theirs.eml")
                expect("opendkim-testmsg's, ours", index, answer.startswith("policy: rsa-sha1") or answer)
            altered = signed + b"more\r\n"
            expect("an altered message", count, tool(altered)[1] != b"" or "passed")
        finally:
            names.send_signal(signal.SIGTERM)
            names.wait(10)
    peer.process.stdin.close()
    peer.process.wait()
    print(*failures[:40], sep="\n")
    print(f"{count} messages, {checks} checks, {len(failures)} failures")
    return 1 if failures else 0


def main():
    program, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100
    if os.environ.get(INSIDE):
        return check(program, count)
    if not os.path.exists(TOOL) or not shutil.which("ip"):
        print("skipped: opendkim-tools or iproute2 is not installed")
        return 0
    own = ["unshare", "--net", "--mount"]
    if subprocess.run([*own, "true"], capture_output=True).returncode != 0:
        print("skipped: may not make a network of its own (needs root)")
        return 0
    return subprocess.run([*own, sys.executable, *sys.argv], env={**os.environ, INSIDE: "1"}).returncode


if __name__ == "__main__":
    sys.exit(main())
