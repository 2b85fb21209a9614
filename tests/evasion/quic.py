# SPDX-License-Identifier: GPL-2.0-or-later
"""QUIC's Initial packets made by hand (RFC 9000, 9001, 9369), with AES-128-GCM in plain Python, so that the tricks need no library.
It only writes them; nothing here reads."""

import hashlib
import hmac
import struct

V1, V2, DRAFT_29 = 1, 0x6B3343CF, 0xFF00001D
SALTS = {V1: "38762cf7f55934b34d179ae6a4c80cadccbb7f0a", V2: "0dede3def700a6db819381be6e269dcbf9bd2ed9",
         DRAFT_29: "afbfec289993d24c9e9786f19c6111e04390a899"}
SMALLEST = 1200     # of a client's first datagram


def times_two(x):
    return (x << 1 ^ 0x1B) & 0xFF if x & 0x80 else x << 1


def s_box():
    """FIPS 197 5.1.1, by walking through the field: p times 3, q divided by 3."""
    box, p, q = [0x63] * 256, 1, 1
    while True:
        p ^= times_two(p)
        for shift in (1, 2, 4):
            q ^= q << shift & 0xFF
        q ^= 0x09 if q & 0x80 else 0
        box[p] = 0x63
        for turn in range(5):
            box[p] ^= (q << turn | q >> 8 - turn) & 0xFF
        if p == 1:
            return box


BOX = s_box()


def expand_key(key):
    words, factor = [list(key[i:i + 4]) for i in range(0, 16, 4)], 1
    for i in range(4, 44):
        word = words[-1]
        if i % 4 == 0:
            word = [BOX[b] for b in word[1:] + word[:1]]
            word[0] ^= factor
            factor = times_two(factor)
        words.append([a ^ b for a, b in zip(word, words[-4])])
    return [sum(words[i:i + 4], []) for i in range(0, 44, 4)]


def aes_block(keys, block):
    state = [a ^ b for a, b in zip(block, keys[0])]
    for n in range(1, 11):
        state = [BOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if n < 10:
            mixed = []
            for c in range(0, 16, 4):
                column, every = state[c:c + 4], state[c] ^ state[c + 1] ^ state[c + 2] ^ state[c + 3]
                mixed += [column[i] ^ every ^ times_two(column[i] ^ column[(i + 1) % 4]) for i in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, keys[n])]
    return bytes(state)


def gf_times(x, y):
    """NIST SP 800-38D 6.3."""
    out = 0
    for i in range(127, -1, -1):
        if y >> i & 1:
            out ^= x
        x = x >> 1 ^ (0xE1 << 120 if x & 1 else 0)
    return out


def gcm_seal(key, nonce, text, about):
    keys = expand_key(key)
    out = b""
    for n in range(0, len(text), 16):
        pad = aes_block(keys, nonce + struct.pack("!I", 2 + n // 16))
        out += bytes(a ^ b for a, b in zip(text[n:n + 16], pad))
    h, total = int.from_bytes(aes_block(keys, bytes(16)), "big"), 0
    for part in (about, out):
        for n in range(0, len(part), 16):
            total = gf_times(h, total ^ int.from_bytes(part[n:n + 16].ljust(16, b"\0"), "big"))
    total = gf_times(h, total ^ (len(about) * 8 << 64 | len(out) * 8))
    tag = total ^ int.from_bytes(aes_block(keys, nonce + b"\0\0\0\1"), "big")
    return out + tag.to_bytes(16, "big")


def expand_label(secret, label, size):
    info = struct.pack("!H", size) + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
    return hmac.new(secret, info + b"\1", hashlib.sha256).digest()[:size]


def client_keys(version, cid):
    """Key, nonce and header protection of the client's Initials."""
    initial = hmac.new(bytes.fromhex(SALTS[version]), cid, hashlib.sha256).digest()
    secret = expand_label(initial, b"client in", 32)
    word = b"quicv2 " if version == V2 else b"quic "
    return expand_label(secret, word + b"key", 16), expand_label(secret, word + b"iv", 12), expand_label(secret, word + b"hp", 16)


def varint(n):
    return bytes([n]) if n < 64 else struct.pack("!H", 0x4000 | n) if n < 16384 else struct.pack("!I", 0x80000000 | n)


def crypto(hello, start=0, end=None):
    """A CRYPTO frame with these bytes of the hello."""
    part = hello[start:end]
    return b"\x06" + varint(start) + varint(len(part)) + part


def initial(frames, cid, version=V1, number=0, size=SMALLEST, token=b"", source=b"", shown=None):
    """One protected Initial packet, padded to `size` bytes. `shown`: the version that its header claims."""
    kind = 1 if version == V2 else 0
    head = bytes([0xC3 | kind << 4]) + struct.pack("!I", shown or version) + bytes([len(cid)]) + cid + bytes([len(source)]) + source
    head += varint(len(token)) + token
    frames += bytes(max(0, size - len(head) - 2 - 4 - 16 - len(frames)))
    head += struct.pack("!H", 0x4000 | 4 + len(frames) + 16) + struct.pack("!I", number)
    key, iv, protect = client_keys(version, cid)
    nonce = iv[:8] + bytes(a ^ b for a, b in zip(iv[8:], struct.pack("!I", number)))
    body = gcm_seal(key, nonce, frames, head)
    mask = aes_block(expand_key(protect), body[:16])
    return (bytes([head[0] ^ mask[0] & 15]) + head[1:-4] + bytes(a ^ b for a, b in zip(head[-4:], mask[1:])) + body)
