"""Tables of the documentation that are made from the code: formats, settings, commands."""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

import click
import msgspec
from msgspec import inspect as shapes

from vault import config, formats
from vault.cli import main
from vault.config import identity, proxy, reading, settings, witness
from vault.store.redis.weaknesses import WEAKNESSES


def write_tables(folder: Path) -> None:
    """Write every table as Markdown into `folder`, touching only those that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "formats": formats_table(),
        "settings": "\n".join(settings_tables()),
        "environment": environment_table(),
        "limits": limits_table(),
        "weaknesses": weaknesses_table(),
        "commands": "\n".join(commands(main, "jeton")),
    }
    for name, text in tables.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def _plain(text: str) -> str:
    """Text whose stars and bars are no markup."""
    return text.replace("*", "\\*").replace("|", "\\|")


def limits_table() -> str:
    rows = ((f"`{name}`", f"{most:,}") for name, most in config.DEFAULT_LIMITS.items())
    return _table(("limit", "as shipped"), rows)


def weaknesses_table() -> str:
    rows = ((f"`{one.name}`", one.loses, one.mend) for one in WEAKNESSES)
    return _table(("`store.accept`", "what can be lost", "mend it with"), rows)


def environment_table() -> str:
    known = reading.FROM_ENVIRONMENT.items()
    return _table(
        ("variable", "key"), ((f"`{reading.PREFIX}{name}`", f"`{key}`") for name, key in known)
    )


LONG = 10_000

SECTIONS: list[tuple[str, type[msgspec.Struct]]] = [
    ("server", settings.Server),
    ("keys", settings.Keys),
    ("store", settings.StoreSettings),
    ("audit", settings.Audit),
    ("audit.witness", settings.Witness),
    ("transformations.NAME", settings.Transformation),
    ("identity.issuers.NAME", identity.Issuer),
    ("identity.certificates", identity.Certificates),
    ("clients.NAME", settings.Client),
    ("clients.NAME.credentials[]", settings.Credential),
    ("clients.NAME.tokens[]", identity.TokenOf),
    ("clients.NAME.certificates[]", identity.CertificateOf),
    ("clients.NAME.grants[]", settings.Grant),
    ("clients.NAME.limits", settings.Limits),
    ("clients.NAME.limits.end_user", settings.EndUserLimits),
    ("proxy", proxy.Proxy),
    ("proxy.listeners.NAME", proxy.Listener),
    ("proxy.upstreams.NAME", proxy.Upstream),
    ("proxy.routes.NAME", proxy.Route),
    ("proxy.routes.NAME.request[]", proxy.FieldRule),
    ("proxy.routes.NAME.request_profile", proxy.ProfileUse),
]


NOTES = {
    "server.port": "0: any free port.",
    "server.workers": "Worker processes; they share limits, store and record.",
    "server.max_items": "The most items in a JSON batch.",
    "server.max_body": "The largest JSON body, in bytes.",
    "server.arrow_max_items": "The most rows in an Arrow stream.",
    "server.arrow_max_body": "The largest Arrow stream, in bytes.",
    "server.max_headers": "The most bytes of headers.",
    "server.body_timeout": "Seconds that a body may take to arrive.",
    "server.header_timeout": "Seconds that headers may take to arrive.",
    "server.keep_alive_timeout": "Seconds that an idle connection is kept.",
    "server.shutdown_timeout": "Seconds that a stop waits for what is in flight.",
    "server.startup_timeout": "Seconds that a worker of several may take until it serves.",
    "server.max_in_flight": (
        "More calls at once, a worker, are refused: 503 `overloaded`; fewer while even the quickest"
        " takes longer than a second."
    ),
    "server.max_connections": "For one more, a worker closes the longest idle or unfinished ones.",
    "server.metrics_host": "With `metrics_port`: where `/metrics` listens.",
    "keys.keyset": "The keyset's file.",
    "keys.kek": "Where the key that unwraps it comes from; see below.",
    "keys.kek_required_within": (
        "Seconds that a running service goes on while its KEK is away; nothing said: it never asks."
    ),
    "store.url": "Where counters, persons and locks are kept.",
    "audit.folder": "Where the record is.",
    "audit.retention_days": "How long entries are kept.",
    "audit.segment_bytes": "A new file is begun from this size on.",
    "audit.checkpoint_seconds": "How often the record is signed.",
    "transformations.NAME.format": "See [formats](formats.md).",
    "transformations.NAME.method": "How tokens are made.",
    "transformations.NAME.band": "Where tokens live: see [formats](formats.md).",
    "transformations.NAME.wrong_key": "`fr-nir`: numbers with a wrong key; nothing said: `refuse`.",
    "transformations.NAME.alphabet": "Formats over an alphabet of one's own: its characters.",
    "transformations.NAME.min_length": "Formats over an alphabet: the shortest value.",
    "transformations.NAME.max_length": "Formats over an alphabet: the longest value.",
    "transformations.NAME.template": "`template`: the shape, such as `AA-9999-*`.",
    "transformations.NAME.keep_first": "Masks: characters kept at the start, not the format's own.",
    "transformations.NAME.keep_last": "Masks: characters kept at the end.",
    "clients.NAME.credentials": "One, or two while the one replaces the other.",
    "identity.issuers.NAME.algorithms": "How its tokens may be signed.",
    "clients.NAME.tokens": "Whose tokens are its own: see [identity](identity.md).",
    "clients.NAME.certificates": "Which client certificates are its own.",
    "clients.NAME.tokens[].issuer": "One of `[identity.issuers]`.",
    "clients.NAME.tokens[].sub": "The token's subject, to the letter.",
    "clients.NAME.grants": "What it may do; nothing without one.",
    "clients.NAME.limits": "What it may spend.",
    "clients.NAME.grants[].operation": "What may be done.",
    "clients.NAME.grants[].transformation": "With which transformation.",
    "clients.NAME.grants[].purposes": "For which purposes: needed for `detokenise` and `mask`.",
    "clients.NAME.limits.tokenise": "Values made into tokens.",
    "clients.NAME.limits.reveal": "Values detokenised and masked.",
    "clients.NAME.limits.match": "Candidates compared.",
    "clients.NAME.limits.people": "Distinct persons revealed, masked or matched.",
    "clients.NAME.limits.end_user": "The same again, for each end user.",
    "clients.NAME.limits.end_user.tokenise": "As above, for each end user; nothing said: no limit.",
    "clients.NAME.limits.end_user.reveal": "As above.",
    "clients.NAME.limits.end_user.match": "As above.",
    "clients.NAME.limits.end_user.people": "As above.",
    "proxy.host": "With `port`: where the proxy's own pages are.",
    "proxy.listeners": "See below.",
    "proxy.upstreams": "See below.",
    "proxy.routes": "See below; the first that fits has a request.",
    "proxy.listeners.NAME.port": "0: any free port.",
    "proxy.listeners.NAME.socket": "A Unix socket to listen on too.",
    "proxy.listeners.NAME.tls_key": "PEM, without a pass phrase, and not open to everybody.",
    "proxy.upstreams.NAME.tls_certificate": "PEM: what it is shown, with `tls_key`.",
    "proxy.upstreams.NAME.tls_key": "PEM, without a pass phrase.",
    "proxy.upstreams.NAME.health_seconds": "How often it is asked for, and how long it may take.",
    "proxy.upstreams.NAME.connect_timeout": "Seconds that connecting may take.",
    "proxy.upstreams.NAME.max_connections": "To all endpoints together.",
    "proxy.routes.NAME.listener": "One of `[proxy.listeners]`.",
    "proxy.routes.NAME.upstream": "One of `[proxy.upstreams]`.",
    "proxy.routes.NAME.purpose": "For what its client asks, where a grant names purposes.",
    "proxy.routes.NAME.request": "Rules for requests.",
    "proxy.routes.NAME.response": "Rules for answers, of the same keys.",
    "proxy.routes.NAME.response_profile": "The same for answers.",
    "proxy.routes.NAME.guard_responses": "The same of answers.",
    "proxy.routes.NAME.delimiter": "Of CSV bodies.",
    "proxy.routes.NAME.request[].select": "A [selector](proxy.md): `json:$.nir`, `header:X-Nir`.",
    "proxy.routes.NAME.request[].operation": "What happens to the fields that it finds.",
    "proxy.routes.NAME.request[].on_error": "What becomes of a field whose operation fails.",
    "proxy.routes.NAME.request_profile.operation": "What its rules do.",
}
"""What a key is, where `vault/config/settings.py` says nothing under it."""


def settings_tables() -> Iterator[str]:
    """A table for each section: key, default, allowed values, what it is.

    Raises KeyError for a key that nobody has put into words."""
    modules = (settings, witness, identity, proxy)
    notes = {key: text for module in modules for key, text in _field_notes(module).items()}
    for title, section in SECTIONS:
        shape = shapes.type_info(section)
        assert isinstance(shape, shapes.StructType)
        rows = []
        for field in shape.fields:
            note = notes.get((section.__name__, field.name)) or NOTES[f"{title}.{field.name}"]
            rows.append((f"`{field.encode_name}`", _default(field), _allowed(field.type), note))
        head = ("key", "as shipped", "allowed", "what it is")
        yield f"### `[{title}]`\n\n" + _table(head, rows)


def _default(field: shapes.Field) -> str:
    if field.required:
        return "(required)"
    value = field.default
    if field.default_factory is not msgspec.NODEFAULT or value in (None, ()):
        return ""
    if isinstance(value, int) and not isinstance(value, bool) and value >= LONG:
        return f"`{value:_}`"
    return f"`{value}`"


def _allowed(kind: shapes.Type) -> str:  # noqa: PLR0911 - one answer for each shape
    match kind:
        case shapes.UnionType():
            return next(_allowed(t) for t in kind.types if not isinstance(t, shapes.NoneType))
        case shapes.LiteralType():
            return ", ".join(f"`{value}`" for value in kind.values)
        case shapes.IntType() | shapes.FloatType() if kind.le is not None:
            low = f"above {kind.gt}," if kind.gt is not None else f"{kind.ge:_}"
            return f"{low} to {kind.le:_}"
        case shapes.StructType():
            return "`hour`, `day`" if kind.cls is settings.Window else "a table"
        case shapes.VarTupleType():
            inner = kind.item_type
            return "a list of tables" if isinstance(inner, shapes.StructType) else "a list of texts"
        case shapes.DictType():
            return "a table"
        case shapes.DateType():
            return "a date"
        case shapes.BoolType():
            return "`true`, `false`"
    return "a text"


def _field_notes(module: ModuleType) -> dict[tuple[str, str], str]:
    """(class, field) -> the text that stands under the field, on one line."""
    notes: dict[tuple[str, str], str] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for field, after in zip(node.body, node.body[1:], strict=False):
            match field, after:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    words = re.sub(r"\s+", " ", text).replace("|", "\\|")
                    notes[node.name, name] = words.replace("None:", "nothing said:")
    return notes


def commands(command: click.Command, path: str) -> Iterator[str]:
    """The help of a command and of all below it."""
    context = click.Context(command, info_name=path, max_content_width=96)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                yield from commands(found, f"{path} {name}")
        return
    yield f"## `{path}`\n\n```text\n{command.get_help(context)}\n```\n"


def formats_table() -> str:
    """A row for every kind of values of every format in the catalogue."""
    head = ("values", "domain", "where tokens live", "who takes them", "told apart", "slots")
    rows = [
        (
            f"**{row.format}**: {_plain(row.values)}<br>{_plain(row.shape)}",
            f"{row.domain:,}",
            _plain(row.tokens),
            _plain(row.validators),
            "yes" if row.recognisable else "no",
            row.slots,
        )
        for row in formats.rows()
    ]
    return _table(head, rows)
