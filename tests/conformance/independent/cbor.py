"""Deterministic CBOR in the profile of README.md: strict decoding, encoding, diagnostic notation."""

import json

from refusal import Refused, need

DEEPEST = 8  # an item may stand inside this many containers

UINT, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)


class _Reader:
    def __init__(self, data, at=0):
        self.data = data
        self.at = at

    def left(self):
        return len(self.data) - self.at

    def take(self, count):
        need(count <= self.left(), "cut-off", f"{count} bytes wanted, {self.left()} left")
        piece = self.data[self.at:self.at + count]
        self.at += count
        return piece

    def head(self):
        """Major type, additional information and argument; the argument in its shortest form."""
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if major == SIMPLE:
            need(info in (20, 21), "simple-value", f"simple or float {info}")
            return major, info
        need(major != TAG, "tag")
        need(info < 28, "indefinite-length", f"additional information {info}")
        if info < 24:
            return major, info
        width = 1 << (info - 24)
        argument = int.from_bytes(self.take(width), "big")
        least = 24 if width == 1 else 1 << (4 * width)
        need(argument >= least, "not-shortest", f"{argument} in {width} bytes")
        return major, argument

    def item(self, containers):
        need(containers <= DEEPEST, "too-deep")
        major, argument = self.head()
        if major == UINT:
            return argument
        if major == NEGATIVE:
            return -1 - argument
        if major == BYTES:
            return bytes(self.take(argument))
        if major == TEXT:
            raw = self.take(argument)
            try:
                return raw.decode("utf-8")
            except UnicodeDecodeError:
                raise Refused("utf8") from None
        if major == SIMPLE:
            return argument == 21
        if major == ARRAY:
            need(argument <= self.left(), "too-many-items", f"{argument} announced")
            return [self.item(containers + 1) for _ in range(argument)]
        need(2 * argument <= self.left(), "too-many-items", f"{argument} pairs announced")
        found, last = {}, -1
        for _ in range(argument):
            need(containers + 1 <= DEEPEST, "too-deep")
            kind, key = self.head()
            need(kind == UINT, "map-key-type")
            need(key > last, "map-key-order", f"{key} after {last}")
            last = key
            found[key] = self.item(containers + 1)
        return found


def decode(data):
    """Exactly one item."""
    reader = _Reader(data)
    found = reader.item(0)
    need(reader.left() == 0, "trailing-bytes", f"{reader.left()} bytes")
    return found


def decode_sequence(data):
    """The items of a CBOR sequence, each with its own bytes."""
    reader, found = _Reader(data), []
    while reader.left():
        start = reader.at
        value = reader.item(0)
        found.append((value, bytes(data[start:reader.at])))
    return found


def _head(major, argument):
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * width):
            return bytes([major << 5 | info]) + argument.to_bytes(width, "big")
    raise ValueError("integer of more than 64 bits")


def encode(value):
    if value is False:
        return b"\xf4"
    if value is True:
        return b"\xf5"
    if isinstance(value, int):
        return _head(UINT, value) if value >= 0 else _head(NEGATIVE, -1 - value)
    if isinstance(value, (bytes, bytearray)):
        return _head(BYTES, len(value)) + bytes(value)
    if isinstance(value, str):
        raw = value.encode("utf-8")
        return _head(TEXT, len(raw)) + raw
    if isinstance(value, (list, tuple)):
        return _head(ARRAY, len(value)) + b"".join(encode(one) for one in value)
    if isinstance(value, dict):
        return _head(MAP, len(value)) + b"".join(encode(key) + encode(value[key]) for key in sorted(value))
    raise TypeError(f"no CBOR for {type(value)}")


def notation(value):
    """RFC 8949 diagnostic notation, the items of an array or map after a comma and a blank."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return f"h'{value.hex()}'"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(notation(one) for one in value) + "]"
    return "{" + ", ".join(f"{key}: {notation(value[key])}" for key in value) + "}"


# Typed access to a decoded map. A bool is an int in Python, so the types are compared exactly.

def is_uint(value):
    return type(value) is int and value >= 0


def is_bytes(value, length=None):
    return type(value) is bytes and (length is None or len(value) == length)


def is_text(value):
    return type(value) is str


def field(found, key, kind, length=None, optional=False):
    """The field `key` of a map; `kind` is 'uint', 'bytes', 'text' or 'array'."""
    if key not in found:
        need(optional, "field", f"key {key} is missing")
        return None
    value = found[key]
    good = {
        "uint": is_uint(value),
        "bytes": is_bytes(value, length),
        "text": is_text(value),
        "array": type(value) is list,
    }[kind]
    need(good, "field", f"key {key} is not {kind}{'' if length is None else length}")
    return value


def holds_map(value):
    if type(value) is dict:
        return True
    return type(value) is list and any(holds_map(one) for one in value)
