#!/usr/bin/env python3
"""The second, independent verifier of Fieldseal's formats: vectors and hearing bundles."""

import argparse
import sys

import vectors


def main():
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--vectors", metavar="DIR", help="run every test vector below DIR")
    reader.add_argument("--words", action="store_true", help="with --vectors: show where the refusal's word differs")
    given = reader.parse_args()
    if given.vectors:
        return 1 if vectors.run(given.vectors, given.words) else 0
    reader.error("nothing to do")


if __name__ == "__main__":
    sys.exit(main())
