#!/usr/bin/env python3
"""The second, independent verifier of Fieldseal's formats: vectors and hearing bundles."""

import argparse
import json
import os
import sys

import bag
import selftest
import vectors
from bundle import Report
from findings import EXIT_CODES, REFUSED, Findings
from refusal import Refused
from trust import Trust

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "core", "proof", "vectors")


def _bundle(folder, trust_folder, paper, as_json):
    try:
        if not os.path.isdir(folder):
            raise Refused("bundle", "no such folder")
        trust = Trust.of_folder(trust_folder, folder)
    except Refused as refused:
        print(f"refused, no verdict: {refused}", file=sys.stderr)
        return REFUSED
    findings = Findings()
    report = Report(bag.read_folder(folder, findings), trust, findings, paper)
    print(json.dumps(report.as_json(), indent=2, ensure_ascii=False) if as_json else report.as_text())
    return EXIT_CODES[report.verdict]


class _Arguments(argparse.ArgumentParser):
    def error(self, message):
        """argparse would leave with 2, which is INVALID here."""
        print(f"{self.prog}: {message}", file=sys.stderr)
        sys.exit(REFUSED)


def main():
    reader = _Arguments(description=__doc__)
    reader.add_argument("bundle", nargs="?", help="an unpacked hearing bundle")
    reader.add_argument("--trust", metavar="DIR", help="the trust folder")
    reader.add_argument("--paper", metavar="WORDS", help="the eight words printed on a paper")
    reader.add_argument("--json", action="store_true", help="the report as JSON")
    reader.add_argument("--vectors", metavar="DIR", help="run every test vector below DIR")
    reader.add_argument("--words", action="store_true", help="with --vectors: show where only the word differs")
    reader.add_argument("--selftest", action="store_true", help="compare the signatures with openssl and ssh-keygen")
    given = reader.parse_args()
    if given.selftest:
        return 1 if selftest.run(given.vectors or VECTORS) else 0
    if given.vectors:
        return 1 if vectors.run(given.vectors, given.words) else 0
    if not given.bundle or not given.trust:
        reader.error("wanted: a bundle and --trust, or --vectors, or --selftest")
    return _bundle(given.bundle, given.trust, given.paper, given.json)


if __name__ == "__main__":
    sys.exit(main())
