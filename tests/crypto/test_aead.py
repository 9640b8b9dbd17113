"""Sealing: what was sealed opens under its own key and header, and under nothing else."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from vault.crypto.aead import UnsealError, seal, unseal
from vault.crypto.secret import Secret

KEY = Secret(bytes(range(32)))


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_opens_what_it_sealed(plaintext: bytes, header: bytes) -> None:
    assert unseal(KEY, seal(KEY, plaintext, header), header) == plaintext


def test_is_aes_256_gcm_with_the_nonce_in_front() -> None:
    sealed = seal(KEY, b"text", b"header")
    plain = AESGCM(bytes(range(32))).decrypt(sealed[:12], sealed[12:], b"header")
    assert plain == b"text"
    assert len(sealed) == 12 + 4 + 16


def test_never_repeats_itself() -> None:
    assert len({seal(KEY, b"text", b"") for _ in range(100)}) == 100


def test_every_flipped_bit_is_noticed_and_all_failures_look_alike() -> None:
    sealed = seal(KEY, b"text", b"header")
    attempts = [(KEY, sealed[:cut], b"header") for cut in range(len(sealed))]
    for bit in range(8 * len(sealed)):
        flipped = bytearray(sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        attempts.append((KEY, bytes(flipped), b"header"))
    attempts.append((Secret(bytes(32)), sealed, b"header"))
    attempts.append((KEY, sealed, b"Header"))
    messages = set()
    for key, text, header in attempts:
        with pytest.raises(UnsealError) as caught:
            unseal(key, text, header)
        messages.add(str(caught.value))
    assert len(messages) == 1


@pytest.mark.parametrize("length", [0, 16, 24, 31, 33])
def test_takes_256_bit_keys_only(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        seal(Secret(bytes(length)), b"", b"")
    with pytest.raises(ValueError, match="32 bytes"):
        unseal(Secret(bytes(length)), bytes(40), b"")
