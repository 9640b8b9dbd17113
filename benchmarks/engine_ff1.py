"""FF1 on one core: 15 digits, AES-256, an 8-byte tweak. Run: python -m benchmarks.engine_ff1

Prints the vector path at four batch sizes under one tweak and under one a value, the scalar
path on integers and on lists of digits, and the bound: the AES-ECB of OpenSSL alone over the
ten blocks that each value needs.
"""

import os
from collections.abc import Callable
from functools import partial

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from benchmarks.timing import interleaved
from vault.crypto.ff1 import FF1
from vault.crypto.ff1_rounds import BLOCK, ROUNDS

DIGITS = 15
SIZES = (100, 1_000, 4_096, 100_000)
BOUND_ROWS = 4_096


def aes_bound(key: bytes) -> Callable[[], object]:
    """The ten rounds' AES calls for a chunk of rows, and nothing else."""
    encrypt = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update_into
    blocks, sealed = bytes(BLOCK * BOUND_ROWS), bytearray(BLOCK * BOUND_ROWS + BLOCK - 1)

    def ten_rounds() -> None:
        for _ in range(ROUNDS):
            encrypt(blocks, sealed)

    return ten_rounds


def main() -> None:
    """Time everything in turn and print a table."""
    key, tweak, rng = os.urandom(32), os.urandom(8), np.random.default_rng(1)
    ff1 = FF1(key, 10)
    jobs: dict[str, Callable[[], object]] = {"bound": aes_bound(key)}
    rows = {"bound": BOUND_ROWS}
    for size in SIZES:
        xs = rng.integers(0, 10**DIGITS, size, np.uint64)
        each = rng.integers(0, 256, (size, len(tweak)), np.uint8)
        jobs[f"vector {size:,}"] = partial(ff1.encrypt_ints, xs, DIGITS, tweak)
        jobs[f"vector {size:,}, a tweak each"] = partial(ff1.encrypt_ints, xs, DIGITS, each)
        rows |= {f"vector {size:,}": size, f"vector {size:,}, a tweak each": size}
    value = int(xs[0])
    digits = [int(c) for c in f"{value:0{DIGITS}d}"]
    jobs["scalar, an integer"] = partial(ff1.encrypt_int, value, DIGITS, tweak)
    jobs["scalar, a list"] = partial(ff1.encrypt, digits, tweak)
    medians = interleaved(jobs)
    bound = rows["bound"] / medians["bound"]
    print(f"{'':28}{'values/s':>14}{'us/value':>10}{'of the bound':>14}")
    for name, seconds in medians.items():
        speed = rows.get(name, 1) / seconds
        print(f"{name:28}{speed:14,.0f}{1e6 / speed:10.3f}{speed / bound:14.1%}")


if __name__ == "__main__":
    main()
