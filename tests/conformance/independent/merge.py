"""The state of a case as a function of the set of its operations: merge.md."""

import heapq
import re

import cbor
from disposals import Disposal
from hashing import H
from refusal import Refused

_ONE = r"[^/]+"


def _rows(text):
    return [re.compile(row.replace("*", _ONE)) for row in text.split()]


# The first row that fits decides; anything else is legal.
_CLASSES = [
    ("legal", _rows("inspection/enterprise party/name party/credit_code")),
    ("last", _rows("party/* inspection/place inspection/planned inspection/remark inspection/title")),
    ("set", _rows("inspection/officer inspection/device inspection/item inspection/attendee finding/*/evidence")),
    ("last", _rows("check/*/note finding/*/place")),
    ("append", _rows("statement/*/line")),
    ("last", _rows("statement/*/*")),
    ("legal", _rows("enterprise/*/name enterprise/*/credit_code enterprise/*/same_as")),
    ("last", _rows("enterprise/*/*")),
    ("sealed", _rows(
        "evidence/*/* document/*/* signature/*/* custody/*/* credentials/*/* return/*/* freeze/*/* resolution/*/* "
        "lease/*/* (closing|roll|attest|disposition|disposal)/.+"
    )),
]
_FACTS = ("attest/", "disposition/", "disposal/", "closing/", "roll/")


def class_of(path):
    return next((name for name, rows in _CLASSES if any(row.fullmatch(path) for row in rows)), "legal")


class _Write:
    """One operation's write of one path; a value of None is withheld."""

    def __init__(self, one, value, quarantined):
        h = one.header
        self.id, self.value, self.quarantined = one.id, value, quarantined
        self.key = (h.hlc_ms, h.hlc_counter, h.device, h.incarnation, h.seq, one.id)
        self.supersedes = h.supersedes


class State:
    def __init__(self, case, ingest, operations):
        self.by_id = {}
        for one in operations:
            if one.header.case == case:
                self.by_id.setdefault(one.id, []).append(one)
        quarantined = self._quarantined(ingest)
        known = {one.id for one in operations}
        self.provisional = any(
            earlier not in known for copies in self.by_id.values() for earlier in copies[0].header.supersedes
        )
        disposals = list(self._disposals(quarantined))
        writes = {}
        for copies in self.by_id.values():
            for path, value in self._shown(copies).items():
                if any(one.target == copies[0].id and one.covers(copies[0].header.kind, path) for one in disposals):
                    value = None  # also where its bytes are still held
                write = _Write(copies[0], value, copies[0].id in quarantined)
                writes.setdefault(path, {})[write.id] = write
        self.paths = {path: _resolve(class_of(path), of_path) for path, of_path in sorted(writes.items(), key=_bytes)}

    @staticmethod
    def _shown(copies):
        """Path: value; the same operation held with more and with less counts with everything that is shown."""
        found = {}
        for one in copies:
            for field in one.body.written() if one.body is not None else []:
                if found.get(field.path) is None:
                    found[field.path] = field.value
        return found

    def _disposals(self, quarantined):
        for copies in self.by_id.values():
            if copies[0].header.kind == "disposal" and copies[0].id not in quarantined:
                try:
                    yield Disposal(self._shown(copies))
                except Refused:
                    continue  # a malformed one has no effect

    def _quarantined(self, ingest):
        """A disposition follows `supersedes` between those of its target; among concurrent heads quarantine wins."""
        targets = {}
        for copies in self.by_id.values():
            one = copies[0]
            if one.header.kind != "disposition" or one.header.device not in ingest:
                continue
            said = {path: cbor.decode(value) for path, value in self._shown(copies).items() if value is not None}
            if said.get("disposition/state") in ("quarantined", "released") and "disposition/reason" in said:
                targets.setdefault(said.get("disposition/target"), []).append((one, said["disposition/state"]))
        found = set()
        for target, facts in targets.items():
            edges = {one.id: one.header.supersedes for one, _ in facts}
            passed = _reached(edges, edges)
            if any(state == "quarantined" and one.id not in passed for one, state in facts):
                found.add(target)
        return found - {copies[0].id for copies in self.by_id.values() if copies[0].header.kind == "disposition"}

    def hash(self):
        items = []
        for path, (name, values, _) in self.paths.items():
            if values:
                raw = [_raw(one) for one in values]
                items += [path, name, len(values), *(raw if name == "append" else sorted(raw))]
        return H("fieldseal/v0/state", *items)

    def output(self):
        return {
            "hash": self.hash().hex(),
            "paths": [
                {
                    "path": path, "class": name, "in_conflict": in_conflict,
                    "values": [
                        {"withheld": one[1].hex()} if one[0] is None else one[0].hex()
                        for one in (values if name == "append" else sorted(values, key=_raw))
                    ],
                }
                for path, (name, values, in_conflict) in self.paths.items()
                if values and not path.startswith(_FACTS)
            ],
            "provisional": self.provisional,
        }


def _bytes(item):
    return item[0].encode("utf-8")


def _raw(value):
    """A shown value as it is; a withheld one as f7 and the id of its operation."""
    return b"\xf7" + value[1] if value[0] is None else value[0]


def _reached(edges, starts):
    """What lies behind `starts` over `edges`."""
    found, waiting = set(), [after for one in starts for after in edges[one] if after in edges]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += [after for after in edges[one] if after in edges]
    return found


def _resolve(name, of_path):
    """(class, values as (bytes or None, id), in conflict)"""
    edges = {one.id: one.supersedes for one in of_path.values()}
    effective = [one for one in of_path.values() if not one.quarantined]
    passed = _reached(edges, [one.id for one in effective])
    heads = [one for one in effective if one.id not in passed]
    if name == "last":
        best = max(heads, key=lambda one: one.key, default=None)
        return name, [] if best is None else [(best.value, best.id)], False
    if name == "append":
        return name, [(one.value, one.id) for one in _in_order(of_path, edges) if not one.quarantined], False
    values = {}
    for one in effective if name in ("set", "sealed") else heads:
        items = [one.value]
        if name == "set" and one.value is not None and type(cbor.decode(one.value)) is list:
            items = [cbor.encode(item) for item in cbor.decode(one.value)]
        for item in items:
            values.setdefault(item if item is not None else one.id, (item, one.id))
    return name, list(values.values()), name != "set" and len(values) > 1


def _in_order(of_path, edges):
    """Topological over `supersedes`, the least key first."""
    waits = {one: sum(earlier in of_path for earlier in before) for one, before in edges.items()}
    ready = [(of_path[one].key, one) for one, count in waits.items() if count == 0]
    heapq.heapify(ready)
    while ready:
        _, done = heapq.heappop(ready)
        yield of_path[done]
        for one, before in edges.items():
            if done in before:
                waits[one] -= 1
                if waits[one] == 0:
                    heapq.heappush(ready, (of_path[one].key, one))
