"""Scans for malware: briefwerk-scand with signatures made here, and Debian's clamd."""
import base64
import concurrent.futures
import datetime
import glob
import io
import json
import os
import pwd
import random
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import threading
import time
import zipfile

from harness import (BIN, Server, Skipped, _die_with_parent, bodies, check, equal, free_ports, main, message, need, that, wait_for,
                     wait_for_mail)
from malware import (EICAR, OWN, empty_database, fill_database, locked, nested, tar_gz, write_signatures, zipped)


def server(virus=None, folder=None, start=True, wait=True, user=None, **more):
    if not os.access(f"{BIN}/briefwerk-scand", os.X_OK):
        raise Skipped("briefwerk-scand was not built")
    if not folder:
        folder = empty_database()
        fill_database(folder)
    host = Server(start=start, user=user, change=lambda c: c.update(
        filter={"virus": {"scanner": "started", "database": folder, "check_seconds": 1, **(virus or {})}}, **more))
    host.database = folder
    host.domain("example.org")
    host.account("alice@example.org")
    if start and wait:
        wait_for("the scanner", lambda: "signatures loaded" in host.log())
    return host


def send(host, text, sender="bob@far.example", to="alice@example.org"):
    """The reply that decided: code and text."""
    with host.smtp() as one:
        one.mail(sender)
        one.rcpt(to)
        code, said = one.data(text if isinstance(text, bytes) else text.encode())
        return code, said.decode()


def attached(name, octets, kind="application/octet-stream", encoding="base64"):
    lines = base64.encodebytes(octets).replace(b"\n", b"\r\n") if encoding == "base64" else octets
    return (f"X-First: of the header\r\nFrom: bob@far.example\r\nSubject: papers\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: multipart/mixed; boundary=b{len(octets)}\r\n\r\n"
            f"--b{len(octets)}\r\nContent-Type: text/plain\r\n\r\nHello\r\n\r\nFrom here on\r\n\r\n--b{len(octets)}\r\n"
            f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n"
            f"Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n").encode() + lines + f"\r\n--b{len(octets)}--\r\n".encode()


INFECTED = {
    "plain": message("a@b.example", "c").encode() + EICAR + b"\r\n",
    "base64": attached("a.com", EICAR),
    "nested zip": attached("a.zip", nested(zipped(("e.com", EICAR)), 3)),
    "tar.gz": attached("a.tar.gz", tar_gz("e.com", EICAR)),
    "in an attached message": attached("a.eml", attached("a.zip", zipped(("e.com", EICAR))), "message/rfc822", "7bit"),
    "an own string in a zip": attached("a.zip", zipped(("a.txt", b"some " + OWN + b" text"))),
}


def processes(host):
    """Process ids of the scanner's parts: itself, the parents of workers, the workers."""
    parts, found = {}, [[host.pid]]
    for name in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(name) as f:
                text = f.read()
        except OSError:
            continue
        after = text.rsplit(")", 1)[1].split()
        if "briefwerk-scand" in text and after[0] != "Z":
            parts.setdefault(int(after[1]), []).append(int(text.split()[0]))
    for _ in range(3):
        found.append([child for parent in found[-1] for child in parts.get(parent, [])])
    return found[1:]


def children(process):
    with open(f"/proc/{process}/task/{process}/children") as f:
        return [int(one) for one in f.read().split()]


def uids(process):
    with open(f"/proc/{process}/status") as f:
        return {int(one) for line in f if line.startswith("Uid:") for one in line.split()[1:]}


def left_behind(host):
    return [name for name in glob.glob(host.dir + "/data/scan/temporary/**", recursive=True) if os.path.isfile(name)]


def kill(process):
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pass


@check
def malware_is_found_wherever_it_hides():
    host = server()
    equal(send(host, message("a@b.example", "c"))[0], 250, "a harmless message")
    equal(send(host, attached("a.zip", zipped(("a.txt", b"Hello" * 1000))))[0], 250, "a harmless archive")
    for why, text in INFECTED.items():
        code, said = send(host, text)
        that(code == 554 and said.startswith("5.7.0") and ".UNOFFICIAL" in said, f"{why}: {code} {said}")
    equal(len(bodies(host.imap("alice@example.org"))), 2, "only harmless mail was delivered")
    told = [e for e in map(json.loads, host.log().splitlines()) if e["event"] == "filter.verdict"]
    equal({(e["stage"], e["action"], e["from"]) for e in told}, {("virus", "reject", "bob@far.example")}, "what is logged")
    that("papers" not in host.log() and "a.zip" not in host.log(), "no content in the log")
    wait_for("the files of scans to go", lambda: not left_behind(host))

    path = host.dir + "/message"
    with open(path, "wb") as f:
        f.write(INFECTED["nested zip"])
    for _ in range(2):  # by the server, then without one
        said = host.ask("filter", "test", path, "--from", "bob@far.example", "--to", "alice@example.org")["files"][0]
        equal(said["verdict"]["action"], "reject" if host.process else "defer", "explained")
        host.stop()
    wait_for("the scanner's end", lambda: not os.path.exists(host.dir + "/data/scan/temporary"))
    equal(os.listdir(host.dir + "/data/scan"), [], "what is left")


@check
def workers_are_confined():
    host = server({"workers": 2})
    def confined():
        workers = processes(host)[2]
        try:
            return len(workers) == 2 and all("Seccomp:\t2" in open(f"/proc/{one}/status").read() for one in workers) and workers
        except FileNotFoundError:
            return None
    for one in wait_for("two workers, confined", confined):
        with open(f"/proc/{one}/status") as f:
            status = f.read()
        that("Seccomp:\t2" in status and "NoNewPrivs:\t1" in status, "a filter of system calls, and no new rights")
        equal([os.readlink(name).split(":")[0] for name in sorted(glob.glob(f"/proc/{one}/fd/*"))], ["/dev/null"] * 3 + ["socket"], "open files")
    equal(os.stat(host.dir + "/data/scan").st_mode & 0o777, 0o700, "who may ask the scanner")


@check
def a_user_of_its_own():
    if os.geteuid() != 0:
        raise Skipped("only root can start a program as another user")
    own, server_user = pwd.getpwnam("nobody"), pwd.getpwnam("games")
    folder = tempfile.mkdtemp(prefix="briefwerk-e2e-scan-")
    os.chmod(folder, 0o755)
    host = server({"user": "nobody", "socket": folder + "/scan/socket"}, start=False, user="games")
    host.start()
    wait_for("the scanner", lambda: "signatures loaded" in host.log())
    for _ in range(2):
        equal(send(host, INFECTED["nested zip"])[0], 554, "found")
        starter = children(host.pid)
        that(len(starter) == 1, f"one child: {starter}")
        scanner = children(starter[0])[0]
        parts = [scanner, *children(scanner), *(each for one in children(scanner) for each in children(one))]
        equal([uids(one) for one in parts], [{own.pw_uid}] * len(parts), "whose processes scan")
        equal((uids(starter[0]), uids(host.pid)), ({0}, {server_user.pw_uid}), "who starts them, and the server")
        kill(scanner)
        wait_for("the next scanner", lambda: children(starter[0]) not in ([], [scanner]) and host.log().count("signatures loaded") > 1)
    host.stop()
    wait_for("the end of all", lambda: not any(os.path.exists(f"/proc/{one}") for one in [starter[0], *parts]))


@check
def users_and_quarantine():
    host = server({"infected": "quarantine"}, administrator="admin@example.org")
    host.account("admin@example.org")
    equal(send(host, INFECTED["base64"])[0], 250, "kept apart")
    equal([one["reason"] for one in host.ask("quarantine", "list")["items"]], ["infected: Eicar-Body.UNOFFICIAL"], "in quarantine")
    equal(bodies(host.imap("alice@example.org")), [], "not delivered")
    with host.submit("alice@example.org") as user:
        for _ in range(2):
            try:
                user.sendmail("alice@example.org", ["far@elsewhere.example"], INFECTED["base64"].replace(b"bob@far.example", b"alice@example.org"))
                raise AssertionError("malware of a user was taken")
            except smtplib.SMTPDataError as refused:
                equal((refused.smtp_code, b"contains malware" in refused.smtp_error), (554, True), "what the user hears")
    wait_for_mail(host, "admin@example.org", lambda text: b"Malware refused: alice@example.org" in text and b"Eicar-Body" in text)
    time.sleep(0.5)
    equal(len(bodies(host.imap("admin@example.org"))), 1, "one notice for both")


@check
def what_cannot_be_looked_into():
    closed = attached("a.zip", locked(zipped(("a.txt", b"Hello" * 100))))
    host = server()
    equal(send(host, closed)[0], 250, "encrypted")
    that(b"X-Virus-Status: encrypted: Heuristics.Encrypted.Zip" in bodies(host.imap("alice@example.org"))[0], "it says so")
    host.stop()
    host.config["filter"]["virus"].update(encrypted="reject", too_large="defer", size=65536)
    host.write_config()
    host.start()
    code, said = send(host, closed)
    that(code == 554 and "Encrypted" in said, f"encrypted, not wanted: {code} {said}")
    code, said = send(host, message("a@b.example", "c", body="x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 1000))
    that(code == 451 and said.startswith("4.7.1"), f"too large: {code} {said}")


@check
def bombs_end():
    host = server({"unpacked": 64 << 20, "files": 2000, "depth": 10, "seconds": 20, "memory": 1 << 30, "workers": 1})
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for i in range(5000):
            archive.writestr(str(i), str(i))
    wide = io.BytesIO()
    with zipfile.ZipFile(wide, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(16):  # all different: a scanner looks at the same file once
            archive.writestr(f"{i}.zip", zipped(("zeros", bytes(32 << 20) + bytes([i]))))
    bombs = {"zeros in a zip in a zip": nested(bytes(512 << 20), 2), "many files": many.getvalue(),
             "512 MiB side by side": wide.getvalue(), "deeper than anybody looks": nested(b"x" * 5000, 40)}
    for why, octets in bombs.items():
        began = time.monotonic()
        code, said = send(host, attached("a.zip", octets))
        that(code in (554, 451), f"{why}: {code} {said}")
        that(time.monotonic() - began < 50, f"{why} is bounded in time")
        equal(send(host, message("a@b.example", "c"))[0], 250, f"a harmless message after {why}")
    for one in processes(host)[2]:
        with open(f"/proc/{one}/status") as f:
            most = int(f.read().split("VmHWM:")[1].split()[0])
        that(most < (1 << 20), f"a worker took {most} KiB")
    wait_for("the files of scans to go", lambda: not left_behind(host))


@check
def scanners_killed_in_the_middle():
    host = server({"workers": 3, "wait_seconds": 20})
    over = threading.Event()

    def murder():
        dice = random.Random(1)
        for turn in range(60):
            if over.wait(0.1):
                return
            scanner, parents, workers = processes(host)
            group = scanner if turn == 40 else parents if turn % 15 == 10 else workers
            if group:
                kill(dice.choice(group))
    killer = threading.Thread(target=murder)
    killer.start()
    kinds = list(INFECTED.values())
    texts = [kinds[i % len(kinds)] if i % 2 else attached("a.zip", zipped(("a.txt", str(i).encode() * 20000))) for i in range(120)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda text: send(host, text)[0], texts))
    over.set()
    killer.join()
    bad, good = replies[1::2], replies[::2]
    that(set(bad) <= {554, 451} and set(good) <= {250, 451}, f"replies: infected {set(bad)}, harmless {set(good)}")
    delivered = bodies(host.imap("alice@example.org"))
    equal(len(delivered), good.count(250), "delivered is what was taken")
    that("a worker was ended by signal 9" in host.log() or "scanner.ended" in host.log(), "some were killed")
    print(f"         of 60 harmless {good.count(250)} delivered, {good.count(451)} deferred; of 60 infected {bad.count(554)} refused, {bad.count(451)} deferred")
    wait_for("the scanner to be back", lambda: send(host, message("a@b.example", "c"))[0] == 250, 60)
    equal(send(host, INFECTED["plain"])[0], 554, "and it scans")
    wait_for("the files of scans to go", lambda: not left_behind(host))


@check
def a_worker_that_hangs_is_replaced():
    host = server({"workers": 1, "seconds": 3, "wait_seconds": 15})
    worker = wait_for("the worker", lambda: processes(host)[2])[0]
    heavy = attached("a.zip", nested(bytes(600 << 20), 1))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        ticks = lambda: int(open(f"/proc/{worker}/stat").read().rsplit(")", 1)[1].split()[11])
        before = ticks()
        reply = pool.submit(send, host, heavy)
        wait_for("the scan to begin", lambda: ticks() > before, pause=0.005)
        os.kill(worker, signal.SIGSTOP)
        that(reply.result(60)[0] in (451, 554), "not delivered")
    wait_for("the end of the one that hangs", lambda: "a scan took too long and was ended" in host.log())
    equal(send(host, message("a@b.example", "c"))[0], 250, "another one works")
    that(worker not in processes(host)[2], "it is another one")


@check
def no_scanner():
    host = server({"program": "/bin/false"}, wait=False)
    code, said = send(host, message("a@b.example", "c"))
    that(code == 451 and said.startswith("4.7.1"), f"without a scanner: {code} {said}")
    wait_for("further attempts to start it", lambda: host.log().count("scanner.started") >= 4)
    at = [datetime.datetime.fromisoformat(e["time"]) for e in map(json.loads, host.log().splitlines()) if e["event"] == "scanner.started"]
    gaps = [(later - one).total_seconds() for one, later in zip(at, at[1:4])]
    that(all(gap > pause - 0.1 for gap, pause in zip(gaps, (0.5, 1, 2))), f"each pause is twice as long: {gaps}")
    host.stop()
    host.config["filter"]["virus"]["failure"] = "pass"
    host.write_config()
    host.start()
    equal(send(host, message("a@b.example", "c"))[0], 250, "where the configuration lets it pass")


@check
def signatures_change_under_load():
    empty = empty_database()
    host = server({"wait_seconds": 15}, folder=empty, wait=False)
    wait_for("word of the missing database", lambda: "cannot be loaded" in host.log())
    write_signatures(empty, "own.ndb", {"Own-String": OWN})
    wait_for("the database", lambda: "signatures loaded" in host.log())
    fresh = message("a@b.example", "c").encode() + b"found only by what comes later\r\n"
    equal(send(host, fresh)[0], 250, "not known yet")
    over, replies = threading.Event(), []

    def go_on():
        while not over.is_set():
            replies.append(send(host, message("a@b.example", "c"))[0])
    threads = [threading.Thread(target=go_on) for _ in range(3)]
    for one in threads:
        one.start()
    first = processes(host)[1]
    for turn in range(3):
        later = b"found only by what comes later" + (b" %d" % turn if turn < 2 else b"")
        write_signatures(empty, "more.ndb", {"Later-String": later})
        wait_for("the new database", lambda: host.log().count("signatures loaded") >= 2 + turn)
    wait_for("the old ones to go", lambda: len(processes(host)[1]) == 1 and processes(host)[1] != first)
    code = send(host, fresh)[0]
    over.set()
    for one in threads:
        one.join()
    equal(code, 554, "known now")
    equal((set(replies), len(replies) > 10), ({250}, True), "no scan was lost meanwhile")


class Clamd:
    """Debian's, on a socket in a folder of its own and on a port of loopback."""

    def __init__(self, database):
        need("clamd")
        self.folder, self.port = tempfile.mkdtemp(prefix="briefwerk-e2e-clamd-"), free_ports(1)[0]
        self.socket = self.folder + "/socket"
        with open(self.folder + "/clamd.conf", "w") as f:
            f.write(f"Foreground yes\nLocalSocket {self.socket}\nTCPSocket {self.port}\nTCPAddr 127.0.0.1\nDatabaseDirectory {database}\n"
                    f"TemporaryDirectory {self.folder}\nStreamMaxLength 1M\nAlertEncrypted yes\nAlertExceedsMax yes\nPidFile {self.folder}/pid\n")
        self.process = subprocess.Popen(
            [shutil.which("clamd", path="/usr/sbin:/usr/bin"), "-c", self.folder + "/clamd.conf"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=_die_with_parent)

    def __enter__(self):
        wait_for("clamd", lambda: os.path.exists(self.socket), 60)
        return self

    def __exit__(self, *_):
        self.end()
        shutil.rmtree(self.folder)

    def end(self):
        self.process.kill()
        self.process.wait()


class Between:
    """Passes on to clamd what comes on a socket of its own, or, while it hangs, takes it and stays silent."""

    def __init__(self, clamd):
        self.behind, self.path = clamd.socket, clamd.folder + "/between"
        self.hangs, self.asked = False, 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(50)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    @staticmethod
    def answer(behind, client):
        try:
            while said := behind.recv(4096):
                client.sendall(said)
        except OSError:
            pass  # serve() has ended

    def serve(self, client):
        self.asked += 1
        silent = self.hangs
        with client, socket.socket(socket.AF_UNIX) as behind:
            if not silent:
                behind.connect(self.behind)
                threading.Thread(target=self.answer, args=(behind, client), daemon=True).start()
            while some := client.recv(65536):
                if not silent:
                    behind.sendall(some)


@check
def a_clamd_that_hangs():
    host = server(start=False)
    with Clamd(host.database) as clamd:
        between = Between(clamd)
        virus = {"scanner": "clamd", "socket": between.path, "seconds": 2, "wait_seconds": 1, "time_outs": 2, "pause_seconds": 4}
        host.config["filter"]["virus"] = virus
        host.write_config()
        host.start()

        def timed(text=None):
            began = time.monotonic()
            code, said = send(host, text or message("a@b.example", "c"))
            return code, said, time.monotonic() - began
        equal((timed()[0], timed(INFECTED["base64"])[0]), (250, 554), "it answers")
        between.hangs = True
        for turn in range(2):
            code, _, seconds = timed()
            that(code == 451 and seconds > 2.5, f"{turn}: {code} after {seconds:.1f} s")
        asked = between.asked
        for text in (None, INFECTED["base64"], *[None] * 8):
            code, said, seconds = timed(text)
            that(code == 451 and said.startswith("4.7.1") and seconds < 2, f"during the pause: {code} {said} after {seconds:.1f} s")
        equal(between.asked, asked, "nobody asked it meanwhile")
        told = [e for e in map(json.loads, host.log().splitlines()) if e["event"] == "filter.hangs"]
        equal([(e["stage"], e["seconds"]) for e in told], [("virus", 4)], "what is logged of the pause")
        that(host.log().count("not scanned: the scanner hangs") == 10, "each message that was not scanned is logged")
        counters = host.ask("status")["counters"]
        equal((counters["filter.virus.hangs"], counters["filter.virus.skipped"]), (1, 10), "counters")
        between.hangs = False
        wait_for("the next one that is asked", lambda: timed()[0] == 250, 30)
        equal(timed(INFECTED["base64"])[0], 554, "and it finds")
        that("filter.answers_again" in host.log(), "the log says so")
        host.stop()

        virus.update(failure="pass", pause_seconds=600)
        host.write_config()
        host.start()
        between.hangs = True
        for turn in range(3):
            code, _, seconds = timed()
            equal((code, seconds < 2.5), (250, turn == 2), f"where the configuration lets it pass, {turn}: {seconds:.1f} s")
        host.stop()
        virus.update(time_outs=0)
        host.write_config()
        said = subprocess.run([f"{BIN}/briefwerkd", "--check", "--config", host.config_file], capture_output=True, text=True, check=False)
        that(said.returncode != 0 and "/filter/virus/time_outs" in said.stdout + said.stderr, f"the check: {said}")


@check
def clamd_instead():
    host = server(start=False)
    with Clamd(host.database) as clamd:
        folder, port = clamd.folder, clamd.port
        for where in ({"socket": folder + "/socket"}, {"address": f"127.0.0.1:{port}"}):
            host.config["filter"]["virus"] = {"scanner": "clamd", **where}
            host.write_config()
            host.start()
            before = len(bodies(host.imap("alice@example.org")))
            equal(send(host, message("a@b.example", "c"))[0], 250, f"a harmless message, {where}")
            for why, text in INFECTED.items():
                equal(send(host, text)[0], 554, f"{why}, {where}")
            equal(send(host, attached("a.zip", locked(zipped(("a.txt", b"Hello" * 100)))))[0], 250, "encrypted")
            that(b"X-Virus-Status: encrypted" in bodies(host.imap("alice@example.org"))[before + 1], "it says so")
            code, said = send(host, attached("a.bin", os.urandom(3 << 20)))
            that(code == 554 and "too large" in said, f"more than clamd takes: {code} {said}")
            host.stop()
        for where in ({"address": f"127.0.0.1:{port}"}, {"socket": folder + "/socket"}):
            host.config["filter"]["virus"] = {"scanner": "clamd", **where}
            host.write_config()
            host.start()
            clamd.end()
            equal(send(host, message("a@b.example", "c"))[0], 451, f"without clamd, {where}")
            host.stop()


main()
