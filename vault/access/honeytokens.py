"""People who do not exist, whose tokens lie among the others: who asks for one is a thief.

They are known by their pseudonyms alone, as the record names people, so the file that lists
them gives no token away; and what is asked about them is asked of people that are worked out
for the budgets anyway.
"""

import re
from collections.abc import Set
from pathlib import Path

from vault.config import Honeytokens as Configured
from vault.config import Operation
from vault.errors import SetUpError

_PSEUDONYM = re.compile(r"[0-9a-f]{32}")
TRAPPED = "this caller is locked until an operator unlocks it"


class Honeytokens:
    """Who is not to be asked for, and whom that does not concern."""

    def __init__(self, configured: Configured) -> None:
        """Raises SetUpError where the file is there and cannot be used."""
        self._people = read(configured.file)
        self._exempt = frozenset(configured.exempt)
        self._lock_all = configured.mask_and_match == "lock"

    def touched(self, principal: str, persons: Set[bytes]) -> bool:
        """Whether a request of this principal about these people is a thief's."""
        if not self._people or self._people.isdisjoint(persons):
            return False
        return principal not in self._exempt

    def locks(self, operation: Operation) -> bool:
        """Whether that operation locks its principal, or raises the alarm only."""
        return operation == "detokenise" or self._lock_all


def read(file: Path) -> frozenset[bytes]:
    """The people listed in a file, none where there is no file. Raises SetUpError."""
    try:
        lines = file.read_text("ascii").split("\n")
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise SetUpError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SetUpError(f"{file}: not a list of honeytokens") from None
    people = set()
    for number, line in enumerate(lines, 1):
        if _PSEUDONYM.fullmatch(line):
            people.add(bytes.fromhex(line))
        elif line:
            raise SetUpError(f"{file}: line {number} is not 32 hex digits")
    return frozenset(people)
