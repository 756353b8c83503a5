"""What a kiosk makes of an answer, or of none: pure, the same for both clients.

A traveler is never left standing: whatever fails, the kiosk knows within its time what to show.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

import grpc

from borderpost.runtime.status import RETRY_AFTER, RemoteError
from borderpost.v1 import gateway_pb2, types_pb2

LEAST_SECONDS: Final = 1.0
"""With less time left a request isn't sent again: it could hardly be answered."""

SOON_SECONDS: Final = 0.5
"""Pause before a request is sent again that met no service, beside those that gRPC makes itself
(runtime/retries.py)."""

JITTER: Final = 0.25
"""By how much longer than asked for a kiosk waits, at most: all that were refused together must not come back
together."""

MOST_UNANSWERED: Final = 3
"""Times that no service answers, after which it is taken to be away."""

AWAY: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
"""Nobody answered, or not in time."""

NOT_NOW: Final = frozenset({grpc.StatusCode.CANCELLED, grpc.StatusCode.UNIMPLEMENTED})
"""The call was given up here, or the gateway is of a version that doesn't know it."""

OWN_FAULTS: Final = frozenset({grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.ALREADY_EXISTS})
"""The request itself is at fault, and would be the next time: a picture that is none, an id used for something else."""

TOO_OLD: Final = "SPOOL_TOO_OLD"

SHUT_OUT: Final = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})
"""The gateway doesn't know this kiosk (any more): nothing of it is taken, now or later."""


class Next(StrEnum):
    """Where a traveler goes."""

    GO = "GO"
    OFFICER = "OFFICER"
    AGAIN = "AGAIN"


@dataclass(frozen=True, slots=True)
class Told:
    """What a screening came to, for the kiosk.

    `next` is all that a traveler is shown, and `advice` where it is AGAIN. `reason` is for the kiosk's operators: why
    there is no answer, empty where there is one. `kept`: the capture is in the spool, and will be submitted.
    """

    next: Next
    advice: tuple[types_pb2.CaptureProblem, ...] = ()
    reason: str = ""
    answer: gateway_pb2.ScreenTravelerResponse | None = None
    kept: bool = False


def told(answer: gateway_pb2.ScreenTravelerResponse) -> Told:
    """Return what an answer comes to. An outcome that this version doesn't know is an officer's."""
    known = {types_pb2.OUTCOME_CLEAR: Next.GO, types_pb2.OUTCOME_RETAKE: Next.AGAIN}
    return Told(known.get(answer.outcome, Next.OFFICER), tuple(answer.advice), answer=answer)


def without_answer(error: RemoteError, kept: bool = False) -> Told:
    """Return what no answer comes to: an officer. Raises the error, if the request itself is at fault."""
    if error.code in OWN_FAULTS:
        raise error
    return Told(Next.OFFICER, reason=error.reason, kept=kept)


def may_be_kept(error: RemoteError) -> bool:
    """Tell whether it makes sense to keep the capture and to submit it later."""
    return error.code not in OWN_FAULTS | SHUT_OUT and not _is_too_large(error)


class Submitted(Enum):
    """What becomes of a kept capture that the gateway didn't take."""

    STOP = "STOP"
    """Nothing is taken of this kiosk now: this one and the others wait."""
    WAIT = "WAIT"
    """This one waits; others may be taken."""
    TRY_AGAIN = "TRY_AGAIN"
    """The same, a few times: the gateway fails over it. If it fails over all of them the fault is not theirs."""
    GONE = "GONE"
    """It is too old for anybody, and let go."""
    ASIDE = "ASIDE"
    """It would be refused again: an operator has to look at it."""


def of_submission(error: RemoteError) -> Submitted:
    """Return what becomes of a kept capture that was answered so."""
    if error.code in AWAY | SHUT_OUT | NOT_NOW or _asked_for(error) is not None:
        return Submitted.STOP
    if error.code is grpc.StatusCode.FAILED_PRECONDITION:
        return Submitted.WAIT
    if error.reason == TOO_OLD:
        return Submitted.GONE
    return Submitted.ASIDE if error.code in OWN_FAULTS or _is_too_large(error) else Submitted.TRY_AGAIN


class Trying:
    """How long and how often one request is sent. `until`: when its traveler must be told something, in seconds."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._unanswered = 0

    def left(self, now: float) -> float:
        """Return the seconds that the next sending may take."""
        return max(self._until - now, 0.001)

    def pause_after(self, error: RemoteError, now: float) -> float | None:
        """Return the pause in seconds before the same request is sent again; None: it isn't."""
        if error.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            pause = _asked_for(error)
        elif error.code in AWAY:
            self._unanswered += 1
            pause = SOON_SECONDS if self._unanswered < MOST_UNANSWERED else None
        else:
            pause = None
        if pause is None:
            return None
        pause *= 1 + random.uniform(0, JITTER)  # noqa: S311  no secret
        return pause if now + pause + LEAST_SECONDS <= self._until else None


def _is_too_large(error: RemoteError) -> bool:
    return error.code is grpc.StatusCode.RESOURCE_EXHAUSTED and _asked_for(error) is None


def _asked_for(error: RemoteError) -> float | None:
    """The time that a gateway under load asks to wait; None if it doesn't: a request that is too large."""
    asked = error.details.get(RETRY_AFTER, "")
    return int(asked) / 1000 if asked.isdecimal() else None
