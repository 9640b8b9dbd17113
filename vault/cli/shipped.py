"""The configuration as shipped: a text that explains itself to whoever edits it."""

from collections.abc import Mapping
from string import Template

CLIENTS = ("intake", "reimbursement", "portal")
CONFIG, KEYSET, KEK = "jeton.toml", "keyset.json", "kek.key"

_DEVELOPMENT = """\
# Throw-away keys, loopback only; every answer, the log and the metrics say so.
development = true

"""

_TEXT = Template("""\
# Jeton's configuration. Paths are relative to this file; unknown keys are errors. After an
# edit run `jeton check-config`, then send the service a SIGHUP or restart it. Credentials
# stand here as hashes only, so this file may be kept under version control.

${development}[server]
host = "127.0.0.1"                  # plain HTTP: for any other address set
port = 8200                         # tls_certificate and tls_key, or end TLS in front
workers = 1                         # worker processes; limits hold over all of them

[keys]
keyset = "keyset.json"              # the keys, wrapped: back it up after every change
kek = "file:kek.key"                # what wraps them, kept and backed up APART from the keyset;
                                    # or "env:NAME", or "command:PROGRAM ARGUMENTS"

[store]
url = "sqlite:jeton.db"             # counters of the limits; no value, no token

[audit]
folder = "audit"                    # the record: who was shown how much, and why
retention_days = 365

# --- Transformations: what the URL names, as in POST /v1/tokenise/fr-nir -------------------
# The keys derive from the name: to rename one, say `key_id = "its old name"`.

[transformations.fr-nir]            # the French social security number
format = "fr-nir"
method = "fpe"
band = "safe"                       # where tokens live; "official" and "none": `jeton formats`
wrong_key = "refuse"                # "keep" also takes numbers whose check digits are wrong
context = "optional"                # "required", or "none": then a context is refused
person = "value"                    # whom a reveal is about, for limits and record: the number

[transformations.birth-date]
format = "birth-date"
method = "fpe"
context = "required"                # a bare date is guessed in 45,000 tries: bind it to a record
person = "context:fr-nir"           # a NIR token as context: both count as one person

[transformations.digits]            # any 6 to 32 digits
format = "digits"
method = "fpe"
context = "optional"
person = "value"

# --- Clients: who may do what, for which purpose, and how much of it -------------------------
# `jeton clients add` writes another one. No limit is infinite: one that is left out is as
# shipped (`jeton check-config` prints what holds). detokenise and mask spend `reveal`,
# `people` counts distinct persons, and windows slide: never more in any hour or day.

# Takes values in; cannot read one back.
[clients.intake]
credentials = [{ sha256 = "${intake}" }]
grants = [
    { operation = "tokenise", transformation = "fr-nir" },
    { operation = "tokenise", transformation = "birth-date" },
    { operation = "tokenise", transformation = "digits" },
]
limits = { tokenise = { hour = 1_000_000, day = 5_000_000 } }

# The back end that pays: the only one to see values, for one purpose.
[clients.reimbursement]
credentials = [{ sha256 = "${reimbursement}" }]
grants = [
    { operation = "detokenise", transformation = "fr-nir", purposes = ["reimbursement"] },
    { operation = "detokenise", transformation = "birth-date", purposes = ["reimbursement"] },
]
limits = { reveal = { hour = 10_000, day = 50_000 }, people = { day = 2_000 } }

# Shows masks to people at screens, and so says for whom it asks (Jeton-On-Behalf-Of): each
# of them has a limit of their own.
[clients.portal]
credentials = [{ sha256 = "${portal}" }]
grants = [
    { operation = "mask", transformation = "fr-nir", purposes = ["display"] },
    { operation = "match", transformation = "fr-nir", purposes = ["display"] },
]
limits = { people = { day = 2_000 }, end_user = { people = { day = 200 } } }
""")


def configuration(hashes: Mapping[str, str], *, development: bool = False) -> str:
    """The TOML text; `hashes` has a SHA-256 in hex for each of `CLIENTS`."""
    return _TEXT.substitute(hashes, development=_DEVELOPMENT if development else "")
