"""Which codec reads which media type. Another media type is another line here."""

from collections.abc import Mapping

from vault.config import Server
from vault.web.body import Codec
from vault.web.json_body import JSON


def codecs(settings: Server) -> Mapping[bytes, Codec]:
    """By media type, in lower case and without parameters."""
    json = JSON(settings.max_items, settings.max_body)
    return {json.media_type: json}
