"""Texts of the shape of a NIR, whatever they are, and the format under all its options."""

from hypothesis import strategies as st

from tests.support.values import DEPARTMENTS, nir_key
from vault.formats import build

SAFE, OFFICIAL, NONE = (build("fr-nir", band=band) for band in ("safe", "official", "none"))
KEEP = build("fr-nir", wrong_key="keep")
FORMATS = {"safe": SAFE, "official": OFFICIAL, "none": NONE, "keep": KEEP}

any_bodies = st.tuples(
    st.integers(0, 99_999), st.sampled_from([*DEPARTMENTS, "00"]), st.integers(0, 999_999)
).map(lambda parts: f"{parts[0]:05d}{parts[1]}{parts[2]:06d}")
any_numbers = st.tuples(any_bodies, st.none() | st.integers(0, 99)).map(
    lambda pair: pair[0] + (nir_key(pair[0]) if pair[1] is None else f"{pair[1]:02d}")
)
