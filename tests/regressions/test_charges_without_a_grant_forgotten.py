"""Charges of what had been granted when they were made were forgotten by replay once the grant was
taken away, though their budget is that of the client's other grants too."""

from types import SimpleNamespace
from typing import Any

from tests.support.records import disclosure
from vault.access.grants import Access
from vault.config import Client, Grant, Settings
from vault.rules import Rules


def test_a_mask_counts_against_the_reveals_that_are_left() -> None:
    grant = Grant(operation="detokenise", transformation="fr-nir", purposes=("care",))
    access = Access(Settings(clients={"portal": Client(grants=(grant,))}))
    rules: Any = SimpleNamespace(access=access)
    charge = Rules.charge_of(rules, disclosure("portal", operation="mask", items=3))
    assert charge is not None
    allowance = access.authorise("portal", "detokenise", "fr-nir", "care")
    assert (charge.items, charge.limits, charge.people) == (
        3, allowance.limits, allowance.people
    )  # fmt: skip
