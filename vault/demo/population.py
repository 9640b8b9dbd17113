"""People who do not exist: plausible NIRs with real commune codes, names and birth dates."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

WOMEN: Final = (
    "Agathe Alice Amandine Anaïs Aurélie Camille Céline Charlotte Chloé Clémence Élise Emma "
    "Fatima Hélène Inès Jade Jeanne Julie Léa Lina Louise Lucie Manon Margaux Maryam Mathilde "
    "Monique Nathalie Océane Pauline Sandrine Sylvie Yasmine Zoé"
).split()
MEN: Final = (
    "Adrien Alain Antoine Arthur Bastien Benoît Bruno Clément Damien Étienne Fabien Gabriel "
    "Guillaume Hugo Jean Jules Karim Laurent Léo Louis Lucas Marc Mathis Mehdi Nathan Nicolas "
    "Olivier Paul Pierre Raphaël Rémi Samir Thomas Yann"
).split()
INSURERS: Final = ("Atlantique", "Garonne", "Rhin-Santé", "Tilleuls")

COMMUNES: Final = {
    "06088": "Nice",
    "13201": "Marseille 1er",
    "13208": "Marseille 8e",
    "14118": "Caen",
    "21231": "Dijon",
    "25056": "Besançon",
    "29019": "Brest",
    "30189": "Nîmes",
    "31555": "Toulouse",
    "33063": "Bordeaux",
    "34172": "Montpellier",
    "35238": "Rennes",
    "37261": "Tours",
    "38185": "Grenoble",
    "42218": "Saint-Étienne",
    "44109": "Nantes",
    "45234": "Orléans",
    "49007": "Angers",
    "51454": "Reims",
    "54395": "Nancy",
    "57463": "Metz",
    "59350": "Lille",
    "66136": "Perpignan",
    "67482": "Strasbourg",
    "68224": "Mulhouse",
    "69381": "Lyon 1er",
    "69383": "Lyon 3e",
    "75101": "Paris 1er",
    "75111": "Paris 11e",
    "75115": "Paris 15e",
    "75118": "Paris 18e",
    "76351": "Le Havre",
    "76540": "Rouen",
    "80021": "Amiens",
    "83137": "Toulon",
    "87085": "Limoges",
    "97120": "Pointe-à-Pitre",
    "97209": "Fort-de-France",
    "97411": "Saint-Denis (La Réunion)",
}
"""INSEE codes of communes: five characters, as they stand in a NIR. None of them is of a
department that was made later than its oldest people here (91 to 95, 2A, 2B)."""
CORSICA: Final = {"2A004": "Ajaccio", "2A041": "Bonifacio", "2B033": "Bastia", "2B096": "Corte"}
"""In NIRs of those born from 1976 on; before, Corsica was department 20."""
ABROAD: Final = {
    "99127": "Italy",
    "99134": "Spain",
    "99139": "Portugal",
    "99350": "Morocco",
    "99351": "Tunisia",
    "99352": "Algeria",
}
"""99 and INSEE's code of the country; for Algeria, of those born from 1962 on."""

CORSICAN_SHARE, ABROAD_SHARE, LUNAR_SHARE = 0.06, 0.10, 0.4
"""Of all people; lunar dates of those born abroad. Some drawn were born too early for a code."""
UNKNOWN_MONTHS: Final = (20, 31, 35, 42, 50, 62)
"""What stands in a NIR, or on a card, where the month of birth is not known."""


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
    """`count` different people, the same for a seed: some 3 % Corsican, 5 % born abroad of
    whom 2 in 5 have a lunar birth date, most of these with a NIR of an unknown month too."""
    chance = random.Random(seed)  # noqa: S311 - synthetic people, reproducible on purpose
    seen: set[str] = set()
    while len(seen) < count:
        person = _person(chance)
        if person.nir not in seen:
            seen.add(person.nir)
            yield person


def _person(chance: random.Random) -> Person:
    sex = chance.choice((1, 2))
    born = date(1930, 1, 1) + timedelta(days=chance.randrange(28_800))  # to 2008
    month, birth_date, remark = born.month, born.isoformat(), ""
    places, draw = COMMUNES, chance.random()
    if draw < CORSICAN_SHARE and born.year >= 1976:
        places, remark = CORSICA, "Corsican"
    elif CORSICAN_SHARE <= draw < CORSICAN_SHARE + ABROAD_SHARE and born.year >= 1963:
        places, remark = ABROAD, "born abroad"
        if chance.random() < LUNAR_SHARE:
            remark, unknown = "lunar date", chance.choice((0, *UNKNOWN_MONTHS))
            birth_date = f"{born.year}-{unknown:02d}-00"
            month = unknown or month
    place = chance.choice(tuple(places))
    body = f"{sex}{born.year % 100:02d}{month:02d}{place}{chance.randrange(1, 600):03d}"
    first_name = chance.choice(MEN if sex == 1 else WOMEN)
    return Person(first_name, body + nir_key(body), birth_date, chance.choice(INSURERS), remark)
