"""ECDSA over P-256 with SHA-256, verification only: compressed keys, low s."""

import hashlib

from refusal import Refused, need

P = 2 ** 256 - 2 ** 224 + 2 ** 192 + 2 ** 96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
BASE = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    1,
)
INFINITY = (0, 1, 0)  # Jacobian: x = X/Z², y = Y/Z³


def _double(a):
    x, y, z = a
    if not z or not y:
        return INFINITY
    delta, gamma = z * z % P, y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    x3 = (alpha * alpha - 8 * beta) % P
    z3 = ((y + z) ** 2 - gamma - delta) % P
    return x3, (alpha * (4 * beta - x3) - 8 * gamma * gamma) % P, z3


def _add(a, b):
    if not a[2]:
        return b
    if not b[2]:
        return a
    za, zb = a[2] * a[2] % P, b[2] * b[2] % P
    ua, ub = a[0] * zb % P, b[0] * za % P
    sa, sb = a[1] * b[2] * zb % P, b[1] * a[2] * za % P
    if ua == ub:
        return _double(a) if sa == sb else INFINITY
    h, r = ub - ua, sb - sa
    hh = h * h % P
    hhh, v = h * hh % P, ua * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - sa * hhh) % P, h * a[2] * b[2] % P


def _times(scalar, point):
    total = INFINITY
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _double(point)
        scalar >>= 1
    return total


def check_public(raw):
    need(len(raw) == 33, "malformed-key", f"{len(raw)} bytes")
    need(raw[0] in (2, 3), "malformed-key", "not a compressed point")
    x = int.from_bytes(raw[1:], "big")
    need(x < P, "malformed-key", "x is not below p")
    square = (x * x * x - 3 * x + B) % P
    y = pow(square, (P + 1) // 4, P)
    need(y * y % P == square, "malformed-key", "x belongs to no point")
    if y & 1 != raw[0] & 1:
        y = P - y
    return x, y, 1


def verify(public, message, signature):
    key = check_public(public)
    need(len(signature) == 64, "malformed-signature", f"{len(signature)} bytes")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    need(0 < r < N and 0 < s < N, "malformed-signature", "r or s out of range")
    need(s <= N // 2, "high-s")
    z = int.from_bytes(hashlib.sha256(message).digest(), "big")
    w = pow(s, N - 2, N)
    found = _add(_times(z * w % N, BASE), _times(r * w % N, key))
    if not found[2]:
        raise Refused("mismatch", "infinity")
    x = found[0] * pow(found[2], 2 * (P - 2), P) % P
    if x % N != r:
        raise Refused("mismatch")


def der_signature(signature):
    """The same signature in DER, as openssl reads it."""
    out = b""
    for raw in (signature[:32], signature[32:]):
        raw = raw.lstrip(b"\0") or b"\0"
        if raw[0] & 0x80:
            raw = b"\0" + raw
        out += b"\x02" + bytes([len(raw)]) + raw
    return b"\x30" + bytes([len(out)]) + out
