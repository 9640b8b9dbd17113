"""Makes the synchronous client of the asynchronous one: `python sdk/unasync.py [--check]`.

One of the two is written by hand, so that they cannot drift apart; `--check` ends with 1 where
what is there is not what would be made.
"""

import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent / "jeton"
MADE = {"async_methods.py": "methods.py", "async_client.py": "client.py"}
RULES = [
    (r"The asynchronous client", "The synchronous client"),
    (r'`sdk/unasync\.py` makes `\w+\.py` of this file: change this one\.\n"""\n', "{made}"),
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"Coroutine\[Any, Any, (.+)\](?=:)", r"\1"),
    (r"Callable\[P, Awaitable\[T\]\]", "Callable[P, T]"),
    (r"Callable\[P, Coroutine\[Any, Any, (.+?\])\]\]", r"Callable[P, \1]"),
    (r"Awaitable, Callable, Coroutine, Sequence", "Callable, Iterator, Sequence"),
    (r"AsyncIterator, Callable, Iterator", "Callable, Iterator"),
    (r"AsyncIterator, Callable, Mapping", "Callable, Iterator, Mapping"),
    (r"AsyncIterator", "Iterator"),
    (r"asyncio\.sleep", "time.sleep"),
    (r"import asyncio\n", ""),
    (r"AnyTexts, async_batches, batches", "Texts, batches"),
    (r"AnyTexts", "Texts"),
    (r"async_batches", "batches"),
    (r"jeton\.tasks", "jeton.threads"),
    (r"jeton\.async_", "jeton."),
    (r"\bAsync(?=[A-Z])", ""),
    (r"__a(enter|exit)__", r"__\1__"),
]


MADE_FROM = '''`sdk/unasync.py` made this of `{source}`: change that one.
"""
# fmt: off
# ruff: noqa: I001, RUF100, UP028
'''


def synchronous(text: str, source: str) -> str:
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement.replace("{made}", MADE_FROM), text)
    return text.replace("{source}", source)


def main(check: bool) -> int:
    stale = 0
    for source, target in MADE.items():
        made = synchronous((PACKAGE / source).read_text("utf-8"), source)
        if check:
            same = (PACKAGE / target).read_text("utf-8") == made
            print(f"{target}: {'as it would be made' if same else 'run sdk/unasync.py'}")
            stale += not same
        else:
            (PACKAGE / target).write_text(made, "utf-8")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
