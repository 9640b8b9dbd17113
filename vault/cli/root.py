"""The table of verbs, in the order in which somebody comes to need them.

A new verb is a file and a line here: ``vault.cli.MODULE`` holds a command of the verb's name.
The summaries stand here too, so that `jeton --help` imports none of them.
"""

import click

from vault import __version__
from vault.cli.group import LazyGroup, Verb, examples

VERBS: dict[str, tuple[Verb, ...]] = {
    "To begin": (
        Verb("demo", "demo", "Fill a claims database through a running service, then rob it."),
        Verb("dev", "dev", "Serve on loopback with throw-away keys, for development."),
        Verb("init", "init", "Write a ready configuration, fresh keys and credentials."),
    ),
    "To serve": (
        Verb("serve", "serve", "Answer over HTTP until told to stop."),
        Verb("proxy", "proxy", "Rewrite the traffic of existing systems until told to stop."),
        Verb(
            "check-config",
            "check_config",
            "Judge a configuration: who may do what, and what a thief would get.",
        ),
        Verb("clients", "clients", "Say who may do what: add, rotate, revoke, list, unlock."),
    ),
    "Values and tokens, here and now": (
        Verb("tokenise", "values", "Turn values into tokens."),
        Verb("detokenise", "values", "Turn tokens back into values, on the record."),
        Verb("mask", "values", "Show a part of the values behind tokens, on the record."),
        Verb("match", "values", "Say whether tokens stand for given values, on the record."),
        Verb("formats", "formats", "List the formats: shapes, domains, where tokens live."),
    ),
    "To look after it": (
        Verb("keys", "keys", "Look after the keyset: list, rotate, destroy, rewrap."),
        Verb("audit", "audit", "Read and verify the record."),
        Verb("witness", "witness", "Keep the checkpoints of records elsewhere, and sign that."),
        Verb(
            "honeytokens",
            "honeytokens",
            "Plant people who do not exist: whoever reveals one is locked.",
        ),
        Verb("vault", "vault", "Look after random tokens: erase, expire, rewrap, move, verify."),
        Verb("scan", "scan", "Say where real identifiers lie, in counts and places; never which."),
    ),
}


@click.group(
    "jeton",
    cls=LazyGroup,
    verbs=VERBS,
    epilog=examples(
        "jeton init",
        "jeton serve",
        "echo 284057512345672 | JETON_CREDENTIAL=... jeton tokenise fr-nir -",
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96},
)
@click.version_option(__version__, prog_name="jeton", message="%(prog)s %(version)s")
def main() -> None:
    """Jeton puts tokens in place of national identifiers and birth dates.

    A token keeps the shape of what it replaces; only named clients turn it back, for a stated
    purpose, within a budget, on a record. Every verb has its own --help.

    Exit codes: 0 done; 1 some items failed (they are listed); 2 wrong usage, configuration, or
    a refusal.
    """
