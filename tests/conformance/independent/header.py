"""The header of an operation: every rule that needs no other operation."""

import re

import cbor
from hashing import H
from refusal import need

MOST_BYTES = 16 << 10
_KIND = re.compile(r"[a-z0-9._]{1,64}", re.ASCII)


class Header:
    def __init__(self, raw):
        need(len(raw) <= MOST_BYTES, "too-large", "header")
        found = cbor.decode(raw)
        need(type(found) is dict, "field", "no map")

        def get(key, kind, length=None, optional=False):
            return cbor.field(found, key, kind, length, optional)

        self.raw = raw
        need(get(0, "uint") == 0, "version")
        self.suite = get(1, "uint")
        need(self.suite in (1, 2), "unknown-suite", str(self.suite))
        self.tenant = get(2, "bytes", 16)
        self.device = get(3, "bytes", 16)
        self.incarnation = get(4, "bytes", 16)
        self.seq = get(5, "uint")
        self.prev = get(6, "bytes", 32)
        self.kind = get(7, "text")
        need(_KIND.fullmatch(self.kind), "kind", self.kind[:80])
        self.schema = get(8, "uint")
        self.case = get(9, "bytes", 16, optional=True)
        self.inspection = get(10, "bytes", 16, optional=True)
        need(self.case is not None or self.inspection is None, "inspection-without-case")
        self.counter = get(11, "uint")
        self.session = get(12, "bytes", 16, optional=True)
        self.hlc_ms = get(13, "uint")
        self.hlc_counter = get(14, "uint")
        need(self.hlc_counter <= 0xFFFF, "hlc-counter")
        self.wall_ms = get(15, "uint")
        self.boot = get(16, "bytes", 16)
        self.monotonic_ms = get(17, "uint")
        self.supersedes = self._supersedes(get(18, "array", optional=True))
        self.anchor = get(19, "bytes", 32, optional=True)
        self.pack = get(20, "bytes", 32, optional=True)
        self.app = get(21, "text")
        need(len(self.app.encode("utf-8")) <= 64, "too-large", "app")
        self.body_root = get(22, "bytes", 32)
        self.signers = self._signers(get(23, "array", optional=True))
        self.unknown_keys = [key for key in found if key > 23]
        self.id = H("fieldseal/v0/op", raw)

    @staticmethod
    def _supersedes(listed):
        if listed is None:
            return []
        need(1 <= len(listed) <= 256, "supersedes", f"{len(listed)} ids")
        need(all(cbor.is_bytes(one, 32) for one in listed), "supersedes-ids")
        need(all(a < b for a, b in zip(listed, listed[1:])), "supersedes-order")
        return listed

    @staticmethod
    def _signers(listed):
        if listed is None:
            return []
        need(1 <= len(listed) <= 16, "signers", f"{len(listed)} signers")
        good = (
            cbor.is_bytes(one, 16) or cbor.is_text(one) and 1 <= len(one.encode("utf-8")) <= 64 for one in listed
        )
        need(all(good), "signer")
        encoded = [cbor.encode(one) for one in listed]
        need(all(a < b for a, b in zip(encoded, encoded[1:])), "signers-order")
        return listed

    @property
    def stream(self):
        return self.inspection or self.case or self.device
