"""Hypothesis strategies for values of every format, written without the code under test."""

from datetime import date

from hypothesis import strategies as st

DEPARTMENTS = [f"{n:02d}" for n in range(1, 100)] + ["2A", "2B"]


def _body(parts: tuple[str, int, int, str, int, int]) -> str:
    sex, year, month, department, commune, order = parts
    return f"{sex}{year:02d}{month:02d}{department}{commune:03d}{order:03d}"


def nir_key(body: str) -> str:
    place = body[5:7]
    digits = body[:5] + {"2A": "19", "2B": "18"}.get(place, place) + body[7:]
    return f"{97 - int(digits) % 97:02d}"


ordinary_bodies = st.tuples(
    st.sampled_from("12"),
    st.integers(0, 99),
    st.integers(1, 12),
    st.sampled_from(DEPARTMENTS),
    st.integers(0, 999),
    st.integers(1, 999),
).map(_body)
ordinary_nirs = ordinary_bodies.map(lambda body: body + nir_key(body))

special_nirs = (
    st.tuples(
        st.sampled_from("3478"),
        st.integers(0, 29),  # never in a band: 3 and 4 with months outside it, 7 and 8 before 30
        st.sampled_from([1, 5, 12, 20, 31, 42, 50, 77, 99]),
        st.sampled_from([*DEPARTMENTS, "00"]),
        st.integers(0, 999),
        st.integers(0, 999),
    )
    .map(_body)
    .map(lambda body: body + nir_key(body))
)
unknown_month_nirs = (
    st.tuples(
        st.sampled_from("12"),
        st.integers(0, 99),
        st.sampled_from([20, 30, 31, 42, 50, 62, 99]),
        st.sampled_from(DEPARTMENTS),
        st.integers(0, 999),
        st.integers(1, 999),
    )
    .map(_body)
    .map(lambda body: body + nir_key(body))
)


def spaced(nir: str) -> str:
    parts = [nir[0], nir[1:3], nir[3:5], nir[5:7], nir[7:10], nir[10:13], nir[13:]]
    return " ".join(part for part in parts if part)


def nir_forms(nir: str) -> list[str]:
    """All printed forms of a 15-character NIR."""
    return [nir, nir[:13], spaced(nir), spaced(nir[:13]), f"{nir[:13]} {nir[13:]}"]


calendar_dates = st.dates(date(1800, 1, 1), date(2199, 12, 31))


def date_forms(day: date) -> list[str]:
    return [
        day.strftime("%Y-%m-%d").zfill(10),
        day.strftime("%Y%m%d").zfill(8),
        day.strftime("%d/%m/%Y"),
        day.strftime("%d^%m^%Y"),
        f"{day.day}^{day.month}^{day.year}",
    ]


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


lunar_dates = st.tuples(st.integers(1800, 2199), st.integers(0, 99), st.integers(0, 99)).filter(
    lambda parts: not _is_date(*parts)
)


def lunar_forms(parts: tuple[int, int, int]) -> list[str]:
    year, month, day = parts
    return [
        f"{year}-{month:02d}-{day:02d}",
        f"{year}{month:02d}{day:02d}",
        f"{day:02d}/{month:02d}/{year}",
        f"{day:02d}^{month:02d}^{year}",
        f"{day}^{month}^{year}",
    ]


six_digits = st.integers(0, 999_999).map(lambda n: f"{n:06d}")
digit_strings = st.text("0123456789", min_size=6, max_size=32)
contexts = st.none() | st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x17F, exclude_categories=["Cc", "Cf"]),
    min_size=1,
    max_size=40,
)
