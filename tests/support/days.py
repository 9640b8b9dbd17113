"""The day in UTC, for tests of what ends with a day."""

import time
from datetime import UTC, date, datetime, timedelta

A_TEST = timedelta(seconds=30)


def today() -> date:
    """Today, with enough of it left for a test: just before midnight the next day is waited for."""
    now = datetime.now(UTC)
    later = now + A_TEST
    if later.date() != now.date():
        midnight = datetime.combine(later.date(), datetime.min.time(), UTC)
        time.sleep((midnight - now).total_seconds())
    return later.date()
