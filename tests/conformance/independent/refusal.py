"""The one exception of this verifier: something supplied is refused, and why."""


class Refused(Exception):
    """Bytes, a key, a signature or a proof that a rule of the pages refuses."""

    def __init__(self, reason, detail=""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


def need(condition, reason, detail=""):
    if not condition:
        raise Refused(reason, detail)
