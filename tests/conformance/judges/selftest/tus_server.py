#!/usr/bin/env python3
"""A throw-away tus 1.0 endpoint for the self-test of tus_judge.py.

    tus_server.py CERT KEY TOKEN [forgetful]

Prints `listening on https://127.0.0.1:PORT/uploads`. A forgetful one has lost the last byte when it is asked for the
offset.
"""

import http.server
import ssl
import sys

CERT, KEY, TOKEN = sys.argv[1:4]
FORGETFUL = sys.argv[4:] == ["forgetful"]
UPLOADS: dict[str, tuple[int, bytearray]] = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Tus-Resumable", "1.0.0")
        self.send_header("Content-Length", "0")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def allowed(self) -> bool:
        if self.headers["Authorization"] == f"Bearer {TOKEN}":
            return True
        self.answer(401, Connection="close")
        return False

    def do_POST(self) -> None:
        if self.allowed():
            path = f"/uploads/{len(UPLOADS)}"
            UPLOADS[path] = (int(self.headers["Upload-Length"]), bytearray())
            self.answer(201, Location=path)

    def do_HEAD(self) -> None:
        if self.allowed():
            length, data = UPLOADS[self.path]
            offset = len(data) - (1 if FORGETFUL and data else 0)
            self.answer(200, Upload_Offset=str(offset), Upload_Length=str(length))

    def do_PATCH(self) -> None:
        if self.allowed():
            _, data = UPLOADS[self.path]
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if int(self.headers["Upload-Offset"]) != len(data):
                self.answer(409)
                return
            data.extend(body)
            self.answer(204, Upload_Offset=str(len(data)))

    def log_message(self, *_: object) -> None:
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERT, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(f"listening on https://127.0.0.1:{server.server_port}/uploads", flush=True)
server.serve_forever()
