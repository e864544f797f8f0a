"""The bag: names, completeness, hashes, and the signature over the tag manifest."""

import os
import re

import sshsig
from hashing import sha256
from refusal import Refused

MOST_FILES = 200_000
MOST_MANIFEST = 64 << 20
MANIFEST, TAG_MANIFEST, SIGNATURE = "manifest-sha256.txt", "tagmanifest-sha256.txt", "tagmanifest-sha256.txt.sig"
DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def safe_path(path):
    segments = path.split("/")
    return (
        len(path) <= 512 and len(segments) <= 8
        and all("!" <= sign <= "~" and sign not in "\\:" for sign in path)
        and not any(segment in ("", ".", "..") for segment in segments)
    )


def read_folder(folder, findings):
    """Every file below a folder by its path; links are refused, not followed."""
    files = {}
    for here, folders, names in os.walk(folder):
        for name in list(folders) + names:
            full = os.path.join(here, name)
            path = os.path.relpath(full, folder).replace(os.sep, "/")
            if os.path.islink(full):
                findings.add("bag.unsafe_path", path, "a link")
            elif name in names and not os.path.isfile(full):
                findings.add("bag.unsafe_path", path, "no plain file")
            elif name in names:
                if len(files) >= MOST_FILES:
                    findings.add("bag.too_many_files", folder)
                    return files
                with open(full, "rb") as file:
                    files[path] = file.read()
    return files


class Bag:
    """What is left to be read: the files that are listed and whose bytes are those that were listed."""

    def __init__(self, files, trust, findings):
        self.findings = findings
        self.files = {}
        self.used = {"bagit.txt", MANIFEST}
        self.signer = None
        if len(files) > MOST_FILES:
            findings.add("bag.too_many_files", len(files))
        self._names(files)
        if "fetch.txt" in files:
            findings.add("bag.fetch", "fetch.txt")
        if files.get("bagit.txt") != DECLARATION:
            findings.add("bag.declaration", "bagit.txt")
        listed = {
            **self._manifest(files, MANIFEST, lambda path: path.startswith("data/")),
            **self._manifest(files, TAG_MANIFEST, lambda path: not path.startswith("data/")),
        }
        for path, digest in listed.items():
            if path not in files:
                findings.add("bag.missing", path)
            elif sha256(files[path]).hex() != digest:
                findings.add("bag.changed", path)
            elif safe_path(path):
                self.files[path] = files[path]
        for path in files:
            if path not in listed and path not in (TAG_MANIFEST, SIGNATURE):
                findings.add("bag.unlisted", path)
        self._signature(files, trust)

    def _names(self, files):
        seen = {}
        for path in files:
            if not safe_path(path):
                self.findings.add("bag.unsafe_path", repr(path))
            if seen.setdefault(path.lower(), path) != path:
                self.findings.add("bag.ambiguous_name", path, seen[path.lower()])

    def _manifest(self, files, name, belongs):
        raw = files.get(name)
        if raw is None:
            self.findings.add("bag.manifest", name, "missing")
            return {}
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            self.findings.add("bag.manifest", name, "not UTF-8")
            return {}
        if len(raw) > MOST_MANIFEST or not text.endswith("\n"):
            self.findings.add("bag.manifest", name, "too large, or its last line does not end")
            return {}
        listed = {}
        for line in text.removesuffix("\n").split("\n"):
            match = _LINE.fullmatch(line)
            if not match or not safe_path(match[2]) or not belongs(match[2]) or match[2] in listed:
                self.findings.add("bag.manifest", name, line[:200])
            else:
                listed[match[2]] = match[1]
        if name == TAG_MANIFEST:
            for wanted in ("bagit.txt", MANIFEST):
                if wanted not in listed:
                    self.findings.add("bag.unlisted", wanted)
        return listed

    def _signature(self, files, trust):
        if SIGNATURE not in files or TAG_MANIFEST not in files:
            self.findings.add("bag.signature", SIGNATURE, "missing")
            return
        try:
            public = sshsig.verify(files[SIGNATURE], files[TAG_MANIFEST])
        except Refused as refused:
            self.findings.add("bag.signature", SIGNATURE, refused)
            return
        if public in trust.signers:
            self.signer = public
        else:
            self.findings.add("bag.signer_unknown", SIGNATURE, public.hex())

    def get(self, path):
        """The bytes of a file that is as listed, or None."""
        self.used.add(path)
        return self.files.get(path)

    def not_checked(self):
        return sorted(set(self.files) - self.used)

    def below(self, folder):
        """(name, path, bytes) of the files below a folder under data."""
        start = f"data/{folder}/"
        found = [
            (path[len(start):], path, raw) for path, raw in sorted(self.files.items()) if path.startswith(start)
        ]
        self.used.update(path for _, path, _ in found)
        return found
