"""KEKs that never leave where they are kept: a hardware module's, a cloud's key service's."""

from vault.errors import SetUpError


def not_opened() -> SetUpError:
    """What wrapped keys that do not open mean, whatever would not open them."""
    return SetUpError(
        "the keyset does not open: the KEK is another one, or the file was changed; "
        "put the right KEK or an unchanged backup of the keyset in place"
    )


def lacks(extra: str) -> SetUpError:
    """What a KEK's missing library means."""
    return SetUpError(f"keys.kek needs a package that is missing: pip install 'jeton[{extra}]'")
