# SPDX-License-Identifier: GPL-2.0-or-later
"""What compare.py asks of captures of DNS: the names of `derived-expect.tsv`, and those that the flows themselves carry. Knows
the shape of replay's lines only."""


def expect_dns(text, lines):
    """`q=NAME`: the first name that a DNS flow lists, exactly as sent but for 0x20's case; any other text: none is listed."""
    names = [n["name"] for f in lines for n in f["names"] if n["kind"] == "dns"]
    if not text.startswith("q="):
        return names == [] and all(f["app_proto"] != "dns" for f in lines)
    return [n.lower() for n in names] == [text[2:].lower()] and all(f["app_proto"] == "dns" for f in lines)
