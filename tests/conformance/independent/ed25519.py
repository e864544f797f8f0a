"""Ed25519 (RFC 8032), verification only: strict encodings and the cofactorless equation."""

import hashlib

from refusal import Refused, need

P = 2 ** 255 - 19
L = 2 ** 252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)  # of -1
NEUTRAL = (0, 1, 1, 0)  # X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z


def _add(a, b):
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    m, n, o, q = f - e, h - g, h + g, f + e
    return m * n % P, o * q % P, n * o % P, m * q % P


def _times(scalar, point):
    total = NEUTRAL
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total


def _same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def _encode(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def point(raw, not_canonical, no_point):
    """The point of a canonical encoding."""
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    need(y < P, not_canonical, "y is not below p")
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * ROOT % P
    need(v * x * x % P == u, no_point, "y belongs to no point")
    need(x or not sign, not_canonical, "the sign of a zero x")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def small_order(found):
    return _same(_times(8, found), NEUTRAL)


def check_public(raw):
    need(len(raw) == 32, "malformed-key", f"{len(raw)} bytes")
    found = point(raw, "non-canonical-key", "malformed-key")
    need(not small_order(found), "weak-key")
    return found


_BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = point(_BASE_Y.to_bytes(32, "little"), "base", "base")


def verify(public, message, signature):
    """Raises Refused unless the signature holds under the strict rules."""
    key = check_public(public)
    need(len(signature) == 64, "malformed-signature", f"{len(signature)} bytes")
    r_raw, s = signature[:32], int.from_bytes(signature[32:], "little")
    need(s < L, "non-canonical-signature", "S is not below L")
    r = point(r_raw, "non-canonical-signature", "mismatch")
    need(not small_order(r), "non-canonical-signature", "R is of small order")
    k = int.from_bytes(hashlib.sha512(r_raw + public + message).digest(), "little") % L
    negative = (P - key[0], key[1], 1, P - key[3])
    if _encode(_add(_times(s, BASE), _times(k, negative))) != r_raw:
        raise Refused("mismatch")
