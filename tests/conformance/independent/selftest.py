"""The pure-Python signatures compared with openssl, the SSHSIG reader with ssh-keygen, the ciphers with their RFCs."""

import glob
import json
import os
import subprocess
import tempfile

import bag
import keys
import p256
import sealed
import sshsig
from hashing import hex_bytes, pae
from refusal import Refused

# openssl is the plain equation: it knows neither these rules nor the suite's key forms.
STRICTER_THAN_OPENSSL = {
    "high-s", "non-canonical-signature", "weak-key", "non-canonical-key", "malformed-signature", "malformed-key",
}


def _holds(check, *arguments):
    """None when it holds, else the word of the refusal."""
    try:
        check(*arguments)
        return None
    except Refused as refused:
        return refused.reason


def _openssl(folder, suite, public, message, signature):
    paths = {name: os.path.join(folder, name) for name in ("key.pem", "message", "signature")}
    with open(paths["key.pem"], "w", encoding="ascii") as file:
        file.write(keys.pem(suite, public))
    with open(paths["message"], "wb") as file:
        file.write(message)
    with open(paths["signature"], "wb") as file:
        file.write(signature if suite == 1 else p256.der_signature(signature))
    raw = ["-rawin"] if suite == 1 else ["-rawin", "-digest", "sha256"]
    found = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", paths["key.pem"], *raw,
         "-in", paths["message"], "-sigfile", paths["signature"]],
        capture_output=True, check=False,
    )
    return found.returncode == 0


def _cases(folder):
    """(name, suite, public, message, signature) of the signature vectors, and each with a bit turned."""
    for path in sorted(glob.glob(os.path.join(folder, "signature", "*", "*.json"))):
        with open(path, encoding="utf-8") as file:
            given = json.load(file)["input"]
        public, signature = hex_bytes(given["public"]), hex_bytes(given["signature"])
        if len(signature) != 64:
            continue
        message = pae(given["payload_type"], hex_bytes(given["body"]))
        name = os.path.basename(path)
        yield name, given["suite"], public, message, signature
        for at in (0, 31, 32, 50):
            turned = bytearray(signature)
            turned[at] ^= 1
            yield f"{name} bit {at}", given["suite"], public, message, bytes(turned)


def _signatures(folder, scratch):
    failed = compared = 0
    for name, suite, public, message, signature in _cases(folder):
        word = _holds(keys.verify_raw, suite, public, message, signature)
        if word in STRICTER_THAN_OPENSSL:
            continue
        compared += 1
        if _openssl(scratch, suite, public, message, signature) != (word is None):
            failed += 1
            print(f"{name}: openssl disagrees with {word or 'accepted'}")
    return compared, failed


def _ssh(folder, scratch):
    with open(os.path.join(folder, "bundle", "positive", "whole.json"), encoding="utf-8") as file:
        given = json.load(file)["input"]
    armored = hex_bytes(given["files"][bag.SIGNATURE])
    message = hex_bytes(given["files"][bag.TAG_MANIFEST])
    signers = given["trust"]["allowed_signers"]
    names = {"sig": armored, "allowed": signers.encode()}
    for name, raw in names.items():
        with open(os.path.join(scratch, name), "wb") as file:
            file.write(raw)
    failed = 0
    for what, asked in (("as signed", message), ("changed", message + b"x")):
        theirs = subprocess.run(
            ["ssh-keygen", "-Y", "verify", "-f", os.path.join(scratch, "allowed"), "-I", signers.split(" ")[0],
             "-n", sshsig.NAMESPACE, "-s", os.path.join(scratch, "sig")],
            input=asked, capture_output=True, check=False,
        ).returncode == 0
        try:
            ours = sshsig.verify(armored, asked) in sshsig.allowed_keys(signers)
        except Refused:
            ours = False
        if theirs != ours or ours != (what == "as signed"):
            failed += 1
            print(f"SSHSIG {what}: ssh-keygen {theirs}, here {ours}")
    return 2, failed


def _ciphers():
    """The examples of RFC 7748 (5.2), RFC 5869 (A.1, its first 32 bytes), RFC 8439 (2.8.2) and of the XChaCha draft (2.2.1)."""
    text = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
            b"sunscreen would be it.")
    key, nonce = bytes(range(0x80, 0xa0)), bytes.fromhex("070000004041424344454647")
    binding = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    hidden = sealed.chacha20(key, 1, nonce, text)
    whole = hidden + bytes.fromhex("1ae10b594f09e26a7e902ecbd0600691")
    other = bytes([whole[0] ^ 1]) + whole[1:]
    wanted = {
        "x25519": (
            sealed.x25519(
                bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
            ).hex(),
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        "hkdf": (
            sealed.hkdf(bytes(range(13)), bytes([0x0b] * 22), bytes(range(0xf0, 0xfa))).hex(),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
        ),
        "chacha20-poly1305": (sealed.aead_open(key, nonce, binding, whole), text),
        "chacha20-poly1305 changed": (sealed.aead_open(key, nonce, binding, other), None),
        "hchacha20": (
            sealed.hchacha20(bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927")).hex(),
            "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc",
        ),
    }
    failed = 0
    for name, (found, expected) in wanted.items():
        if found != expected:
            failed += 1
            print(f"{name}: {found}, the RFC says {expected}")
    return len(wanted), failed


def run(folder):
    with tempfile.TemporaryDirectory() as scratch:
        compared, failed = _signatures(folder, scratch)
        more, wrong = _ssh(folder, scratch)
    ciphers, odd = _ciphers()
    all_failed = failed + wrong + odd
    print(f"{compared + more + ciphers - all_failed} agreed, {all_failed} differed")
    return all_failed
