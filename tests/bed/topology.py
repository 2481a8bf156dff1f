"""Three namespaces joined by a router: workstation - firewall - azure. Knows links, routes and nftables, no service.

    workstation 10.70.0.10, fd00:70::10 --- firewall 10.70.0.1 / 10.72.0.1 --- azure 10.72.0.2 and its prefixes

The firewall namespace also has 10.70.0.53, 10.70.0.54 (resolvers) and 10.70.0.100 (proxy) for real software on it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bed.namespaces import Namespace, command

# A unique local address alone is no way to the Internet; an action gives the workstation a global one besides.
GLOBAL6, GLOBAL_ROUTER6 = "2001:db8:70::10", "2001:db8:70::1"
WORKSTATION, WORKSTATION6 = "10.70.0.10", "fd00:70::10"
ROUTER, ROUTER6 = "10.70.0.1", "fd00:70::1"
RESOLVER, SECOND_RESOLVER, PROXY = "10.70.0.53", "10.70.0.54", "10.70.0.100"  # on the firewall's inner side
OUTSIDE_OF_ROUTER = "10.72.0.1"  # what azure sees of programs that run on the firewall
AZURE, AZURE6 = "10.72.0.2", "fd00:72::2"
PREFIXES = ("203.0.113.0/24", "198.51.100.0/24", "10.73.0.0/24", "168.63.129.16/32")
PREFIX6 = "2001:db8:a::"
AZURE_DNS = "168.63.129.16"

# Rules of scenarios go to `deny` (what passes or reaches the router), `output` (what its own programs send),
# `rewrite` (redirections to programs on it, other destinations) and `leave` (other source addresses).
_RULES = """
flush ruleset
table inet fw {
  chain deny { }
  chain input { type filter hook input priority 0; policy accept; jump deny; }
  chain forward { type filter hook forward priority 0; policy accept; jump deny; }
  chain output { type filter hook output priority 0; policy accept; }
  chain rewrite { type nat hook prerouting priority -100; policy accept; }
  chain leave { type nat hook postrouting priority 100; policy accept; }
}
"""
_LOCAL = {"ipv4/ip_nonlocal_bind": "1", "ipv6/ip_nonlocal_bind": "1"}
_FORGET = {"ipv4/route/flush": "1", "ipv6/route/flush": "1"}  # path MTUs are kept for ten minutes
_ROUTING = {
    "ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1", "ipv4/conf/all/rp_filter": "0",
    "ipv4/icmp_ratelimit": "0", "ipv6/icmp/ratelimit": "0",
}  # fmt: skip


class Topology:
    """`start()` once, `reset()` between scenarios, `stop()` at the end; faults are context managers."""

    def __init__(self, folder: Path) -> None:
        self.workstation, self.firewall, self.azure = (
            Namespace(name, folder) for name in ("workstation", "firewall", "azure")
        )
        self._all = (self.workstation, self.firewall, self.azure)

    def start(self) -> None:
        """Namespaces, links, addresses, routes, an empty firewall."""
        for namespace in self._all:
            namespace.create()
        self.firewall.ip(
            "link set lo up",
            "link add to-workstation type veth peer name eth0 netns workstation",
            "link add to-azure type veth peer name eth0 netns azure",
            f"addr add {ROUTER}/24 dev to-workstation",
            *(f"addr add {address}/24 dev to-workstation" for address in (RESOLVER, SECOND_RESOLVER, PROXY)),
            f"addr add {ROUTER6}/64 dev to-workstation nodad",
            f"addr add {GLOBAL_ROUTER6}/64 dev to-workstation nodad",
            f"addr add {OUTSIDE_OF_ROUTER}/24 dev to-azure",
            "addr add fd00:72::1/64 dev to-azure nodad",
            "link set to-workstation up",
            "link set to-azure up",
            *(f"route add {prefix} via {AZURE} src {OUTSIDE_OF_ROUTER}" for prefix in PREFIXES),
            f"route add {PREFIX6}/64 via {AZURE6}",
        )
        self._host(self.workstation, WORKSTATION, WORKSTATION6, ROUTER, ROUTER6)
        self._host(self.azure, AZURE, AZURE6, OUTSIDE_OF_ROUTER, "fd00:72::1")
        self.azure.ip(*(f"route add local {prefix} dev lo" for prefix in (*PREFIXES, f"{PREFIX6}/64")))
        self.azure.sysctl(_LOCAL)
        self.firewall.sysctl(_ROUTING)
        self.reset()

    @staticmethod
    def _host(namespace: Namespace, four: str, six: str, router: str, router6: str) -> None:
        namespace.ip(
            "link set lo up", f"addr add {four}/24 dev eth0", f"addr add {six}/64 dev eth0 nodad", "link set eth0 up",
            f"route add default via {router}", f"route add default via {router6}",
        )  # fmt: skip

    def reset(self) -> None:
        """No rule, no redirection, and nothing remembered of the paths of the scenario before."""
        self.nft(_RULES)
        for host in (self.workstation, self.azure):
            host.sysctl(_FORGET, of_root=True)

    def stop(self) -> None:
        """Remove the namespaces; the kernel removes what is in them."""
        command("ip", "-batch", "-", text="".join(f"netns del {namespace.name}\n" for namespace in self._all))

    def nft(self, script: str) -> None:
        """Give the firewall a script of nftables."""
        self.firewall.run("nft", "-f", "-", text=script)

    @contextmanager
    def rules(self, *rules: str, chain: str = "deny") -> Iterator[None]:
        """These rules in a chain of the firewall, in this order."""
        self.nft("".join(f"add rule inet fw {chain} {rule}\n" for rule in rules))
        try:
            yield
        finally:
            self.nft(f"flush chain inet fw {chain}\n")

    @contextmanager
    def mtu(self, size: int, *, icmp: bool) -> Iterator[None]:
        """A link between firewall and workstation that carries no more; without ICMP it is a black hole."""
        silence = "meta l4proto { icmp, icmpv6 } drop"
        self.firewall.ip(f"link set to-workstation mtu {size}")
        try:
            with self.rules(*(() if icmp else (silence,)), chain="output"):
                yield
        finally:
            self.firewall.ip("link set to-workstation mtu 1500")

    @contextmanager
    def routes(self, where: str, *lines: str, undo: tuple[str, ...]) -> Iterator[None]:
        """`ip` commands in a namespace, and those that take them back."""
        namespace = next(each for each in self._all if each.name == where)
        namespace.ip(*lines)
        try:
            yield
        finally:
            namespace.ip(*undo)
