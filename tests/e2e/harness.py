"""Starts real servers for the end-to-end checks: each in a folder of its own, on loopback, with its own certificate.

A script registers checks with @check, then calls main(). Usage of every script: NAME.py BIN_FOLDER [check …]
(BIN_FOLDER holds briefwerkd and briefwerkctl; the environment variable BIN may name it instead).
"""
import ctypes
import email.utils
import glob
import hashlib
import imaplib
import json
import os
import random
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
import uuid

BIN = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].isdigit() else os.environ.get("BIN", "build/release/apps"))
imaplib._MAXLINE = 10_000_000
_checks = []
_servers = []


class Skipped(Exception):
    pass


class TimeUp(BaseException):
    pass


def check(function):
    _checks.append(function)
    return function


def need(program):
    if not shutil.which(program) and not shutil.which(program, path="/usr/sbin:/sbin"):
        raise Skipped(f"{program} is not installed")


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def run(command, stdin=None, ok=True, timeout=60, env=None):
    """Runs a program to its end; its whole output is in the error where it fails."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    done = subprocess.run(command, input=stdin if stdin is not None else b"", capture_output=True, timeout=timeout, env=env)
    if ok and done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout.decode(errors='replace')}\n"
                             f"{done.stderr.decode(errors='replace')}")
    return done


_claims = []


def _claimed(port):
    """True where no other script has the port, now or while it starts its server anew: the name goes with this process."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0briefwerk-e2e-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def _is_free(port, address):
    try:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(type=kind) as one:
                one.bind((address, port))
        return True
    except OSError:
        return False


def free_ports(count, address="127.0.0.1"):
    """Below those that the kernel gives to outgoing connections, so that none of these takes one of a server that is away."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        end = int(f.read().split()[0])
    if end < 12000:
        end = 32768
    ports, candidates = [], list(range(end // 2, end))
    random.shuffle(candidates)
    while len(ports) < count:
        port = candidates.pop()
        if _claimed(port) and _is_free(port, address):
            ports.append(port)
    return ports


def wait_for(what, condition, seconds=60.0, pause=0.05):
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(pause)


def on_one_day(seconds=60):
    """What is counted by days (UTC) and takes so long does not begin just before midnight."""
    left = 86400 - time.time() % 86400
    if left < seconds:
        time.sleep(left + 1)


FAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)
PORTS = ("smtp", "submission", "submissions", "imap", "imaps")


class Server:
    """One briefwerkd with its configuration, data and log in a temporary folder."""

    def __init__(self, hostname="localhost", address="127.0.0.1", ports=None, change=None, start=True, user=None):
        self.dir = tempfile.mkdtemp(prefix="briefwerk-e2e-")
        os.chmod(self.dir, 0o755)
        self.hostname, self.address = hostname, address
        self.config_file = f"{self.dir}/briefwerk.json"
        self.log_file = f"{self.dir}/log"
        self.process = None
        _servers.append(self)
        self.ctl("init", "--hostname", hostname, "--data", f"{self.dir}/data", "--listen", address, *(["--user", user] if user else []))
        self.config = self.read_config()
        self.ports = dict(zip(PORTS, free_ports(5, address)))
        self.ports.update(ports or {})
        self.config["listen"] = {name: [f"{address}:{port}"] for name, port in self.ports.items()}
        self.config["log"] = {"file": self.log_file, "format": "json", "level": "info"}
        if change:
            change(self.config)
        self.write_config()
        self.ca = f"{self.dir}/certificate.pem"
        if start:
            self.start()

    def read_config(self):
        with open(self.config_file) as f:
            return json.loads(re.sub(r"^\s*//.*$", "", f.read(), flags=re.M))

    def write_config(self):
        with open(self.config_file, "w") as f:
            json.dump(self.config, f, indent=2)

    def start(self, days=0):
        """With its clock that many days away from today."""
        environment = dict(os.environ)
        if days:
            if FAKETIME is None:
                raise Skipped("faketime is not installed")
            environment.update(LD_PRELOAD=FAKETIME, FAKETIME=f"{days:+}d", FAKETIME_DONT_FAKE_MONOTONIC="1")
        out = open(f"{self.dir}/out", "ab")
        self.process = subprocess.Popen([f"{BIN}/briefwerkd", "--config", self.config_file], stdin=subprocess.DEVNULL,
                                        stdout=out, stderr=out, env=environment, preexec_fn=_die_with_parent)
        out.close()

        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"briefwerkd ended with {self.process.returncode} at its start: {self.tail()}")
            return os.path.exists(f"{self.dir}/data/control.sock") and self.answers()
        wait_for("the start of briefwerkd", ready, 60)
        return self

    def answers(self):
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(f"{self.dir}/data/control.sock")
            for port in self.ports.values():
                socket.create_connection((self.address, port), 2).close()
            return True
        except OSError:
            return False

    @property
    def pid(self):
        return self.process.pid

    def stop(self, how=signal.SIGTERM, seconds=60):
        """Returns the exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"briefwerkd did not end within {seconds} s")
        self.process = None
        return code

    def ctl(self, *arguments, stdin=None, ok=True):
        return run([f"{BIN}/briefwerkctl", "--config", self.config_file, *arguments], stdin, ok)

    def ask(self, *arguments, stdin=None):
        return json.loads(self.ctl("--json", *arguments, stdin=stdin).stdout)

    def domain(self, name, *more):
        self.ctl("domain", "add", name, *more)

    def account(self, address, password="correct horse", scheme="scram", quota=None):
        more = ["--quota", str(quota)] if quota else []
        self.ctl("account", "add", address, "--scheme", scheme, "--password-file", "-", *more, stdin=password + "\n")

    def memory(self, what="VmRSS"):
        """Octets; what="VmHWM": the most since reset_peak()."""
        with open(f"/proc/{self.pid}/status") as f:
            return int(re.search(what + r":\s+(\d+)", f.read())[1]) * 1024

    def reset_peak(self):
        with open(f"/proc/{self.pid}/clear_refs", "w") as f:
            f.write("5")
        return self.memory()

    def log(self):
        """Whole lines only, with those of files that were set aside at midnight."""
        text = ""
        for name in [*sorted(glob.glob(self.log_file + "-*")), self.log_file]:
            try:
                with open(name, errors="replace") as f:
                    text += f.read()
            except FileNotFoundError:  # between two files
                pass
        return text[:text.rfind("\n") + 1]

    def tail(self, lines=25):
        text = ""
        for name in (self.log_file, f"{self.dir}/out"):
            if os.path.exists(name):
                with open(name, errors="replace") as f:
                    text += "".join(f.readlines()[-lines:])
        return text

    # Clients. Each checks the certificate; CLEAR ones are for what must be refused.

    def trust(self):
        return ssl.create_default_context(cafile=self.ca)

    def smtp(self, port="smtp", tls=True, timeout=60):
        client = smtplib.SMTP(self.address, self.ports[port], local_hostname="client.example", timeout=timeout)
        client._host = self.hostname if self.address != "127.0.0.1" else "127.0.0.1"
        if tls:
            client.starttls(context=self.trust())
            client.ehlo()
        return client

    def submit(self, user, password="correct horse"):
        client = self.smtp("submission")
        client.login(user, password)
        return client

    def imap(self, user=None, password="correct horse", tls=True, timeout=60, implicit=False):
        if implicit:
            client = imaplib.IMAP4_SSL(self.address, self.ports["imaps"], ssl_context=self.trust(), timeout=timeout)
        else:
            client = imaplib.IMAP4(self.address, self.ports["imap"], timeout=timeout)
            client.host = self.hostname if self.address != "127.0.0.1" else "127.0.0.1"
            if tls:
                client.starttls(self.trust())
        if user:
            client.login(user, password)
        return client

    def deliver(self, sender, recipients, text):
        with self.smtp() as client:
            client.sendmail(sender, recipients, text)

    def raw(self, port, timeout=60):
        return Line(socket.create_connection((self.address, self.ports[port]), timeout))

    def raw_tls(self, port, timeout=60):
        """A line-wise connection inside TLS: implicit, or by STARTTLS, behind the greeting."""
        line = self.raw(port, timeout)
        if port in ("smtp", "submission"):
            line.reply()
            line.ask("EHLO client.example")
            assert line.ask("STARTTLS").startswith("220")
        elif port == "imap":
            line.line()
            line.send("s STARTTLS\r\n")
            assert line.line().startswith("s OK")
        line.socket = self.trust().wrap_socket(line.socket, server_hostname=self.hostname if self.address != "127.0.0.1" else "localhost")
        line.buffer = b""
        if port in ("smtp", "submission"):
            line.ask("EHLO client.example")
        elif port in ("submissions",):
            line.reply()
        elif port == "imaps":
            line.line()
        return line


class Line:
    """A dialogue by hand."""

    def __init__(self, connected):
        self.socket = connected
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def line(self):
        while b"\n" not in self.buffer:
            got = self.socket.recv(65536)
            if not got:
                rest, self.buffer = self.buffer, b""
                return rest.decode(errors="replace")
            self.buffer += got
        one, self.buffer = self.buffer.split(b"\n", 1)
        return one.rstrip(b"\r").decode(errors="replace")

    def reply(self):
        """A whole SMTP reply; empty where the connection ended."""
        lines = []
        while True:
            lines.append(self.line())
            if lines[-1][3:4] != "-":
                return "\n".join(lines)

    def ask(self, command):
        self.send(command + "\r\n")
        return self.reply()

    def imap(self, tag, command):
        """Sends a tagged command, returns the lines up to its answer."""
        self.send(f"{tag} {command}\r\n")
        return self.until(tag)

    def until(self, tag):
        lines = []
        while True:
            lines.append(self.line())
            if lines[-1] == "" and not self.buffer:
                return lines
            if lines[-1].startswith(tag + " "):
                return lines

    def close(self):
        self.socket.close()


def message(sender, recipient, subject="a subject", body="Hello.\r\n", mark=None):
    return (f"From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\nDate: {email.utils.formatdate()}\r\n"
            f"Message-ID: <{mark or uuid.uuid4().hex}@client.example>\r\n\r\n{body}")


def bodies(imap, mailbox="INBOX"):
    """All messages of a mailbox, whole, as octets."""
    imap.select(f'"{mailbox}"', readonly=True)
    kind, data = imap.uid("FETCH", "1:*", "(BODY.PEEK[])")
    assert kind == "OK", data
    return [part[1] for part in data if isinstance(part, tuple)]


def wait_for_mail(server, user, condition, password="correct horse", seconds=60):
    def look():
        imap = server.imap(user, password)
        try:
            for one in bodies(imap):
                if condition(one):
                    return one
        finally:
            imap.logout()
    return wait_for(f"a message of {user}", look, seconds, 0.2)


def equal(got, expected, what=""):
    if got != expected:
        raise AssertionError(f"{what}: got {got!r}, expected {expected!r}")


def that(condition, what):
    if not condition:
        raise AssertionError(what)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def _clean(failed):
    while _servers:
        server = _servers.pop()
        if failed and os.path.exists(server.dir):
            print(f"--- end of the log of {server.hostname} ({server.address}):\n{server.tail()}---", flush=True)
        if server.process is not None and server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        if os.environ.get("KEEP"):
            print("kept:", server.dir)
        else:
            shutil.rmtree(server.dir, ignore_errors=True)


def main(limit=840):
    """Runs the checks in their order; a check that fails does not keep the others from running. Ends with 1 after a
    failure, with 77 where all were skipped."""
    def up(*_):
        raise TimeUp(f"not done within {limit} s")
    signal.signal(signal.SIGALRM, up)
    signal.alarm(limit)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    wanted = [a for a in sys.argv[2:] if not a.isdigit()]
    failed = skipped = ran = 0
    try:
        for one in _checks:
            if wanted and one.__name__ not in wanted:
                continue
            began, bad = time.monotonic(), False
            ran += 1
            try:
                one()
                print(f"ok       {one.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
            except Skipped as why:
                skipped += 1
                print(f"skipped: {one.__name__}: {why}", flush=True)
            except (Exception, TimeUp) as why:
                failed += 1
                bad = True
                print(f"FAILED   {one.__name__}", flush=True)
                traceback.print_exc(file=sys.stdout)
                if isinstance(why, TimeUp):
                    break
            finally:
                _clean(bad)
    finally:
        signal.alarm(0)
        _clean(False)
    sys.exit(1 if failed else 77 if ran and ran == skipped else 0)
