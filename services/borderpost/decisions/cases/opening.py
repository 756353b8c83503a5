"""The event that opens a case, appended in one batch with its screening."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from borderpost.decisions.events import event_of
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import new_id
from borderpost.v1.decisions_pb2 import Event, ReferralOpened, ReferralTerms, TravelerScreened

LEAST_URGENT: Final = 9
"""The priority of a case for which no terms were given."""


def opening(
    screening: TravelerScreened,
    event_id: str,
    list_ids: Sequence[str],
    terms: ReferralTerms | None,
    time: datetime,
    actor: Actor,
) -> Event:
    """Make the event of a case being opened: `event_id` is the screening's, `list_ids` have a candidate."""
    event = event_of(new_id(), time, actor, subject=event_id)
    event.referral_opened.CopyFrom(
        ReferralOpened(
            case_id=event_id,
            request_id=screening.request_id,
            kiosk_id=screening.kiosk_id,
            crossing=screening.crossing,
            priority=LEAST_URGENT if terms is None else terms.priority,
            second_finding=terms is not None and terms.second_finding,
            own_look_first=terms is not None and terms.own_look_first,
            list_ids=sorted(set(list_ids)),
            reasons=screening.reasons,
        )
    )
    return event
