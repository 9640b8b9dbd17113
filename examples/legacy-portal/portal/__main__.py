"""python3 -m portal PORT DATABASE AGENT:PASSWORD [AGENT:PASSWORD...]"""

import csv
import io
import secrets
import sys
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from portal import pages
from portal.database import Invalid, People

XHTML = "application/xhtml+xml; charset=utf-8"


class Portal(ThreadingHTTPServer):
    def __init__(self, port: int, people: People, passwords: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.people = people
        self.passwords = passwords
        self.sessions: dict[str, str] = {}


class Handler(BaseHTTPRequestHandler):
    server: Portal
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        agent, url = self._agent(), urlsplit(self.path)
        if not agent:
            self._send(200, pages.page("Log in", "", pages.LOGIN))
        elif url.path == "/people.csv":
            self._send(200, self._csv(), "text/csv; charset=utf-8")
        elif url.path == "/people":
            self._list(agent, parse_qs(url.query).get("nir", [""])[0])
        else:
            self._go("/people")

    def do_POST(self) -> None:
        form = self._form()
        agent = self._agent()
        if self.path == "/login":
            self._log_in(form.get("agent", ""), form.get("password", ""))
        elif self.path == "/people" and agent:
            try:
                self.server.people.add(
                    form.get("name", ""), form.get("nir", ""), form.get("born", "")
                )
            except Invalid as refusal:
                self._list(agent, "", pages.trouble(str(refusal)), status=422)
            else:
                self._go("/people")
        else:
            self._go("/")

    def _list(self, agent: str, nir: str, *above: str, status: int = 200) -> None:
        people = self.server.people.find(nir)
        parts = (*above, pages.search(nir), pages.listed(people), pages.ADD)
        self._send(status, pages.page("Insured people", agent, *parts))

    def _csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=";")
        writer.writerow(["name", "nir", "born"])
        writer.writerows(one[1:] for one in self.server.people.find())
        return out.getvalue()

    def _log_in(self, agent: str, password: str) -> None:
        known = self.server.passwords.get(agent, "")
        if not known or not secrets.compare_digest(known, password):
            self._send(403, pages.page("Log in", "", pages.trouble("No."), pages.LOGIN))
            return
        session = secrets.token_urlsafe()
        self.server.sessions[session] = agent
        self._go("/people", ("Set-Cookie", f"session={session}; HttpOnly; Path=/"))

    def _agent(self) -> str:
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("session")
        return self.server.sessions.get(cookie.value, "") if cookie else ""

    def _form(self) -> dict[str, str]:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        return {key: texts[0] for key, texts in parse_qs(body.decode()).items()}

    def _go(self, where: str, *headers: tuple[str, str]) -> None:
        self._send(303, "", XHTML, ("Location", where), *headers)

    def _send(self, status: int, text: str, kind: str = XHTML, *headers: tuple[str, str]) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Cache-Control", "no-store"), *headers):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Its log would hold what was searched for: the whole URL."""


def main() -> None:
    port, database, *agents = sys.argv[1:]
    passwords = dict(one.split(":", 1) for one in agents)
    server = Portal(int(port), People(Path(database)), passwords)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
