"""How much of a request's time is left."""

from __future__ import annotations

import time


def left(until: float) -> float:
    """Return the seconds until then, by the monotonic clock; a deadline that has passed is one that passes at once."""
    return max(until - time.monotonic(), 0.001)
