"""uvicorn's configuration from ours."""

import copy
import logging
import math
import os
from collections.abc import Callable
from typing import Any

import uvicorn

from vault.config import Server
from vault.web.tls import Certificate

BACKLOG = 2048


class ServerConfig(uvicorn.Config):
    """How one process serves. Worker processes get a copy, so all of it can be pickled."""

    def __init__(
        self,
        app: Any,
        protocol: type,
        limits: Server,
        metrics_port: int | None,
        certificate: Certificate | None = None,
        *,
        alone: bool = True,
    ) -> None:
        """With several workers `app` makes the application, in each of them. Not `alone`: whoever
        runs several servers opens what they share, and answers have a Date already."""
        self.limits = limits
        self.certificate = certificate
        self.metrics_port = metrics_port
        """The port of the second address, as it was bound."""
        self.max_connections = limits.max_connections
        """Or fewer, where this process may not have as many files."""
        self.ending = False
        """Every answer is the last on its connection."""
        self.parent = os.getpid() if limits.workers > 1 else None
        super().__init__(
            app,
            factory=limits.workers > 1,
            http=protocol,
            ws="none",
            loop="uvloop",
            lifespan="on" if alone else "off",
            date_header=alone,
            log_config=None,
            access_log=False,
            proxy_headers=False,  # the source of a call is who sent it
            server_header=False,
            workers=limits.workers,
            backlog=BACKLOG,
            timeout_graceful_shutdown=math.ceil(limits.shutdown_timeout),
        )

    def renewed(
        self, app: Callable[[], Any] | None, certificate: Certificate | None
    ) -> "ServerConfig":
        """The same for other workers."""
        other = copy.copy(self)
        other.app = app or self.app
        other.certificate = certificate
        return other

    def configure_logging(self) -> None:
        """Below INFO uvicorn tells of paths and headers."""
        super().configure_logging()
        for name in ("uvicorn.error", "uvicorn.asgi"):
            logger = logging.getLogger(name)
            logger.setLevel(max(logging.INFO, logger.getEffectiveLevel()))
