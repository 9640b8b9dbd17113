"""Why a target is missed, for the report: what docs/performance.md says is in the way, and the
profile that shows it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
HEADING = "## Where a target is missed"
ROWS: Mapping[str, tuple[str, str | None]] = {
    "*, beside FastAPI*": ("5 times and 50 times", None),
    "single tokenise": ("single tokenise", "profile-single-tokenise"),
    "single detokenise": ("single detokenise", "profile-single-detokenise"),
    "batch of 1000": ("JSON batches", "profile-batch-of-1000"),
    "fr-nir, batches of *": ("`fr-nir`, batches", "profile-fr-nir"),
    "FF1 of 15 digits, vector": ("FF1 of 15 digits", "profile-ff1"),
    "resident memory once ready": ("memory", None),
    "FHIR Patient *": ("a FHIR Patient", "profile-fhir-patient-rewritten"),
    "body rewriter, json": ("bodies", "profile-body-json"),
    "body rewriter, xml": ("bodies", "profile-body-xml"),
}
"""By the name of a figure: how its row on the page begins, and the plot of its profile."""


@dataclass(frozen=True)
class Reason:
    """`text` is plain; `profile` names a plot, which a run without `hot_path` does not have."""

    text: str
    profile: str | None


def reason(figure: str) -> Reason | None:
    """None where nothing is written down."""
    for pattern, (beginning, profile) in ROWS.items():
        if fnmatchcase(figure, pattern):
            for target, text in rows():
                if target.startswith(beginning):
                    return Reason(_plain(text), profile)
    return None


def rows() -> list[tuple[str, str]]:
    """Targets, and what is in the way of each, as the page has them."""
    section = PAGE.read_text("utf-8").partition(HEADING)[2].partition("\n## ")[0]
    cells = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    return [(target, text) for target, text in cells[2:]]


def _plain(markdown: str) -> str:
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", markdown).replace("`", "")
