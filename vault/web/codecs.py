"""Which codec reads which media type. Another media type is another line here."""

from collections.abc import Mapping
from importlib.util import find_spec

from vault.config import Operation, Server
from vault.service import Answer
from vault.web.body import Codec, Content
from vault.web.json_body import JSON


class Arrow:
    """The codec of ``application/vnd.apache.arrow.stream``; `vault.web.arrow_body` does it.

    pyarrow takes a third of a second and 25 MB, so it is imported by the first call.
    """

    media_type = b"application/vnd.apache.arrow.stream"
    aside = True

    def __init__(self, max_items: int, max_body: int) -> None:
        self.max_items = max_items
        self.max_body = max_body

    @staticmethod
    def is_installed() -> bool:
        """Whether the extra ``jeton[arrow]`` is."""
        return find_spec("pyarrow") is not None

    def decode(self, operation: Operation, body: bytes) -> Content:
        """Raises Refusal ``malformed_request``, or ``too_large`` for too many rows."""
        from vault.web import arrow_body  # noqa: PLC0415 - see above

        return arrow_body.decode(operation, body, self.max_items, self.max_body)

    def encode(self, operation: Operation, content: Content, answer: Answer) -> bytes:
        from vault.web import arrow_body  # noqa: PLC0415

        return arrow_body.encode(operation, content, answer)


def codecs(settings: Server) -> Mapping[bytes, Codec]:
    """By media type, in lower case and without parameters."""
    known: list[Codec] = [JSON(settings.max_items, settings.max_body)]
    if Arrow.is_installed():
        known.append(Arrow(settings.arrow_max_items, settings.arrow_max_body))
    return {codec.media_type: codec for codec in known}
