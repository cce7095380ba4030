#!/usr/bin/env python3
"""Random domains with policies and results, each judged by libopendmarc (Debian: libopendmarc2) and by ours: what is
found, what is aligned, and what is to be done are equal.

Usage: opendmarc.py DMARC_WORLD [SEED [CASES]]

Both use RFC 7489's public suffix list. Where libopendmarc departs from RFC 7489 the case is excused by one rule each (see
`excused`), and the number of cases that stay comparable is checked.
"""
import ctypes
import random
import subprocess
import sys

SUFFIXES = "/usr/share/publicsuffix/public_suffix_list.dat"
SPF = {"none": 0, "pass": 1, "fail": 2, "softfail": 2, "neutral": 0, "temperror": 3, "permerror": 2}
DKIM = {"none": 0, "pass": 1, "fail": 2, "policy": 2, "neutral": 2, "permerror": 2}
ALIGNED = 4  # DMARC_POLICY_SPF_ALIGNMENT_PASS, DMARC_POLICY_DKIM_ALIGNMENT_PASS
VERDICTS = {14: "absent", 15: "pass", 16: "reject", 17: "quarantine", 18: "none"}

lib = ctypes.CDLL("libopendmarc.so.2")
lib.opendmarc_policy_connect_init.restype = ctypes.c_void_p


class LibInit(ctypes.Structure):
    _fields_ = [("tld_type", ctypes.c_int), ("tld_source_file", ctypes.c_char * 4096), ("nscount", ctypes.c_int),
                ("nsaddr_list", ctypes.c_char * 48)]


def theirs(case):
    """(verdict, spf aligned, dkim aligned) by libopendmarc; the record that counts is given, as the milter gives it."""
    context = ctypes.c_void_p(lib.opendmarc_policy_connect_init(b"192.0.2.1", 4))
    try:
        lib.opendmarc_policy_store_from_domain(context, case["from"].encode())
        if case["spf"][1]:
            lib.opendmarc_policy_store_spf(context, case["spf"][1].encode(), SPF[case["spf"][0]], 1, None)
        # It remembers one signature, and lets one that failed take the place of one that passed; RFC 7489 §6.6.2 (4) asks
        # for any that is aligned. So those that tell most come last.
        telling = lambda one: (one[0] == "pass", one[1] == case["from"])
        for result, domain in sorted(case["dkim"], key=telling):
            lib.opendmarc_policy_store_dkim(context, domain.encode(), b"s", DKIM[result], None)
        place = case["place"]
        if place is None:
            return "absent", False, False
        organization = None if place == case["from"] else place.encode()
        stored = lib.opendmarc_policy_store_dmarc(context, case["records"][place].encode(), case["from"].encode(), organization)
        if stored != 0:
            return f"refused {stored}", False, False
        verdict = VERDICTS[lib.opendmarc_get_policy_to_enforce(context)]
        dkim, spf = ctypes.c_int(), ctypes.c_int()
        lib.opendmarc_policy_fetch_alignment(context, ctypes.byref(dkim), ctypes.byref(spf))
        return verdict, spf.value == ALIGNED, dkim.value == ALIGNED
    finally:
        lib.opendmarc_policy_connect_shutdown(context)


def excused(case, mechanism, identifiers):
    """Strict alignment: RFC 7489 §3.1 asks for the same name, libopendmarc takes a name above or below it too."""
    author, text = case["from"], case["records"].get(case["place"], "").lower().replace(" ", "")
    related = lambda domain: domain != author and (domain.endswith("." + author) or author.endswith("." + domain))
    return f"a{mechanism}=s" in text and any(result == "pass" and related(domain) for result, domain in identifiers)


def make_record(rng):
    tags = ["v=DMARC1", "p=" + rng.choice(["none", "quarantine", "reject"])]
    rest = []
    if rng.random() < 0.5:
        rest.append("sp=" + rng.choice(["none", "quarantine", "reject"]))
    if rng.random() < 0.4:
        rest.append("adkim=" + rng.choice("rs"))
    if rng.random() < 0.4:
        rest.append("aspf=" + rng.choice("rs"))
    if rng.random() < 0.3:
        rest.append("rua=mailto:r@example.org")
    if rng.random() < 0.2:
        rest.append("pct=" + rng.choice(["0", "42", "100"]))
    if rng.random() < 0.2:
        rest.append("x-unknown=1")
    rng.shuffle(rest)
    text = rng.choice(["; ", ";", " ; "]).join(tags + rest)
    if rng.random() < 0.2:
        text += ";"
    return text.upper().replace("V=DMARC1", "v=DMARC1") if rng.random() < 0.05 and "RUA" not in text.upper() else text


ORGANIZATIONS = ["example.com", "example.net", "example.co.uk", "brand.com.au", "example.org", "firma.de"]
BELOW = ["", "mail.", "news.", "a.b.", "x.mail."]


def organization_of(domain):
    return next(one for one in ORGANIZATIONS if domain == one or domain.endswith("." + one))


def make_case(rng):
    some = rng.sample(ORGANIZATIONS, 2)
    domain = lambda: rng.choice(BELOW) + rng.choice(some + some[:1])
    author = rng.choice(BELOW) + some[0]
    records = {one: make_record(rng) for one in sorted({author, some[0], domain()}) if rng.random() < 0.7}
    places = [one for one in (author, some[0]) if one in records]
    return {"from": author, "records": records, "place": places[0] if places else None,
            "spf": (rng.choice(["pass", "pass", "pass", "fail", "softfail", "none"]), domain()),
            "dkim": [(rng.choice(["pass", "pass", "fail", "permerror"]), domain()) for _ in range(rng.randint(0, 3))]}


def main():
    world = sys.argv[1]
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 7489)
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 800
    init = LibInit(tld_type=1, tld_source_file=SUFFIXES.encode())
    if lib.opendmarc_policy_library_init(ctypes.byref(init)) != 0:
        sys.exit("libopendmarc does not start")
    cases = [make_case(rng) for _ in range(count)]
    lines = []
    for case in cases:
        lines += ["CLEAR"] + [f"TXT\t_dmarc.{name}\t{text}" for name, text in case["records"].items()]
        lines.append("\t".join(["CHECK", case["from"], *case["spf"], ",".join(f"{r}:{d}" for r, d in case["dkim"])]))
    done = subprocess.run([world, SUFFIXES], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    answers = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(answers) == count, (len(answers), count)
    bad, left_out, seen = 0, 0, {}
    for case, (result, place, tag, policy, spf, dkim) in zip(cases, answers):
        verdict = {"none": "absent", "pass": "pass", "fail": policy}[result]
        ours = (verdict, spf == "aligned", dkim == "aligned")
        if excused(case, "dkim", case["dkim"]) or excused(case, "spf", [case["spf"]]):
            left_out += 1
            continue
        other = theirs(case)
        seen[verdict] = seen.get(verdict, 0) + 1
        if (place or None) != case["place"] or ours != other:
            bad += 1
            if bad <= 10:
                print("DIFFERENT", case, "ours", ours, place, tag, "theirs", other)
    print(f"{count} cases, {left_out} excused, {bad} different, verdicts {seen}")
    if bad or left_out > count // 4 or min(seen.get(word, 0) for word in ("absent", "pass", "none", "quarantine", "reject")) < count // 50:
        sys.exit(1)


main()
