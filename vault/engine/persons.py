"""Whom a disclosure is about, as a keyed pseudonym: what budgets count and the record names."""

import hashlib
import hmac
from collections.abc import Mapping

from vault.engine.transformation import Transformation
from vault.engine.vaulted import Vaulted
from vault.errors import ItemError

PSEUDONYM_BYTES = 16


class Persons:
    """Resolves each transformation's `person` rule.

    `value`: the value itself. `context`: the context. `context:NAME`: the value behind the
    context where that is a token of NAME (so that a NIR and its birth date count as one
    person), and the context itself where it is not.
    """

    def __init__(self, key: bytes, transformations: Mapping[str, Transformation]) -> None:
        self._key = hmac.new(key, digestmod=hashlib.sha256)
        self._transformations = transformations

    def behind(self, transformation: Transformation) -> Vaulted | None:
        """Whose random tokens the contexts are, where the rule looks behind such ones: they
        are to be opened first, and `of` is to be given what they stand for."""
        _, _, other = transformation.configured.person.partition(":")
        return self._transformations[other].vaulted if other else None

    def of(
        self,
        transformation: Transformation,
        value: str,
        context: str | None,
        opened: Mapping[str, str | None] | None = None,
    ) -> bytes:
        """The 16-byte pseudonym of the person whose `value` was disclosed under `context`.

        `opened`: the values behind contexts that are random tokens.
        """
        rule, _, other = transformation.configured.person.partition(":")
        if rule == "value" or context is None:
            return self._pseudonym(transformation.format.name, _canonical(transformation, value))
        if other:
            behind = self._transformations[other]
            if opened is None:
                there = behind.detokenise([context], None).texts[0]
            else:
                there = opened.get(context)
            if there is not None:
                return self._pseudonym(behind.format.name, _canonical(behind, there))
        return self._pseudonym("context", context)

    def _pseudonym(self, space: str, text: str) -> bytes:
        mac = self._key.copy()
        # No format's name holds a NUL, so no text can imitate one of another space.
        mac.update(space.encode() + b"\0" + text.encode("utf-8", "surrogatepass"))
        return mac.digest()[:PSEUDONYM_BYTES]


def _canonical(transformation: Transformation, value: str) -> str:
    try:
        return transformation.format.canonical(value)
    except ItemError:  # a value that its own format cannot read back still is somebody's
        return value
