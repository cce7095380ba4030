"""What mail programs say that do not run here: their commands, as far as public documentation tells them, and what they
need to read in the answers. Outlook: MS-STANOIMAP, §2.2; Thunderbird, Apple's programs, K-9 and FairEmail: protocol logs
in public bug reports. Each dialogue is one session; "{n}" before a text sends it as a literal.
"""
import base64
import re

from harness import Server, check, main, that

USER = "alice@example.test"
PLAIN = base64.b64encode(f"\0{USER}\0correct horse".encode()).decode()

LETTER = (f"From: =?utf-8?q?J=C3=BCrgen?= <friend@elsewhere.example>\r\nTo: {USER}\r\nSubject: lunch\r\n"
          "Date: Mon, 05 Jan 2026 10:00:00 +0100\r\nMessage-ID: <one@elsewhere.example>\r\nReferences: <zero@elsewhere.example>\r\n"
          "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
          "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSch=C3=B6n!\r\n"
          "--b\r\nContent-Type: application/pdf; name=menu.pdf\r\nContent-Disposition: attachment; filename=menu.pdf\r\n"
          "Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n--b--\r\n")
DRAFT = f"From: {USER}\r\nTo: friend@elsewhere.example\r\nSubject: Re: lunch\r\nDate: Mon, 05 Jan 2026 11:00:00 +0100\r\n\r\nYes.\r\n"


def session(implicit=True):
    server = Server()
    server.domain("example.test")
    server.account(USER)
    for _ in range(3):
        server.deliver("friend@elsewhere.example", [USER], LETTER)
    line = server.raw_tls("imaps" if implicit else "imap")
    return server, line


def talk(line, *exchange):
    """Each row: a command, then patterns that its answer must hold; IDLE and literals are begun and ended."""
    for number, (command, *patterns) in enumerate(exchange):
        tag, literal = f"x{number}", None
        if isinstance(command, tuple):
            command, literal = command
        if literal is not None and not command.endswith("+}"):
            command += f" {{{len(literal.encode())}}}"
        line.send(f"{tag} {command}\r\n")
        if literal is not None:
            that(line.line().startswith("+"), f"{command}: no go-ahead")
            line.send(literal + "\r\n")
        if command == "IDLE":
            that(line.line().startswith("+"), "IDLE: no go-ahead")
            line.send("DONE\r\n")
        told = line.until(tag)
        that(told[-1].startswith(f"{tag} OK"), f"{command}: {told}")
        text = "\n".join(told)
        for pattern in patterns:
            that(re.search(pattern, text, re.I | re.S), f"{command}: no {pattern} in {text}")


@check
def thunderbird():
    server, line = session(implicit=False)
    talk(line,
         ("capability", r"AUTH=PLAIN"),
         (f"authenticate PLAIN {PLAIN}",),
         ("capability", r"\bIDLE\b", r"\bNAMESPACE\b", r"\bMOVE\b", r"\bCONDSTORE\b", r"UTF8=ACCEPT"),
         ('ID ("name" "Thunderbird" "version" "128.5.0")', r"\* ID \("),
         ("namespace", r'\* NAMESPACE \(\("" "/"\)\)'),
         ('list (subscribed) "" "*" return (special-use)', r'\\Junk', r'\\Trash'),
         ('list "" "INBOX"', r"\* LIST \(.*\) \"/\" \"?INBOX"),
         ('select "INBOX" (CONDSTORE)', r"\* 3 EXISTS", r"HIGHESTMODSEQ", r"UIDNEXT 4", r"PERMANENTFLAGS \(.*\\\*"),
         ('getquotaroot "INBOX"', r"\* QUOTAROOT"),
         ("UID fetch 1:* (FLAGS)", r"\* 3 FETCH \(.*UID 3"),
         ("UID fetch 1:3 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority X-Priority "
          "References Newsgroups In-Reply-To Content-Type Reply-To)])", r"RFC822\.SIZE \d+", r"Subject: lunch", r"boundary=b"),
         ("UID fetch 3 (UID RFC822.SIZE BODY.PEEK[])", r"menu\.pdf"),
         ("UID fetch 3 (UID RFC822.SIZE BODY[])", r"\* 3 FETCH \(.*FLAGS \(.*\\Seen"),
         ('UID fetch 2 (BODYSTRUCTURE)', r'"pdf"'),
         ("UID fetch 2 (BODY.PEEK[HEADER] BODY.PEEK[1.MIME] BODY.PEEK[1] BODY.PEEK[2.MIME])", r"Sch=C3=B6n"),
         ('uid store 3 +Flags (NonJunk)', r"NonJunk"),
         ('uid store 1 +Flags (\\Flagged)', r"\\Flagged"),
         ("UID SEARCH UNDELETED SINCE 1-Jan-2020 OR SUBJECT \"lunch\" FROM \"friend\"", r"\* SEARCH.* 1 2 3"),
         ('create "Sent/2026"',), ('subscribe "Sent/2026"',),
         (('append "Sent" (\\Seen)', DRAFT), r"APPENDUID \d+ 1"),
         ('uid move 1 "Trash"', r"COPYUID"),
         ('status "Trash" (UIDNEXT MESSAGES UNSEEN RECENT)', r"MESSAGES 1"),
         ("noop",), ("IDLE",),
         ("close",), ("logout", r"\* BYE"))
    server.stop()


@check
def apple_mail():
    server, line = session()
    talk(line,
         ("CAPABILITY", r"IMAP4rev1"),
         (f"AUTHENTICATE PLAIN {PLAIN}",),
         ('ID ("name" "iPhone Mail" "version" "22B83" "os" "iOS" "os-version" "18.1 (22B83)")', r"\* ID"),
         ("CAPABILITY", r"ESEARCH", r"QRESYNC", r"SPECIAL-USE", r"COMPRESS=DEFLATE"),
         ("ENABLE CONDSTORE", r"\* ENABLED.*CONDSTORE"),
         ('LIST "" ""', r'\* LIST \(\\Noselect\) "/" ""'),
         ('LIST "" "*" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY UNSEEN))', r"\\Sent", r'STATUS "?INBOX"? \(.*MESSAGES 3'),
         ('LSUB "" "*"',),
         ("STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)", r"UNSEEN 3"),
         ("SELECT INBOX", r"\* 3 EXISTS"),
         ("FETCH 1:* (FLAGS UID)", r"\* 3 FETCH"),
         ("UID SEARCH RETURN (ALL) 1:* NOT DELETED", r"\* ESEARCH .*UID ALL 1:3"),
         ("UID FETCH 1:3 (INTERNALDATE UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (date subject from to cc message-id in-reply-to "
          "references content-type x-priority x-uniform-type-identifier x-universally-unique-identifier list-id list-unsubscribe "
          "dkim-signature authentication-results)])", r"INTERNALDATE \"", r"Message-ID: <one@"),
         ("UID FETCH 3 (BODYSTRUCTURE BODY.PEEK[HEADER])", r'"attachment"'),
         ("UID FETCH 3 BODY.PEEK[1]<0.2048>", r"BODY\[1\]<0>", r"Sch=C3=B6n"),
         ("UID FETCH 3 (BODY.PEEK[2.MIME] BODY.PEEK[2])", r"SGVsbG8="),
         ("UID STORE 3 +FLAGS.SILENT (\\Seen $MailFlagBit0)",),
         ("UID STORE 2 (UNCHANGEDSINCE 1000000) +FLAGS.SILENT (\\Answered)",),
         ('UID COPY 1 "Archive"', r"COPYUID"),
         ("UID STORE 1 +FLAGS.SILENT (\\Deleted)",), ("UID EXPUNGE 1", r"\* 1 EXPUNGE"),
         (('APPEND "Drafts" (\\Seen $NotJunk NotJunk) "05-Jan-2026 11:00:00 +0100"', DRAFT), r"APPENDUID"),
         ("GETQUOTAROOT INBOX",), ("IDLE",), ("NOOP",), ("CHECK",), ("CLOSE",), ("LOGOUT", r"\* BYE"))
    server.stop()


@check
def outlook():
    """§2.2.34: no macros, no parts by number, no partial ones; RFC822.PEEK goes to servers of 1994 alone."""
    server, line = session()
    talk(line,
         ("CAPABILITY", r"IMAP4rev1"),
         (f'LOGIN "{USER}" "correct horse"',),
         ("CAPABILITY", r"\bIDLE\b"),
         ('ID ("name" "Microsoft Outlook" "version" "16.0" "vendor" "Microsoft")', r"\* ID"),
         ('LIST "" ""', r'"/"'), ('LIST "" "INBOX"', r"INBOX"), ('LIST "" "*"', r"\\Trash", r"\\Junk"), ('LSUB "" "*"',),
         ('SELECT "INBOX"', r"\* 3 EXISTS", r"UIDVALIDITY", r"\[READ-WRITE\]"),
         ("UID FETCH 1:* (UID FLAGS)", r"\* 3 FETCH \(UID 3"),
         ("UID FETCH 1:3 (UID)", r"\* 2 FETCH \(UID 2\)"),
         ("UID FETCH 1:3 (UID FLAGS RFC822.SIZE BODY.PEEK[] INTERNALDATE)", r"menu\.pdf", r"INTERNALDATE"),
         ("UID FETCH 1:3 (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER] INTERNALDATE)", r"BODY\[HEADER\]"),
         ("UID FETCH 1:3 (BODY.PEEK[HEADER.FIELDS (References X-Ref X-Priority X-MSMail-Priority X-MSOESRec Newsgroups)] ENVELOPE "
          "RFC822.SIZE UID FLAGS INTERNALDATE)", r"References: <zero@", r"ENVELOPE \("),
         ("UID STORE 3 FLAGS (\\Seen \\Flagged)", r"\\Flagged"),
         ("UID STORE 2 +FLAGS (\\Deleted \\Seen)", r"\\Deleted"),
         ("EXPUNGE", r"\* 2 EXPUNGE"),
         ('CREATE "Projects"',), ('SUBSCRIBE "Projects"',), ('UID COPY 3 "Projects"',), ('RENAME "Projects" "Old projects"',),
         ('UNSUBSCRIBE "Projects"',), ('DELETE "Old projects"',),
         (('APPEND "Sent" (\\Seen) "05-Jan-2026 11:00:00 +0100"', DRAFT),),
         ("IDLE",), ("NOOP",), ("LOGOUT", r"\* BYE"))
    server.stop()


@check
def k9_and_thunderbird_for_android():
    server, line = session()
    talk(line,
         ("CAPABILITY",), (f"AUTHENTICATE PLAIN {PLAIN}",),
         ("CAPABILITY", r"COMPRESS=DEFLATE", r"LIST-EXTENDED|IMAP4rev2", r"\bMOVE\b"),
         ('ID ("name" "K-9 Mail" "version" "8.0")', r"\* ID"),
         ("NAMESPACE", r"\* NAMESPACE"),
         ('LIST "" "*" RETURN (SPECIAL-USE)', r"\\Drafts"), ('LSUB "" "*"',),
         ('SELECT "INBOX"', r"\* 3 EXISTS"),
         ("UID SEARCH 1:* NOT DELETED", r"\* SEARCH 1 2 3"),
         ("UID FETCH 3,2,1 (UID)",),
         ("UID FETCH 1:3 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (date subject from content-type to cc reply-to "
          "message-id references in-reply-to list-unsubscribe sender X-K9mail-Identity Chat-Version)])", r"Content-Type: multipart/mixed"),
         ("UID FETCH 3 (UID BODYSTRUCTURE)", r'"menu\.pdf"'),
         ("UID FETCH 3 (UID BODY.PEEK[1])", r"Sch=C3=B6n"),
         ("UID FETCH 3 (UID BODY.PEEK[]<0.32768>)", r"BODY\[\]<0>"),
         ("UID FETCH 3 (UID BODY.PEEK[2])", r"SGVsbG8="),
         ('UID SEARCH OR OR OR OR SUBJECT "lunch" FROM "lunch" TO "lunch" CC "lunch" BODY "lunch"', r"\* SEARCH 1 2 3"),
         ("UID STORE 3 +FLAGS.SILENT (\\Seen)",), ("UID STORE 3 -FLAGS.SILENT (\\Seen)",),
         ('UID MOVE 1 "Trash"', r"COPYUID"),
         ("UID STORE 2 +FLAGS.SILENT (\\Deleted)",), ("UID EXPUNGE 2",),
         (('APPEND "Sent" (\\Seen)', DRAFT),),
         ('UID SEARCH HEADER MESSAGE-ID <one@elsewhere.example>', r"\* SEARCH 3"),
         ("IDLE",), ("CLOSE",), ("LOGOUT",))
    server.stop()


@check
def faire_mail():
    """Built on Jakarta Mail."""
    server, line = session(implicit=False)
    talk(line,
         ("CAPABILITY",), (f"AUTHENTICATE PLAIN {PLAIN}",),
         ("CAPABILITY",), ('ID ("name" "FairEmail" "version" "1.2200")', r"\* ID"), ("NAMESPACE",),
         ('LIST "" "*"', r"INBOX"), ('LSUB "" "*"',), ('STATUS "INBOX" (MESSAGES RECENT UNSEEN UIDNEXT UIDVALIDITY)', r"MESSAGES 3"),
         ("SELECT INBOX", r"\* 3 EXISTS"),
         ("UID SEARCH OR SINCE 1-Jan-2026 FLAGGED ALL", r"\* SEARCH 1 2 3"),
         ("UID FETCH 1:3 (UID FLAGS)", r"UID 3"),
         ("FETCH 1:3 (ENVELOPE INTERNALDATE RFC822.SIZE FLAGS BODYSTRUCTURE BODY.PEEK[HEADER])", r"ENVELOPE", r"BODYSTRUCTURE"),
         ("FETCH 3 (BODY.PEEK[1]<0.131072>)", r"Sch=C3=B6n"),
         ("FETCH 3 (BODY.PEEK[2]<0.131072>)", r"SGVsbG8="),
         ("STORE 3 +FLAGS (\\Seen $Forwarded)", r"\$Forwarded"), ("STORE 3 -FLAGS ($Forwarded)",),
         ("COPY 3 Archive", r"COPYUID"), ("STORE 3 +FLAGS (\\Deleted)",), ("EXPUNGE", r"\* 3 EXPUNGE"),
         (('APPEND Drafts (\\Draft \\Seen)', DRAFT), r"APPENDUID"),
         ("IDLE",), ("CLOSE",), ("LOGOUT",))
    server.stop()


main()
