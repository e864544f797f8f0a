"""Disposals: what was taken away on purpose is lawfully withheld, never missing (merge.md, Disposals)."""

import re

import cbor
from refusal import Refused, need

FACTS = ("attest", "disposition", "roll", "inspection.close", "disposal")


class Disposal:
    """The body of a disposal; `fields` is path: encoded value, None where it is withheld."""

    def __init__(self, fields):
        said = {}
        for path, value in fields.items():
            need(value is not None, "disposal", f"{path} is withheld")
            said[path.removeprefix("disposal/")] = cbor.decode(value)
        self.target = said.get("target")
        need(cbor.is_bytes(self.target, 32), "disposal", "target")
        self.paths = _ascending(said.get("paths"), cbor.is_text)
        self.blobs = _ascending(said.get("blobs"), lambda one: cbor.is_bytes(one, 32))
        need(self.paths or self.blobs, "disposal", "it takes nothing away")
        self.basis, self.retention = said.get("basis"), said.get("retention")
        need(cbor.is_text(self.basis) and self.basis, "disposal", "basis")
        need(
            cbor.is_text(self.retention) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", self.retention, re.ASCII),
            "disposal", "retention",
        )

    def covers(self, kind, path):
        return kind not in FACTS and not self.paths.isdisjoint(("", path))


def _ascending(listed, good):
    if listed is None:
        return set()
    need(type(listed) is list and listed and all(good(one) for one in listed), "disposal", "a list")
    raw = [one.encode("utf-8") if isinstance(one, str) else one for one in listed]
    need(all(a < b for a, b in zip(raw, raw[1:])), "disposal", "order")
    return set(listed)


class Disposals:
    """Those of a bundle that count, in log order."""

    def __init__(self, record, findings):
        self.listed = []  # (operation, Disposal)
        for one in record.counted():
            if one.header.kind == "disposal":
                written = one.body.written() if one.body is not None else []
                try:
                    self.listed.append((one, Disposal({field.path: field.value for field in written})))
                except Refused as refused:
                    findings.add("disposal.malformed", one.path, refused)
        self.withheld, self.disposed = [], []
        for one in record.shown():
            fields = one.body.written() if one.body is not None else []
            hidden = [""] if one.body is None else [field.path for field in fields if field.value is None]
            for path in hidden:
                (self.disposed if self.of_value(one, path) else self.withheld).append([one.id.hex(), path])
            for field in fields:
                if field.value is not None and self.of_value(one, field.path):
                    findings.add("disposal.still_there", one.path, field.path)

    def of_value(self, one, path):
        """The earliest disposal of a value, or None."""
        found = (by for by, said in self.listed if said.target == one.id and said.covers(one.header.kind, path))
        return next(found, None)

    def of_file(self, one, digest):
        """The earliest disposal of a file that an operation seals, or None."""
        return next((by for by, said in self.listed if said.target == one.id and digest in said.blobs), None)
