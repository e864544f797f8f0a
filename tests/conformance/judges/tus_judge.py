#!/usr/bin/env python3
"""Resumes an upload with tuspy, the tus project's own Python client.

    tus_judge.py URL TOKEN_FILE FILE STOP_AT [--ca PEM] [--meta KEY=VALUE]...

Creates an upload at URL (a tus 1.0 creation endpoint) with the bearer token in TOKEN_FILE, sends FILE up to STOP_AT
bytes, throws the client away, makes a new one that knows only the upload's address, asks the server for its offset and
completes from there. `sha256` is sent as metadata unless --meta gives another. One line per check. Exit code 0: all
hold; 1: one fails, with the reason; 64: usage.
"""

import argparse
import hashlib
import os
import sys

CHUNK = 64 * 1024


def main() -> int:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("url")
    parser.add_argument("token_file")
    parser.add_argument("file")
    parser.add_argument("stop_at", type=int)
    parser.add_argument("--ca")
    parser.add_argument("--meta", action="append", default=[])
    try:
        options = parser.parse_args()
    except SystemExit as usage:
        return 64 if usage.code else 0
    if options.ca:
        # What `requests` below tuspy trusts.
        os.environ["REQUESTS_CA_BUNDLE"] = os.path.abspath(options.ca)
    from tusclient.client import TusClient
    from tusclient.exceptions import TusCommunicationError

    with open(options.token_file, encoding="ascii") as file:
        headers = {"Authorization": f"Bearer {file.read().strip()}"}
    with open(options.file, "rb") as file:
        content = file.read()
    if not 0 < options.stop_at < len(content):
        print(f"FAIL STOP_AT must lie inside the file, which has {len(content)} bytes")
        return 64
    metadata = {"sha256": hashlib.sha256(content).hexdigest(), "media_type": "application/octet-stream"}
    metadata.update(pair.split("=", 1) for pair in options.meta)

    try:
        first = TusClient(options.url, headers=headers).uploader(options.file, chunk_size=CHUNK, metadata=metadata)
        while first.offset < options.stop_at:
            # The last part ends where it is told to, not where a chunk would.
            first.chunk_size = min(CHUNK, options.stop_at - first.offset)
            first.upload_chunk()
        address = first.url
        print(f"ok   first client: {first.offset} of {len(content)} bytes, then it is gone")
        del first

        second = TusClient(options.url, headers=headers).uploader(options.file, chunk_size=CHUNK, url=address)
        if second.offset != options.stop_at:
            print(f"FAIL the server says it has {second.offset} bytes; {options.stop_at} were sent and acknowledged")
            return 1
        print(f"ok   second client: resumes at {second.offset}")
        second.upload()
        if second.offset != len(content):
            print(f"FAIL the upload ended at {second.offset} of {len(content)} bytes")
            return 1
    except TusCommunicationError as error:
        print(f"FAIL {type(error).__name__}: {error} (status {error.status_code}, {error.response_content!r})")
        return 1
    print(f"ok   complete: {len(content)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
