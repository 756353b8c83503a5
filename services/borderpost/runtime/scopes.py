"""What a person's roles are limited to: scopes of their token. Without a scope of a kind they are not limited by it.

Lists ("list:ID") are the watchlist service's to open; crossings ("crossing:NAME") limit which screenings and cases
are seen.
"""

from __future__ import annotations

from typing import Final

import grpc

from borderpost.runtime.calls import Call
from borderpost.runtime.errors import BorderpostError

CROSSING: Final = "crossing:"


class OutOfScopeError(BorderpostError):
    """What is asked for is at a crossing that the person's scopes don't name."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "OUT_OF_SCOPE"


def crossings_of(call: Call) -> frozenset[str]:
    """Return the crossings that a caller is limited to; empty: not limited."""
    named = (scope for scope in call.scopes if scope.startswith(CROSSING))
    return frozenset(scope.removeprefix(CROSSING) for scope in named)


def want_crossing(call: Call, crossing: str) -> None:
    """Raise OutOfScopeError if something at a crossing is not for the caller."""
    own = crossings_of(call)
    if own and crossing not in own:
        raise OutOfScopeError("crossing: this is at one that your scopes don't name")


def narrowed(call: Call, crossing: str) -> str:
    """Return the crossing that a question is narrowed to: the one asked for, or the caller's only one; empty: none.

    Raises OutOfScopeError for another's, and where the caller has several and named none.
    """
    own = crossings_of(call)
    if not own or crossing:
        want_crossing(call, crossing)
        return crossing
    if len(own) > 1 or "" in own:
        raise OutOfScopeError("crossing: got none, want one of those that your scopes name", field="crossing")
    return next(iter(own))
