"""An issuer of tokens for tests: its keys, a JWKS server over HTTP, and tokens of any kind.

with Issuer.serving() as issuer:
    issuer.configuration("cluster")            # TOML for [identity.issuers.cluster]
    token = issuer.token("system:serviceaccount:billing:api", aud="jeton")
    issuer.rotate()                            # other keys from now on
"""

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

ISS = "https://issuer.example"


class Issuer:
    """Signs with ES256 by the newest key; `asked` counts the fetches of its JWKS.

    Its tokens are of the moment `at`, else of when they are asked for.
    """

    def __init__(self, iss: str = ISS, at: float | None = None) -> None:
        self.iss = iss
        self.at = at
        self.address = ""
        self.asked = 0
        self.away = False
        self.keys = [ECKey.generate_key("P-256", {"kid": "key-0", "use": "sig"})]

    @classmethod
    @contextmanager
    def serving(cls, iss: str = ISS) -> "Iterator[Issuer]":
        issuer = cls(iss)
        server = ThreadingHTTPServer(("127.0.0.1", 0), issuer._handler())
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        issuer.address = f"http://127.0.0.1:{server.server_port}/jwks"
        try:
            yield issuer
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def jwks(self) -> bytes:
        return json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode()

    def rotate(self) -> None:
        """A new key, and the old ones are gone."""
        name = f"key-{int(str(self.keys[-1].kid)[4:]) + 1}"
        self.keys = [ECKey.generate_key("P-256", {"kid": name, "use": "sig"})]

    def configuration(self, name: str, audience: str = "jeton", **more: object) -> str:
        lines = {
            "iss": self.iss,
            "audiences": [audience],
            "keys": self.address,
            "algorithms": ["ES256", "RS256"],
            **more,
        }
        said = "\n".join(f"{key} = {json.dumps(value)}" for key, value in lines.items())
        return f"\n[identity.issuers.{name}]\n{said}\n"

    def claims(self, sub: str, **more: Any) -> dict[str, Any]:
        """Good ones; None takes one away."""
        now = int(time.time() if self.at is None else self.at)
        said = {"iss": self.iss, "sub": sub, "aud": "jeton", "iat": now, "exp": now + 600} | more
        return {name: value for name, value in said.items() if value is not None}

    def token(self, sub: str, header: dict[str, Any] | None = None, **claims: Any) -> str:
        key = self.keys[-1]
        asked = {"alg": "ES256", "kid": key.kid} | (header or {})
        return jwt.encode(asked, self.claims(sub, **claims), key, algorithms=["ES256"])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                body = issuer.jwks()
                self.send_response(503 if issuer.away else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def joined(*parts: object) -> str:
    """A token of these parts: texts as they are, anything else as JSON in base64url."""
    return ".".join(part if isinstance(part, str) else _b64(part) for part in parts)


def _b64(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def rsa() -> RSAKey:
    return RSAKey.generate_key(2_048, {"kid": "rsa"})
