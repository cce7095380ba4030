"""A DNS of our own on loopback: nsd with the zone test. and the reverse zone of 127/8, and unbound in front of it."""
import socket
import struct
import subprocess

from harness import _die_with_parent, free_ports, need, wait_for

SOA = "@ SOA ns.test. root.test. 1 60 60 60 0\n@ NS ns.test.\n"


def _query(name, kind):
    head = struct.pack(">HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0)
    labels = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".") if p)
    return head + labels + b"\0" + struct.pack(">HH", kind, 1)


def answers(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.3)
        try:
            s.sendto(_query("ns.test", 1), ("127.0.0.1", port))
            return s.recv(512)[7] > 0
        except OSError:
            return False


class Authority:
    """nsd with `zones`: name -> its file in `folder`. The zone test, with an address of ns.test, is among them."""

    def __init__(self, folder, zones):
        need("nsd")
        self.port, self.folder = free_ports(1)[0], folder
        with open(folder + "/nsd.conf", "w") as f:
            f.write(f'server:\n  ip-address: 127.0.0.1@{self.port}\n  username: ""\n  chroot: ""\n  zonesdir: "{folder}"\n'
                    f'  pidfile: "{folder}/nsd.pid"\n  database: ""\n  xfrdfile: "{folder}/xfrd"\n  zonelistfile: "{folder}/zones"\n'
                    f'  logfile: "{folder}/nsd.log"\n  server-count: 1\nremote-control:\n  control-enable: no\n'
                    + "".join(f"zone:\n  name: {name}\n  zonefile: {file}\n" for name, file in zones.items()))
        self.start()

    def start(self):
        self.process = subprocess.Popen(["/usr/sbin/nsd", "-d", "-c", self.folder + "/nsd.conf"], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=_die_with_parent)
        wait_for("nsd", lambda: answers(self.port))

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)


class Names:
    """`test`: lines of the zone; `reverse`: address -> name. Nothing may be kept in a cache: every TTL of ours is 0."""

    def __init__(self, folder, test="", reverse=None):
        need("unbound")
        self.folder, self.test, self.reverse = folder, test, reverse or {}
        self.port = free_ports(1)[0]
        self.write()
        self.authority = Authority(folder, {"test": "zone", "127.in-addr.arpa": "reverse"})
        with open(folder + "/unbound.conf", "w") as f:
            f.write(f'server:\n  interface: 127.0.0.1@{self.port}\n  username: ""\n  chroot: ""\n  directory: "{folder}"\n'
                    f'  pidfile: "{folder}/unbound.pid"\n  use-syslog: no\n  logfile: "{folder}/unbound.log"\n  do-daemonize: no\n'
                    f'  do-not-query-localhost: no\n  module-config: "iterator"\n  cache-max-ttl: 0\n  cache-max-negative-ttl: 0\n'
                    f'  infra-host-ttl: 0\n  num-threads: 1\n  local-zone: "." static\n  local-zone: "test." transparent\n'
                    f'  local-zone: "127.in-addr.arpa." transparent\n'
                    f'remote-control:\n  control-enable: no\n'
                    + "".join(f'stub-zone:\n  name: "{zone}"\n  stub-addr: 127.0.0.1@{self.authority.port}\n'
                              for zone in ("test.", "127.in-addr.arpa.")))
        self.unbound = subprocess.Popen(["/usr/sbin/unbound", "-c", folder + "/unbound.conf"], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=_die_with_parent)
        wait_for("unbound", lambda: answers(self.port))

    @property
    def server(self):
        return f"127.0.0.1:{self.port}"

    def write(self):
        with open(self.folder + "/zone", "w") as f:
            f.write("$ORIGIN test.\n$TTL 0\n" + SOA + "ns A 127.0.0.1\n" + self.test)
        with open(self.folder + "/reverse", "w") as f:
            f.write("$ORIGIN 127.in-addr.arpa.\n$TTL 0\n" + SOA)
            for address, name in self.reverse.items():
                f.write(".".join(reversed(address.split("."))) + f".in-addr.arpa. PTR {name}.\n")

    def add(self, lines):
        """Publishes more lines of the zone test."""
        self.test += lines if lines.endswith("\n") else lines + "\n"
        self.write()
        self.authority.stop()
        self.authority.start()

    def stop(self):
        if self.unbound.poll() is None:
            self.unbound.terminate()
            self.unbound.wait(10)
        self.authority.stop()
