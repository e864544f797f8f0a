#!/usr/bin/env python3
"""Prints what a bundle says of its operations' places in the log, for judges of the log.

    leaves.py BUNDLE

One line for each operation: its leaf in hex (computed from the frame), the index that its proof names, the proof's path.
Nothing is verified here. Exit code 0, or 1 when a frame or a proof cannot be read.
"""

import os
import sys

from notes import ProofFile
from operations import Operation
from refusal import Refused


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    data = os.path.join(sys.argv[1], "data")
    try:
        for name in sorted(os.listdir(os.path.join(data, "operations"))):
            with open(os.path.join(data, "operations", name), "rb") as file:
                operation = Operation(file.read())
            path = os.path.join(data, "proofs", operation.id.hex() + ".tlog-proof")
            with open(path, "rb") as file:
                proof = ProofFile(file.read())
            print(operation.commitment.hex(), proof.index, path)
    except (OSError, Refused) as wrong:
        print(f"{type(wrong).__name__}: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
