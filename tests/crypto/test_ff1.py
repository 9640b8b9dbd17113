"""FF1 against published figures, against a plain reference, and against what it must refuse."""

import copy
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.plain_ff1 import PlainFF1, half_bytes
from vault.crypto.ff1 import FF1, MAX_TWEAK
from vault.crypto.ff1_rounds import Lane, Shape
from vault.crypto.secret import Secret

VECTORS = Path(__file__).parents[1] / "vectors" / "ff1.txt"
NIST_KEY = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94")


def published() -> list[list[str]]:
    lines = VECTORS.read_text().splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


def test_all_published_figures_are_there() -> None:
    names = [vector[0] for vector in published()]
    assert len(names) == len(set(names)) == 9 + 53


@pytest.mark.parametrize("vector", published(), ids=lambda vector: vector[0])
def test_published_figures(vector: list[str]) -> None:
    _, alphabet, key, tweak_hex, plain, cipher = vector
    ff1 = FF1(bytes.fromhex(key), len(alphabet))
    tweak = b"" if tweak_hex == "-" else bytes.fromhex(tweak_hex)
    x, y = [alphabet.index(c) for c in plain], [alphabet.index(c) for c in cipher]
    assert ff1.encrypt(x, tweak) == y
    assert ff1.decrypt(y, tweak) == x
    assert ff1.encrypt_many([x], tweak).tolist() == [y]
    assert ff1.decrypt_many([y], [tweak]).tolist() == [x]


def test_fifteen_digits_that_seven_other_implementations_agree_on() -> None:
    # capitalone/fpe, Bouncy Castle, fastfpe, libffx, ubiq, cyphera and dealcode.
    ff1, tweak = FF1(NIST_KEY, 10), bytes.fromhex("0102030405060708")
    assert ff1.encrypt_int(295109912611193, 15, tweak) == 387447163442986
    assert ff1.decrypt_int(387447163442986, 15, tweak) == 295109912611193
    one = np.array([295109912611193], np.uint64)
    assert ff1.encrypt_ints(one, 15, tweak).tolist() == [387447163442986]
    each = np.frombuffer(tweak, np.uint8).reshape(1, 8)
    assert ff1.encrypt_ints(one, 15, each).tolist() == [387447163442986]


@pytest.mark.parametrize(
    ("radix", "v", "b"),
    [(256, 29, 29), (257, 1, 2), (2, 8, 1), (2, 9, 2), (10, 8, 4), (65536, 3, 6)],
)
def test_b_is_exact(radix: int, v: int, b: int) -> None:
    # With floats, ceil(29 * log2(256) / 8) comes out as 30 in some implementations.
    assert half_bytes(v, radix) == b
    assert Shape.of(radix, 2 * v, 8, Lane(Secret(bytes(16)))).b == b


def test_b_at_radix_256_changes_the_answer_and_is_the_references() -> None:
    row = list(range(58))
    assert FF1(NIST_KEY, 256).encrypt(row, b"t") == PlainFF1(NIST_KEY, 256).encrypt(row, b"t")


radixes = st.sampled_from([2, 3, 10, 36, 37, 255, 256, 257, 65535, 65536]) | st.integers(2, 65536)
keys = st.sampled_from([16, 24, 32]).flatmap(lambda n: st.binary(min_size=n, max_size=n))
tweaks = st.binary(max_size=40) | st.just(bytes(8))


def rows(radix: int) -> st.SearchStrategy[list[int]]:
    least = next(n for n in range(2, 30) if radix**n >= 1_000_000)
    return st.lists(st.integers(0, radix - 1), min_size=least, max_size=least + 60)


@settings(deadline=None, max_examples=200)
@given(st.data(), radixes, keys, tweaks)
def test_agrees_with_the_reference(data: st.DataObject, radix: int, key: bytes, t: bytes) -> None:
    row = data.draw(rows(radix))
    ff1 = FF1(key, radix)
    answer = ff1.encrypt(row, t)
    assert answer == PlainFF1(key, radix).encrypt(row, t)
    assert ff1.decrypt(answer, t) == row


@pytest.mark.parametrize(("radix", "length"), [(10, 5_000), (65536, 2_001), (2, 9_999), (3, 129)])
def test_long_strings_and_long_tweaks(radix: int, length: int) -> None:
    row = [(7 * i * i + i) % radix for i in range(length)]
    ff1 = FF1(NIST_KEY, radix)
    answer = ff1.encrypt(row, b"ab" * (MAX_TWEAK // 2))
    assert len(answer) == length
    assert ff1.decrypt(answer, b"ab" * (MAX_TWEAK // 2)) == row
    assert ff1.encrypt(row) != answer


def test_a_long_string_agrees_with_the_reference() -> None:
    row = [(7 * i * i + i) % 10 for i in range(600)]
    assert FF1(NIST_KEY, 10).encrypt(row, b"x" * 300) == PlainFF1(NIST_KEY, 10).encrypt(
        row, b"x" * 300
    )


def test_the_floor_is_a_million_or_the_first_editions_hundred() -> None:
    assert len(FF1(NIST_KEY, 1000).encrypt([1, 2])) == 2
    with pytest.raises(ValueError, match="1,000,000"):
        FF1(NIST_KEY, 999).encrypt([1, 2])
    small = FF1(NIST_KEY, 10, allow_small_domain=True)
    assert small.decrypt(small.encrypt([1, 2])) == [1, 2]
    with pytest.raises(ValueError, match="below 100"):
        FF1(NIST_KEY, 9, allow_small_domain=True).encrypt([1, 2])


@pytest.mark.parametrize("length", [0, 1, 15, 17, 23, 25, 31, 33, 48, 64])
def test_refuses_other_key_lengths(length: int) -> None:
    with pytest.raises(ValueError, match="16, 24 or 32"):
        FF1(bytes(length), 10)


@pytest.mark.parametrize("key", [None, "0" * 16, 16, [0] * 16])
def test_refuses_keys_that_are_no_bytes(key: object) -> None:
    with pytest.raises(ValueError, match="16, 24 or 32"):
        FF1(key, 10)  # type: ignore[arg-type]


@pytest.mark.parametrize("radix", [-2, 0, 1, 65537, 10.0, "10", None, True])
def test_refuses_other_radixes(radix: object) -> None:
    with pytest.raises(ValueError, match="radix"):
        FF1(NIST_KEY, radix)  # type: ignore[arg-type]


@pytest.mark.parametrize("radix", [10, 36, 300])
@pytest.mark.parametrize("wrong", [-1, "radix", 256, 2**70, 1.0, "1", None, b"1", [1]])
@pytest.mark.parametrize("length", [8, 200])
def test_refuses_numerals_outside_the_alphabet(radix: int, wrong: object, length: int) -> None:
    bad = radix if wrong == "radix" else wrong
    if bad == 256 and radix == 300:
        bad = 301
    for place in (0, length // 2, length - 1):
        row: list[object] = [0] * length
        row[place] = bad
        for call in (FF1(NIST_KEY, radix).encrypt, FF1(NIST_KEY, radix).decrypt):
            with pytest.raises(ValueError, match="numerals are integers") as caught:
                call(row)  # type: ignore[arg-type]
            assert caught.value.__suppress_context__  # whose text could show the numerals


@pytest.mark.parametrize("row", [[], [1], [1, 2, 3, 4, 5], "12345678", None, 12345678])
def test_refuses_strings_that_are_too_short_or_no_strings(row: object) -> None:
    with pytest.raises(ValueError, match=r"numerals|below"):
        FF1(NIST_KEY, 10).encrypt(row)  # type: ignore[arg-type]


@pytest.mark.parametrize("tweak", [bytes(MAX_TWEAK + 1), "tweak", None, 8])
def test_refuses_tweaks_that_are_too_long_or_no_bytes(tweak: object) -> None:
    ff1 = FF1(NIST_KEY, 10)
    for call in (
        lambda: ff1.encrypt([1] * 8, tweak),  # type: ignore[arg-type]
        lambda: ff1.encrypt_int(1, 8, tweak),  # type: ignore[arg-type]
        lambda: ff1.encrypt_ints(np.ones(3, np.uint64), 8, tweak),  # type: ignore[arg-type]
        lambda: ff1.encrypt_many([[1] * 8], [tweak]),  # type: ignore[list-item]
    ):
        with pytest.raises(ValueError, match="tweak"):
            call()


@pytest.mark.parametrize("x", [-1, 10**8, 1.0, None, "1"])
def test_refuses_integers_outside_the_domain(x: object) -> None:
    with pytest.raises(ValueError, match="integer"):
        FF1(NIST_KEY, 10).encrypt_int(x, 8)  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [-1, 0, 1, 2**32, 8.0, None])
def test_refuses_other_lengths(length: object) -> None:
    with pytest.raises(ValueError, match="2 to"):
        FF1(NIST_KEY, 10).encrypt_int(1, length)  # type: ignore[arg-type]


def test_the_longest_string_is_still_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.crypto.ff1.MAX_LENGTH", 20)  # the real one would take all memory
    ff1 = FF1(NIST_KEY, 10)
    assert ff1.decrypt(ff1.encrypt([7] * 20)) == [7] * 20
    with pytest.raises(ValueError, match="2 to"):
        ff1.encrypt([7] * 21)


def test_no_tweak_is_the_empty_one() -> None:
    ff1, row, xs = FF1(NIST_KEY, 10), [1, 2, 3, 4, 5, 6, 7, 8], np.arange(3, dtype=np.uint64)
    for call in (ff1.encrypt, ff1.decrypt):
        assert call(row) == call(row, b"")
    for one in (ff1.encrypt_int, ff1.decrypt_int):
        assert one(12345678, 8) == one(12345678, 8, b"")
    for ints in (ff1.encrypt_ints, ff1.decrypt_ints):
        assert np.array_equal(ints(xs, 8), ints(xs, 8, b""))
    for many in (ff1.encrypt_many, ff1.decrypt_many):
        assert np.array_equal(many([row]), many([row], b""))


def test_any_bytes_will_do_for_keys_and_tweaks() -> None:
    expected = FF1(NIST_KEY, 10).encrypt([1] * 8, b"12345678")
    ff1 = FF1(bytearray(NIST_KEY), 10)
    assert ff1.encrypt([1] * 8, bytearray(b"12345678")) == expected
    words = memoryview(b"12345678").cast("Q")  # one element, eight bytes
    assert ff1.encrypt([1] * 8, words) == expected
    assert ff1.encrypt((1,) * 8, memoryview(b"12345678")) == expected
    assert ff1.encrypt(list(np.ones(8, np.uint8)), b"12345678") == expected


def test_many_lengths_do_not_pile_up() -> None:
    ff1 = FF1(NIST_KEY, 10)
    for length in range(6, 400):
        assert ff1.decrypt(ff1.encrypt([3] * length)) == [3] * length
    assert len(ff1._shapes) <= 64


def test_never_shows_or_copies_its_key() -> None:
    ff1 = FF1(NIST_KEY, 10)
    assert NIST_KEY.hex() not in repr(ff1)
    assert repr(NIST_KEY)[2:-1] not in repr(ff1)
    for copying in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            copying(ff1)


def test_a_refused_key_is_in_no_frame_of_the_traceback() -> None:
    with pytest.raises(ValueError, match="16, 24 or 32") as caught:
        FF1(NIST_KEY + b"!", 10)
    inside = [entry for entry in caught.traceback if Path(entry.path).name == "ff1.py"]
    assert inside
    for entry in inside:
        assert NIST_KEY + b"!" not in entry.frame.f_locals.values()


def test_many_threads_may_use_one() -> None:
    ff1 = FF1(NIST_KEY, 10)
    xs = np.arange(5_000, dtype=np.uint64)
    expected = ff1.encrypt_ints(xs, 15, b"12345678")
    scalar = [ff1.encrypt_int(x, 15, b"12345678") for x in range(300)]
    wrong: list[object] = []
    done: list[bool] = []
    ready = threading.Barrier(6)

    def work(vector: bool) -> None:
        ready.wait()
        for _ in range(10):
            if vector and not np.array_equal(ff1.encrypt_ints(xs, 15, b"12345678"), expected):
                wrong.append("vector")
            if not vector and scalar != [ff1.encrypt_int(x, 15, b"12345678") for x in range(300)]:
                wrong.append("scalar")
        done.append(vector)

    threads = [threading.Thread(target=work, args=(i % 2 == 0,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert scalar == expected[:300].tolist()
    assert not wrong
    assert len(done) == 6  # and none of them ended by an exception
