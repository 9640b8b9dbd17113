"""People who do not exist: their numbers and dates, and the tokens of these to be planted.

Their numbers are of communes that there are not (codes 950 to 989 of a metropolitan
department: INSEE's go to 909, and those from 990 on have other uses), so nobody's real number
is ever taken for one. In tokens that cannot be seen: they are drawn from where all others are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from secrets import choice, randbelow

from vault.engine.persons import Persons
from vault.engine.transformation import Transformation
from vault.errors import SetUpError
from vault.store.tokens import TokenStore

DEPARTMENTS = [f"{n:02d}" for n in range(1, 96) if n != 20]
FIRST_BIRTH, DAYS = date(1930, 1, 1), 29_220  # to the end of 2009


@dataclass(frozen=True, slots=True, repr=False)  # values stand in it
class Decoy:
    """One person: what stands on the card."""

    nir: str
    born: date

    @classmethod
    def draw(cls) -> "Decoy":
        born = FIRST_BIRTH + timedelta(days=randbelow(DAYS))
        place = f"{choice(DEPARTMENTS)}{950 + randbelow(40)}{1 + randbelow(999):03d}"
        body = f"{1 + randbelow(2)}{born.year % 100:02d}{born.month:02d}{place}"
        return cls(f"{body}{97 - int(body) % 97:02d}", born)

    def value(self, form: str) -> str | None:
        """What the person has of a format; None where that is nothing."""
        values = {
            "fr-nir": self.nir,
            "birth-date": self.born.isoformat(),
            "birth-date-6": f"{self.born:%d%m%y}",
        }
        return values.get(form)


@dataclass(frozen=True, slots=True, repr=False)  # tokens stand in it
class Planted:
    """Tokens of one person, by transformation, and the pseudonym that gives the alarm."""

    tokens: Mapping[str, str]
    person: bytes


class Planter:
    """Gives people who do not exist the tokens of some transformations."""

    def __init__(
        self,
        transformations: Sequence[Transformation],
        persons: Persons,
        store: TokenStore | None,
    ) -> None:
        """Numbers first. Raises SetUpError where nobody who does not exist can have tokens."""
        self._wanted = sorted(transformations, key=lambda one: one.configured.person != "value")
        self._persons = persons
        self._store = store
        drawn = Decoy.draw()
        for one in self._wanted:
            rule, _, other = one.configured.person.partition(":")
            if drawn.value(one.format.name) is None:
                raise SetUpError(
                    f"{one.name}: only numbers of fr-nir, and birth dates beside them, can be"
                    " those of nobody: another format's value might be somebody's"
                )
            if one.format.name != "fr-nir" and other not in {each.name for each in transformations}:
                raise SetUpError(
                    f"{one.name}: plant it together with the transformation that its person"
                    f' stands behind (person = "context:NAME")'
                )
            if one.format.name == "fr-nir" and (rule != "value" or one.context == "required"):
                raise SetUpError(f"{one.name}: its people are told apart by contexts of its own")

    async def plant(self) -> Planted:
        """Raises Refusal (keys_unavailable, store_unavailable)."""
        decoy = Decoy.draw()
        tokens: dict[str, str] = {}
        for one in self._wanted:
            value = decoy.value(one.format.name)
            assert value is not None
            context = tokens.get(one.configured.person.partition(":")[2])
            tokens[one.name] = await self._token(one, value, context)
        numbers = next(one for one in self._wanted if one.format.name == "fr-nir")
        return Planted(tokens, self._persons.of(numbers, decoy.nir, None))

    async def _token(self, one: Transformation, value: str, context: str | None) -> str:
        if one.vaulted is None:
            outcome = one.tokenise([value], context)
        else:
            assert self._store is not None
            outcome = await one.vaulted.tokenise(self._store, [value], context)
        for error in outcome.errors.values():
            raise SetUpError(f"{one.name}: {error.detail}")
        return str(outcome.texts[0])
