"""Who counts as one person."""

from datetime import UTC, datetime

import pytest

from vault.config import Settings
from vault.config import Transformation as Configured
from vault.crypto.keyset import new_keyset
from vault.engine.persons import Persons
from vault.engine.transformation import compile_transformations

NIR = "284052A32102552"
KEYSET = new_keyset(datetime.now(UTC))
TRANSFORMATIONS = compile_transformations(
    Settings(
        transformations={
            "fr-nir": Configured("fr-nir"),
            "other-nir": Configured("fr-nir", key_id="another"),
            "birth-date": Configured("birth-date", person="context:fr-nir"),
            "note": Configured("digits", person="context"),
        }
    ),
    KEYSET,
)
PERSONS = Persons(b"k" * 32, TRANSFORMATIONS)


def of(name: str, value: str, context: str | None = None) -> bytes:
    return PERSONS.of(TRANSFORMATIONS[name], value, context)


def test_all_forms_of_a_value_are_one_person() -> None:
    assert len({of("fr-nir", form) for form in (NIR, NIR[:13], "2 84 05 2A 321 025 52")}) == 1


def test_one_register_is_one_person_under_every_transformation() -> None:
    assert of("fr-nir", NIR) == of("other-nir", NIR)


def test_a_birth_date_belongs_to_the_nir_behind_its_context() -> None:
    token = TRANSFORMATIONS["fr-nir"].tokenise([NIR], None).texts[0]
    assert of("birth-date", "1984-05-12", token) == of("fr-nir", NIR)


@pytest.mark.parametrize("context", ["record 17", NIR, "x"])
def test_a_context_that_is_no_token_is_the_person(context: str) -> None:
    one = of("birth-date", "1984-05-12", context)
    assert one == of("birth-date", "1990-01-01", context)
    assert one == of("note", "123456", context)
    assert one != of("fr-nir", NIR)


def test_without_a_context_the_value_is_the_person() -> None:
    assert of("note", "123456") != of("note", "123457")


def test_another_key_makes_other_pseudonyms() -> None:
    others = Persons(b"q" * 32, TRANSFORMATIONS)
    assert others.of(TRANSFORMATIONS["fr-nir"], NIR, None) != of("fr-nir", NIR)
    assert len(of("fr-nir", NIR)) == 16
