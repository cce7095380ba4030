#!/usr/bin/env python3
"""No program of ours loads two libcryptos: BoringSSL's symbols and OpenSSL's would mix, and the process hangs."""
import os
import pathlib
import subprocess
import sys

programs = [p for p in pathlib.Path(sys.argv[1]).rglob("*")
            if p.is_file() and os.access(p, os.X_OK) and "CMakeFiles" not in p.parts and p.read_bytes()[:4] == b"\x7fELF"]
bad = 0
with_crypto = 0
for program in programs:
    loaded = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    if "not found" in loaded:
        print(f"{program.name}: a library is not found:\n{loaded}")
        bad += 1
    cryptos = sorted({line.split()[0] for line in loaded.splitlines() if line.strip().startswith("libcrypto.")})
    with_crypto += bool(cryptos)
    if len(cryptos) > 1:
        print(f"{program.name} loads {' and '.join(cryptos)}")
        bad += 1
print(f"{len(programs)} programs, {with_crypto} with a libcrypto, {bad} wrong")
sys.exit(1 if bad or not with_crypto else 0)
