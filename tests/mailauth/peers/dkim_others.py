#!/usr/bin/env python3
"""DKIM with other implementations: what we sign dkimpy and OpenDKIM's library verify, what they sign we verify, over
odd messages, in each algorithm and canonicalization. Needs python3-dkim, python3-nacl and libopendkim11.

    dkim_others.py PEER [MESSAGES]     PEER: the program built from dkim_world.cpp
"""
import base64
import ctypes
import os
import random
import subprocess
import sys
import tempfile

# Debian's packages, whatever other Python comes first in the path.
sys.path.append("/usr/lib/python3/dist-packages")
import dkim  # noqa: E402

DOMAIN = "example.org"
CANONICAL = [(h, b) for h in ("simple", "relaxed") for b in ("simple", "relaxed")]


def odd_message(rng):
    """Header fields and a body of what real mail has at its edges; CRLF only, lines within 998 octets."""
    def word():
        return rng.choice([b"hello", b"a", b"x" * rng.randint(1, 60), b"=?utf-8?q?=C3=A4?=", "käse".encode(), b"\xff\xfe"[:1] + b"q",
                           b"semi;colon", b"e=q", b"co:lon", b"\"quoted\""])

    def text():
        out = b""
        for _ in range(rng.randint(0, 8)):
            out += rng.choice([b" ", b"  ", b"\t", b" \t ", b"\r\n ", b"\r\n\t", b"  \r\n  "]) + word()
        return out + rng.choice([b"", b"", b" ", b"\t", b"  "])

    fields = [b"From: " + rng.choice([b"a@example.org", b"  \"A B\"\r\n <a@example.org> ", b"\ta@example.org"]),
              b"Date: Thu, 26 Nov 2026 10:00:00 +0000"]
    for name in (b"To", b"Subject", b"Message-ID", b"Cc", b"X-Odd", b"Received", b"Received", b"MIME-Version", b"List-Id"):
        if rng.random() < 0.6:
            fields.append(rng.choice([name, name.lower(), name.upper()]) + b":" + text())
    if rng.random() < 0.2:
        fields.append(b"References:" + b"".join(b"\r\n <%d@example.org>" % i for i in range(rng.randint(1, 60))))
    if rng.random() < 0.15:
        fields += [b"Keywords: one", b"Keywords: two", b"Comments:"]
    if rng.random() < 0.1:
        fields.append(b"X-Long: " + b"y" * rng.randint(800, 990))
    rng.shuffle(fields)
    head = b"".join(f + b"\r\n" for f in fields)

    body = b""
    for _ in range(rng.choice([0, 0, 1, 3, 20])):
        body += rng.choice([b"", b" ", b"\t", b"text", b"two  spaces", b"trailing ", b"trailing\t \t", b" leading", b"\t\ttabs\tinside",
                            b".", b"..", b"From x", b"8-bit \xe4\xf6\xfc", b"\x00nul\x00", b"z" * rng.randint(900, 998), b"- -- "])
        body += b"\r\n"
    body += rng.choice([b"", b"", b"\r\n" * rng.randint(1, 300), b"\r\n \r\n", b"no final line end", b"ends in a space ", b" "])
    return head + b"\r\n" + body


class Peer:
    """Our side."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")


def completed(message):
    """With the final line end that canonicalization adds: OpenDKIM refuses to relax a body without it."""
    body = message[message.index(b"\r\n\r\n") + 4:]
    return message if not body or body.endswith(b"\r\n") else message + b"\r\n"


def for_dkimpy(message):
    """dkimpy keeps white space at the end of a relaxed body whose last line has no end; with one, all agree."""
    return completed(message) if message.endswith((b" ", b"\t")) else message


class OpenDkim:
    """libopendkim; keys come from a table."""

    CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t)

    def __init__(self, records):
        lib = self.lib = ctypes.CDLL("libopendkim.so.11")
        for name in ("dkim_init", "dkim_verify", "dkim_sign"):
            getattr(lib, name).restype = ctypes.c_void_p
        for name in ("dkim_sig_getselector", "dkim_sig_getdomain", "dkim_getresultstr"):
            getattr(lib, name).restype = ctypes.c_char_p
        self.handle = ctypes.c_void_p(lib.dkim_init(None, None))

        def look_up(_dkim, sig, buffer, size):
            name = lib.dkim_sig_getselector(ctypes.c_void_p(sig)) + b"._domainkey." + lib.dkim_sig_getdomain(ctypes.c_void_p(sig))
            record = records.get(name.decode(), "").encode() + b"\0"
            ctypes.memmove(buffer, record, min(len(record), size))
            return 0

        self.callback = self.CALLBACK(look_up)
        assert lib.dkim_set_key_lookup(self.handle, self.callback) == 0

    def _feed(self, handle, message):
        status = self.lib.dkim_chunk(handle, message, ctypes.c_size_t(len(message)))
        if status == 0:
            status = self.lib.dkim_chunk(handle, None, ctypes.c_size_t(0))
        return status or self.lib.dkim_eom(handle, None)

    def verify(self, message):
        status = ctypes.c_int()
        handle = ctypes.c_void_p(self.lib.dkim_verify(self.handle, b"id", None, ctypes.byref(status)))
        result = self._feed(handle, message)
        self.lib.dkim_free(handle)
        return "pass" if result == 0 else self.lib.dkim_getresultstr(result).decode()

    def sign(self, message, pem, selector, header, body):
        how = {"simple": 0, "relaxed": 1}
        status = ctypes.c_int()
        handle = ctypes.c_void_p(self.lib.dkim_sign(self.handle, b"id", None, pem, selector.encode(), DOMAIN.encode(), how[header],
                                                    how[body], 1, ctypes.c_ssize_t(-1), ctypes.byref(status)))
        result = self._feed(handle, message)
        assert result == 0, self.lib.dkim_getresultstr(result)
        text, size = ctypes.c_char_p(), ctypes.c_size_t()
        assert self.lib.dkim_getsighdr_d(handle, ctypes.c_size_t(16), ctypes.byref(text), ctypes.byref(size)) == 0
        field = b"DKIM-Signature: " + text.value[:size.value].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b"\r\n"
        self.lib.dkim_free(handle)
        return field + message


def main():
    peer = Peer(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    rng = random.Random(6376)
    messages = [odd_message(rng) for _ in range(count)]
    checks, failures = 0, []

    def expect(what, index, answer):
        nonlocal checks
        checks += 1
        if answer not in ("pass", True):
            failures.append(f"{what}, message {index}: {answer}")

    with tempfile.TemporaryDirectory() as folder:
        records = {}
        for selector, kind in (("rsa", "rsa"), ("ed", "ed25519")):
            name = f"{selector}._domainkey.{DOMAIN}"
            records[name] = peer.ask("key", kind, f"{folder}/{selector}.pem", selector)
            assert peer.ask("record", name, records[name]) == "ok"
        rsa_pem = open(f"{folder}/rsa.pem", "rb").read()
        # PKCS #8 of Ed25519 ends with the seed, which is what dkimpy takes.
        ed_der = base64.b64decode("".join(open(f"{folder}/ed.pem").read().splitlines()[1:-1]))
        ed_seed = base64.b64encode(ed_der[-32:])
        opendkim = OpenDkim(records)

        def dns(name, timeout=5):
            return records.get(name.decode().rstrip("."), "").encode()

        def path(suffix):
            return f"{folder}/{suffix}.eml"

        def ours(message):
            with open(path("theirs"), "wb") as f:
                f.write(message)
            return peer.ask("verify", path("theirs"))

        for index, message in enumerate(messages):
            with open(path("in"), "wb") as f:
                f.write(message)
            for header, body in CANONICAL:
                pair = f"{header}/{body}"
                done = peer.ask("sign", header, body, DOMAIN, path("in"), path("rsa"), path("ed"))
                assert done == "ok", (index, pair, done, message)
                by_rsa, by_ed = open(path("rsa"), "rb").read(), open(path("ed"), "rb").read()
                expect(f"ours rsa {pair}, dkimpy", index, dkim.verify(for_dkimpy(by_rsa), dnsfunc=dns))
                expect(f"ours ed25519 {pair}, dkimpy", index, dkim.verify(for_dkimpy(by_ed), dnsfunc=dns))
                expect(f"ours rsa {pair}, opendkim", index, opendkim.verify(completed(by_rsa)))

                how = (header.encode(), body.encode())
                expect(f"opendkim's rsa {pair}, ours", index, ours(opendkim.sign(completed(message), rsa_pem, "rsa", header, body)))
                theirs = dkim.sign(for_dkimpy(message), b"rsa", DOMAIN.encode(), rsa_pem, canonicalize=how)
                expect(f"dkimpy's rsa {pair}, ours", index, ours(theirs + message))
                theirs = dkim.sign(for_dkimpy(message), b"ed", DOMAIN.encode(), ed_seed, canonicalize=how, signature_algorithm=b"ed25519-sha256")
                expect(f"dkimpy's ed25519 {pair}, ours", index, ours(theirs + message))

        # The other half: what neither side may sign or pass.
        with open(path("in"), "wb") as f:
            f.write(b"From: a@example.org\r\n\r\n" + b"x" * (1 << 20) + b"\r\n")
        refused = peer.ask("sign", "relaxed", "relaxed", DOMAIN, path("in"), path("rsa"), path("ed"))
        expect("a line of 1 MiB is refused", 0, "pass" if "long lines" in refused else refused)
        altered = open(path("rsa"), "rb").read().replace(b"example.org>", b"example.com>") + b"more\r\n"
        answers = (ours(altered).split(":")[0], dkim.verify(altered, dnsfunc=dns), opendkim.verify(altered) == "pass")
        expect("an altered message fails everywhere", 0, answers == ("fail", False, False) or str(answers))

    peer.process.stdin.close()
    peer.process.wait()
    print(*failures[:40], sep="\n")
    print(f"{count} messages, {checks} checks, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
