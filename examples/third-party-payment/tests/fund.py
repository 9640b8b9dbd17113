"""Plays the insurance fund: writes each order that it gets into a file. `fund.py PORT FILE`."""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Fund(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with Path(sys.argv[2]).open("ab") as orders:
            orders.write(body + b"\n")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


HTTPServer(("127.0.0.1", int(sys.argv[1])), Fund).serve_forever()
