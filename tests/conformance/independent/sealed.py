"""What lies encrypted at rest, in pure Python: XChaCha20-Poly1305, X25519, HKDF, and the files of vault.md made with them.

Published algorithms only (RFC 7748, RFC 5869, RFC 8439, draft-irtf-cfrg-xchacha); `selftest.py` holds them to the RFCs' own
examples. For checking, not for secrets: nothing here runs in constant time.
"""

import hmac
import struct

import cbor
from hashing import H, sha256
from refusal import need

MAGIC = b"FSEV0\n"
MOST_HEAD = 8 << 10
SEGMENT = 64 << 10
TAG = 16
WRAP_VAULT, WRAP_ESCROW = b"fieldseal/v0/wrap-vault", b"fieldseal/v0/wrap-escrow"
_P25519 = 2**255 - 19
_P1305 = 2**130 - 5
_CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")


def _rounds(state):
    """Twenty rounds over sixteen words."""
    a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p = state
    mask = 0xFFFFFFFF

    def quarter(w, x, y, z):
        w = (w + x) & mask
        z ^= w
        z = (z << 16 | z >> 16) & mask
        y = (y + z) & mask
        x ^= y
        x = (x << 12 | x >> 20) & mask
        w = (w + x) & mask
        z ^= w
        z = (z << 8 | z >> 24) & mask
        y = (y + z) & mask
        x ^= y
        return w, (x << 7 | x >> 25) & mask, y, z

    for _ in range(10):
        a, e, i, m = quarter(a, e, i, m)
        b, f, j, n = quarter(b, f, j, n)
        c, g, k, o = quarter(c, g, k, o)
        d, h, l, p = quarter(d, h, l, p)
        a, f, k, p = quarter(a, f, k, p)
        b, g, l, m = quarter(b, g, l, m)
        c, h, i, n = quarter(c, h, i, n)
        d, e, j, o = quarter(d, e, j, o)
    return a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p


def _state(key, counter, nonce):
    return (*_CONSTANTS, *struct.unpack("<8I", key), counter, *struct.unpack("<3I", nonce))


def chacha20(key, counter, nonce, data):
    out = bytearray()
    for at in range(0, len(data), 64):
        state = _state(key, counter + at // 64, nonce)
        words = ((one + other) & 0xFFFFFFFF for one, other in zip(_rounds(state), state))
        stream = struct.pack("<16I", *words)
        out += bytes(one ^ other for one, other in zip(data[at:at + 64], stream))
    return bytes(out)


def hchacha20(key, nonce):
    """A key of its own from the first 16 bytes of a nonce of 24."""
    found = _rounds((*_CONSTANTS, *struct.unpack("<8I", key), *struct.unpack("<4I", nonce)))
    return struct.pack("<8I", *found[:4], *found[12:])


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at:at + 16] + b"\1", "little")) * r % _P1305
    return ((total + int.from_bytes(key[16:], "little")) & (1 << 128) - 1).to_bytes(16, "little")


def _tag(key, nonce, binding, hidden):
    padded = b"".join(part + bytes(-len(part) % 16) for part in (binding, hidden))
    return poly1305(chacha20(key, 0, nonce, bytes(32)), padded + struct.pack("<2Q", len(binding), len(hidden)))


def aead_open(key, nonce, binding, sealed):
    """ChaCha20-Poly1305 (RFC 8439) under a nonce of 12 bytes; None when anything differs."""
    if len(sealed) < TAG:
        return None
    hidden, tag = sealed[:-TAG], sealed[-TAG:]
    if not hmac.compare_digest(_tag(key, nonce, binding, hidden), tag):
        return None
    return chacha20(key, 1, nonce, hidden)


def xaead_open(key, nonce, binding, sealed):
    """XChaCha20-Poly1305 under a nonce of 24 bytes."""
    return aead_open(hchacha20(key, nonce[:16]), bytes(4) + nonce[16:], binding, sealed)


def x25519(scalar, point):
    number = int.from_bytes(scalar, "little") & ~7 & (1 << 255) - 1 | 1 << 254
    x1 = int.from_bytes(point, "little") & (1 << 255) - 1
    x2, z2, x3, z3, swapped = 1, 0, x1, 1, 0
    for at in reversed(range(255)):
        bit = number >> at & 1
        if swapped ^ bit:
            x2, z2, x3, z3 = x3, z3, x2, z2
        swapped = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a, c * b, a * a, b * b
        x3, z3 = (da + cb) ** 2 % _P25519, x1 * (da - cb) ** 2 % _P25519
        e = (aa - bb) % _P25519
        x2, z2 = aa * bb % _P25519, e * (aa + 121665 * e) % _P25519
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, _P25519 - 2, _P25519) % _P25519).to_bytes(32, "little")


def hkdf(salt, secret, info):
    """HKDF-SHA-256, 32 bytes."""
    extracted = hmac.new(salt, secret, "sha256").digest()
    return hmac.new(extracted, info + b"\1", "sha256").digest()


def escrow_key_id(public):
    return H("fieldseal/v0/key", 0, public)


def open_escrow(wrapped, secret):
    """A 32-byte key that was wrapped to the escrow key whose secret is given."""
    need(len(wrapped) == 32 + 32 + TAG, "refused", "not a wrapped key of 32 bytes")
    ephemeral, public = wrapped[:32], x25519(secret, (9).to_bytes(32, "little"))
    shared = x25519(secret, ephemeral)
    need(any(shared), "refused", "a shared secret of zeros")
    key = xaead_open(hkdf(ephemeral + public, shared, WRAP_ESCROW), bytes(24), b"", wrapped[32:])
    need(key is not None, "refused", "it does not open under this escrow key")
    return key


def open_store_escrow(raw, secret):
    """The database key from the file `store.escrow`, and the salt or None."""
    found = cbor.decode(raw)
    need(type(found) is dict and set(found) | {5} == {0, 3, 4, 5} and found[0] == 0, "refused", "not {0, 3, 4} or {0, 3, 4, 5}")
    salt = cbor.field(found, 5, "bytes", 16, optional=True)
    wrapped, named = cbor.field(found, 3, "bytes"), cbor.field(found, 4, "bytes", 32)
    need(named == escrow_key_id(x25519(secret, (9).to_bytes(32, "little"))), "refused", "another escrow key")
    return open_escrow(wrapped, secret), salt


class EvidenceFile:
    """Its head and the plaintext of every segment, by the vault key or by the escrow's secret."""

    def __init__(self, raw, vault_key=None, escrow_secret=None):
        need(raw[:6] == MAGIC and len(raw) >= 10, "refused", "magic")
        length = int.from_bytes(raw[6:10], "big")
        need(length <= MOST_HEAD and len(raw) >= 10 + length, "refused", "the head's length")
        head = raw[:10 + length]
        try:
            found = cbor.decode(head[10:])
            need(type(found) is dict and found.get(0) == 0 and found.get(5) == SEGMENT, "refused", "head")
            self.prefix = cbor.field(found, 1, "bytes", 19)
            wrapped = cbor.field(found, 2, "bytes")
            escrowed = cbor.field(found, 3, "bytes", optional=True)
            named = cbor.field(found, 4, "bytes", 32, optional=True)
        except Exception as wrong:  # whatever is wrong in a head, the file is refused
            need(False, "refused", str(wrong))
        need((escrowed is None) == (named is None), "refused", "keys 3 and 4 go together")
        if escrow_secret is not None:
            public = x25519(escrow_secret, (9).to_bytes(32, "little"))
            need(named == escrow_key_id(public), "refused", "wrapped to another escrow key, or to none")
            self.key = open_escrow(escrowed, escrow_secret)
        else:
            need(len(wrapped) == 24 + 32 + TAG, "refused", "the wrapped file key")
            self.key = xaead_open(vault_key, wrapped[:24], WRAP_VAULT, wrapped[24:])
            need(self.key is not None, "refused", "the file key does not open")
        self.plain = self._segments(raw[len(head):], sha256(head))

    def _segments(self, rest, binding):
        out, number = bytearray(), 0
        need(rest, "refused", "no segment")
        while rest:
            piece, rest = rest[:SEGMENT + TAG], rest[SEGMENT + TAG:]
            nonce = self.prefix + number.to_bytes(4, "big") + (b"\0" if rest else b"\1")
            shown = xaead_open(self.key, nonce, binding, piece)
            need(shown is not None, "refused", f"segment {number}")
            out += shown
            number += 1
        return bytes(out)
