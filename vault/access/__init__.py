"""Who may do what, and how much of it: decisions over settings, with no I/O.

`identity` turns a credential into a principal, `grants` turns a principal and its wish into
an allowance or a refusal, `limits` turns configured ceilings into the ledger's limits.
"""

from vault.access.grants import Access, Allowance, Granted
from vault.access.identity import Identities, Principal, checksum_fits, mint

__all__ = [
    "Access",
    "Allowance",
    "Granted",
    "Identities",
    "Principal",
    "checksum_fits",
    "mint",
]
