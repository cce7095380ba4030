"""Roundcube in a real browser: Debian's Roundcube with the configuration of apps/webmail, on PHP's own web server, in
front of a server with TLS whose certificate it checks; used in Chromium by webmail.mjs. Screenshots of each step are
kept in the build folder, under tests/webmail/screenshots."""
import base64
import email
import email.policy
import imaplib
import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess

from harness import (BIN, Server, Skipped, _die_with_parent, bodies, check, equal, free_ports, main, message, need, run,
                     that, wait_for, wait_for_mail)

HERE = os.path.dirname(os.path.abspath(__file__))
SHIPPED = os.path.join(HERE, "..", "..", "apps", "webmail")
ROUNDCUBE = "/var/lib/roundcube"
DRIVER = "playwright-core@1.65.1"
BUILD = os.path.join(os.path.dirname(BIN), "tests", "webmail")
PASSWORD = "correct horse"
PICTURE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
PAPER = b"Messwerte;1;2;3\r\n" * 500


def browser_driver():
    """The folder of the module, installed into the build folder once."""
    if not os.path.exists("/usr/bin/chromium"):
        raise Skipped("chromium is not installed")
    need("node")
    module = f"{BUILD}/node_modules/playwright-core"
    if not os.path.exists(module + "/package.json"):
        need("npm")
        os.makedirs(BUILD, exist_ok=True)
        done = run(["npm", "install", "--prefix", BUILD, "--no-save", "--no-audit", "--no-fund", DRIVER], ok=False, timeout=120)
        if done.returncode != 0:
            raise Skipped(f"npm cannot fetch {DRIVER} (no way to its registry?): {done.stderr.decode()[-300:]}")
    with open(module + "/package.json") as f:
        equal(json.load(f)["version"], DRIVER.split("@")[1], "version of the browser's driver")
    return module


class Webmail:
    """Roundcube with a folder of its own."""

    def __init__(self, server):
        if not os.path.exists(ROUNDCUBE + "/public_html/index.php"):
            raise Skipped("roundcube-core is not installed")
        need("php")
        self.dir = server.dir + "/webmail"
        for name in ("config", "logs", "temporary"):
            os.makedirs(f"{self.dir}/{name}")
        shutil.copy(SHIPPED + "/config.inc.php", self.dir + "/config")
        os.symlink("/etc/roundcube/defaults.inc.php", self.dir + "/config/defaults.inc.php")
        os.symlink("/etc/roundcube/mimetypes.php", self.dir + "/config/mimetypes.php")
        with open(SHIPPED + "/site.inc.php") as f:
            site = f.read()
        for shipped, own in ((r"'ssl://mail.example.org:993'", f"'ssl://localhost:{server.ports['imaps']}'"),
                             (r"'ssl://mail.example.org:465'", f"'tls://localhost:{server.ports['submission']}'"),
                             ("'authority' => ''", f"'authority' => '{server.ca}'"),
                             ("'sqlite:////var/lib/roundcube/webmail.sqlite?mode=0640'", f"'sqlite:///{self.dir}/sqlite?mode=0640'"),
                             ("'key' => ''", f"'key' => '{secrets.token_hex(12)}'"),
                             ("'https' => true", "'https' => false"),
                             ("'logs' => ''", f"'logs' => '{self.dir}/logs/'"),
                             ("'temporary' => ''", f"'temporary' => '{self.dir}/temporary/'")):
            equal(site.count(shipped), 1, f"{shipped} in site.inc.php")
            site = site.replace(shipped, own)
        with open(self.dir + "/config/site.inc.php", "w") as f:
            f.write(site)
        with open(ROUNDCUBE + "/SQL/sqlite.initial.sql") as f, sqlite3.connect(self.dir + "/sqlite") as database:
            database.executescript(f.read())
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.log_file = self.dir + "/php.log"
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(
                ["php", "-S", f"127.0.0.1:{self.port}", "-t", ROUNDCUBE + "/public_html"], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=dict(os.environ, ROUNDCUBE_CONFIG_DIR=self.dir + "/config"),
                preexec_fn=_die_with_parent)
        wait_for("PHP's web server", self.answers)

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 2).close()
            return True
        except OSError:
            return False

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)

    def errors(self):
        try:
            with open(self.dir + "/logs/errors.log") as f:
                return f.read()
        except FileNotFoundError:
            return ""


def picture_and_paper():
    """A picture inside HTML, and an attachment whose name is in pieces (RFC 2231 §4.1)."""
    return ("From: =?UTF-8?Q?J=C3=BCrgen?= <juergen@elsewhere.example>\r\nTo: alice@example.test\r\n"
            "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_mit_Bild?=\r\nDate: Thu, 05 Nov 2026 12:00:00 +0100\r\n"
            "Message-ID: <picture@elsewhere.example>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\n"
            "Content-Type: multipart/related; boundary=inner\r\n\r\n--inner\r\n"
            "Content-Type: text/html; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            "<p>Schöne Grüße</p><img src=\"cid:dot@elsewhere.example\" alt=\"dot\">\r\n--inner\r\n"
            "Content-Type: image/png\r\nContent-ID: <dot@elsewhere.example>\r\nContent-Disposition: inline; filename=dot.png\r\n"
            f"Content-Transfer-Encoding: base64\r\n\r\n{base64.b64encode(PICTURE).decode()}\r\n--inner--\r\n--outer\r\n"
            "Content-Type: text/csv; charset=UTF-8\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n"
            " filename*0*=UTF-8''Messwerte%20f%C3%BCr%20;\r\n filename*1*=Z%C3%BCrich.csv\r\n\r\n"
            + base64.encodebytes(PAPER).decode().replace("\n", "\r\n") + "--outer--\r\n").encode()


def browse(module, webmail, name, expected_errors=(), **more):
    task = dict(module=module, url=webmail.url, screenshots=f"{BUILD}/screenshots/{name}", user="alice@example.test",
                password=PASSWORD, **more)
    os.makedirs(task["screenshots"], exist_ok=True)
    for old in os.listdir(task["screenshots"]):
        os.remove(os.path.join(task["screenshots"], old))
    done = run(["node", HERE + "/webmail.mjs", name], stdin=json.dumps(task), ok=False, timeout=240)
    if done.returncode != 0:
        raise AssertionError(f"{name}: {done.stdout.decode()}\n{done.stderr.decode()}\nRoundcube's errors: {webmail.errors()}")
    unexpected = [one for one in webmail.errors().splitlines() if not any(known in one for known in expected_errors)]
    equal(unexpected, [], "errors in Roundcube's log")
    return [line for line in done.stdout.decode().splitlines() if line]


def flags_of(c, mailbox):
    kind, data = c.select(mailbox, readonly=True)
    equal(kind, "OK", data)
    if data == [b"0"]:
        return []
    return [imaplib.ParseFlags(one) for one in c.fetch("1:*", "(FLAGS)")[1]]


@check
def a_day_in_the_browser():
    module = browser_driver()
    server = Server()
    server.domain("example.test")
    server.account("alice@example.test", quota=200_000)
    server.account("bob@example.test")
    deliver = server.smtp()
    deliver.sendmail("juergen@elsewhere.example", ["alice@example.test"], picture_and_paper(), ["BODY=8BITMIME"])
    for subject, body in (("Flag me", "one"), ("Move me", "two"), ("Plain", "the word Zwetschgenknödel stands only here"),
                          ("Buy now", "three"), ("Throw away", "four")):
        deliver.sendmail("x@elsewhere.example", ["alice@example.test"],
                         (message("x@elsewhere.example", "alice@example.test", subject).split("\r\n\r\n")[0]
                          + "\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n"
                          + "Content-Transfer-Encoding: 8bit\r\n\r\n" + body + "\r\n").encode(), ["BODY=8BITMIME"])
    deliver.quit()
    with open(server.dir + "/Anlage für Bob.bin", "wb") as f:
        f.write(bytes(range(256)) * 64)
    webmail = Webmail(server)
    try:
        steps = browse(module, webmail, "day", attachment=f.name, paper=base64.b64encode(PAPER).decode())
    finally:
        webmail.stop()
    print("  " + ", ".join(steps))

    c = server.imap("alice@example.test")
    subjects = lambda mailbox: sorted(str(email.message_from_bytes(one, policy=email.policy.default)["Subject"])
                                      for one in bodies(c, mailbox))
    equal(subjects("INBOX"), ["Flag me", "Grüße mit Bild", "Plain"])
    equal(sum(b"\\Flagged" in one for one in flags_of(c, "INBOX")), 1, "flagged messages")
    equal(subjects("Archive"), ["Move me"])
    equal(subjects("Junk"), ["Buy now"])
    that(b"$Junk" in flags_of(c, "Junk")[0], f"no $Junk: {flags_of(c, 'Junk')}")
    equal(subjects("Trash"), [])
    listed = server.ask("mailbox", "list", "alice@example.test")
    that(any(one["name"] == "Ablage Überweisungen" for one in listed["mailboxes"]), listed)
    (sent,) = bodies(c, "Sent")
    c.logout()
    arrived = wait_for_mail(server, "bob@example.test", lambda one: b"Subject:" in one)
    for one in (sent, arrived):
        parsed = email.message_from_bytes(one, policy=email.policy.default)
        equal(str(parsed["Subject"]), "Übergrößenträger für Bob")
        equal(parsed.get_body().get_content().strip(), "Liebe Grüße aus Österreich, 日本 und anderswo.")
        (attached,) = parsed.iter_attachments()
        equal(attached.get_filename(), "Anlage für Bob.bin")
        equal(attached.get_content(), bytes(range(256)) * 64)
    equal(server.stop(), 0)


@check
def wrong_password_is_refused():
    module = browser_driver()
    server = Server()
    server.domain("example.test")
    server.account("alice@example.test")
    webmail = Webmail(server)
    try:
        browse(module, webmail, "refused", ["Login failed for alice@example.test"])
    finally:
        webmail.stop()
    that("imaps.login.refused" in server.log(), "nothing of the login in the log")


@check
def another_certificate_is_refused():
    module = browser_driver()
    server = Server()
    server.domain("example.test")
    server.account("alice@example.test")
    other = Server(start=False)
    server.ca = other.ca
    webmail = Webmail(server)
    try:
        browse(module, webmail, "refused_certificate", ["certificate verify failed", "SSL operation failed", "Failed to enable crypto", "to ssl://localhost"])
    finally:
        webmail.stop()
    that("certificate verify failed" in webmail.errors(), webmail.errors())
    that("login" not in server.log(), "the password was sent")


main()
