"""What the app gives: a clock, a key store, sources of bytes, listeners. The key store stands in for a chip: it holds a P-256
key that never leaves it, in a file so that it outlives a crash as a chip does."""

import hashlib
import json
import secrets
import sys
import time
import uuid
from pathlib import Path

import fieldseal as fs

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance" / "independent"))
import p256  # noqa: E402  the second verifier's arithmetic


class Clock(fs.HostClock):
    """The system's clocks; `broken` makes it throw."""

    broken = False

    def now(self):
        if self.broken:
            raise RuntimeError("the clock chip does not answer")
        return fs.ClockReading(
            wall_ms=time.time_ns() // 1_000_000,
            boot=Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            monotonic_ms=time.monotonic_ns() // 1_000_000,
            by_hand=False,
        )


class Chip(fs.HostKeys):
    """Signs inside; `refuses` is a user who does not put the finger on the sensor."""

    refuses = False

    def __init__(self, file):
        self.file = file
        self.signed = 0

    def _held(self):
        if self.file.exists():
            return json.loads(self.file.read_text())
        return {"secret": secrets.token_hex(32), "keys": {}}

    def _keep(self, held):
        self.file.write_text(json.dumps(held))

    def device_secret(self):
        held = self._held()
        self._keep(held)
        return bytes.fromhex(held["secret"])

    def _scalar(self, name):
        held = self._held()
        if name not in held["keys"]:
            held["keys"][name] = 1 + secrets.randbelow(p256.N - 1)
            self._keep(held)
        return held["keys"][name]

    def public_key(self, name):
        x, y = affine(p256._times(self._scalar(name), p256.BASE))
        return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")

    def sign(self, name, message):
        if self.refuses:
            raise fs.HostError.Failed("no finger on the sensor")
        self.signed += 1
        z = int.from_bytes(hashlib.sha256(message).digest(), "big")
        k = 1 + secrets.randbelow(p256.N - 1)
        r = affine(p256._times(k, p256.BASE))[0] % p256.N
        s = pow(k, -1, p256.N) * (z + r * self._scalar(name)) % p256.N
        return p256.der_signature(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def affine(point):
    x, y, z = point
    inverse = pow(z, p256.P - 2, p256.P)
    return x * inverse * inverse % p256.P, y * pow(inverse, 3, p256.P) % p256.P


class Film(fs.ByteSource):
    """So many bytes that no compression helps, without ever holding them; hashed as they are given."""

    def __init__(self, size, at_bytes=None):
        self.left = size
        self.hash = hashlib.sha256()
        self.piece = secrets.token_bytes(1 << 20)
        self.given = 0
        self.at_bytes = at_bytes

    def read(self, most):
        count = min(most, self.left, len(self.piece))
        piece = self.piece if count == len(self.piece) else self.piece[:count]
        self.left -= count
        self.given += count
        self.hash.update(piece)
        if self.at_bytes and self.given >= self.at_bytes[0]:
            self.at_bytes[1]()
        return piece


class GoneCamera(fs.ByteSource):
    """Gives a little, then throws what nobody declared."""

    def __init__(self):
        self.asked = 0

    def read(self, most):
        self.asked += 1
        if self.asked > 2:
            raise OSError("the camera was unplugged")
        return b"\xff" * 1000


class Listener(fs.ProgressListener):
    """Notes what it is told; `throws` makes it fail."""

    def __init__(self, throws=False, on=None):
        self.told = []
        self.throws = throws
        self.on = on

    def moved(self, progress):
        if self.throws:
            raise ValueError("the screen is gone")
        self.told.append(progress)
        if self.on:
            self.on(progress)
