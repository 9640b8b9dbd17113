"""What `access` believes by and cannot fetch itself: keys of issuers, authorities, revocations.

`fetching` asks a file or an address once, `keyrings` keeps what came fresh, `believed` puts them
together. Most services know their callers by credentials alone, and import none of it.
"""

from typing import TYPE_CHECKING

from vault.access.identity import Identities
from vault.config import Settings
from vault.errors import SetUpError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vault.access.certificates import Authorities
    from vault.trust.believed import Trust

__all__ = ["Believing", "authorities_of"]


def authorities_of(settings: Settings) -> "Authorities | None":
    """Whose client certificates are believed. Raises SetUpError for files that are none."""
    believed = settings.identity.certificates
    if believed is None:
        return None
    from vault.access.certificates import Authorities, BadAuthorities  # noqa: PLC0415 - dear

    try:
        revoked = None if believed.crl is None else believed.crl.read_bytes()
        return Authorities(believed.ca.read_bytes(), revoked)
    except OSError as error:
        raise SetUpError(
            f"identity.certificates: a file cannot be read: {error.strerror}"
        ) from None
    except BadAuthorities as bad:
        raise SetUpError(f"identity.certificates.{bad}") from None


class Believing:
    """Who is believed now, over all reloads of a process."""

    def __init__(
        self, tell: "Callable[[int], object]" = lambda _: None, folder: "Path | None" = None
    ) -> None:
        """`tell` hears +1 for an issuer whose keys cannot be fetched, and -1 once they can.
        `folder`: where workers of one service keep keys for one another."""
        self._tell = tell
        self._folder = folder
        self.trust: Trust | None = None
        """None where nothing but credentials says who calls."""

    async def renew(
        self, settings: Settings, identities: Identities, authorities: "Authorities | None"
    ) -> None:
        """As `settings` say; keys that are known stay known. Raises SetUpError, and what was
        before goes on."""
        if not settings.identity.issuers and authorities is None:
            await self.close()
            return
        try:
            from vault.trust.believed import Trust  # noqa: PLC0415 - of the extra
        except ImportError:
            raise SetUpError("[identity] needs the extra: pip install 'jeton[jwt]'") from None
        self.trust = await Trust.renewed(
            self.trust, settings, identities, authorities, self._tell, self._folder
        )

    async def close(self) -> None:
        if self.trust is not None:
            await self.trust.close()
        self.trust = None
