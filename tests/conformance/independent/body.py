"""The body of an operation: fields, salts, value hashes and the body root."""

import hmac
import unicodedata

import cbor
from hashing import H
from merkle import root as tree_root
from refusal import need

MOST_BYTES = 1 << 20
MOST_FIELDS = 1024
MOST_PATH = 200
MOST_VALUE = 256 << 10
EMPTY_ARRAY = b"\x80"


class Field:
    """One field; `value` is None when it is withheld, `salt` as well."""

    def __init__(self, path, salt, value, v):
        self.path = path
        self.salt = salt
        self.value = value
        self.v = v

    def item(self):
        return cbor.decode(self.value)


class Body:
    def __init__(self, fields, partial):
        self.fields = fields
        self.partial = partial
        leaves = []
        for one in fields:
            raw = one.path.encode("utf-8")
            leaves.append(len(raw).to_bytes(2, "big") + raw + one.v)
        self.root = H("fieldseal/v0/body", len(fields), tree_root(leaves))
        self.by_path = {one.path: one for one in fields}

    def written(self):
        """Without the empty path."""
        return [one for one in self.fields if one.path]

    def shown(self, path):
        """The decoded value at a path, or None when it is missing or withheld."""
        found = self.by_path.get(path)
        return None if found is None or found.value is None else found.item()


def salt_of(seed, path):
    return hmac.new(seed, path.encode("utf-8"), "sha256").digest()


def value_hash(salt, value):
    return H("fieldseal/v0/field", salt, value)


def check_path(path):
    need(cbor.is_text(path), "path", "not text")
    need(len(path.encode("utf-8")) <= MOST_PATH, "path", "too long")
    need(not any(unicodedata.category(sign) == "Cc" for sign in path), "path", "control character")
    need(path == "" or all(path.split("/")), "path", "empty segment")


def check_value(value):
    need(cbor.is_bytes(value), "value", "not a byte string")
    need(len(value) <= MOST_VALUE, "too-large", "value")
    try:
        item = cbor.decode(value)
    except Exception as refused:
        need(False, "value", str(refused))
    need(not cbor.holds_map(item), "value", "a map")


def _full(found):
    need(set(found) == {0, 1} and cbor.is_bytes(found[0], 32), "body-form")
    seed, fields = found[0], []
    for entry in found[1]:
        need(type(entry) is list and len(entry) == 2, "body-form")
        path, value = entry
        check_path(path)
        check_value(value)
        salt = salt_of(seed, path)
        fields.append(Field(path, salt, value, value_hash(salt, value)))
    return fields


def _partial(found):
    fields = []
    for entry in found[2]:
        need(type(entry) is list and len(entry) in (2, 3), "body-form")
        path, first = entry[0], entry[1]
        check_path(path)
        need(cbor.is_bytes(first, 32), "body-form", "salt or v of another length")
        if len(entry) == 2:
            fields.append(Field(path, None, None, first))
        else:
            check_value(entry[2])
            fields.append(Field(path, first, entry[2], value_hash(first, entry[2])))
    return fields


def parse(raw):
    need(len(raw) <= MOST_BYTES, "too-large", "body")
    found = cbor.decode(raw)
    need(type(found) is dict and set(found) in ({0, 1}, {2}), "body-form")
    listed = found[1] if 1 in found else found[2]
    need(type(listed) is list, "body-form")
    need(len(listed) <= MOST_FIELDS, "too-large", "fields")
    fields = _full(found) if 1 in found else _partial(found)
    need(fields and fields[0].path == "", "empty-path", "missing")
    need(fields[0].value in (None, EMPTY_ARRAY), "empty-path", "another value")
    for before, after in zip(fields, fields[1:]):
        need(before.path.encode("utf-8") < after.path.encode("utf-8"), "path-order", after.path)
    return Body(fields, 2 in found)
