"""All that is believed under one configuration, over keyrings that outlive it."""

from collections.abc import Callable
from pathlib import Path

from vault.access.callers import Callers
from vault.access.certificates import Authorities
from vault.access.end_users import EndUsers
from vault.access.identity import Identities
from vault.access.tokens import Tokens
from vault.config import Settings
from vault.trust.keyrings import Keyrings


class Trust:
    """Who calls, and for whom, as tokens and certificates prove it."""

    def __init__(self, keyrings: Keyrings, callers: Callers, end_users: EndUsers) -> None:
        self.keyrings = keyrings
        self.callers = callers
        self.end_users = end_users
        self.may_bring = keyrings.may_bring
        self.bring = keyrings.bring
        self.close = keyrings.close

    @classmethod
    async def renewed(
        cls,
        before: "Trust | None",
        settings: Settings,
        identities: Identities,
        authorities: Authorities | None,
        tell: Callable[[int], object],
        folder: Path | None,
    ) -> "Trust":
        """Raises SetUpError for a file of keys that cannot be used."""
        keyrings = Keyrings(tell=tell, folder=folder) if before is None else before.keyrings
        known = await keyrings.renew(settings.identity.issuers)
        tokens = Tokens(settings.identity.issuers, known)
        callers = Callers(settings, identities, tokens, authorities)
        return cls(keyrings, callers, EndUsers(settings, tokens))
