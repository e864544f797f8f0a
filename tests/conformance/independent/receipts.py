"""What the server promised: batch, index and blob receipts."""

import cbor
import keys
from hashing import sha256
from notes import open_checkpoint
from operations import link_after
from refusal import need


def _open(frame, payload_type, suite, public):
    found = cbor.decode(frame)
    need(type(found) is dict, "field", "no map")
    need(set(found) <= {0, 1}, "frame-key")
    raw = cbor.field(found, 0, "bytes")
    signature = cbor.field(found, 1, "bytes")
    inner = cbor.decode(raw)
    need(type(inner) is dict, "field", "no map")
    keys.verify(suite, public, payload_type, raw, signature)
    return inner


class BatchReceipt:
    def __init__(self, frame, suite, public):
        found = _open(frame, keys.RECEIPT, suite, public)
        need(cbor.field(found, 0, "uint") == 0, "version")
        self.tenant = cbor.field(found, 1, "bytes", 16)
        self.origin = cbor.field(found, 2, "text")
        self.log_key = cbor.field(found, 3, "bytes", 32)
        self.epoch = cbor.field(found, 4, "bytes", 16)
        self.device = cbor.field(found, 5, "bytes", 16)
        self.incarnation = cbor.field(found, 6, "bytes", 16)
        self.first = cbor.field(found, 7, "uint")
        self.last = cbor.field(found, 8, "uint")
        self.link = cbor.field(found, 9, "bytes", 32)
        self.received_ms = cbor.field(found, 10, "uint")
        self.deadline_ms = cbor.field(found, 11, "uint")
        need(self.first <= self.last, "receipt-range", "first after last")
        self.fork = cbor.field(found, 12, "array", optional=True)
        if self.fork is not None:
            good = len(self.fork) == 2 and cbor.is_uint(self.fork[0]) and cbor.is_bytes(self.fork[1], 32)
            need(good and self.fork[0] <= self.last, "receipt-fork")

    def check_link(self, start, commitments):
        """Against the reader's own chain of this device and incarnation, as far as it reaches."""
        if self.fork is not None or self.last >= len(commitments):
            return
        link = start
        for one in commitments[:self.last + 1]:
            link = link_after(link, one)
        need(link == self.link, "receipt-link")


class BlobReceipt:
    def __init__(self, frame, suite, public):
        found = _open(frame, keys.BLOB_RECEIPT, suite, public)
        need(cbor.field(found, 0, "uint") == 0, "version")
        self.tenant = cbor.field(found, 1, "bytes", 16)
        self.sha256 = cbor.field(found, 2, "bytes", 32)
        self.size = cbor.field(found, 3, "uint")
        self.received_ms = cbor.field(found, 4, "uint")
        self.epoch = cbor.field(found, 5, "bytes", 16)

    def check_blob(self, blob):
        need(self.size == len(blob), "blob-size")
        need(self.sha256 == sha256(blob), "blob-hash")


class IndexReceipt:
    def __init__(self, raw, key):
        found = cbor.decode(raw)
        need(type(found) is dict, "field", "no map")
        need(set(found) <= {0, 1, 2, 3, 4}, "frame-key")
        need(cbor.field(found, 0, "uint") == 0, "version")
        self.device = cbor.field(found, 1, "bytes", 16)
        self.incarnation = cbor.field(found, 2, "bytes", 16)
        self.runs = cbor.field(found, 3, "array")
        next_seq = 0
        for run in self.runs:
            good = type(run) is list and len(run) == 3 and all(cbor.is_uint(one) for one in run)
            need(good and run[2] > 0, "run", "malformed or empty")
            index, first, count = run
            need(index + count < 1 << 64 and first + count < 1 << 64, "run", "overflow")
            need(first >= next_seq, "runs", "overlapping or not ascending")
            next_seq = first + count
        self.checkpoint = open_checkpoint(cbor.field(found, 4, "bytes"), key)
        for index, _, count in self.runs:
            need(index + count <= self.checkpoint.size, "run-beyond")

    def index_of(self, seq):
        for index, first, count in self.runs:
            if first <= seq < first + count:
                return index + seq - first
        return None
