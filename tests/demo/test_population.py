"""The people of the demonstration do not exist, and could."""

from collections import Counter
from datetime import date

import pytest
from stdnum.fr import nir as stdnum_nir

from vault.demo.population import ABROAD, COMMUNES, CORSICA, MEN, Person, population
from vault.formats import build

MANY = 4_000


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return list(population(MANY))


def test_every_nir_has_its_key_and_nobody_has_anothers(people: list[Person]) -> None:
    assert all(stdnum_nir.is_valid(person.nir) for person in people)
    assert len({person.nir for person in people}) == MANY


def test_the_same_seed_makes_the_same_people(people: list[Person]) -> None:
    assert list(population(100)) == people[:100]
    assert list(population(100, seed=2)) != people[:100]


def test_everybody_was_born_in_a_place_that_has_its_code(people: list[Person]) -> None:
    for person in people:
        place, year = person.nir[5:10], int(person.birth_date[:4])
        if place in CORSICA:
            assert year >= 1976, "department 20 until then"
        elif place in ABROAD:
            assert year >= 1963, "Algeria had departments of its own until 1962"
        else:
            assert place in COMMUNES
    assert {person.nir[5:10] for person in people} == {*COMMUNES, *CORSICA, *ABROAD}


def test_nir_name_and_date_tell_of_one_person(people: list[Person]) -> None:
    for person in people:
        assert person.nir[0] == ("1" if person.first_name in MEN else "2")
        assert person.nir[1:3] == person.birth_date[2:4]
        if person.remark != "lunar date":
            born = date.fromisoformat(person.birth_date)
            assert int(person.nir[3:5]) == born.month


def test_lunar_dates_are_no_dates(people: list[Person]) -> None:
    lunar = [person for person in people if person.remark == "lunar date"]
    for person in lunar:
        with pytest.raises(ValueError, match=r"month|day"):
            date.fromisoformat(person.birth_date)
    assert {int(person.nir[3:5]) > 12 for person in lunar} == {True, False}


def test_the_shares_are_about_those_of_the_docstring(people: list[Person]) -> None:
    shares = {remark: count / MANY for remark, count in Counter(p.remark for p in people).items()}
    assert set(shares) == {"", "Corsican", "born abroad", "lunar date"}
    assert 0.015 < shares["Corsican"] < 0.045
    assert 0.04 < shares["born abroad"] + shares["lunar date"] < 0.08
    assert 0.01 < shares["lunar date"] < 0.04


def test_the_shipped_formats_take_all_of_them(people: list[Person]) -> None:
    nir, birth_date = build("fr-nir"), build("birth-date")
    for person in people[:500]:
        assert nir.write_value(nir.read_value(person.nir)) == person.nir
        assert birth_date.write_value(birth_date.read_value(person.birth_date)) == person.birth_date
