"""Thunderbird without a window, driven through Marionette: an account over STARTTLS and one over TLS from the start. It
reads, marks, files, deletes, makes a mailbox, sends, and hears of what others do; in the end both sides hold the same."""
import base64
import json
import os
import re
import socket
import subprocess

from harness import Server, Skipped, _die_with_parent, check, equal, free_ports, main, message, that, wait_for

PROGRAM = next((f for f in ("/usr/lib/thunderbird/thunderbird", "/usr/lib/thunderbird/thunderbird-bin") if os.path.exists(f)), None)
USER, PASSWORD = "alice@example.test", "correct horse"

# Nothing but this machine is asked for anything.
PREFERENCES = {
    "network.proxy.type": 1, "network.proxy.http": "127.0.0.1", "network.proxy.http_port": 9, "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9, "network.proxy.no_proxies_on": "localhost, 127.0.0.1", "services.settings.server": "data:,#",
    "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False,
    "app.update.auto": False, "extensions.update.enabled": False, "toolkit.telemetry.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False, "browser.safebrowsing.enabled": False,
    "mailnews.start_page.enabled": False, "mail.provider.suppress_dialog_on_startup": True, "mail.rights.version": 1,
    "mail.spotlight.firstRunDone": True, "mail.winsearch.firstRunDone": True, "mail.shell.checkDefaultClient": False,
}


class Thunderbird:
    def __init__(self, server):
        profile = server.dir + "/profile"
        os.makedirs(profile)
        port = free_ports(1)[0]
        with open(profile + "/user.js", "w") as f:
            for name, value in dict(PREFERENCES, **{"marionette.port": port}).items():
                f.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
        out = open(server.dir + "/thunderbird", "wb")
        self.process = subprocess.Popen(
            [PROGRAM, "--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", profile],
            env=dict(os.environ, HOME=server.dir, MOZ_CRASHREPORTER_DISABLE="1"), stdin=subprocess.DEVNULL, stdout=out,
            stderr=out, preexec_fn=_die_with_parent)
        out.close()
        self.buffer, self.number = b"", 0
        try:
            self.socket = wait_for("Thunderbird", lambda: self.reach(port), 90, 0.2)
        except AssertionError as why:  # it has not met the server yet
            self.process.kill()
            self.process.wait()
            raise Skipped(f"Thunderbird does not start here: {why}") from None
        self.answer()  # its greeting
        self.ask("WebDriver:NewSession", capabilities={"alwaysMatch": {"timeouts": {"script": 120000}}})
        self.ask("Marionette:SetContext", value="chrome")

    def reach(self, port):
        that(self.process.poll() is None, "Thunderbird ended")
        try:
            return socket.create_connection(("127.0.0.1", port), 150)
        except OSError:
            return None

    def answer(self):
        def more():
            got = self.socket.recv(65536)
            that(got, "Thunderbird ended")
            self.buffer += got
        while b":" not in self.buffer:
            more()
        size, self.buffer = self.buffer.split(b":", 1)
        while len(self.buffer) < int(size):
            more()
        text, self.buffer = self.buffer[:int(size)], self.buffer[int(size):]
        return json.loads(text)

    def ask(self, name, **parameters):
        self.number += 1
        text = json.dumps([0, self.number, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        while True:
            _, number, error, result = self.answer()
            if number == self.number:
                that(error is None, error)
                return result

    def run(self, script, *given):
        """What the script returns; it may await, and finds what it is given in `given`."""
        script = ("const given = Array.from(arguments), done = given.pop();\n(async () => {" + script + "})()"
                  ".then(value => done({value}), error => done({error: `${error} ${error?.stack}`}));")
        said = self.ask("WebDriver:ExecuteAsyncScript", script=script, args=list(given), sandbox="system", newSandbox=False)["value"]
        that("error" not in said, said.get("error"))
        return said.get("value")

    def stop(self):
        self.socket.close()
        self.process.kill()
        self.process.wait()


SET_UP = """
const [certificate, implicit, imap, submission, password] = given;
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const database = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
const overrides = Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService);
// This certificate and no other; its issuer is not known.
for (const port of [imap, submission])
  overrides.rememberValidityOverride("localhost", port, {}, database.constructX509FromBase64(certificate), true);
const server = MailServices.accounts.createIncomingServer("alice@example.test", "localhost", "imap");
server.port = imap;
server.socketType = implicit ? 3 : 2;
server.authMethod = 3;
server.password = password;
server.loginAtStartUp = server.doBiff = false;
const account = MailServices.accounts.createAccount();
account.incomingServer = server;
const identity = MailServices.accounts.createIdentity();
identity.email = "alice@example.test";
account.addIdentity(identity);
globalThis.mail = {
  server, account, identity, MailServices,
  folder: name => server.rootFolder.subFolders.find(one => one.name == name),
  messages: folder => [...folder.msgDatabase.enumerateMessages()],
  message: (folder, subject) => mail.messages(folder).find(one => one.mime2DecodedSubject == subject),
  async until(what) {
    for (let n = 0; n < 600; ++n) {
      const found = what();
      if (found) return found;
      await new Promise(go => setTimeout(go, 100));
    }
    throw new Error("waited in vain for " + what);
  },
  update: folder => new Promise((done, failed) => folder.QueryInterface(Ci.nsIMsgImapMailFolder).updateFolderWithListener(
    null, { OnStartRunningUrl() {}, OnStopRunningUrl(url, code) { code ? failed(code) : done(); } })),
  copied: begin => new Promise((done, failed) => begin({
    onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return null; },
    onStopCopy(code) { code ? failed(code) : done(); }, QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]) })),
  octets: (folder, header) => new Promise((done, failed) => {
    const uri = folder.getUriForMsg(header);
    let text = "";
    MailServices.messageServiceFromURI(uri).streamMessage(uri, {
      onStartRequest() {},
      onDataAvailable(request, stream, offset, count) {
        const reader = Cc["@mozilla.org/binaryinputstream;1"].createInstance(Ci.nsIBinaryInputStream);
        reader.setInputStream(stream);
        text += reader.readBytes(count);
      },
      onStopRequest(request, code) { code ? failed(code) : done(btoa(text)); },
      QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]),
    }, null, null, false, "", false);
  }),
};
server.performExpand(null);
await mail.until(() => mail.folder("INBOX") && mail.folder("Archive") && mail.folder("Trash"));
return server.rootFolder.subFolders.map(one => one.name);
"""


def on_server(server, mailbox="INBOX"):
    """Subject: (message with LF, whether it is seen, whether it is flagged)."""
    c = server.imap(USER)
    kind, data = c.select(f'"{mailbox}"', readonly=True)
    equal(kind, "OK", data)
    state = {}
    for part in c.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")[1] if data != [b"0"] else ():
        if isinstance(part, tuple):
            subject = re.search(rb"^Subject: (.*?)\r?$", part[1], re.M)[1].decode()
            state[subject] = (part[1].replace(b"\r\n", b"\n"), rb"\Seen" in part[0], rb"\Flagged" in part[0])
    c.logout()
    return state


def thunderbird_works(implicit):
    if PROGRAM is None:
        raise Skipped("thunderbird is not installed")
    server = Server()
    server.domain("example.test")
    server.account(USER)
    server.account("bob@example.test")

    def deliver(subject):
        server.deliver("x@elsewhere.example", [USER], message("x@elsewhere.example", USER, subject, f"{subject}\r\n.dot\r\nFrom here\r\n"))
    for subject in ("read", "flagged", "filed", "deleted", "named", "seen elsewhere", "gone elsewhere", "left"):
        deliver(subject)
    with open(server.ca) as f:
        certificate = "".join(re.search("-----BEGIN CERTIFICATE-----(.*?)-----END", f.read(), re.S)[1].split())
    program = Thunderbird(server)
    try:
        ports = [server.ports[name] for name in (("imaps", "submissions") if implicit else ("imap", "submission"))]
        names = program.run(SET_UP, certificate, implicit, *ports, PASSWORD)
        that({"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"} <= set(names), names)

        def in_program(folder="INBOX"):
            rows = program.run("""
                const folder = mail.folder(given[0]);
                await mail.update(folder);
                const rows = [];
                for (const one of mail.messages(folder))
                  rows.push([one.mime2DecodedSubject, await mail.octets(folder, one), one.isRead, one.isFlagged]);
                return rows;""", folder)
            own = re.compile(rb"^X-Mozilla-(Status|Status2|Keys): .*\n", re.M)  # which it writes in front
            return {s: (own.sub(b"", base64.b64decode(text).replace(b"\r\n", b"\n")), seen, flagged) for s, text, seen, flagged in rows}
        that(not any(seen for _, seen, _ in in_program().values()), "what is only looked at is not seen")
        equal(in_program(), on_server(server), "INBOX as it came")
        # What Thunderbird does.
        program.run("""
            const inbox = mail.folder("INBOX"), find = subject => mail.message(inbox, subject);
            inbox.markMessagesRead([find("read")], true);
            inbox.markMessagesFlagged([find("flagged")], true);
            await mail.copied(told => mail.MailServices.copy.copyMessages(
              inbox, [find("filed")], mail.folder("Archive"), true, told, null, false));
            await mail.copied(told => inbox.deleteMessages([find("deleted")], null, false, true, told, false));
            mail.server.rootFolder.createSubfolder("Grüße", null);
            await mail.until(() => mail.folder("Grüße"));
            await mail.copied(told => mail.MailServices.copy.copyMessages(
              inbox, [find("named")], mail.folder("Grüße"), true, told, null, false));""")
        wait_for("what Thunderbird did", lambda: on_server(server).keys() == {"read", "flagged", "seen elsewhere", "gone elsewhere", "left"})
        wait_for("its flags", lambda: {s for s, (_, seen, flagged) in on_server(server).items() if seen or flagged} == {"read", "flagged"})
        equal((set(on_server(server, "Archive")), set(on_server(server, "Trash")), set(on_server(server, "Gr&APwA3w-e"))),
              ({"filed"}, {"deleted"}, {"named"}))
        # What others do: told while it idles.
        c = server.imap(USER)
        c.select("INBOX")
        c.store(c.search(None, "SUBJECT", '"seen elsewhere"')[1][0], "+FLAGS", r"(\Seen)")
        c.store(c.search(None, "SUBJECT", '"gone elsewhere"')[1][0], "+FLAGS", r"(\Deleted)")
        c.expunge()
        c.logout()
        deliver("late")
        program.run("""await mail.until(() => {
              const inbox = mail.folder("INBOX");
              return mail.message(inbox, "late") && mail.message(inbox, "seen elsewhere")?.isRead && !mail.message(inbox, "gone elsewhere");
            });""")
        # It sends, and files what it sent.
        program.run("""
            const smtp = mail.MailServices.outgoingServer.createServer("smtp").QueryInterface(Ci.nsISmtpServer);
            smtp.hostname = "localhost";
            smtp.port = given[0];
            smtp.username = "alice@example.test";
            smtp.password = given[1];
            smtp.authMethod = 3;
            smtp.socketType = given[2] ? 3 : 2;
            mail.identity.smtpServerKey = smtp.key;
            const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
            fields.from = "Alice <alice@example.test>";
            fields.to = "bob@example.test";
            fields.subject = "sent by Thunderbird";
            fields.body = "Schöne Grüße\\r\\n";
            const how = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
            how.composeFields = fields;
            how.format = Ci.nsIMsgCompFormat.PlainText;
            how.identity = mail.identity;
            const letter = mail.MailServices.compose.initCompose(how, null);
            await letter.sendMsg(Ci.nsIMsgSend.nsMsgDeliverNow, mail.identity, mail.account.key, null, null);""",
                    ports[1], PASSWORD, implicit)

        def arrived():
            c = server.imap("bob@example.test")
            c.select("INBOX", readonly=True)
            found = c.search(None, "SUBJECT", '"sent by Thunderbird"', "BODY", '"Gr"')[1]
            c.logout()
            return found != [b""]
        wait_for("what Thunderbird sent", arrived)
        wait_for("its copy", lambda: set(on_server(server, "Sent")) == {"sent by Thunderbird"})
        for folder, mailbox in (("INBOX", "INBOX"), ("Archive", "Archive"), ("Trash", "Trash"), ("Sent", "Sent"), ("Grüße", "Gr&APwA3w-e")):
            equal(in_program(folder), on_server(server, mailbox), f"{folder} in the end")
    finally:
        program.stop()


@check
def thunderbird_over_starttls():
    thunderbird_works(False)


@check
def thunderbird_over_tls():
    thunderbird_works(True)


main()
