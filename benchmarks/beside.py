"""Bars of what was measured beside others: one plot for each kind of work."""

import re
from collections.abc import Iterator

from benchmarks.curves import Curve
from benchmarks.results import Result

BOUND = "OpenSSL's AES alone"
CAPTION = "Medians of what was measured in turn in one run, on one core."
FAR = 100.0
"""From this ratio on the least would not be seen beside the most: powers of ten are drawn."""
BESIDE = ", beside "


def drawn(results: Iterator[Result], name: str, title: str) -> Iterator[Result | Curve]:
    """The results as they come, then their plots. A result is called ``KIND, beside OTHER``, and
    its baseline is the other's; where no other is named, it is the bound that AES sets."""
    bars: dict[str, dict[str, float]] = {}
    unit = ""
    for one in results:
        yield one
        kind, _, other = one.name.partition(BESIDE)
        of, unit = bars.setdefault(kind, {"Jeton": one.value}), one.unit
        of[other or BOUND] = one.baseline or 0.0
    for kind, of in bars.items():
        if len(of) > 2:
            far = max(of.values()) > FAR * min(of.values())
            yield Curve(
                f"{name}-{re.sub('[^a-z0-9]+', '-', kind.lower())}",
                f"{title}: {kind}",
                unit,
                "",
                {other: [(0.0, value)] for other, value in of.items()},
                CAPTION + " The scale is one of powers of ten." * far,
                log_y=far,
                bars=True,
            )
