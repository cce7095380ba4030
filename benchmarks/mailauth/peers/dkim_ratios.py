#!/usr/bin/env python3
"""DKIM beside OpenDKIM's library and dkimpy, one after the other in one run: CPU microseconds a message, and ratios.

    dkim_ratios.py BUILD      BUILD: a folder configured with BRIEFWERK_WITH_BENCHMARKS=ON (build/release)
"""
import base64
import json
import subprocess
import sys
import tempfile
import time

sys.path.append("/usr/lib/python3/dist-packages")
import dkim  # noqa: E402

ROWS = [(4096, 0, "4 KiB"), (1 << 20, 0, "1 MiB"), (16384, 1, "16 KiB, 60 odd fields, blanks")]
FIELDS = ("Received: from mx.example.org (mx.example.org [192.0.2.1])\r\n\tby mail.example.net with ESMTPS id 4Abc123XYZ\r\n"
          "\tfor <bob@example.net>; Sat, 7 Nov 2026 10:15:00 +0100\r\n"
          "From: =?utf-8?Q?J=C3=B6rg?= Example <joerg@example.org>\r\nTo: Bob <bob@example.net>, \"Carol, C.\" <carol@example.net>\r\n"
          "Cc: dave@example.com\r\nSubject: Re: Minutes of the meeting on Thursday\r\nDate: Sat, 7 Nov 2026 10:15:00 +0100\r\n"
          "Message-ID: <20261107101500.1234@example.org>\r\nReferences: <1@example.net>\r\n <2@example.org>\r\n <a@example.net>\r\n"
          "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n")


def message_of(size, shape):
    """As benchmarks/mailauth/dkim_messages.hpp."""
    out = FIELDS + "".join(f"X-Field-{i}:  some  value \t with blanks \r\n\t and a fold\r\n" for i in range(60 if shape else 0)) + "\r\n"
    line = "  a  b \t c  \r\n\r\nd\te   f \r\n" if shape else \
        "It is a long established fact that a reader is distracted by what he reads.\r\n"
    return (out + line * (max(0, size - len(out)) // len(line) + (1 if (size - len(out)) % len(line) else 0))).encode()


def measure(work):
    work()
    start, rounds = time.process_time(), 0
    while time.process_time() - start < 0.5:
        work()
        rounds += 1
    return (time.process_time() - start) / rounds * 1e6


def ours(build):
    out = subprocess.run([f"{build}/benchmarks/bench_mailauth", "--benchmark_filter=sha256|body_hash|sign_message|verify_message",
                          "--benchmark_format=json"], check=True, capture_output=True, text=True).stdout
    micros = {}
    for one in json.loads(out)["benchmarks"]:
        unit = {"ns": 1e-3, "us": 1, "ms": 1e3}[one["time_unit"]]
        micros[one["name"]] = one["cpu_time"] * unit
    return micros


def opendkim(build, pem, record):
    out = subprocess.run([f"{build}/benchmarks/bench_peer_opendkim", pem, record], check=True, capture_output=True, text=True).stdout
    return {tuple(line.split()[:3]): float(line.split()[3]) for line in out.splitlines()}


def main():
    build = sys.argv[1]
    with tempfile.NamedTemporaryFile(suffix=".pem") as pem:
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", pem.name, "2048"], check=True, capture_output=True)
        der = subprocess.run(["openssl", "rsa", "-in", pem.name, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        record = "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()
        mine, peer, secret = ours(build), opendkim(build, pem.name, record), open(pem.name, "rb").read()

    print("| what | Briefwerk µs | a second | OpenDKIM µs | ratio | dkimpy µs | ratio |\n|---|---:|---:|---:|---:|---:|---:|")
    for size, shape, text in ROWS:
        message = message_of(size, shape)
        field = dkim.sign(message, b"s", b"example.org", secret)
        theirs = {"sign": measure(lambda: dkim.sign(message, b"s", b"example.org", secret)),
                  "verify": measure(lambda: dkim.verify(field + message, dnsfunc=lambda *_, **__: record.encode()))}
        for what in ("verify", "sign"):
            rsa = mine[f"{what}_message/rsa2048/{size}/{shape}"]
            other = peer[what, str(size), str(shape)]
            print(f"| {what} rsa2048, {text} | {rsa:.1f} | {1e6 / rsa:,.0f} | {other:.1f} | {other / rsa:.2f} | "
                  f"{theirs[what]:.0f} | {theirs[what] / rsa:.1f} |")
            ed = mine[f"{what}_message/ed25519/{size}/{shape}"]
            print(f"| {what} ed25519, {text} | {ed:.1f} | {1e6 / ed:,.0f} | | | | |")
    bare = mine["sha256/1048576"]
    for name in ("relaxed/1048576/0", "relaxed/1048576/1", "simple/1048576/0"):
        print(f"body hash {name}: {bare / mine['body_hash_of/' + name]:.2f} of bare SHA-256's speed")


if __name__ == "__main__":
    main()
