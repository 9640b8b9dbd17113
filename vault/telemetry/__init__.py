"""Telemetry is told and asks nothing, and what it is told cannot be a value.

``log.info("event-name", field=...)`` takes words from a closed vocabulary only; `install`
makes every other way to a log (the standard library's, uvicorn's, uncaught exceptions) lead
through it. Metrics are in `vault.telemetry.metrics`, imported by name because
prometheus-client settles how it counts when it is imported.
"""

from vault.telemetry.logs import Log, install, know, log, watch
from vault.telemetry.vocabulary import Names

__all__ = ["Log", "Names", "install", "know", "log", "watch"]
