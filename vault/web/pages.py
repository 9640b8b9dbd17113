"""What is asked for now and then, without a credential: probes, metrics, the API's description.

Starlette routes these; no value and no token ever passes here.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vault.config import Server
from vault.errors import Refusal
from vault.web import problem
from vault.web.door import Holder
from vault.web.openapi import document
from vault.web.problem import HTTPRefusal

Page = Callable[[Holder], Awaitable[Response]]


def _json(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")


async def livez(_: Holder) -> Response:
    """The process runs and its loop turns: nothing else is looked at, so that a store that is
    away makes nobody restart us."""
    return _json({"status": "alive"})


async def readyz(holder: Holder) -> Response:
    """Whether disclosures could be answered now, and which operations could."""
    ready = await holder.door.readiness()
    if ready.trouble is not None:
        return _told(ready.trouble, {"operations": ready.operations})
    return _json({"status": "ready", "operations": ready.operations})


async def metrics(holder: Holder) -> Response:
    """On the loop's own thread, which is the one that counts."""
    body, media_type = holder.door.render_metrics()
    return Response(body, headers={"content-type": media_type})


def openapi(settings: Server) -> Page:
    """The description of what these settings serve."""
    content = _json(document(settings)).body

    async def page(_: Holder) -> Response:
        return Response(content, media_type="application/json")

    return page


METRICS: Final[Mapping[str, Page]] = {"/metrics": metrics}


def public(settings: Server) -> Mapping[str, Page]:
    """What the service's address answers to anybody."""
    named: dict[str, Page] = {
        "/livez": livez,
        "/readyz": readyz,
        "/openapi.json": openapi(settings),
    }
    return named if settings.metrics_port is not None else {**named, **METRICS}


def pages(holder: Holder, table: Mapping[str, Page]) -> Starlette:
    """These pages, and problems for whatever else is asked for."""
    app = Starlette(
        routes=[_route(path, page, holder) for path, page in table.items()],
        exception_handlers={
            HTTPException: _problem,
            Refusal: _problem,
            Exception: _problem,
        },
    )
    app.router.redirect_slashes = False
    return app


def _route(path: str, page: Page, holder: Holder) -> Route:
    async def endpoint(_: Request) -> Response:
        return await page(holder)

    return Route(path, endpoint, methods=["GET"])


async def _problem(_: Request, error: Exception) -> Response:
    """Of a fault of ours only that it happened; it is raised on, and told to the log."""
    refusal = Refusal("internal", "the service failed")
    if isinstance(error, Refusal):
        refusal = error
    elif isinstance(error, HTTPException) and error.status_code == problem.STATUS["not_found"]:
        refusal = Refusal("not_found", "there is nothing at this path")
    elif isinstance(error, HTTPException):  # Starlette's router knows no other
        allow = (error.headers or {}).get("Allow", "GET").encode()
        refusal = HTTPRefusal(
            "method_not_allowed", "this path takes other methods", headers=[(b"allow", allow)]
        )
    return _told(refusal)


def _told(refusal: Refusal, more: Mapping[str, object] | None = None) -> Response:
    status, headers, body = problem.answer(refusal, more)
    named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    return Response(body, status, named)
