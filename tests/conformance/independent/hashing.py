"""H, PAE, and the spellings of identifiers, hashes, numbers and base64 in text."""

import base64
import hashlib
import re

from refusal import Refused, need

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HASH = re.compile(r"[0-9a-f]{64}")
_HEX = re.compile(r"(?:[0-9a-f]{2})*")


def sha256(data):
    return hashlib.sha256(data).digest()


def H(tag, *items):
    """SHA-256 over the tag and each item, each after its length in 8 bytes; an integer is 8 bytes itself."""
    state = hashlib.sha256()
    for item in (tag, *items):
        if isinstance(item, str):
            item = item.encode("utf-8")
        elif isinstance(item, int):
            item = item.to_bytes(8, "big")
        state.update(len(item).to_bytes(8, "big"))
        state.update(item)
    return state.digest()


def pae(payload_type, body):
    kind = payload_type.encode("ascii")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)


def uuid_text(raw):
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def uuid_bytes(text):
    need(isinstance(text, str) and _UUID.fullmatch(text), "uuid", repr(text))
    return bytes.fromhex(text.replace("-", ""))


def hash_bytes(text):
    need(isinstance(text, str) and _HASH.fullmatch(text), "hash", repr(text))
    return bytes.fromhex(text)


def hex_bytes(text):
    need(isinstance(text, str) and _HEX.fullmatch(text), "hex", repr(text)[:80])
    return bytes.fromhex(text)


def strict_base64(text, reason="base64"):
    """Standard, padded, and the only spelling of its bytes."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise Refused(reason, repr(text)[:80]) from None
    need(base64.b64encode(raw).decode() == text, reason, "another spelling")
    return raw


def decimal(text):
    """A number of 64 bits in its one spelling: decimal, no sign, no leading zero."""
    need(re.fullmatch(r"[0-9]+", text, re.ASCII), "number", repr(text)[:40])
    need(text == "0" or text[0] != "0", "number-spelling", text[:40])
    need(len(text) <= 20 and int(text) < 1 << 64, "number", text[:40])
    return int(text)
