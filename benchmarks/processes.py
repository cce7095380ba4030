"""The processes of a server that up-briefwerk.sh and the like started: all below the pid in DIR/root.pid."""
import os


def below(directory):
    with open(directory + "/root.pid", encoding="ascii") as file:
        known = [int(file.read())]
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                children.setdefault(int(file.read().rsplit(")", 1)[1].split()[1]), []).append(int(name))
        except OSError:
            pass
    for pid in known:
        known += children.get(pid, [])
    return known[1:]
