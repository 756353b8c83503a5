"""Cases in the decision log's database: a view of its events, and the queue that officers work on."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from borderpost.decisions.adapters.sql_errors import log_explained
from borderpost.decisions.adapters.sql_rows import from_microseconds, to_microseconds
from borderpost.decisions.adapters.sql_views import ViewRow
from borderpost.decisions.cases.domain import CASE_BODIES, CLAIMED, CLOSED, Case, Claim, Finding, Look, apply
from borderpost.decisions.cases.ports import MOST_COUNTED, CaseFilter, CasePage, Place
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import from_timestamp
from borderpost.runtime.sql import Connection, SqlDatabase, placeholders
from borderpost.v1.decisions_pb2 import Event, FindingGiven, ReferralOpened

NAME: Final = "cases"
"""The view's name."""

_SCANNED_AT_ONCE: Final = 500
"""Cases that are read at once while some are looked for by their reason."""

_PUT: Final = """
INSERT INTO cases
    (case_id, version, state, priority, crossing, opened_at, closed_at, holder, lease_until, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (case_id) DO UPDATE SET version = excluded.version, state = excluded.state,
    closed_at = excluded.closed_at, holder = excluded.holder, lease_until = excluded.lease_until,
    body = excluded.body
"""


class CasesView:
    """A `View`: table `cases`. Column `state` is the state beneath a claim, which ends by itself."""

    @property
    def name(self) -> str:
        """Its name in table `views`."""
        return NAME

    def clear(self, connection: Connection) -> None:
        """Empty its table."""
        connection.execute("DELETE FROM cases")

    def apply(self, connection: Connection, rows: Sequence[ViewRow]) -> None:
        """Bring the cases on by these events. Steps of a case whose opening was pruned are passed over."""
        changed: dict[str, Case] = {}
        for row in rows:
            event = Event.FromString(row.stored)
            if event.WhichOneof("body") not in CASE_BODIES:
                continue
            case = changed.get(event.subject) or _get(connection, event.subject)
            if case is not None or event.WhichOneof("body") == "referral_opened":
                changed[event.subject] = apply(case, event, from_timestamp(event.time))
        connection.executemany(_PUT, [_row(case) for case in changed.values()])


class SqlCases:
    """A `CaseIndex` in a database with the decision log's tables."""

    def __init__(self, database: SqlDatabase, catch_up: Callable[[], None]) -> None:
        """`catch_up`: brings the view to the log's end."""
        self._database = database
        self._catch_up = catch_up

    def get(self, case_id: str) -> Case | None:
        """Return a case."""
        self._catch_up()
        with log_explained(), self._database.read() as connection:
            return _get(connection, case_id)

    def list(self, wanted: CaseFilter, time: datetime, behind: Place | None, limit: int) -> CasePage:
        """Return the first `limit` cases behind a place that are wanted, as they stand at `time`."""
        self._catch_up()
        found: list[Case] = []
        at_once = limit + 1 if wanted.reasons is None else max(limit + 1, _SCANNED_AT_ONCE)
        with log_explained(), self._database.read() as connection:
            while len(found) <= limit:
                cases = _some(connection, wanted, to_microseconds(time), behind, at_once)
                found += [case for case in cases if _has_reason(wanted, case)]
                if len(cases) < at_once:
                    break
                behind = _place(cases[-1])
            total = _count(connection, wanted, to_microseconds(time)) if wanted.reasons is None else None
        page = tuple(found[:limit])
        return CasePage(page, _place(page[-1]) if len(found) > limit else None, total)


def _has_reason(wanted: CaseFilter, case: Case) -> bool:
    return wanted.reasons is None or not wanted.reasons.isdisjoint(case.opened.reasons)


def to_bytes(case: Case) -> bytes:
    """Write a case down: the same for the same case."""
    claim, finding = case.claim, case.finding
    plain = {
        "case_id": case.case_id,
        "version": case.version,
        "state": int(case.state),
        "opened": _text(case.opened),
        "opened_at": to_microseconds(case.opened_at),
        "claim": None
        if claim is None
        else [*_actor(claim.holder), to_microseconds(claim.since), to_microseconds(claim.until)],
        "findings": [
            [
                each.event_id,
                *_actor(each.officer),
                to_microseconds(each.time),
                _text(each.body),
                each.correction,
            ]
            for each in case.findings
        ],
        "closed_at": None if case.closed_at is None else to_microseconds(case.closed_at),
        "finding": None if finding is None else _text(finding),
        "escalated_by": None if case.escalated_by is None else _actor(case.escalated_by),
        "looks": [[each.event_id, *_actor(each.officer)] for each in case.looks],
    }
    return json.dumps(plain, separators=(",", ":")).encode()


def from_bytes(body: bytes) -> Case:
    """Read what `to_bytes` wrote."""
    plain = json.loads(body)
    claim, closed_at, finding = plain["claim"], plain["closed_at"], plain["finding"]
    return Case(
        plain["case_id"],
        plain["version"],
        plain["state"],
        ReferralOpened.FromString(base64.b64decode(plain["opened"])),
        from_microseconds(plain["opened_at"]),
        None if claim is None else _claim(*claim),
        tuple(_finding(*each) for each in plain["findings"]),
        None if closed_at is None else from_microseconds(closed_at),
        None if finding is None else FindingGiven.FromString(base64.b64decode(finding)),
        tuple(Look(event_id, Actor(*officer)) for event_id, *officer in plain.get("looks", ())),
        Actor(*plain["escalated_by"]) if plain.get("escalated_by") else None,
    )


def _some(
    connection: Connection, wanted: CaseFilter, time: int, behind: Place | None, limit: int
) -> list[Case]:
    conditions, values = _conditions(wanted, time)
    if behind is not None:
        conditions.append("(priority, opened_at, case_id) > (?, ?, ?)")
        values += [behind.priority, behind.opened_at, behind.case_id]
    query = (
        f"SELECT body FROM cases WHERE {' AND '.join(conditions)} "  # noqa: S608
        "ORDER BY priority, opened_at, case_id LIMIT ?"
    )
    return [from_bytes(bytes(row["body"])) for row in connection.execute(query, (*values, limit))]


def _count(connection: Connection, wanted: CaseFilter, time: int) -> int:
    conditions, values = _conditions(wanted, time)
    counted = f"SELECT 1 AS one FROM cases WHERE {' AND '.join(conditions)} LIMIT ?"  # noqa: S608
    row = connection.execute(f"SELECT count(*) AS n FROM ({counted}) AS fitting", (*values, MOST_COUNTED))  # noqa: S608
    return int(row.fetchone()["n"])


def _conditions(wanted: CaseFilter, time: int) -> tuple[list[str], list[Any]]:
    conditions, values = _in_states(wanted, time)
    if wanted.crossing is not None:
        conditions.append("crossing = ?")
        values.append(wanted.crossing)
    if wanted.holder is not None:
        conditions.append("holder = ? AND lease_until > ?")
        values += [wanted.holder, time]
    return conditions, values


def _in_states(wanted: CaseFilter, time: int) -> tuple[list[str], list[Any]]:
    """The condition for a state as it is at a time: of a case that is held, CLAIMED."""
    if not wanted.states:
        return ["state <> ?"], [int(CLOSED)]
    beneath = sorted(int(state) for state in wanted.states if state != CLAIMED)
    either: list[str] = []
    values: list[Any] = []
    if beneath:
        free = "(lease_until IS NULL OR lease_until <= ?)"
        either.append(f"(state IN ({placeholders(beneath)}) AND {free})")
        values += [*beneath, time]
    if CLAIMED in wanted.states:
        either.append("lease_until > ?")
        values.append(time)
    return [f"({' OR '.join(either)})"], values


def _get(connection: Connection, case_id: str) -> Case | None:
    row = connection.execute("SELECT body FROM cases WHERE case_id = ?", (case_id,)).fetchone()
    return None if row is None else from_bytes(bytes(row["body"]))


def _row(case: Case) -> tuple[Any, ...]:
    return (
        case.case_id,
        case.version,
        int(case.state),
        case.opened.priority,
        case.opened.crossing,
        to_microseconds(case.opened_at),
        None if case.closed_at is None else to_microseconds(case.closed_at),
        None if case.claim is None else case.claim.holder.subject,
        None if case.claim is None else to_microseconds(case.claim.until),
        to_bytes(case),
    )


def _place(case: Case) -> Place:
    return Place(case.opened.priority, to_microseconds(case.opened_at), case.case_id)


def _text(message: ReferralOpened | FindingGiven) -> str:
    return base64.b64encode(message.SerializeToString(deterministic=True)).decode()


def _actor(actor: Actor) -> tuple[str, str]:
    return actor.issuer, actor.subject


def _claim(issuer: str, subject: str, since: int, until: int) -> Claim:
    return Claim(Actor(issuer, subject), from_microseconds(since), from_microseconds(until))


def _finding(
    event_id: str, issuer: str, subject: str, time: int, body: str, correction: bool = False
) -> Finding:
    finding = FindingGiven.FromString(base64.b64decode(body))
    return Finding(event_id, Actor(issuer, subject), from_microseconds(time), finding, correction)
