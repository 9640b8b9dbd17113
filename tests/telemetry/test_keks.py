"""A KEK that is away shows until it is back."""

from tests.telemetry.test_metrics import metrics, parsed, value
from vault.telemetry.keks import tell_of_kek


def test_it_is_told_by_a_number() -> None:
    told = metrics()
    seen = [value(parsed(told.render()[0]), "kek_away")]
    for news in ("away", "back"):
        tell_of_kek(told, news)
        seen.append(value(parsed(told.render()[0]), "kek_away"))
    assert seen == [0, 1, 0]
