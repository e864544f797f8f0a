"""What is handed from one to another outside a bundle: rule packs, rescue files, enrolment texts, operations as DSSE JSON."""

import json
import re

import cbor
import keys
from hashing import H, hex_bytes, pae, sha256, strict_base64, uuid_bytes, uuid_text
from keylog import KeyLog
from notes import SIGNED, VerifierKey
from operations import Operation
from refusal import Refused, need

PACK = "application/vnd.fieldseal.pack.v0+cbor"
MOST_PACK_FILES, MOST_PACK = 2_000, 32 << 20
ENROLMENT, MOST_ENROLMENT = "fieldseal:enrol:1:", 8 << 10
RESCUE = b"FSRV0\n"


class Pack:
    """A pack file under a tenant's key log: form, file names, signature. The tables inside are not read."""

    def __init__(self, raw, key_log):
        try:
            found = cbor.decode(raw)
            need(type(found) is dict and set(found) <= {0, 1, 2}, "pack_form")
            self.raw = cbor.field(found, 0, "bytes")
            signature, key_id = cbor.field(found, 1, "bytes"), cbor.field(found, 2, "bytes", 32)
        except Refused as wrong:
            raise Refused("pack_form", str(wrong)) from None
        key = KeyLog.read(key_log).by_id.get(key_id)
        need(key is not None and key.purpose in ("admin", "root"), "pack_key")
        need(key.revoked_at is None, "pack_key_revoked")
        try:
            keys.verify(key.suite, key.public, PACK, self.raw, signature)
        except Refused as wrong:
            raise Refused("pack_signature", str(wrong)) from None
        try:
            self.files = self._files()
        except Refused as wrong:
            raise Refused("pack_content", str(wrong)) from None
        self.hash = H("fieldseal/v0/pack", self.raw)

    def _files(self):
        need(len(self.raw) <= MOST_PACK, "too-large")
        found = cbor.decode(self.raw)
        need(type(found) is dict, "field")
        need(cbor.field(found, 0, "uint") == 0, "version")
        for key in (1, 2, 3, 4):
            cbor.field(found, key, "text")
        cbor.field(found, 5, "text", optional=True)
        listed = cbor.field(found, 6, "array")
        need(len(listed) <= MOST_PACK_FILES, "too-large")
        names = []
        for one in listed:
            need(type(one) is list and len(one) == 2 and cbor.is_text(one[0]) and cbor.is_bytes(one[1]), "field")
            need(re.fullmatch(r"[a-z0-9._/-]{1,200}", one[0], re.ASCII) and ".." not in one[0], "name", one[0])
            need(all(part not in ("", ".") for part in one[0].split("/")), "name", one[0])
            names.append(one[0])
        need(all(a < b for a, b in zip(names, names[1:])), "order")
        return names


class Enrolment:
    def __init__(self, text):
        try:
            self._read(text)
        except (Refused, ValueError) as wrong:
            raise Refused("enrolment_text", str(wrong)) from None

    def _read(self, text):
        need(len(text.encode("utf-8")) <= MOST_ENROLMENT, "too long")
        text = text.strip()
        need(text.startswith(ENROLMENT), "prefix")
        inside = text[len(ENROLMENT):]
        need(re.fullmatch(r"[A-Za-z0-9_-]+", inside, re.ASCII), "base64url")
        raw = strict_base64(inside.translate(str.maketrans("-_", "+/")) + "=" * (-len(inside) % 4))
        found = json.loads(raw.decode("utf-8"))
        need(type(found) is dict, "no object")
        found = {"label": "", "role": "tablet", **found}
        names = ("url", "tls_sha256", "tenant", "root", "log_vkey", "code", "label", "role")
        need(all(isinstance(found.get(name), str) for name in names), "a field is missing or no text")
        need(found["role"] in ("tablet", "supervisor"), "role")
        self.url, self.code, self.label = found["url"], found["code"], found["label"]
        need(self.url.startswith("https://"), "not https")
        self.tls_sha256 = hex_bytes(found["tls_sha256"])
        need(len(self.tls_sha256) == 32, "not a SHA-256")
        self.tenant = uuid_bytes(found["tenant"])
        self.root = hex_bytes(found["root"])
        keys.check_public(2 if len(self.root) == 33 else 1, self.root)
        self.log = VerifierKey(found["log_vkey"])
        need(self.log.algorithm == SIGNED, "not a log's key")

    def output(self):
        return {
            "url": self.url, "tls_sha256": self.tls_sha256.hex(), "tenant": uuid_text(self.tenant),
            "root": self.root.hex(), "log": self.log.name, "code": self.code, "label": self.label,
        }


def rescue_records(raw):
    """The records of a rescue file, as the vectors spell them."""

    def good(condition, what):
        need(condition, "rescue_broken", what)

    good(raw.startswith(RESCUE), "magic")
    at, found = len(RESCUE), []
    while True:
        good(at + 9 <= len(raw), "cut off")
        kind, length, start = raw[at], int.from_bytes(raw[at + 1:at + 9], "big"), at + 9
        good(start + length <= len(raw), "cut off")
        piece, after = raw[start:start + length], start + length
        if kind == 255:
            good(piece == sha256(raw[:at]), "the end is not that of these records")
            good(after == len(raw), "bytes after the end")
            return found
        if kind == 1:
            found.append({"operation": piece.hex()})
        elif kind == 2:
            good(length >= 32 and sha256(piece[32:]) == piece[:32], "a blob that is not its name")
            found.append({"blob": piece[:32].hex(), "size": length - 32, "bytes": piece[32:].hex()})
        elif kind in (3, 5, 6):
            try:
                found.append({{3: "identity", 5: "request", 6: "left_out"}[kind]: piece.decode("utf-8")})
            except UnicodeDecodeError:
                good(False, f"a record of type {kind} is no text")
        elif kind == 4:
            try:
                found.append(_draft(piece))
            except Refused as wrong:
                good(False, str(wrong))
        else:
            good(False, f"type {kind}")
        at = after


def _draft(piece):
    draft = cbor.decode(piece)
    need(type(draft) is dict and set(draft) == {0, 1, 2, 3, 4, 5}, "field", "the keys of a draft")
    need(cbor.field(draft, 0, "uint") == 0, "field", "the version of a draft")
    return {
        "draft": cbor.field(draft, 3, "text"),
        "case": uuid_text(cbor.field(draft, 1, "bytes", 16)),
        "inspection": uuid_text(cbor.field(draft, 2, "bytes", 16)),
        "value": cbor.encode(draft[4]).hex(), "edited_ms": cbor.field(draft, 5, "uint"),
    }


def dsse(text, suite, public):
    """An operation as DSSE JSON: the signature holds over the PAE of its payload, which is the header's bytes."""
    try:
        found = json.loads(text)
        need(type(found) is dict and found.get("payloadType") == keys.OPERATION, "field", "payloadType")
        signatures = found.get("signatures")
        need(type(signatures) is list and len(signatures) == 1, "field", "one signature")
        payload, signature = (strict_base64(one, "field") for one in (found["payload"], signatures[0]["sig"]))
    except (ValueError, TypeError, KeyError, AttributeError) as wrong:
        raise Refused("field", str(wrong)) from None
    need(len(signature) == 64, "field", "the signature's length")
    one = Operation(cbor.encode({0: payload, 1: signature}))
    one.check_signature(suite, public)
    h = one.header
    need(signatures[0].get("keyid") == f"{uuid_text(h.device)}.{uuid_text(h.incarnation)}", "field", "keyid")
    return {
        "id": one.id.hex(), "commitment": one.commitment.hex(),
        "pae": pae(keys.OPERATION, payload).hex(), "header": payload.hex(),
    }
