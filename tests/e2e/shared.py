"""Mailboxes that several accounts see: rights (RFC 4314) with Python's imaplib, across a restart and with briefwerkctl."""
import imaplib

from harness import Server, check, equal, main, message, that

ALICE, BOB, CARL = "alice@example.test", "bob@example.test", "carl@example.test"
TEAM = f'"Other Users/{ALICE}/team"'


def serve():
    server = Server()
    server.domain("example.test")
    for user in (ALICE, BOB, CARL):
        server.account(user)
    return server


def ok(answer):
    kind, data = answer
    equal(kind, "OK", data)
    return data


def no(call, *arguments):
    """The response code of a refusal."""
    try:
        kind, data = call(*arguments)
    except imaplib.IMAP4.error as refused:
        return str(refused)
    equal(kind, "NO", data)
    return data[0].decode()


def listed(imap):
    return {row.decode().split(' "/" ')[1].strip('"') for row in ok(imap.list()) if row}


@check
def a_team_shares_a_mailbox():
    server = serve()
    alice, bob, carl = (server.imap(user) for user in (ALICE, BOB, CARL))
    that({"ACL", "RIGHTS=KXTE", "LIST-MYRIGHTS"} <= set(alice.capabilities), alice.capabilities)
    that(b'(("Other Users/" "/"))' in ok(bob.namespace())[0], "namespace")
    ok(alice.create("team"))
    ok(alice.append("team", None, None, message("a@client.example", ALICE, "first").encode()))
    that("NONEXISTENT" in no(bob.select, TEAM), "before it is shared")
    ok(alice.setacl("team", BOB, "lrswite"))
    ok(alice.setacl("team", "anyone", "l"))
    equal(ok(bob.myrights(TEAM))[0].decode().split()[-1], "lrswited")
    that(TEAM.strip('"') in listed(bob) and TEAM.strip('"') in listed(carl), "listed")
    that("NOPERM" in no(carl.select, TEAM), "l is not r")
    equal(ok(bob.select(TEAM)), [b"1"])
    that(b"first" in ok(bob.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))[0][1], "fetch")
    ok(bob.store("1", "+FLAGS", r"(\Flagged)"))
    ok(bob.append(TEAM, r"(\Seen)", None, message("b@client.example", BOB, "second").encode()))
    ok(alice.select("team"))
    rows = ok(alice.fetch("1:2", "(FLAGS)"))
    that(rb"\Flagged" in rows[0] and rb"\Seen" in rows[1], rows)
    that("NOPERM" in no(bob.delete, TEAM), "x is missing")
    for client in (alice, bob, carl):
        client.logout()
    server.stop(9)
    server.start()
    bob = server.imap(BOB)
    equal(ok(bob.myrights(TEAM))[0].decode().split()[-1], "lrswited", "rights are on disk")
    equal(ok(bob.select(TEAM)), [b"2"])
    ok(bob.copy("1:2", "INBOX"))
    ok(bob.store("1:2", "+FLAGS", r"(\Deleted)"))
    equal(len(ok(bob.expunge())), 2)
    equal(ok(bob.select("INBOX")), [b"2"])
    bob.logout()
    equal(server.stop(), 0)


@check
def the_administrator_sees_and_sets_rights():
    server = serve()
    alice, bob = server.imap(ALICE), server.imap(BOB)
    ok(alice.create("team"))
    ok(alice.setacl("team", BOB, "lr"))
    server.ctl("mailbox", "share", ALICE, "team", "--identifier", "anyone", "--rights", "l")
    server.ctl("mailbox", "share", ALICE, "team", "--identifier", BOB, "--rights=+s")
    server.ctl("mailbox", "share", ALICE, "team", f"--identifier=-{CARL}", "--rights", "l")
    equal(server.ask("mailbox", "rights", ALICE, "team")["rights"],
          [{"identifier": BOB, "rights": "lrs"}, {"identifier": "anyone", "rights": "l"}, {"identifier": f"-{CARL}", "rights": "l"}])
    equal(ok(bob.myrights(TEAM))[0].decode().split()[-1], "lrs")
    that(TEAM.strip('"') not in listed(server.imap(CARL)), "taken from carl")
    ok(alice.rename("team", "crew"))
    equal(ok(bob.myrights(TEAM.replace("team", "crew")))[0].decode().split()[-1], "lrs", "rights follow the name")
    for wrong in (["--identifier", ALICE, "--rights", "l"], ["--identifier", BOB, "--rights", "q"],
                  ["--identifier", "nobody@example.test", "--rights", "l"]):
        that(server.ctl("mailbox", "share", ALICE, "crew", *wrong, ok=False).returncode != 0, wrong)
    server.ctl("account", "delete", BOB)
    server.account(BOB)
    fresh = ok(server.imap(BOB).myrights(TEAM.replace("team", "crew")))[0].decode()
    equal(fresh.split()[-1], "l", "a new account of an old name has what anyone has")
    equal(server.stop(), 0)


@check
def changes_are_told_at_any_time():
    """NOTIFY (RFC 5465): imaplib's commands of one account, and what the other's open connection hears of them."""
    server = serve()
    alice = server.imap(ALICE)
    ok(alice.create("team"))
    ok(alice.setacl("team", BOB, "lr"))
    line = server.raw_tls("imaps")
    that(line.imap("l", f'LOGIN {BOB} "correct horse"')[-1].startswith("l OK"), "login")
    line.imap("e", "ENABLE IMAP4rev2")  # no \\Recent
    that(line.imap("n", 'NOTIFY SET (SELECTED (MessageNew (UID FLAGS) MessageExpunge FlagChange)) (SUBTREE "Other Users" '
                   "(MessageNew MessageExpunge MailboxName)) (PERSONAL (MessageNew MessageExpunge))")[-1].startswith("n OK"), "NOTIFY")
    ok(alice.append("team", None, None, message("a@client.example", ALICE, "first").encode()))
    equal(line.line(), f"* STATUS {TEAM} (MESSAGES 1 UIDNEXT 2)")
    server.deliver("friend@elsewhere.example", [BOB], message("friend@elsewhere.example", BOB))
    equal(line.line(), "* STATUS INBOX (MESSAGES 1 UIDNEXT 2)")
    that(line.imap("s", f"SELECT {TEAM}")[-1].startswith("s OK"), "SELECT")
    ok(alice.append("team", r"(\Flagged)", None, message("a@client.example", ALICE, "second").encode()))
    equal(line.line(), "* 2 EXISTS")
    equal(line.line(), r"* 2 FETCH (UID 2 FLAGS (\Flagged))")
    ok(alice.select("team"))
    ok(alice.store("1", "+FLAGS", r"(\Deleted)"))
    that(line.line().startswith("* 1 FETCH (UID 1 FLAGS ("), "flags")
    ok(alice.expunge())
    equal(line.line(), "* 1 EXPUNGE")
    ok(alice.create("crew"))
    ok(alice.setacl("crew", BOB, "lr"))
    while not (row := line.line()).endswith('/crew"'):  # its parents may come first
        that(row.startswith("* LIST "), row)
    that(row.startswith("* LIST ("), row)
    line.close()
    equal(server.stop(), 0)


main()
