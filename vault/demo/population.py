"""People who do not exist: plausible NIRs with real commune codes, names and birth dates."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

WOMEN = (
    "Agathe Alice Amandine Anaïs Aurélie Camille Céline Charlotte Chloé Clémence Élise Emma "
    "Fatima Hélène Inès Jade Jeanne Julie Léa Lina Louise Lucie Manon Margaux Maryam Mathilde "
    "Monique Nathalie Océane Pauline Sandrine Sylvie Yasmine Zoé"
).split()
MEN = (
    "Adrien Alain Antoine Arthur Bastien Benoît Bruno Clément Damien Étienne Fabien Gabriel "
    "Guillaume Hugo Jean Jules Karim Laurent Léo Louis Lucas Marc Mathis Mehdi Nathan Nicolas "
    "Olivier Paul Pierre Raphaël Rémi Samir Thomas Yann"
).split()
INSURERS = (
    "Mutuelle des Tilleuls",
    "Prévoyance du Rhin",
    "Solidarité Atlantique",
    "Mutuelle Garonne",
)

PLACES = (
    "75101 75111 75115 75118 69381 69383 13201 13208 31555 06088 44109 67482 34172 33063 59350 "
    "35238 51454 42218 83137 76351 38185 21231 49007 30189 29019 87085 37261 80021 57463 66136 "
    "25056 45234 68224 76540 14118 54395 93066 95018 93048 97411 97209 97120"
).split()
"""INSEE codes of communes: department and commune, five characters as they stand in a NIR."""
CORSICA = ("2A004", "2B033", "2A041", "2B096")
ABROAD = ("99352", "99350", "99351", "99139", "99127", "99134")
"""99 and the INSEE code of the country of birth."""


@dataclass(frozen=True, slots=True)
class Person:
    """One synthetic insured person; `birth_date` as on the card, perhaps no calendar date."""

    first_name: str
    nir: str
    birth_date: str
    insurer: str
    remark: str


def nir_key(body: str) -> str:
    """The two check digits of a NIR's first 13 characters: 97 minus the number modulo 97."""
    department = {"2A": "19", "2B": "18"}.get(body[5:7], body[5:7])
    return f"{97 - int(body[:5] + department + body[7:]) % 97:02d}"


def population(count: int, seed: int = 1978) -> Iterator[Person]:
    """`count` different people: some 3 % with lunar birth dates, 4 % Corsican, 8 % born abroad."""
    chance = random.Random(seed)  # noqa: S311 - synthetic people, reproducible on purpose
    seen: set[str] = set()
    while len(seen) < count:
        person = _person(chance)
        if person.nir not in seen:
            seen.add(person.nir)
            yield person


def _person(chance: random.Random) -> Person:
    sex = chance.choice((1, 2))
    born = date(1930, 1, 1) + timedelta(days=chance.randrange(34_000))
    place, remark = chance.choice(PLACES), ""
    birth_date = born.isoformat()
    draw = chance.random()
    if draw < 0.04 and born.year >= 1976:
        place, remark = chance.choice(CORSICA), "Corsican"
    elif draw < 0.12:
        place, remark = chance.choice(ABROAD), "born abroad"
        if chance.random() < 0.4:
            birth_date, remark = f"{born.year}-{chance.choice((0, 13, 20)):02d}-00", "lunar date"
    body = f"{sex}{born:%y%m}{place}{chance.randrange(1, 600):03d}"
    first_name = chance.choice(MEN if sex == 1 else WOMEN)
    return Person(first_name, body + nir_key(body), birth_date, chance.choice(INSURERS), remark)
