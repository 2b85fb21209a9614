# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of lists: names and addresses of every kind of list on the wire and in the kernel's sets, what a list excepts, what it only
watches, and that each event names the list and the line."""

from run import UNLISTED, families, need, own, policy, until

BROWSER = """[Adblock Plus 2.0]
! pools
||adblock.listed.example^$third-party
@@||fine.adblock.listed.example^
||adblock.listed.example/x.js
||important.listed.example^$important
@@||important.listed.example^
@@||own.listed.example^
"""
FILES = {
    "browser.txt": BROWSER,
    "unbound.txt": 'server:\n\n    local-zone: "unbound.listed.example" always_nxdomain\n',
    "rpz.txt": "$TTL 60\n@ IN SOA a. b. (1 2\n 3 4 5)\nrpz.listed.example CNAME .\n*.rpz.listed.example CNAME .\n",
    "dnsmasq.txt": "# x\nlocal=/dnsmasq.listed.example/\n",
    "dataset.txt": "ZGF0YXNldC5saXN0ZWQuZXhhbXBsZQ==\n",
    "sites.txt": "shop.listed.example\nadblock.listed.example\n",
}
BLOCKED = (("adblock.listed.example", "browser", 3), ("a.b.adblock.listed.example", "browser", 3), ("important.listed.example", "browser", 6),
           ("unbound.listed.example", "unbound", 3), ("rpz.listed.example", "rpz", 4), ("dnsmasq.listed.example", "dnsmasq", 2),
           ("dataset.listed.example", "dataset", 1))


def lists(*more):
    named = [f"{{name: {name[:-4]}, file: {name}, category: {'crypto-site' if name == 'sites.txt' else 'pool'}}}" for name in FILES]
    bed = "  - {name: bedlist, file: miners.txt, format: hosts, category: pool}"
    return policy().replace(bed, "".join(f"  - {one}\n" for one in named + list(more)).rstrip())


def fate(t, address, name):
    got = t.bed.curl(address, 443, name)
    return "ok" if got["code"] == 200 else got["why"] or got["code"]


def event(t, address):
    found = until(lambda: t.daemon.events(address, 443))
    return [(e["alert"]["action"], e["mining"].get("list"), e["mining"].get("line"), e["mining"].get("evidence")) for e in found or []]


@own("lists/formats-and-provenance")
def formats(t):
    t.daemon = t.make(lists(), files=FILES.items()).start()
    for family in families(t):
        for name, listed, line in BLOCKED:
            address = t.fresh()
            need(fate(t, address, name) != "ok", f"{name} was reached")
            need(not t.log.bytes(address, 443), f"the server of {name} got bytes")
            need(event(t, address) == [("blocked", listed, line, "name")], f"{name}: {event(t, address)}")
            need([e for e in t.kernel.elements(f"pairs{family}", address=address)], f"{name} taught no pair")


@own("lists/exceptions-and-categories")
def exceptions(t):
    text = lists().replace("names: [", "names: [own.listed.example, ", 1)
    t.daemon = t.make(text, files=FILES.items()).start()
    for family in families(t):
        address = t.fresh()
        need(fate(t, address, "fine.adblock.listed.example") == "ok", "what a list excepts was blocked")
        need(not t.kernel.elements("pairs4", "pairs6", "endpoints4", "endpoints6", address=address), "and taught")
        need(fate(t, t.fresh(), "own.listed.example") != "ok", "a list's exception unblocked a name of the policy itself")
        address = t.fresh()
        need(fate(t, address, "shop.listed.example") == "ok", "a site of category crypto-site was blocked by default")
        need(event(t, address) == [("allowed", "sites", 1, "name")], f"the site's event: {event(t, address)}")
        need(not t.kernel.elements("pairs4", "pairs6", "endpoints4", "endpoints6", address=address), f"watching taught the kernel (IPv{family})")


@own("lists/addresses")
def addresses(t):
    """A list of addresses blocks as block.addresses does; what it names of no public network is skipped, the bed's IPv4 range too."""
    t.family = 6
    listed, port, free = t.fresh(), t.fresh(), t.fresh()
    local = t.bed.fresh(4)
    files = list(FILES.items()) + [("addresses.txt", f"# addresses\n{listed}\n[{port}]:443\n{local}\n")]
    t.daemon = t.make(lists("{name: addresses, file: addresses.txt}"), files=files).start()
    need(fate(t, listed, UNLISTED) != "ok", "a listed address was reached")
    need(event(t, listed) == [("blocked", "addresses", 2, "address")], f"its event: {event(t, listed)}")
    need(until(lambda: t.kernel.elements("endpoints6", address=listed)), "it is not taught")
    need(fate(t, port, UNLISTED) != "ok", "a listed endpoint was reached")
    need(t.bed.curl(port, 8443, UNLISTED)["code"] == 200, "another port of a listed endpoint was not reached")
    need(fate(t, free, UNLISTED) == "ok", "an address that no list has was not reached")
    need(fate(t, local, UNLISTED) == "ok", "a local address of a list was blocked")
    said = t.daemon.verb("check").stdout
    need("2 used of 3, 1 skipped: local 1" in said, f"check does not say so: {said}")
