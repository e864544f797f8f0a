"""SSHSIG (armored, Ed25519) and the allowed_signers file, as far as a bundle needs them."""

import base64
import hashlib
import re
import shlex

import ed25519
from hashing import strict_base64
from refusal import Refused, need

NAMESPACE = "fieldseal.bundle"
_ARMOR = re.compile(
    r"-----BEGIN SSH SIGNATURE-----\n((?:[A-Za-z0-9+/=]+\n)+)-----END SSH SIGNATURE-----\n?", re.ASCII
)


class _Reader:
    def __init__(self, raw):
        self.raw = raw

    def take(self, count):
        need(count <= len(self.raw), "sshsig", "cut off")
        piece, self.raw = self.raw[:count], self.raw[count:]
        return piece

    def number(self):
        return int.from_bytes(self.take(4), "big")

    def string(self):
        return self.take(self.number())

    def end(self):
        need(not self.raw, "sshsig", "bytes left over")


def _string(raw):
    return len(raw).to_bytes(4, "big") + raw


def _typed(raw, length):
    """`ssh-ed25519` and a string of this length."""
    reader = _Reader(raw)
    need(reader.string() == b"ssh-ed25519", "sshsig", "not Ed25519")
    found = reader.string()
    need(len(found) == length, "sshsig", "length")
    reader.end()
    return found


def verify(armored, message):
    """The public key that signed the message in the bundle's namespace; Refused when it does not hold."""
    try:
        text = armored.decode("ascii")
    except UnicodeDecodeError:
        raise Refused("sshsig", "not ASCII") from None
    match = _ARMOR.fullmatch(text)
    need(match, "sshsig", "armor")
    reader = _Reader(strict_base64(match[1].replace("\n", ""), "sshsig"))
    need(reader.take(6) == b"SSHSIG" and reader.number() == 1, "sshsig", "magic or version")
    public = _typed(reader.string(), 32)
    namespace, reserved, algorithm = reader.string(), reader.string(), reader.string()
    signature = _typed(reader.string(), 64)
    reader.end()
    need(namespace == NAMESPACE.encode(), "sshsig", "namespace")
    need(algorithm == b"sha512", "sshsig", "hash algorithm")
    signed = (
        b"SSHSIG" + _string(namespace) + _string(reserved) + _string(algorithm)
        + _string(hashlib.sha512(message).digest())
    )
    ed25519.verify(public, signed, signature)
    return public


def allowed_keys(text):
    """Ed25519 keys of an allowed_signers file that may sign in the bundle's namespace."""
    found = set()
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        try:
            words = shlex.split(line)
        except ValueError:
            continue
        at = next((n for n, word in enumerate(words) if n and word == "ssh-ed25519"), None)
        if at is None or at + 1 >= len(words):
            continue
        options = ",".join(words[1:at])
        if not _options_allow(options):
            continue
        try:
            found.add(_typed(base64.b64decode(words[at + 1], validate=True), 32))
        except (Refused, ValueError):
            continue
    return found


def _options_allow(options):
    """Options whose meaning a bundle cannot settle (validity times, authorities) allow nothing."""
    if not options:
        return True
    name, _, value = options.partition("=")
    return name.lower() == "namespaces" and NAMESPACE in value.split(",")
