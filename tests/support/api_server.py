"""Of a cluster's API server what identities need: it makes tokens of service accounts, and shows
the keys that verify them, over TLS and to service accounts alone, as clusters do as they come.

    with ApiServer.serving(iss, authority) as api:
        cluster.tokens = api.token
        api.rotate()                            # another key from now on
"""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from tests.support.certificates import Authority

NAME = "kubernetes.default.svc"
ACCOUNTS = "system:serviceaccount:"


class ApiServer:
    """Signs with RS256 by the newest key; `asked` says who fetched the keys."""

    def __init__(self, iss: str) -> None:
        self.iss = iss
        self.port = 0
        self.asked: list[str] = []
        self.keys: list[RSAKey] = []
        self.rotate()

    @classmethod
    @contextmanager
    def serving(cls, iss: str, authority: Authority) -> "Iterator[ApiServer]":
        api = cls(iss)
        server = ThreadingHTTPServer(("127.0.0.1", 0), api._handler())
        server.daemon_threads = True
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        with TemporaryDirectory() as made:
            certificate, key = Path(made) / "api.crt", Path(made) / "api.key"
            authority.issue("the API server", hosts=[NAME]).put(certificate, key)
            context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        api.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def rotate(self) -> None:
        """Signs by a new key; tokens that there are stay good, as clusters rotate."""
        self.keys += [RSAKey.generate_key(2_048, {"kid": uuid4().hex, "use": "sig"})]

    def token(self, account: str, audience: str | None, seconds: int) -> str:
        """As TokenRequest makes it; an audience that is not named is the API server."""
        now = int(time.time())
        claims = {
            "iss": self.iss,
            "sub": account,
            "aud": [audience or self.iss],
            "iat": now,
            "nbf": now,
            "exp": now + seconds,
            "jti": str(uuid4()),
        }
        key = self.keys[-1]
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)

    def who(self, authorization: str) -> str | None:
        """The service account that asks; None for anybody else."""
        kind, _, token = authorization.partition(" ")
        try:
            claims = jwt.decode(token, KeySet(self.keys), algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            return None
        sub = str(claims["sub"])
        known = kind == "Bearer" and claims["aud"] == [self.iss] and claims["exp"] > time.time()
        return sub if known and sub.startswith(ACCOUNTS) else None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10.0

            def do_GET(self) -> None:
                who = api.who(self.headers.get("Authorization", ""))
                if who is None or self.path != "/openid/v1/jwks":
                    self.send_error(401 if who is None else 404)
                    return
                api.asked.append(who)
                public = [key.as_dict(private=False) for key in api.keys]
                body = json.dumps({"keys": public}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/jwk-set+json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
