"""A host that owns the socket: sends what `next_part` says, over Python's own TLS, to the one certificate of the enrolment."""

import hashlib
import http.client
import ssl
import time
from urllib.parse import urlsplit

import fieldseal as fs

PIECE = 256 * 1024


def lent(session, request, length):
    """The evidence, piece by piece as the socket takes it."""
    at = 0
    while at < length:
        piece = session.lend(request.id, at, PIECE)
        if not piece:
            raise OSError("the evidence ended early")
        at += len(piece)
        yield piece


def public_key(certificate):
    """The SubjectPublicKeyInfo of a DER certificate, by walking over what stands before it."""

    def item(at):
        length, start = certificate[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, start = int.from_bytes(certificate[start:start + count], "big"), start + count
        return start, start + length

    at, _ = item(0)
    at, _ = item(at)
    if certificate[at] == 0xA0:
        at = item(at)[1]
    # Serial number, algorithm, issuer, validity, subject.
    for _ in range(5):
        at = item(at)[1]
    return certificate[at:item(at)[1]]


def exchange(session, request):
    url = urlsplit(request.url)
    # No name and no authority is trusted: the key itself is known.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=60, context=context)
    try:
        connection.connect()
        certificate = connection.sock.getpeercert(binary_form=True)
        if hashlib.sha256(public_key(certificate)).hexdigest() != request.tls_sha256:
            return session.failed(request.id, fs.NoAnswerReason.WRONG_SERVER, "another key")
        headers = {header.name: header.value for header in request.headers}
        body = None
        if request.body.is_bytes():
            body = request.body.bytes
        elif request.body.is_evidence():
            body = lent(session, request, request.body.length)
            headers["Content-Length"] = str(request.body.length)
        elif request.method == "POST":
            headers["Content-Length"] = "0"
        path = url.path + (f"?{url.query}" if url.query else "")
        connection.request(request.method, path, body, headers)
        answer = connection.getresponse()
        read = answer.read(request.answer_limit + 1)
        if len(read) > request.answer_limit:
            return session.failed(request.id, fs.NoAnswerReason.TOO_LONG, "")
        headers = [fs.Header(name=name, value=value) for name, value in answer.getheaders()]
        session.handle(request.id, fs.HttpAnswer(status=answer.status, headers=headers, body=read))
    except OSError as error:
        session.failed(request.id, fs.NoAnswerReason.OFFLINE, str(error))
    finally:
        connection.close()


def run(session):
    """To its end; the report, and how many requests it took."""
    requests = 0
    while True:
        part = session.next_part()
        if part.is_done():
            return part.report, requests
        if part.is_wait():
            time.sleep(part.ms / 1000)
            continue
        requests += 1
        exchange(session, part.request)
