"""Permutations are permutations: no rank lost, none twice, all inside, both paths equal."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.crypto.ff1 import FF1
from vault.crypto.permutation import FEW_ROWS, Permutation
from vault.crypto.secret import Secret
from vault.formats.base import Domain

KEY = Secret(bytes(range(32)))


@dataclass
class Ranks:
    """A domain of a test's own making: hardly half of its numeral strings are ranks."""

    size: int
    radix: int
    length: int


MILLION = Domain.ranked(1_000_000, 1_000_000)
HALF = Ranks(1_000_000, 1_415, 2)
NIR = Domain.ranked(242_157_600_000, 485_520_000_000)
DATES = Domain.ranked(1_424_445, 2_848_891)
LARGE = Ranks(2**64 - 7, 65_536, 4)
WHOLE = Domain.numerals(2, 64)
LARGER = Domain.numerals(10, 30)


@pytest.mark.parametrize("domain", [MILLION, HALF], ids=["no remainder", "half outside"])
@pytest.mark.parametrize("tweak", [b"", b"12345678"])
def test_a_million_ranks_exhaustively(domain: Ranks | Domain, tweak: bytes) -> None:
    permutation = Permutation(KEY, domain)
    ranks = np.arange(1_000_000, dtype=np.uint64)
    sent = permutation.encrypt_array(ranks, tweak)
    assert np.array_equal(np.sort(sent), ranks)
    assert np.array_equal(permutation.decrypt_array(sent, tweak), ranks)
    for rank in range(0, 1_000_000, 9_973):
        assert permutation.encrypt(rank, tweak) == int(sent[rank])
        assert permutation.decrypt(int(sent[rank]), tweak) == rank
    assert np.count_nonzero(sent == ranks) < 20  # a random one keeps one rank in its place


@settings(deadline=None)
@given(
    st.data(),
    st.sampled_from([MILLION, HALF, NIR, DATES, LARGE, WHOLE, LARGER]),
    st.binary(max_size=20),
)
def test_scalar_round_trip(data: st.DataObject, domain: Domain, tweak: bytes) -> None:
    permutation = Permutation(KEY, domain)
    rank = data.draw(st.integers(0, domain.size - 1))
    sent = permutation.encrypt(rank, tweak)
    assert 0 <= sent < domain.size
    assert permutation.decrypt(sent, tweak) == rank


@pytest.mark.parametrize("domain", [MILLION, HALF, NIR, DATES, LARGE, WHOLE])
@pytest.mark.parametrize("count", [0, 1, FEW_ROWS, 5 * FEW_ROWS, 5_000])
@pytest.mark.parametrize("width", [0, 8, 11])
def test_paths_agree(domain: Domain, count: int, width: int) -> None:
    permutation = Permutation(KEY, domain)
    rng = np.random.default_rng(count + width)
    ranks = rng.integers(0, domain.size - 1, count, np.uint64, endpoint=True)
    each = rng.integers(0, 256, (count, width), np.uint8)
    sent = permutation.encrypt_array(ranks, each)
    assert np.array_equal(permutation.decrypt_array(sent, each), ranks)
    same = permutation.encrypt_array(ranks, bytes(width))
    assert np.array_equal(permutation.decrypt_array(same, bytes(width)), ranks)
    for row in range(0, count, 97):
        rank, tweak = int(ranks[row]), each[row].tobytes()
        assert permutation.encrypt(rank, tweak) == int(sent[row])
        assert permutation.decrypt(int(sent[row]), tweak) == rank
        assert permutation.encrypt(rank, bytes(width)) == int(same[row])


@pytest.mark.parametrize("domain", [NIR, DATES], ids=["nir", "dates"])
def test_the_first_rank_outside_is_walked_on_from(domain: Domain) -> None:
    """What FF1 sends to `size` itself, which no rank has."""
    ff1 = FF1(bytes(range(32)), domain.radix)
    permutation = Permutation(KEY, domain)
    for step, walk, many in (
        (ff1.decrypt_int, permutation.encrypt, permutation.encrypt_array),
        (ff1.encrypt_int, permutation.decrypt, permutation.decrypt_array),
    ):
        rank = step(domain.size, domain.length)
        while rank >= domain.size:  # back to where a walk through `size` begins
            rank = step(rank, domain.length)
        assert walk(rank) < domain.size
        assert int(many(np.array([rank], np.uint64))[0]) == walk(rank)


def test_no_tweak_is_the_empty_one() -> None:
    permutation, ranks = Permutation(KEY, NIR), np.arange(3, dtype=np.uint64)
    for one in (permutation.encrypt, permutation.decrypt):
        assert one(5) == one(5, b"")
    for many in (permutation.encrypt_array, permutation.decrypt_array):
        assert np.array_equal(many(ranks), many(ranks, b""))


def test_without_a_remainder_it_is_ff1_itself() -> None:
    plain = FF1(bytes(range(32)), 10)
    permutation = Permutation(KEY, Domain.numerals(10, 15))
    assert permutation.encrypt(5, b"12345678") == plain.encrypt_int(5, 15, b"12345678")


def test_keys_and_tweaks_make_other_permutations() -> None:
    ranks = np.arange(1_000, dtype=np.uint64)
    one = Permutation(KEY, NIR).encrypt_array(ranks, b"12345678")
    other_key = Permutation(Secret(bytes(32)), NIR).encrypt_array(ranks, b"12345678")
    other_tweak = Permutation(KEY, NIR).encrypt_array(ranks, b"12345679")
    assert not (one == other_key).any()
    assert not (one == other_tweak).any()


@pytest.mark.parametrize("domain", [MILLION, HALF, NIR])
def test_refuses_ranks_outside(domain: Domain) -> None:
    permutation = Permutation(KEY, domain)
    for rank in (-1, domain.size, domain.radix**domain.length):
        for call in (permutation.encrypt, permutation.decrypt):
            with pytest.raises(ValueError, match="rank is not in"):
                call(rank)
    outside = np.array([1, domain.size], np.uint64)
    for many in (permutation.encrypt_array, permutation.decrypt_array):
        with pytest.raises(ValueError, match="rank is not in"):
            many(outside)


@pytest.mark.parametrize("domain", [Ranks(999_999, 1_000, 2), Ranks(1_000_001, 1_000, 2)])
def test_refuses_domains_below_a_million_or_above_their_numerals(domain: Ranks) -> None:
    with pytest.raises(ValueError, match=r"1,000,000 to radix\*\*length"):
        Permutation(KEY, domain)


def test_above_64_bits_there_is_the_scalar_way_only() -> None:
    permutation = Permutation(KEY, LARGER)
    with pytest.raises(ValueError, match=r"2\*\*64"):
        permutation.encrypt_array(np.ones(3, np.uint64))


def test_does_not_show_its_key() -> None:
    assert repr(bytes(range(32)))[2:-1] not in repr(Permutation(KEY, NIR))
