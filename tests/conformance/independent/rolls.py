"""Rolls and closings: what a bundle must hold so that nothing is left out."""

import cbor
from hashing import uuid_bytes
from refusal import Refused, need


def _end(field, reason):
    """[last counter, last id]"""
    need(field.value is not None, reason, f"{field.path} is withheld")
    found = field.item()
    good = (
        type(found) is list and len(found) == 2 and cbor.is_uint(found[0]) and cbor.is_bytes(found[1], 32)
    )
    need(good, reason, field.path)
    return found


def _ids(path, prefix, count, reason):
    parts = path[len(prefix):].split("/")
    need(len(parts) == count, reason, path)
    try:
        return tuple(uuid_bytes(part) for part in parts)
    except Refused:
        raise Refused(reason, path) from None


class Roll:
    def __init__(self, body):
        need(body is not None, "roll", "no body")
        self.size = body.shown("roll/size")
        need(cbor.is_uint(self.size), "roll", "size")
        found = body.shown("roll/key_log")
        good = (
            type(found) is list and len(found) == 2 and cbor.is_uint(found[0]) and cbor.is_bytes(found[1], 32)
        )
        need(good, "roll", "key log")
        self.key_log_size, self.key_log_head = found
        self.streams = {}  # (device, incarnation, stream): (counter, id), by ascending path
        for field in body.fields:
            if field.path.startswith("roll/stream/"):
                place = _ids(field.path, "roll/stream/", 3, "roll")
                self.streams[place] = tuple(_end(field, "roll"))


class Closing:
    def __init__(self, body):
        need(body is not None, "closing", "no body")
        self.held = {}  # (device, incarnation): (counter, id)
        for field in body.fields:
            if field.path.startswith("closing/held/"):
                self.held[_ids(field.path, "closing/held/", 2, "closing")] = tuple(_end(field, "closing"))
