"""Operations: frame, signature, identity, chain, equivocation, proquints, attest."""

import re

import body as bodies
import cbor
import keys
from hashing import H
from header import Header
from refusal import Refused, need

MOST_FRAME = (1 << 20) + (32 << 10)
MEANINGS = ("made", "approved", "refused", "dissents")
_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"


class Operation:
    """A frame whose form and body hold; its signature is checked apart, under a key."""

    def __init__(self, frame):
        need(len(frame) <= MOST_FRAME, "too-large", "frame")
        found = cbor.decode(frame)
        need(type(found) is dict, "field", "the frame is no map")
        need(set(found) <= {0, 1, 2}, "frame-key", str(sorted(found)))
        raw = cbor.field(found, 0, "bytes")
        self.signature = cbor.field(found, 1, "bytes", 64)
        stored = cbor.field(found, 2, "bytes", optional=True)
        self.header = Header(raw)
        self.body = None
        if stored is not None:
            self.body = bodies.parse(stored)
            need(self.body.root == self.header.body_root, "body-root")
        self.id = self.header.id
        self.commitment = H("fieldseal/v0/commitment", raw, self.signature)
        self.link = link_after(self.header.prev, self.commitment)

    def check_signature(self, suite, public):
        need(self.header.suite == suite, "mismatch", "the header names another suite than the key's")
        keys.verify(suite, public, keys.OPERATION, self.header.raw, self.signature)


def link_after(link, commitment):
    return H("fieldseal/v0/link", link, commitment)


def link_origin(tenant, device):
    return H("fieldseal/v0/link-origin", tenant, device)


def equivocations(operations):
    """Pairs that contradict each other: (reason, first, second). Operations of any devices of a tenant."""
    unique = {one.commitment: one for one in operations}.values()
    seen, found = {}, []
    for one in unique:
        h = one.header
        # Every incarnation may open at the origin: after a total loss a device knows no other link.
        opens = h.seq == 0 and h.prev == link_origin(h.tenant, h.device)
        places = (
            ("signed-twice", one.id),
            ("fork-seq", (h.device, h.incarnation, h.seq)),
            ("fork-prev", (h.device, h.prev, h.incarnation if opens else None)),
            ("fork-counter", (h.device, h.incarnation, h.stream, h.counter)),
        )
        for place in places:
            first = seen.setdefault(place, one)
            if first is not one:
                found.append((place[0], first, one))
    return found


def check_chain(tenant, device, key_of, operations):
    """The links of a whole device chain; `key_of` gives (suite, public) of an incarnation."""
    for one in operations:
        h = one.header
        need(h.tenant == tenant and h.device == device, "field", "of another tenant or device")
        need(h.incarnation in key_of, "mismatch", "an incarnation without a key")
        one.check_signature(*key_of[h.incarnation])
    for reason, _, second in equivocations(operations):
        raise Refused(reason, second.id.hex())
    origin = link_origin(tenant, device)
    links, link, next_seq = [], origin, {}
    for one in {one.commitment: one for one in operations}.values():
        h = one.header
        need(h.seq == next_seq.get(h.incarnation, 0), "chain-gap", f"seq {h.seq}")
        need(h.prev == link or h.seq == 0 and h.prev == origin, "chain-gap", "prev is not the link before")
        next_seq[h.incarnation] = h.seq + 1
        link = one.link
        links.append(link)
    return links


def proquint(raw):
    words = []
    for at in range(0, len(raw), 2):
        number = int.from_bytes(raw[at:at + 2], "big")
        words.append(
            _CONSONANTS[number >> 12] + _VOWELS[number >> 10 & 3] + _CONSONANTS[number >> 6 & 15]
            + _VOWELS[number >> 4 & 3] + _CONSONANTS[number & 15]
        )
    return "-".join(words)


def words_of_link(link):
    return proquint(link[:16])


def read_proquint(text):
    out = b""
    for word in re.split(r"[ -]+", text.strip(" -")):
        lower = "".join(chr(ord(sign) | 0x20) if "A" <= sign <= "Z" else sign for sign in word)
        need(len(lower) == 5, "not-words", word)
        number = 0
        for place, sign in enumerate(lower):
            alphabet, bits = (_VOWELS, 2) if place % 2 else (_CONSONANTS, 4)
            need(sign in alphabet, "not-words", word)
            number = number << bits | alphabet.index(sign)
        out += number.to_bytes(2, "big")
    return out


class Attest:
    """The body of an `attest`, and the statement rebuilt from the header of the operation around it."""

    def __init__(self, operation):
        need(operation.header.kind == "attest", "attest-field", "another kind")
        need(operation.body is not None, "attest-field", "no body")

        def get(name, good):
            value = operation.body.shown("attest/" + name)
            need(value is not None and good(value), "attest-field", name)
            return value

        self.operation = operation
        self.officer = get("officer", lambda one: cbor.is_bytes(one, 16))
        self.role = get("role", cbor.is_text)
        self.meaning = get("meaning", lambda one: one in MEANINGS)
        self.targets = get("targets", _good_targets)
        self.key_id = get("key", lambda one: cbor.is_bytes(one, 32))
        self.signature = get("signature", cbor.is_bytes)
        h = operation.header
        self.statement = cbor.encode({
            0: 0, 1: h.tenant, 2: h.device, 3: h.incarnation, 4: h.seq, 5: h.prev,
            6: self.role, 7: self.meaning, 8: self.targets, 9: self.officer,
        })

    def check(self, suite, public):
        need(keys.key_id(suite, public) == self.key_id, "attest-key")
        keys.verify(suite, public, keys.ATTESTATION, self.statement, self.signature)


def _good_targets(value):
    return (
        type(value) is list and 1 <= len(value) <= 64 and all(cbor.is_bytes(one, 32) for one in value)
        and all(a < b for a, b in zip(value, value[1:]))
    )
