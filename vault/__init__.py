"""Jeton: format-preserving tokens in place of national identifiers and birth dates.

The folders are layers, and imports go one way only::

    cli | web -> service -> access, engine, ledger -> formats, crypto, store, audit

`app` puts the parts together; `telemetry` is told and asks nothing.
"""

__version__ = "0.1.0"
