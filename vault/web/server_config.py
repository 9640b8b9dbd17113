"""uvicorn's configuration from ours."""

import logging
import math
import os
from typing import Any

import uvicorn

from vault.config import Server

BACKLOG = 2048


class ServerConfig(uvicorn.Config):
    """How one process serves. Worker processes get a copy, so all of it can be pickled."""

    def __init__(self, app: Any, protocol: type, limits: Server, metrics_port: int | None) -> None:
        self.limits = limits
        self.metrics_port = metrics_port
        """The port of the second address, as it was bound."""
        self.ending = False
        """Every answer is the last on its connection."""
        self.parent = os.getpid() if limits.workers > 1 else None
        super().__init__(
            app,
            factory=isinstance(app, str),
            http=protocol,
            ws="none",
            loop="uvloop",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # the source of a call is who sent it
            server_header=False,
            workers=limits.workers,
            backlog=BACKLOG,
            timeout_graceful_shutdown=math.ceil(limits.shutdown_timeout),
        )

    def configure_logging(self) -> None:
        """Below INFO uvicorn tells of paths and headers."""
        super().configure_logging()
        for name in ("uvicorn.error", "uvicorn.asgi"):
            logger = logging.getLogger(name)
            logger.setLevel(max(logging.INFO, logger.getEffectiveLevel()))
