"""briefwerk-scand by itself, with libclamav and signatures made here: what it finds, what bombs and hostile clients cost,
what is lost when workers die or signatures change, and what remains on disk.
"""
import array
import base64
import bz2
import fcntl
import glob
import grp
import gzip
import io
import os
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import zipfile
import zlib

from harness import BIN, Skipped, _die_with_parent, check, equal, main, that, wait_for
from malware import EICAR, OWN, fill_database, locked, nested, tar_gz, write_signatures, zipped

PREFACE = b"Received: from localhost\r\n"  # briefwerk/filter/scan_wire.hpp
CLEAN, INFECTED, TOO_LARGE, ENCRYPTED, FAILED, GONE = "clean", "infected", "too_large", "encrypted", "failed", "gone"
OUTCOMES = (CLEAN, INFECTED, TOO_LARGE, ENCRYPTED, FAILED)
SEALED = 0x1 | 0x2 | 0x4 | 0x8  # F_SEAL_SEAL, SHRINK, GROW, WRITE
IDLE_FILES = 4  # of a worker: /dev/null three times, the socket
TESTFILES = "/usr/share/clamav-testfiles"


class Scanner:
    def __init__(self, *more, start=True):
        if not os.path.exists(f"{BIN}/briefwerk-scand"):
            raise Skipped("briefwerk-scand is not built")
        self.dir = tempfile.mkdtemp(prefix="briefwerk-e2e-scand-")
        self.socket, self.database, self.temporary = (f"{self.dir}/{n}" for n in ("socket", "database", "temporary"))
        os.mkdir(self.database)
        self.more = more
        self.count = int(more[more.index("--workers") + 1]) if "--workers" in more else 2
        self.process = None
        fill_database(self.database)
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def signatures(self, name, strings):
        write_signatures(self.database, name, strings)

    def start(self):
        with open(f"{self.dir}/out", "ab") as out:
            self.process = subprocess.Popen(
                [f"{BIN}/briefwerk-scand", "--socket", self.socket, "--database", self.database, "--temporary",
                 self.temporary, "--check-seconds", "1", *self.more], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                preexec_fn=_die_with_parent)
        wait_for("the first scan", lambda: self.scan(b"Subject: x\r\n\r\nHello\r\n")[0] == CLEAN)

    def said(self):
        with open(f"{self.dir}/out") as f:
            return f.read()

    def scan(self, octets, timeout=60):
        """Outcome and text."""
        octets = PREFACE + octets
        file = os.memfd_create("message", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with os.fdopen(os.dup(file), "wb") as f:
                f.write(octets)
            fcntl.fcntl(file, 1033, SEALED)  # F_ADD_SEALS
            return self.ask(b"BWQ1\0\0\0\0" + struct.pack("<Q", len(octets)), [file], timeout)
        finally:
            os.close(file)

    def ask(self, packet, files, timeout=20):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(timeout)
            try:
                s.connect(self.socket)
                s.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else [])
                said = s.recv(600)
            except (ConnectionError, FileNotFoundError):
                return GONE, ""
        if not said:
            return GONE, ""
        that(said.startswith(b"BWA1") and len(said) == 6 + said[5], f"not an answer: {said}")
        return OUTCOMES[said[4]], said[6:].decode("ascii")

    def children(self, process=None):
        with open(f"/proc/{process or self.process.pid}/task/{process or self.process.pid}/children") as f:
            return [int(one) for one in f.read().split()]

    def workers(self):
        found = []
        for parent in self.children():
            try:
                found += self.children(parent)
            except FileNotFoundError:
                pass
        return found

    def settled(self):
        """The workers, once all of them are confined and none has a request."""
        return wait_for("all workers", lambda: len(all_ := self.workers()) == self.count and all(map(is_idle, all_)) and all_)

    def left(self):
        """Files below the private folder; the workers' own folders do not count."""
        return [name for name in glob.glob(f"{self.temporary}/**", recursive=True) if not os.path.isdir(name)]

    def stop(self):
        self.process.terminate()
        code = self.process.wait(20)
        self.process = None
        return code


def status_of(process):
    with open(f"/proc/{process}/status") as f:
        return f.read()


def open_files(process):
    return len(os.listdir(f"/proc/{process}/fd"))


def is_asleep(process):
    return re.search(r"State:\s+S", status_of(process))


def is_idle(worker):
    try:
        return open_files(worker) == IDLE_FILES and re.search(r"Seccomp:\s+2", status_of(worker)) and is_asleep(worker)
    except FileNotFoundError:
        return False


def attached(*parts):
    """A message with these files: name, octets."""
    text = ("From: bob@far.example\r\nSubject: papers\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n")
    for name, octets in parts:
        lines = base64.encodebytes(octets).decode().replace("\n", "\r\n")
        text += (f"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
                 f"Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n{lines}\r\n")
    return (text + "--b--\r\n").encode()


def inside_message(octets):
    return (b"From: eve@far.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n"
            b"Content-Type: message/rfc822\r\n\r\n" + octets + b"\r\n--q--\r\n")


@check
def what_is_found():
    rows = [
        ("nothing", b"Subject: x\r\n\r\nHello\r\n", CLEAN),
        ("an innocent archive", attached(("a.zip", zipped(("x.txt", b"hello" * 1000)))), CLEAN),
        ("EICAR in the text", b"Subject: x\r\n\r\n" + EICAR + b"\r\n", INFECTED),
        ("EICAR in base64", attached(("e.com", EICAR)), INFECTED),
        ("EICAR in the second of two attachments", attached(("a.txt", b"hello"), ("e.com", EICAR)), INFECTED),
        ("EICAR in a zip in a zip in a zip", attached(("a.zip", nested(zipped(("e.com", EICAR)), 2))), INFECTED),
        ("EICAR in a tar.gz", attached(("a.tgz", tar_gz("e.com", EICAR))), INFECTED),
        ("EICAR in an attached message", inside_message(attached(("e.com", EICAR))), INFECTED),
        ("EICAR in a zip in an attached message", inside_message(attached(("e.zip", zipped(("e.com", EICAR))))), INFECTED),
        ("our own signature, with a header field of our own in front", b"X-Own: 1\r\n" + attached(("a.txt", OWN)), INFECTED),
        ("a line of a body that begins as an mbox does",
         attached(("e.com", EICAR)).replace(b"Hello\r\n", b"\r\nFrom x@y Thu Jan  1\r\n\r\nHello\r\n"), INFECTED),
        ("an archive with a password", attached(("a.zip", locked(zipped(("x.txt", b"hello"))))), ENCRYPTED),
        # What cannot be looked into must not end the look at the rest.
        ("EICAR behind an archive with a password", attached(("a.zip", locked(zipped(("x", b"y")))), ("e.com", EICAR)), INFECTED),
        ("EICAR in front of one", attached(("e.com", EICAR), ("a.zip", locked(zipped(("x", b"y"))))), INFECTED),
        ("EICAR beside one in an archive",
         attached(("a.zip", zipped(("l.zip", locked(zipped(("x", b"y")))), ("e.com", EICAR)))), INFECTED),
        ("not a message at all", os.urandom(50000), CLEAN),
        ("empty", b"", CLEAN),
    ]
    with Scanner() as scanner:
        for why, octets, expected in rows:
            outcome, text = scanner.scan(octets)
            equal(outcome, expected, f"{why} ({text})")
            if expected == INFECTED:
                that(text.startswith(("Eicar-", "Own-String")), f"{why}: {text}")
        equal(scanner.left(), [], "files left")


@check
def test_files_of_debian():
    if not os.path.isdir(TESTFILES):
        raise Skipped("clamav-testfiles is not installed")
    with Scanner() as scanner:
        with open(f"{TESTFILES}/clam.exe", "rb") as f:
            program = f.read()
        # What all of them hold, packed or not.
        scanner.signatures("second.ndb", {"Test-File": program[0x100:0x1a0]})
        wait_for("the new signatures", lambda: scanner.scan(attached(("clam.exe", program)))[0] == INFECTED)
        wait_for("the end of the workers that do not know them", lambda: len(scanner.children()) == 1)
        others = []
        for name in sorted(os.listdir(TESTFILES)):
            with open(f"{TESTFILES}/{name}", "rb") as f:
                outcome, text = scanner.scan(attached((name, f.read())))
            if outcome != INFECTED or not text.startswith("Test-File"):
                others.append((name, outcome))
        # More archives in each other than it looks into: not found, but not clean either.
        equal(others, [("clam_cache_emax.tgz", TOO_LARGE)], "files in which it is not found")
        equal(scanner.left(), [], "files left")


class Bits:
    """As DEFLATE puts them: numbers from their lowest bit, codes from their highest (RFC 1951 §3.1.1)."""

    def __init__(self):
        self.all = []

    def number(self, value, count):
        self.all += [value >> i & 1 for i in range(count)]

    def code(self, value, count):
        self.all += [value >> i & 1 for i in reversed(range(count))]

    def octets(self):
        padded = self.all + [0] * (-len(self.all) % 8)
        return bytes(sum(bit << i for i, bit in enumerate(padded[at:at + 8])) for at in range(0, len(padded), 8))


def deflate_symbol(value, first, plain, step):
    """RFC 1951 §3.2.5, lengths (3, 8, 4) and distances (1, 4, 2): number of the symbol, extra bits, how many."""
    rest, symbol, extra = value - first, 0, 0
    if rest < plain:
        return rest, 0, 0
    symbol, rest, extra = plain, rest - plain, 1
    while rest >= step << extra:
        rest, symbol, extra = rest - (step << extra), symbol + step, extra + 1
    return symbol + (rest >> extra), rest & (1 << extra) - 1, extra


def zip_quine():
    """An archive that holds itself: its data is a program of copies that writes the program and what stands around it.
    The checksum is the one that fits when it is written into all its places: an affine equation over bits."""
    name = b"the-same-archive-once-more.zip"

    def stored(size):
        return struct.pack("<BHH", 0, size, size ^ 0xffff)

    def copies(distance, lengths, final=False, empty=False):
        bits = Bits()
        bits.number(2 | final, 3)  # RFC 1951 §3.2.3: fixed codes
        for length in lengths:
            symbol, value, extra = deflate_symbol(length, 3, 8, 4)
            bits.code(1 + symbol, 7)
            bits.number(value, extra)
            symbol, value, extra = deflate_symbol(distance, 1, 4, 2)
            bits.code(symbol, 5)
            bits.number(value, extra)
        bits.code(0, 7)
        if empty:  # a block of nothing, so that the next one begins with an octet
            bits.number(2, 3)
            bits.code(0, 7)
        return bits.octets()

    def made(checksum, date):
        def build(packed, whole):
            facts = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, date, checksum, packed, whole, len(name), 0)
            head = b"PK\3\4" + facts + name
            directory = b"PK\1\2" + struct.pack("<H", 20) + facts + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
            tail = directory + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(directory), len(head) + packed, 0)
            lp, l5, l20, l0, r20 = stored(len(head) + 5), stored(5), stored(20), stored(0), copies(20, (10, 10))
            rp = copies(len(head) + 5, (len(head) + 5,), empty=True)
            rs = copies(len(tail) + 4, (len(tail) + 4,), final=True)
            ls = stored(len(tail) + 4)
            equal((len(rp), len(r20), len(rs)), (5, 5, 4), "octets of the copies")
            program = (lp + head + lp + rp + l5 + rp + l5 + l5 + l20 + rp + l5 + l5 + l20 + r20 + l20 + r20 + l20 + r20 + l20
                       + r20 + l20 + r20 + l0 + l0 + ls + r20 + l0 + l0 + ls + rs + tail + rs)
            return head, program, tail
        head, program, tail = build(0, 0)
        return b"".join(build(len(program), len(head) + len(program) + len(tail)))

    for date in range(1, 100):
        base = zlib.crc32(made(0, date))
        rows = [(zlib.crc32(made(1 << i, date)) ^ base ^ (1 << i), 1 << i) for i in range(32)]
        wanted, answer = base, 0
        basis = {}
        for value, source in rows:
            while value and value.bit_length() in basis:
                other = basis[value.bit_length()]
                value, source = value ^ other[0], source ^ other[1]
            if value:
                basis[value.bit_length()] = (value, source)
        while wanted and wanted.bit_length() in basis:
            value, source = basis[wanted.bit_length()]
            wanted, answer = wanted ^ value, answer ^ source
        if not wanted:
            found = made(answer, date)
            equal(zipfile.ZipFile(io.BytesIO(found)).read(name.decode()), found, "the quine")
            return found
    raise AssertionError("no checksum fits")


def forty_two():
    """Five layers of 16 archives each below the next, at the bottom 100 MB of zeros: 100 TB of it."""
    inner = zipped(("0", bytes(100_000_000)))
    for _ in range(5):
        inner = zipped(*((str(i), inner) for i in range(16)))
    return inner


@check
def bombs():
    """Each ends within the time for a scan, within the memory for a worker, and without rest."""
    bounded = (TOO_LARGE, FAILED, GONE)
    rows = [
        ("an archive that holds itself", attached(("q.zip", zip_quine())), bounded),
        ("100 TB of zeros in five layers of archives", attached(("42.zip", forty_two())), bounded),
        ("90 archives in each other", attached(("a.zip", nested(EICAR, 90))), bounded),
        ("1 GB of zeros as gzip of gzip", attached(("a.gz", gzip.compress(gzip.compress(bytes(1 << 30))))), bounded),
        ("500 MB of zeros as bzip2", attached(("a.bz2", bz2.compress(bytes(500 << 20)))), bounded),
        ("60,000 files in an archive", attached(("a.zip", zipped(*((str(i), b"x%d" % i) for i in range(60000))))), bounded),
        ("3,000 archives", attached(*((f"{i}.zip", zipped(("x", b"%d" % i))) for i in range(3000))), (CLEAN, *bounded)),
        ("500 messages in each other", nested_messages(500), bounded),
    ]
    seconds, memory = 5, 300 << 20
    with Scanner("--seconds", str(seconds), "--memory", str(memory), "--unpacked", str(64 << 20), "--workers", "1") as scanner:
        for why, octets, expected in rows:
            most = [0]
            done = threading.Event()

            def watch():
                while not done.wait(0.02):
                    for one in scanner.workers():
                        most[0] = max(most[0], memory_of(one))
            watching = threading.Thread(target=watch)
            watching.start()
            began = time.monotonic()
            outcome, text = scanner.scan(octets)
            took = time.monotonic() - began
            done.set()
            watching.join()
            print(f"  {why}: {outcome} {text} after {took:.2f} s with {most[0] >> 20} MB", flush=True)
            that(outcome in expected, f"{why}: {outcome}")
            that(took < seconds + 30, f"{why} took {took:.1f} s")
            that(most[0] < memory + (50 << 20), f"{why} took {most[0]} octets")
            equal(scanner.scan(attached(("e.com", EICAR)))[0], INFECTED, f"the scan after {why}")
        wait_for("an empty folder", lambda: not scanner.left(), 5)


def nested_messages(depth):
    octets = attached(("e.com", EICAR))
    for i in range(depth):
        octets = (f"Subject: {i}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=q{i}\r\n\r\n--q{i}\r\n"
                  f"Content-Type: message/rfc822\r\n\r\n").encode() + octets + f"\r\n--q{i}--\r\n".encode()
    return octets


def memory_of(process):
    try:
        with open(f"/proc/{process}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) * 1024
    except (OSError, TypeError):
        return 0


@check
def workers_that_are_killed_among_100_scans():
    """Every scan ends with the truth, or as one that failed; the next one works."""
    with Scanner("--workers", "4") as scanner:
        answers, rest = [], list(range(100))

        def ask():
            while rest:
                i = rest.pop()
                wanted = INFECTED if i % 2 else CLEAN
                answers.append((wanted, scanner.scan(attached((f"{i}.zip", zipped(("x", (EICAR if i % 2 else b"%d" % i)
                                                                                   + os.urandom(300000))))))[0]))
        asking = [threading.Thread(target=ask) for _ in range(8)]
        for one in asking:
            one.start()
        killed = 0
        while any(one.is_alive() for one in asking):
            if len(answers) < 4 * killed:
                time.sleep(0.005)
                continue
            for one in scanner.workers()[:1]:
                try:
                    os.kill(one, signal.SIGKILL)
                    killed += 1
                except ProcessLookupError:
                    pass  # one of those killed before
        equal(len(answers), 100, "answers")
        that(killed > 3, f"only {killed} workers were killed")
        for wanted, got in answers:
            that(got in (wanted, GONE), f"{got} where {wanted} is true")
        print(f"  {killed} workers killed, {sum(got == GONE for _, got in answers)} scans of 100 failed", flush=True)
        wait_for("all workers", lambda: len(scanner.workers()) == 4)
        equal(scanner.scan(attached(("e.com", EICAR)))[0], INFECTED, "afterwards")
        wait_for("an empty folder", lambda: not scanner.left() and len(os.listdir(scanner.temporary)) == 4, 10)


@check
def signatures_that_change_between_scans():
    """No scan is lost, and a database that cannot be read changes nothing."""
    with Scanner() as scanner:
        lost, stop, count = [], threading.Event(), [0]

        def ask():
            while not stop.is_set():
                outcome = scanner.scan(attached(("e.com", EICAR + os.urandom(1000))))[0]
                count[0] += 1
                if outcome != INFECTED:
                    lost.append(outcome)
        asking = [threading.Thread(target=ask) for _ in range(4)]
        for one in asking:
            one.start()
        equal(scanner.scan(b"Subject: x\r\n\r\na later string 0\r\n")[0], CLEAN, "not yet known")
        for i in range(3):
            scanner.signatures(f"later-{i}.ndb", {f"Later-{i}": b"a later string %d" % i})
            wait_for("the new signatures", lambda: scanner.scan(b"Subject: x\r\n\r\na later string %d\r\n" % i)[0] == INFECTED)
        broken = f"{scanner.database}/broken.ndb"
        with open(broken, "w") as f:
            f.write("not:a:signature\n" * 10)
        wait_for("a word about it", lambda: "cannot be loaded" in scanner.said())
        os.unlink(broken)
        stop.set()
        for one in asking:
            one.join()
        equal(lost, [], f"lost of {count[0]} scans")
        that(count[0] > 20, "too few scans to say anything")


@check
def workers_that_hang():
    """Whoever holds on to a worker, or stops it, loses it after the time of a scan."""
    with Scanner("--seconds", "3", "--workers", "1") as scanner:
        first = scanner.settled()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
            silent.connect(scanner.socket)
            wait_for("the worker to take it", lambda: open_files(first[0]) == IDLE_FILES + 1 and is_asleep(first[0]))
            os.kill(first[0], signal.SIGSTOP)
            equal(scanner.scan(attached(("e.com", EICAR)))[0], INFECTED, "the scan that waited")
        that(scanner.workers() != first, "the worker that hung is still there")
        that("took too long" in scanner.said(), scanner.said())


@check
def hostile_clients():
    with Scanner() as scanner:
        sealed = os.memfd_create("message", os.MFD_ALLOW_SEALING)
        os.write(sealed, b"x" * 100)
        fcntl.fcntl(sealed, 1033, SEALED)
        loose = os.memfd_create("message", os.MFD_ALLOW_SEALING)
        os.write(loose, b"x" * 100)
        request = b"BWQ1\0\0\0\0" + struct.pack("<Q", 100)
        rows = [
            ("a good one", request, [sealed], CLEAN),
            ("no file", request, [], FAILED),
            ("two files", request, [sealed, sealed], FAILED),
            ("a file that can still change", request, [loose], FAILED),
            ("a file of another size", b"BWQ1\0\0\0\0" + struct.pack("<Q", 99), [sealed], FAILED),
            ("another version", b"BWQ2" + request[4:], [sealed], FAILED),
            ("too short", request[:15], [sealed], FAILED),
            ("too long", request + b"x", [sealed], FAILED),
            ("an endless one", b"x" * 60000, [sealed], FAILED),
        ]
        for why, packet, files, expected in rows:
            equal(scanner.ask(packet, files)[0], expected, why)
        with open("/etc/passwd") as f:
            equal(scanner.ask(b"BWQ1\0\0\0\0" + struct.pack("<Q", os.fstat(f.fileno()).st_size), [f.fileno()])[0], FAILED, "a file on disk")
        equal(os.stat(scanner.socket).st_mode & 0o077, 0, "rights of others to the socket")


@check
def what_a_worker_is_left_with():
    with Scanner() as scanner:
        for one in scanner.settled():
            status = status_of(one)
            that(re.search(r"Seccomp:\s+2", status), "no filter of system calls")
            that(re.search(r"NoNewPrivs:\s+1", status), "new privileges are possible")
            with open(f"/proc/{one}/limits") as f:
                limits = f.read()
            that(re.search(r"Max core file size\s+0\s+0", limits), limits)
            that(re.search(r"Max open files\s+256\s+256", limits), limits)
            that(not re.search(r"Max (address space|file size)\s+unlimited", limits), limits)
            equal(open_files(one), IDLE_FILES, "open files")
        equal(os.stat(scanner.temporary).st_mode & 0o777, 0o700, "rights to the folder")


def may_ask(scanner, user, groups):
    """Whether that user gets an answer."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(groups)
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            answered = scanner.ask(b"x", [])[0] == FAILED
        except OSError:
            answered = False
        os._exit(0 if answered else 1)
    return os.waitpid(child, 0)[1] == 0


@check
def a_user_of_its_own():
    """Started by root it becomes another user, and only members of a group may ask it."""
    if os.geteuid() != 0:
        raise Skipped("only root can become somebody else")
    with Scanner("--user", "nobody", "--group", "daemon", start=False) as scanner:
        for folder in (scanner.dir, scanner.database):
            os.chmod(folder, 0o755)
        for name in os.listdir(scanner.database):
            os.chmod(f"{scanner.database}/{name}", 0o644)
        scanner.start()
        nobody, group = pwd.getpwnam("nobody").pw_uid, grp.getgrnam("daemon").gr_gid
        for one in [scanner.process.pid, *scanner.children(), *scanner.settled()]:
            status = status_of(one)
            equal(re.search(r"Uid:(.*)", status)[1].split(), [str(nobody)] * 4, "user")
            equal(re.search(r"Groups:(.*)", status)[1].split(), [], "further groups")
        equal(os.stat(scanner.temporary).st_uid, nobody, "owner of the folder")
        equal(may_ask(scanner, 12345, [group]), True, "a member")
        equal(may_ask(scanner, 12345, []), False, "a stranger")
        equal(scanner.scan(attached(("e.com", EICAR)))[0], INFECTED, "a scan")
        scanner.stop()
        equal(scanner.left(), [], "files left")
        scanner.start()  # finds the folder of before, or none


@check
def nothing_remains():
    """Not after an end in order, and not after one by force: then the next start clears up."""
    with Scanner() as scanner:
        private, socket_ = scanner.temporary, scanner.socket
        equal(scanner.stop(), 0, "exit code")
        that(not os.path.exists(private) and not os.path.exists(socket_), "the folder or the socket is still there")
        scanner.start()
        everybody = [scanner.process.pid, *scanner.children(), *scanner.settled()]
        with open(f"{private}/worker-{scanner.workers()[0]}/of-a-message", "w") as f:
            f.write("text")
        scanner.process.kill()
        scanner.process.wait()
        wait_for("the end of all of them", lambda: not any(os.path.exists(f"/proc/{one}") for one in everybody))
        that(scanner.left(), "the check itself is wrong: nothing was left behind")
        scanner.start()
        equal(scanner.left(), [], "files left")
        stranger = f"{scanner.dir}/stranger"
        os.mkdir(stranger)
        os.symlink(stranger, f"{scanner.dir}/link")
        refused = subprocess.run([f"{BIN}/briefwerk-scand", "--socket", f"{scanner.dir}/s2", "--database", scanner.database,
                                  "--temporary", f"{scanner.dir}/link"], capture_output=True, text=True, timeout=20, check=False)
        equal(refused.returncode, 1, "exit code where the folder is a link")


if __name__ == "__main__":
    main()
