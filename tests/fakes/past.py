"""Two weeks that never were, in the log of an installation: for pictures of reports. Nothing of it was screened."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Final

from borderpost.decisions.__main__ import House
from borderpost.decisions.cases.opening import opening
from borderpost.decisions.domain import NewEvent, Part, case_once, new_event, screening_once
from borderpost.decisions.events import event_of, screened
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.settings import Settings
from borderpost.runtime.tls import ensure_development_certificates
from borderpost.v1 import decisions_pb2 as pb
from borderpost.v1.types_pb2 import Direction, Outcome

DAYS: Final = 13
CROSSINGS: Final = ("north", "south", "harbour")
KIOSK: Final = Actor("borderpost.local", "kiosk/north/1")
OFFICER: Final = Actor("borderpost.local", "dev")
REFERRED: Final = 0.05
RETAKEN: Final = 0.03
REASONS: Final = {
    "WATCHLIST_CANDIDATE_BY_FACE": 9,
    "WATCHLIST_CANDIDATE_BY_NAME": 7,
    "FACE_NOT_THE_DOCUMENTS": 5,
    "CHECK_DIGIT_REFUTED": 3,
    "DOCUMENT_EXPIRED": 2,
    "FACE_MATCHING_DECLINED": 1,
}
SEALED: Final = {Part.PAYLOAD: bytes(64)}
"""Nothing that can be opened."""

RIGHT: Final = {"WATCHLIST_CANDIDATE_BY_FACE": 0.3, "WATCHLIST_CANDIDATE_BY_NAME": 0.1}
"""How often such an alert is right."""


def two_weeks(settings: Settings, lists: Sequence[str]) -> None:
    """Fill the log with the days before today, of alerts by these lists. Before services are started."""
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    ensure_development_certificates(settings)
    dice = random.Random(12)  # noqa: S311  the same days each time
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with ExitStack() as opened:
        house = House(settings, opened)
        for before in range(DAYS, 0, -1):
            day = today - timedelta(days=before)
            busy = 110 + 40 * (day.weekday() >= 4)
            times = sorted(dice.uniform(6 * 3600, 22 * 3600) for _ in range(busy + dice.randrange(30)))
            events = [
                event
                for seconds in times
                for event in _screening(dice, day + timedelta(seconds=seconds), lists)
            ]
            house.log.append(events)
        house.views.catch_up()


def _screening(dice: random.Random, time: datetime, lists: Sequence[str]) -> Iterator[NewEvent]:
    chance = dice.random()
    outcome, reasons = Outcome.OUTCOME_CLEAR, []
    if chance < REFERRED:
        outcome, reasons = Outcome.OUTCOME_REFER, dice.choices([*REASONS], [*REASONS.values()])
    elif chance < REFERRED + RETAKEN:
        outcome, reasons = Outcome.OUTCOME_RETAKE, ["TOO_DARK"]
    crossing = dice.choice(CROSSINGS)
    screening = pb.TravelerScreened(
        request_id=new_id(),
        visit_id=new_id(),
        attempt=1,
        kiosk_id=f"kiosk/{crossing}/1",
        crossing=crossing,
        direction=Direction.DIRECTION_ENTRY,
        kiosk_time=to_timestamp(time),
        received_at=to_timestamp(time),
        content_sha256=bytes(32),
        outcome=outcome,
        reasons=reasons,
    )
    event_id = new_id()
    once = screening_once(screening.kiosk_id, screening.request_id)
    yield new_event(screened(event_id, time, KIOSK, screening, SEALED), once, SEALED)
    if outcome == Outcome.OUTCOME_REFER:
        found = [dice.choice(lists)] if reasons[0] in RIGHT else []
        yield new_event(opening(screening, event_id, found, None, time, KIOSK), case_once(event_id, 1))
        yield from _review(dice, time, event_id, found, dice.random() < RIGHT.get(reasons[0], 0))


def _review(
    dice: random.Random, time: datetime, case_id: str, lists: Sequence[str], right: bool
) -> Iterator[NewEvent]:
    claimed = time + timedelta(seconds=dice.expovariate(1 / 60))
    took = dice.lognormvariate(5, 0.5)
    verdict = pb.FINDING_VERDICT_SAME_PERSON if right else pb.FINDING_VERDICT_NOT_SAME_PERSON
    finding = pb.FindingGiven(
        case_id=case_id,
        document=pb.FINDING_VERDICT_SAME_PERSON,
        lists=[pb.ListFinding(list_id=each, verdict=verdict) for each in lists],
        disposition=pb.DISPOSITION_SECOND_LINE if right else pb.DISPOSITION_PROCEED,
        reasons=["FACES_COMPARED"],
        seconds_taken=took,
    )
    until = to_timestamp(claimed + timedelta(minutes=10))
    found = claimed + timedelta(seconds=took)
    steps = (
        (claimed, "referral_claimed", pb.ReferralClaimed(case_id=case_id, lease_until=until)),
        (found, "finding_given", finding),
        (found, "referral_closed", pb.ReferralClosed(case_id=case_id, finding=finding)),
    )
    for version, (at, name, body) in enumerate(steps, 2):
        event = event_of(new_id(), at, OFFICER, subject=case_id)
        getattr(event, name).CopyFrom(body)
        yield new_event(event, case_once(case_id, version))
