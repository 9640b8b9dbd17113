"""What a witness knows of a record, and what its cosignatures say, for `jeton audit verify`."""

from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vault.app import record_host
from vault.audit.checkpoint import FILE, all_lines, line_hash, load_public_key, number_of
from vault.audit.findings import Finding
from vault.cli.screen import note
from vault.config import Settings, Witness
from vault.errors import SetUpError
from vault.store.redis.options import secret_of
from vault.witness.client import WitnessAway, WitnessClient
from vault.witness.cosignature import FILE as COSIGNATURES
from vault.witness.cosignature import RECORD, is_by, key_id, log_of, read
from vault.witness.logs import KEY, logs


def log_name(settings: Settings) -> str:
    """What this machine's record is called at a witness."""
    said = settings.audit.witness
    return (said.name if said else None) or record_host(settings) or RECORD


def known_elsewhere(
    where: str, settings: Settings, key: Ed25519PublicKey, pem: Path | None, *, every: bool
) -> list[bytes]:
    """The checkpoints that the witness at `where` (its folder, or a URL) has of this machine's
    record, or of `every` one under the key. Raises SetUpError, OSError."""
    folder = Path(where)
    if (folder / KEY).exists() or (folder / "logs").is_dir():
        return _in_folder(folder, key, None if every else log_name(settings))
    said = settings.audit.witness or Witness(where, Path(), "")
    if not said.credential:
        raise SetUpError("audit.witness.credential: missing, and a witness by URL wants it")
    path = pem or (said.key if settings.audit.witness else None)
    client = WitnessClient(
        where,
        load_public_key(path) if path else None,
        secret_of(said.credential, "audit.witness.credential") or "",
        said.tls_ca,
    )
    try:
        names = client.names(key_id(key)) if every else [log_name(settings)]
        found = [line for name in names for line in client.lines(log_of(key, name))]
    except WitnessAway as away:
        raise SetUpError(f"the witness cannot be asked: {away}") from None
    return _some(found)


def _in_folder(folder: Path, key: Ed25519PublicKey, name: str | None) -> list[bytes]:
    found: list[bytes] = []
    for log, path in logs(folder, key_id(key)).items():
        if name is None or log == log_of(key, name):
            found += all_lines(path)
            for aside in sorted(path.parent.glob("set-aside-*.txt")):
                note(f"{log}: an operator has set aside what was known: {aside}")
    return _some(found)


def _some(found: list[bytes]) -> list[bytes]:
    if not found:
        raise SetUpError("the witness knows nothing of this record: look at its list of logs")
    return found


def uncosigned(
    folder: Path, key: Ed25519PublicKey, witness: Ed25519PublicKey, name: str
) -> Iterator[Finding]:
    """Where the record's checkpoints are not those that the cosignatures beside them are of."""
    log, said, row = log_of(key, name), dict[int, str](), 0
    for row, line in enumerate(all_lines(folder / COSIGNATURES), 1):
        cosignature = read(line)
        if cosignature is None or not is_by(witness, log, cosignature):
            words = "not signed by the witness, or of another record"
            yield Finding("bad_signature", words, file=COSIGNATURES, line=row)
        else:
            said[cosignature.number] = cosignature.hash
    if not said:
        yield Finding("checkpoint_gap", "there is no cosignature of the witness", file=COSIGNATURES)
    for row, line in enumerate(all_lines(folder / FILE), 1):
        number = number_of(line)
        if said.pop(number, line_hash(line)) != line_hash(line):
            words = f"checkpoint {number} is not the one that the witness signed"
            yield Finding("checkpoint_chain", words, file=FILE, line=row)
    said.pop(0, None)
    if said:
        words = f"the witness signed checkpoint {max(said)}, and it is gone"
        yield Finding("checkpoint_gap", words, file=FILE)
