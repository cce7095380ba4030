#!/usr/bin/env python3
"""ratios.py RESULTS.jsonl: a Markdown table of briefwerk beside the best other server of the same run.

Several values of one cell (repeated runs) count by their median. A ratio above 1 means that briefwerk is ahead.
"""
import collections
import json
import statistics
import sys

OURS = "briefwerk"
LESS_IS_BETTER = {"ms", "KiB", "MiB", "ms/login"}
NO_SERVER = {"sink"}  # shows the ceiling of the generator
SKIPPED = ("lost", "alive", "server_pss", "visible_s")

cells = collections.defaultdict(lambda: collections.defaultdict(list))
units = {}
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        row = json.loads(line)
        what = row["what"]
        if what.rsplit(".", 1)[-1] in SKIPPED or not isinstance(row.get("value"), (int, float)):
            continue
        cells[what][row["peer"]].append(row["value"])
        units[what] = row.get("unit", "")


def text(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


print("| what | unit | briefwerk | best other | which | ratio | generator's ceiling |")
print("|---|---|---:|---:|---|---:|---:|")
for what, by_peer in cells.items():
    if OURS not in by_peer:
        continue
    less = units[what] in LESS_IS_BETTER
    median = {peer: statistics.median(values) for peer, values in by_peer.items()}
    ours = median.pop(OURS)
    ceiling = next((text(median[p]) for p in NO_SERVER if p in median), "")
    others = {peer: value for peer, value in median.items() if peer not in NO_SERVER and value > 0}
    if others:
        best = min(others, key=others.get) if less else max(others, key=others.get)
        ratio = others[best] / ours if less and ours else ours / others[best] if not less else float("inf")
        print(f"| {what} | {units[what]} | {text(ours)} | {text(others[best])} | {best} | {ratio:.2f} | {ceiling} |")
    else:
        print(f"| {what} | {units[what]} | {text(ours)} | | | | {ceiling} |")
