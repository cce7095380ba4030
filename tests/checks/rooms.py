#!/usr/bin/env python3
"""The room table: every #include of ours is allowed by it, and heavy headers stay out of public ones."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
LOWER = {
    "base": set(),
    "mail": {"base"},
    "protocol": {"base", "mail"},
    "mailauth": {"base", "mail"},
    "filter": {"base", "mail", "mailauth"},
    "store": {"base", "mail"},
    "search": {"base", "mail", "store"},
    "crypto": {"base"},
    "net": {"base", "crypto"},
    "delivery": {"base", "mail", "protocol", "mailauth", "filter", "store", "search", "crypto", "net"},
    "server": {"base", "mail", "protocol", "mailauth", "filter", "store", "search", "crypto", "net"},
}
# Libraries that only some rooms may use, and none in a public header.
OUTSIDE = {
    "asio": {"net"},
    "openssl/": {"net", "crypto"},
    "ares": {"net"},
    "rocksdb/": {"store"},
    "zstd": {"store"},
    "unicode/": {"mail", "protocol", "search"},
    "xapian": {"search"},
    "libpsl": {"mailauth"},
    "expat": {"mailauth"},
    "zlib": {"mailauth", "filter", "server"},
    "nlohmann/": {"apps"},
    "CLI/": {"apps"},
    "fmt/": {"base", "mail", "protocol", "mailauth", "store", "net", "server", "delivery", "filter", "apps"},
    "crypt.h": {"crypto"},
    "re2/": {"filter"},
    "clamav": {"apps"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)

bad = []
files = 0
for folder in ("include/briefwerk", "lib", "apps"):
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix not in (".hpp", ".cpp"):
            continue
        files += 1
        inside = path.relative_to(ROOT / folder).parts
        room = "apps" if folder == "apps" else inside[0]
        if room.endswith(".hpp"):  # an umbrella header
            continue
        for _, name in INCLUDE.findall(path.read_text(encoding="utf-8")):
            ours = re.match(r"(?:briefwerk/)?([a-z]+)/", name)
            target = ours.group(1) if ours and (name.startswith("briefwerk/") or ours.group(1) in LOWER) else None
            if target in LOWER and room in LOWER and target != room and target not in LOWER[room]:
                bad.append(f"{path.relative_to(ROOT)}: room {room} may not include {name}")
            for prefix, rooms in OUTSIDE.items():
                if name.startswith(prefix):
                    if folder == "include/briefwerk":
                        bad.append(f"{path.relative_to(ROOT)}: a public header may not include {name}")
                    elif room not in rooms:
                        bad.append(f"{path.relative_to(ROOT)}: room {room} may not include {name}")
print(*bad, sep="\n")
print(f"{files} files, {len(bad)} includes against the room table")
sys.exit(1 if bad or files == 0 else 0)
