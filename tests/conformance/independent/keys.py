"""Suites: which keys are good, which signatures hold, and how a key is named."""

import base64

import ed25519
import p256
from hashing import H, pae
from refusal import Refused, need

OPERATION = "application/vnd.fieldseal.operation.v0+cbor"
ATTESTATION = "application/vnd.fieldseal.attestation.v0+cbor"
KEY_LOG_ENTRY = "application/vnd.fieldseal.key-log-entry.v0+cbor"
RECEIPT = "application/vnd.fieldseal.receipt.v0+cbor"
BLOB_RECEIPT = "application/vnd.fieldseal.blob-receipt.v0+cbor"

_DER_PREFIX = {
    1: bytes.fromhex("302a300506032b6570032100"),
    2: bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200"),
}
_seen = {}


def _suite(suite):
    modules = {1: ed25519, 2: p256}
    need(type(suite) is int and suite in modules, "unknown-suite", str(suite))
    return modules[suite]


def check_public(suite, public):
    _suite(suite).check_public(public)


def verify(suite, public, payload_type, body, signature):
    verify_raw(suite, public, pae(payload_type, body), signature)


def verify_raw(suite, public, message, signature):
    """As the suite says; each verdict is remembered, for a bundle repeats its checkpoint in every proof."""
    asked = (suite, public, message, signature)
    if asked not in _seen:
        try:
            _suite(suite).verify(public, message, signature)
            _seen[asked] = None
        except Refused as refused:
            _seen[asked] = refused
    if _seen[asked] is not None:
        raise Refused(_seen[asked].reason, _seen[asked].detail)


def key_id(suite, public):
    return H("fieldseal/v0/key", suite, public)


def fingerprint(suite, public):
    digits = key_id(suite, public)[:16].hex()
    return "SHA256:" + " ".join(digits[at:at + 4] for at in range(0, 32, 4))


def pem(suite, public):
    text = base64.b64encode(_DER_PREFIX[suite] + public).decode()
    lines = [text[at:at + 64] for at in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
