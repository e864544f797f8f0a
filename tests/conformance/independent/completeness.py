"""What may not be missing: rolls, closings, receipts, evidence, documents."""

import re

import notes
from hashing import sha256, uuid_text
from receipts import BatchReceipt
from chains import place_of
from refusal import Refused, need
from rolls import Closing, Roll


def _streams(record):
    """(device, incarnation, stream): {counter: ids}"""
    found = {}
    for one in record.shown():
        h = one.header
        found.setdefault((h.device, h.incarnation, h.stream), {}).setdefault(h.counter, []).append(one)
    return found


def _check_end(held, counter, last, code, what, findings):
    """Counters 0…last are there, and the last has the named id."""
    missing = [n for n in range(min(counter + 1, len(held) + 1)) if n not in held]
    if missing or counter not in held:
        findings.add(f"{code}.missing", what, f"counter {(missing or [counter])[0]}")
    elif last not in [one.id for one in held[counter]]:
        findings.add(f"{code}.other", what, last.hex())


def check_gaps(record, findings):
    for held in _streams(record).values():
        gap = next((n for n in range(len(held)) if n not in held), None)
        if gap is not None:
            findings.add("stream.gap", held[min(n for n in held if n > gap)][0].path)


def check_rolls(record, findings):
    """The number of rolls that could be read; every one is judged."""
    streams, rolls = _streams(record), 0
    for one in record.counted():
        if one.header.kind != "roll":
            continue
        if not record.by_ingest(one):
            findings.add("roll.author", one.path)
            continue
        try:
            roll = Roll(one.body)
        except Refused as refused:
            findings.add("roll.malformed", one.path, refused)
            continue
        rolls += 1
        log = record.key_log
        later = [size for size, at in record.key_log_index.items() if size > roll.key_log_size and at < roll.size]
        reaches = 0 < roll.key_log_size <= log.size and log.head(roll.key_log_size) == roll.key_log_head
        if later or not reaches:
            findings.add("roll.key_log", one.path)
        too_new = roll.size > one.index
        for place, (counter, last) in roll.streams.items():
            held = streams.get(place, {})
            _check_end(held, counter, last, "roll", ".".join(part.hex() for part in place), findings)
            for n, listed in held.items():
                too_new = too_new or n <= counter and all(other.index >= roll.size for other in listed)
        if too_new:
            findings.add("roll.size", one.path)
        for place, held in streams.items():
            last = roll.streams.get(place, (-1, None))[0]
            for other in (other for n, listed in held.items() if n > last for other in listed):
                if other.index < roll.size and not other.ever_quarantined:
                    findings.add("roll.unnamed", other.path, one.id.hex())
    return rolls


def check_closings(record, findings):
    """The operations that came late: shown, set aside."""
    streams, closed = _streams(record), {}
    for one in record.counted():
        if one.header.kind == "inspection.return":
            closed.pop(one.header.stream, None)
        if one.header.kind != "inspection.close":
            continue
        try:
            closing = Closing(one.body)
        except Refused as refused:
            findings.add("closing.malformed", one.path, refused)
            continue
        closed[one.header.stream] = one, closing
        for (device, incarnation), (counter, last) in closing.held.items():
            held = streams.get((device, incarnation, one.header.stream), {})
            what = f"{one.id.hex()} {device.hex()}.{incarnation.hex()}"
            _check_end(held, counter, last, "closing", what, findings)
    late = []
    for one in record.counted():
        h = one.header
        if h.stream not in closed or h.kind in ("attest", "inspection.close", "inspection.return"):
            continue
        closing, said = closed[h.stream]
        place = (h.device, h.incarnation)
        if place != (closing.header.device, closing.header.incarnation):
            if h.counter > said.held.get(place, (-1, None))[0]:
                late.append(one.id.hex())
    return late


def check_receipts(bag, record, chains, brackets, findings):
    count = 0
    keys = [
        key for key in (record.key_log.with_purpose("operation") if record.key_log else [])
        if key.entry.action == "server"
    ]
    for name, path, raw in bag.below("receipts"):
        receipt, wrong = None, Refused("mismatch", "no ingest key")
        for key in keys:
            try:
                receipt = BatchReceipt(raw, key.suite, key.public)
                break
            except Refused as refused:
                wrong = refused
        try:
            need(receipt is not None, wrong.reason, wrong.detail)
            match = re.fullmatch(r"(.+)\.(0|[1-9][0-9]*)\.cbor", name, re.ASCII)
            need(match and int(match[2]) == receipt.last, "name", name)
            need(place_of(match[1]) == (receipt.device, receipt.incarnation), "name", name)
            need(receipt.tenant == record.key_log.tenant, "field", "another tenant")
            need(record.checkpoint and receipt.origin == record.checkpoint.origin, "field", "another log")
        except Refused as refused:
            findings.add("receipt.signature", path, refused)
            continue
        count += 1
        if receipt.fork is not None:
            continue
        place = (receipt.device, receipt.incarnation)
        chain = chains.get(place)
        try:
            if chain is not None:
                receipt.check_link(chain.links[0], chain.commitments)
        except Refused as refused:
            findings.add("receipt.link", path, refused)
            continue
        promised = [
            one for one in record.shown()
            if (one.header.device, one.header.incarnation) == place and receipt.first <= one.header.seq <= receipt.last
        ]
        for attested in brackets.by_anchor.values():
            lacking = [one for one in promised if one.index >= attested.size]
            if attested.same_tree and attested.milliseconds > receipt.deadline_ms and lacking:
                findings.add("receipt.promise", path, lacking[0].id.hex())
    return count


class Exhibits:
    """Evidence and documents: the bytes that are here, and what the operations say of them."""

    def __init__(self, bag, record, disposals, findings):
        # hash: sizes; hashes; item id text: seals, each a hash (None if it is gone) and the disposal that took it away
        sealed, documents, items, disposed = {}, set(), {}, {}
        for one in record.shown():
            for field in one.body.written() if one.body is not None else []:
                parts = field.path.split("/")
                if len(parts) != 3:
                    continue
                evidence = parts[0] == "evidence" and parts[2] == "sha256"
                value = None if field.value is None else field.item()
                if not isinstance(value, bytes) or len(value) != 32:
                    if evidence:
                        items.setdefault(parts[1], []).append((None, disposals.of_value(one, field.path)))
                    continue
                if evidence:
                    size = one.body.shown(f"evidence/{parts[1]}/size")
                    sealed.setdefault(value, []).append(size)
                    items.setdefault(parts[1], []).append((value, disposals.of_file(one, value)))
                elif parts[2] in ("pdf_sha256", "signed_pdf_sha256") and parts[0] in ("document", "signature"):
                    documents.add(value)
                else:
                    continue
                if disposals.of_file(one, value):
                    disposed[value] = one
        supplied = set()
        for folder, named in (("evidence", sealed), ("documents", documents)):
            for name, path, raw in bag.below(folder):
                digest = sha256(raw)
                good = re.fullmatch(r"([0-9a-f]{64})\.[A-Za-z0-9]{1,16}", name, re.ASCII)
                if folder == "documents" and not name.endswith(".pdf"):
                    good = None
                if not good or good[1] != digest.hex():
                    findings.add("evidence.name", path)
                elif digest not in named:
                    findings.add("evidence.not_sealed", path)
                else:
                    supplied.add(digest)
                    if digest in disposed:
                        findings.add("disposal.still_there", path, disposed[digest].id.hex())
                    sizes = [one for one in sealed.get(digest, []) if one is not None]
                    if folder == "evidence" and any(one != len(raw) for one in sizes):
                        findings.add("evidence.size", path)
        self.supplied = len(supplied)
        self.not_supplied = sorted(one.hex() for one in {*sealed, *documents} - supplied - {*disposed})
        self._frozen(record, items, supplied, findings)
        self._documents(record, findings)

    @staticmethod
    def _frozen(record, items, supplied, findings):
        for one in record.counted():
            if one.header.kind != "evidence.freeze" or one.body is None:
                continue
            for field in one.body.written():
                if not re.fullmatch(r"freeze/[^/]+/evidence", field.path) or field.value is None:
                    continue
                named = field.item()
                for item in named if isinstance(named, list) else []:
                    if not isinstance(item, bytes) or len(item) != 16:
                        continue
                    text = uuid_text(item)
                    seals = items.get(text, [])
                    there = [digest in supplied or by and by.index < one.index for digest, by in seals]
                    if not seals or not all(there):
                        findings.add("freeze.missing", one.path, text)

    @staticmethod
    def _documents(record, findings):
        for one in record.counted():
            if one.header.kind != "document.issue" or one.body is None:
                continue
            for field in one.body.written():
                if field.value is None or not re.fullmatch(r"document/[^/]+/chain(_counter)?", field.path):
                    continue
                own = one.header.seq if field.path.endswith("_counter") else one.header.prev
                if field.item() != own:
                    findings.add("document.chain", one.path, field.path)

