"""Which calls gRPC repeats by itself, and how often: its service config (gRFC A6).

Only calls that may be repeated safely are: those that change nothing, and those that the log has once whatever is
sent again. Only UNAVAILABLE is repeated: nothing was done then, or what was done is found again. And there is a
budget: where most calls fail, repeating them only makes a bad day worse, so it stops by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

RETRIED: Final[Mapping[str, Sequence[str]]] = {
    "borderpost.v1.GatewayService": ("ScreenTraveler", "SubmitSpooled", "GetSpoolKey"),
    "borderpost.v1.DocumentsService": ("ReadDocument", "IssueChipChallenge"),
    "borderpost.v1.FacesService": ("ExtractTemplate", "Compare"),
    "borderpost.v1.WatchlistService": ("Search",),
    "borderpost.v1.DecisionsService": ("FindScreening", "AppendScreening", "LookBack", "RecordEvents"),
}
"""Repeated calls by service. What people do isn't among them: they see what happened, and do it again themselves."""

ATTEMPTS: Final = 3
FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 0.5

BUDGET: Final = 10
PER_SUCCESS: Final = 0.1
"""A failure costs one of the budget's tokens, a success gives back a tenth of one; below half of them nothing is
repeated."""

BUFFER_BYTES: Final = 4 * 1024 * 1024
"""A longer request is sent once: it would have to be held for being sent again."""


def service_config() -> str:
    """Return the service config, as JSON."""
    names = [
        {"service": service, "method": method} for service, methods in RETRIED.items() for method in methods
    ]
    policy = {
        "maxAttempts": ATTEMPTS,
        "initialBackoff": f"{FIRST_PAUSE_SECONDS}s",
        "maxBackoff": f"{LONGEST_PAUSE_SECONDS}s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return json.dumps(
        {
            "methodConfig": [{"name": names, "retryPolicy": policy}],
            "retryThrottling": {"maxTokens": BUDGET, "tokenRatio": PER_SUCCESS},
        }
    )
