"""The API as an OpenAPI 3.1 document, made from what the code itself goes by: the structs that
bodies are decoded into, the table of codes, the settings in force.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

import msgspec

import vault
from vault.config import NAME as TRANSFORMATION
from vault.config import PURPOSE, Operation, Server
from vault.engine.outcome import ItemFailure
from vault.web import problem
from vault.web.body import ITEM_CODES, MAX_CONTEXT, RESULTS
from vault.web.codecs import Arrow
from vault.web.headers import END_USER_TEXT
from vault.web.json_body import BODIES

JSON = dict[str, Any]

SERVER_CODES: Final = ("malformed_request", "timeout", "internal")
"""What anything can be answered with, whatever is asked for; and 431."""
CALL_CODES: Final = (
    *SERVER_CODES,
    "unauthenticated",
    "unknown_transformation",
    "unsupported_media_type",
    "too_large",
    "locked",
    "not_allowed",
    "purpose_required",
    "end_user_required",
    "approval_required",
    "request_id_reused",
    "budget_exhausted",
    "store_unavailable",
    "audit_unavailable",
    "keys_unavailable",
    "overloaded",
)
READY_CODES: Final = ("store_unavailable", "audit_unavailable", "keys_unavailable")

ARROW_COLUMNS: Final[Mapping[Operation, str]] = {
    "tokenise": "A column value, and perhaps context.",
    "detokenise": "A column token, and perhaps context.",
    "mask": "A column token, and perhaps context.",
    "match": "The columns token and candidate, and perhaps context.",
}
"""All of text."""

SUMMARIES: Final[Mapping[Operation, str]] = {
    "tokenise": "Tokens for values",
    "detokenise": "The values behind tokens",
    "mask": "The masked values behind tokens",
    "match": "Whether tokens stand for candidates",
}

SIGNED = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"
"""An end user's, where a grant asks for one."""


def document(settings: Server) -> JSON:
    """The whole document, as JSON's types."""
    calls = {
        f"/v1/{operation}/{{transformation}}": {"post": _call(operation, settings)}
        for operation in SUMMARIES
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Jeton",
            "version": vault.__version__,
            "summary": "Format-preserving tokens for sensitive identifiers",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            **calls,
            "/v1/transformations": {"get": _transformations()},
            "/livez": {"get": _page("livez", "The process runs", _status("alive"))},
            "/readyz": {"get": _page("readyz", "Calls can be answered", _ready(), READY_CODES)},
            "/openapi.json": {"get": _page("openapi", "This document", {"type": "object"})},
            **({} if settings.metrics_port is not None else {"/metrics": {"get": _metrics()}}),
        },
        "components": _components(),
    }


def _call(operation: Operation, settings: Server) -> JSON:
    headers = {} if operation == "tokenise" else {"Jeton-Receipt": _header("Receipt")}
    codes = (*CALL_CODES, *ITEM_CODES[operation])
    asked = {"application/json": {"schema": _request(operation, settings.max_items)}}
    answer = {"oneOf": [_single_answer(operation), _batch_answer(operation)]}
    success = _success(answer, headers)
    if Arrow.is_installed():
        success["content"] |= _arrow(f"The columns {RESULTS[operation][0]} and error")
        asked |= _arrow(f"{ARROW_COLUMNS[operation]} At most {settings.arrow_max_items} rows.")
    return {
        "operationId": operation,
        "summary": SUMMARIES[operation],
        "security": [{"credential": []}],
        "parameters": [
            {
                "name": "transformation",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": f"^{TRANSFORMATION.pattern}$"},
            },
            *(
                {"$ref": f"#/components/parameters/{name}"}
                for name in ("Purpose", "OnBehalfOf", "RequestId")
            ),
        ],
        "requestBody": {"required": True, "content": asked},
        "responses": {"200": success, **_problems(codes, headers)},
    }


def _arrow(description: str) -> JSON:
    """A stream of record batches, which JSON Schema cannot say more of."""
    media = Arrow.media_type.decode()
    return {media: {"schema": {"contentMediaType": media, "description": description}}}


def _request(operation: Operation, max_items: int) -> JSON:
    """The struct's members, told apart as the codec does: one item, or a batch."""
    _, components = msgspec.json.schema_components([BODIES[operation]])
    properties = components[BODIES[operation].__name__]["properties"]
    one = {
        name: {"type": "string"} for name, kind in properties.items() if kind["type"] == "string"
    }
    many = {
        name: kind | {"maxItems": max_items}
        for name, kind in properties.items()
        if kind["type"] == "array"
    }
    context = one.pop("context") | {
        "description": f"Text in normal form C, of 1 to {MAX_CONTEXT} bytes of UTF-8",
        "minLength": 1,
        "maxLength": MAX_CONTEXT,
    }
    contexts = many.pop("contexts") | {"items": context}
    return {
        "oneOf": [
            _closed(one, {"context": context}),
            _closed(many, {"context": context}),
            _closed(many | {"contexts": contexts}),
        ]
    }


def _single_answer(operation: Operation) -> JSON:
    return _closed({RESULTS[operation][0]: {"type": _result_type(operation)}})


def _batch_answer(operation: Operation) -> JSON:
    results = {"type": "array", "items": {"type": [_result_type(operation), "null"]}}
    failure = {"$ref": "#/components/schemas/ItemFailure"}
    code = {"properties": {"code": {"enum": list(ITEM_CODES[operation])}}}
    errors = {"type": "array", "items": {"allOf": [failure, code]}}
    return _closed({RESULTS[operation][1]: results, "errors": errors})


def _result_type(operation: Operation) -> str:
    return "boolean" if operation == "match" else "string"


def _closed(required: JSON, optional: JSON | None = None) -> JSON:
    """An object of these members and no others."""
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
        "additionalProperties": False,
    }


def _transformations() -> JSON:
    entry = _closed(
        {
            "name": {"type": "string"},
            "format": {"type": "string"},
            "method": {"type": "string"},
            "context": {"enum": ["required", "optional", "none"]},
            "operations": {"type": "array", "items": {"enum": list(SUMMARIES)}},
            "purposes": {"type": "array", "items": {"type": "string"}},
            "token_recognisable": {"type": "boolean"},
        }
    )
    answer = _closed({"transformations": {"type": "array", "items": entry}})
    return {
        "operationId": "transformations",
        "summary": "What this caller may use",
        "security": [{"credential": []}],
        "responses": {"200": _success(answer), **_problems((*SERVER_CODES, "unauthenticated"))},
    }


def _page(name: str, summary: str, schema: JSON, codes: Sequence[str] = ()) -> JSON:
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": _success(schema), **_problems((*SERVER_CODES, *codes))},
    }


def _metrics() -> JSON:
    page = _page("metrics", "Numbers for Prometheus", {})
    page["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    return page


def _status(word: str) -> JSON:
    return _closed({"status": {"const": word}})


def _ready() -> JSON:
    """In a problem they stand beside its other members."""
    operations = _closed({name: {"type": "boolean"} for name in get_args(Operation)})
    return _closed({"status": {"const": "ready"}, "operations": operations})


def _success(schema: JSON, headers: JSON | None = None) -> JSON:
    return {
        "description": "Answered",
        "headers": {"Jeton-Request-Id": _header("RequestId"), **(headers or {})},
        "content": {"application/json": {"schema": schema}},
    }


def _problems(codes: Sequence[str], headers: JSON | None = None) -> JSON:
    """An answer for each status, with the codes that it can have."""
    by_status: dict[int, list[str]] = {431: ["too_large"]}
    for code in codes:
        by_status.setdefault(problem.STATUS[code], []).append(code)
    return {
        str(status): _problem(status, by_status[status], headers or {})
        for status in sorted(by_status)
    }


def _problem(status: int, codes: Sequence[str], headers: JSON) -> JSON:
    named = {"Jeton-Request-Id": _header("RequestId")}
    if status == problem.STATUS["unauthenticated"]:
        named["WWW-Authenticate"] = _header("Challenge")
    if status in problem.RETRY_AFTER:
        named["Retry-After"] = _header("RetryAfter")
    if status == problem.STATUS["not_a_token"]:  # a failed disclosure is recorded, too
        named |= headers
    these = {"properties": {"status": {"const": status}, "code": {"enum": list(codes)}}}
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, these]}
    return {
        "description": problem.TITLES[status],
        "headers": named,
        "content": {problem.MEDIA_TYPE: {"schema": schema}},
    }


def _header(name: str) -> JSON:
    return {"$ref": f"#/components/headers/{name}"}


def _components() -> JSON:
    _, schemas = msgspec.json.schema_components(
        [problem.Problem, ItemFailure], ref_template="#/components/schemas/{name}"
    )
    uuid = {"type": "string", "format": "uuid"}
    return {
        "schemas": schemas,
        "securitySchemes": {"credential": {"type": "http", "scheme": "bearer"}},
        "parameters": {
            "Purpose": _parameter(
                "Jeton-Purpose",
                "Why; every detokenise and mask grant names its purposes",
                {"type": "string", "pattern": f"^{PURPOSE.pattern}$"},
            ),
            "OnBehalfOf": _parameter(
                "Jeton-On-Behalf-Of",
                "The human for whom the caller asks",
                {
                    "anyOf": [
                        {"type": "string", "pattern": f"^{END_USER_TEXT.pattern.decode()}$"},
                        {"type": "string", "pattern": SIGNED, "maxLength": 8_192},
                    ]
                },
            ),
            "RequestId": _parameter(
                "Jeton-Request-Id", "The same for every attempt at one request", uuid
            ),
        },
        "headers": {
            "RequestId": {"required": True, "schema": uuid},
            "Receipt": {
                "description": "Evidence of the record: writer, sequence, hash",
                "schema": {"type": "string"},
            },
            "Challenge": {"required": True, "schema": {"const": "Bearer"}},
            "RetryAfter": {
                "required": True,
                "schema": {"type": "integer", "minimum": 1},
            },
        },
    }


def _parameter(name: str, description: str, schema: JSON) -> JSON:
    return {"name": name, "in": "header", "description": description, "schema": schema}
