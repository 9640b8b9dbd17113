"""`jeton tokenise|detokenise|mask|match`: in process, by the rules that hold over HTTP."""

import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import click

from vault.cli.asking import Item, Wish, ask
from vault.cli.failure import Usage, Wrong
from vault.cli.group import examples
from vault.cli.options import config_option
from vault.cli.screen import note
from vault.config import PURPOSE, Operation
from vault.web.body import MAX_CONTEXT
from vault.web.headers import END_USER_TEXT

F = TypeVar("F", bound=Callable[..., Any])

SEEN: Final = (
    "warning: values on a command line stand in the shell's history and are seen by everybody "
    "on this machine; give - and send them on stdin"
)


def context(text: str) -> str:
    """By the rules that hold over HTTP."""
    try:
        fits = 0 < len(text.encode()) <= MAX_CONTEXT
    except UnicodeEncodeError:
        fits = False
    if not fits or not unicodedata.is_normalized("NFC", text):
        raise Wrong(f"a context is text in Unicode's normal form C, of 1 to {MAX_CONTEXT} bytes")
    return text


def purpose(text: str) -> str:
    if not PURPOSE.fullmatch(text):
        raise Wrong("a purpose has 1 to 64 lower-case letters, digits and hyphens")
    return text


def end_user(text: str) -> str:
    if not END_USER_TEXT.fullmatch(text.encode("utf-8", "surrogateescape")):
        raise Wrong("an end user's id has 1 to 128 visible ASCII characters")
    return text


def asking(function: F) -> F:
    """The options of all four verbs."""
    for option in (
        click.option(
            "--on-behalf-of",
            "end_user",
            type=end_user,
            metavar="ID",
            help="The end user for whom this is asked.",
        ),
        click.option("--purpose", type=purpose, metavar="NAME", help="What for."),
        click.option(
            "--context", type=context, metavar="TEXT", help="What the tokens are bound to."
        ),
        config_option,
        click.argument("transformation"),
    ):
        function = option(function)
    return function


STDIN = ("-",)


@click.command(
    epilog=examples(
        "echo 284057512345672 | jeton tokenise fr-nir -",
        "jeton tokenise fr-nir - < numbers.txt > tokens.txt",
        "jeton tokenise birth-date - --context $NIR_TOKEN",
    )
)
@asking
@click.argument("values", metavar="[VALUE...|-]", nargs=-1)
def tokenise(values: Sequence[str], **options: Any) -> int:
    """Turn values into tokens.

    With - values come from stdin, one a line, and a token goes out for each. A line that fails
    is an empty line on stdout, and its number and error on stderr.
    """
    values = _given(values)
    if values != STDIN:
        note(SEEN)
    return _answer("tokenise", options, _items(values))


@click.command(
    epilog=examples(
        "echo $TOKEN | jeton detokenise fr-nir - --purpose reimbursement",
        "jeton detokenise birth-date $TOKEN --context $NIR_TOKEN --purpose reimbursement",
    )
)
@asking
@click.argument("tokens", metavar="[TOKEN...|-]", nargs=-1)
def detokenise(tokens: Sequence[str], **options: Any) -> int:
    """Turn tokens back into values, on the record.

    With - tokens come from stdin, one a line. Every one is charged to the client's limits, and
    recorded before its value is printed. A line that fails is an empty line on stdout, and its
    number and error on stderr.
    """
    return _answer("detokenise", options, _items(_given(tokens)))


@click.command(epilog=examples("jeton mask fr-nir - --purpose display --on-behalf-of agent-17"))
@asking
@click.argument("tokens", metavar="[TOKEN...|-]", nargs=-1)
def mask(tokens: Sequence[str], **options: Any) -> int:
    """Show a part of the values behind tokens, on the record.

    With - tokens come from stdin, one a line. A line that fails is an empty line on stdout, and
    its number and error on stderr.
    """
    return _answer("mask", options, _items(_given(tokens)))


@click.command(epilog=examples("jeton match fr-nir - --purpose display < pairs.tsv"))
@asking
@click.argument("pairs", metavar="[TOKEN CANDIDATE...|-]", nargs=-1)
def match(pairs: Sequence[str], **options: Any) -> int:
    """Say whether tokens stand for given values, on the record.

    Prints true or false for each pair. With - pairs come from stdin, a line each, the token and
    the candidate with a tab between them. A line that fails is an empty line on stdout, and its
    number and error on stderr.
    """
    pairs = _given(pairs)
    if pairs == STDIN:
        return _answer("match", options, map(_pair, _lines()))
    _refuse_dash(pairs)
    if len(pairs) % 2:
        raise Usage("a token without candidate: give TOKEN CANDIDATE pairs, or -", _context())
    note(SEEN)
    items = (Item(*pair) for pair in zip(pairs[::2], pairs[1::2], strict=True))
    return _answer("match", options, items)


def _context() -> click.Context:
    return click.get_current_context()


def _given(arguments: Sequence[str]) -> Sequence[str]:
    """What stands on the command line; where nothing does, what is piped in."""
    if arguments:
        return arguments
    if sys.stdin.isatty():
        raise Usage("say what is asked about, or - to type it line by line", _context())
    return STDIN


def _refuse_dash(arguments: Sequence[str]) -> None:
    if "-" in arguments:
        raise Usage("give either - or what is asked about, not both", _context())


def _items(arguments: Sequence[str]) -> Iterator[Item]:
    if arguments == STDIN:
        return map(Item, _lines())
    _refuse_dash(arguments)
    return map(Item, arguments)


def _lines() -> Iterator[str]:
    # What is no UTF-8 is no value either: it comes through as what no format accepts.
    return (line.rstrip(b"\r\n").decode("utf-8", "replace") for line in sys.stdin.buffer)


def _pair(line: str) -> Item:
    token, tab, candidate = line.partition("\t")
    problem = None if tab else "a token and a candidate with a tab between them are expected"
    return Item(token, candidate, problem)


def _answer(operation: Operation, options: dict[str, Any], items: Iterator[Item]) -> int:
    config = options.pop("config")
    return ask(config, Wish(operation, **options), items)
