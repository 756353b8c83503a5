"""What erasure and retention do to the log's database: everything beside the truth, and bodies that are too old."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from borderpost.decisions.adapters.sql_errors import log_explained
from borderpost.decisions.adapters.sql_rows import from_microseconds, to_microseconds
from borderpost.decisions.adapters.sql_snapshot import REASON
from borderpost.decisions.domain import Lookup, Part
from borderpost.decisions.sampled import RANDOM_SAMPLE
from borderpost.decisions.subjects.ports import (
    Group,
    HeldCount,
    HeldCounts,
    HeldScreening,
    Limit,
    Piece,
    RecordedErasure,
    SignRange,
)
from borderpost.runtime.sql import Connection, SqlDatabase, chunks, placeholders
from borderpost.v1.cases_pb2 import CaseState
from borderpost.v1.decisions_pb2 import Event, EventKind
from borderpost.v1.types_pb2 import Outcome

ERASURES: Final = "erasures"
"""The view whose `upto` is the index before which every DATA_ERASED event is finished."""

PRUNING: Final = "pruning"
"""The view whose row is the lock of whoever prunes."""

RANGE_LENGTH: Final = 65_536
"""Events that one note of pruned bodies is for, about: notes stay few, and each is quick to make anew."""

BEYOND: Final = 1 << 62
"""An index that no log reaches."""

DELETED_AT_ONCE: Final = 500
"""Screenings of one transaction: others can write in between."""

_CLOSED: Final = int(CaseState.CASE_STATE_CLOSED)
_SCREENED: Final = int(EventKind.EVENT_KIND_TRAVELER_SCREENED)
_BESIDE: Final = (
    int(EventKind.EVENT_KIND_FIRST_LOOK_GIVEN),
    int(EventKind.EVENT_KIND_FINDING_GIVEN),
    int(EventKind.EVENT_KIND_SECOND_FINDING_GIVEN),
    int(EventKind.EVENT_KIND_FINDING_CORRECTED),
    int(EventKind.EVENT_KIND_DATA_RECTIFIED),
)
"""What has a payload of its own under a screening's key."""

_HELD: Final = f"""
SELECT l.idx, l.event_id, i.request_id, i.time, i.crossing, i.outcome,
       EXISTS (SELECT 1 FROM sealed s WHERE s.event_id = l.event_id AND s.part = {Part.PAYLOAD}) AS payload,
       EXISTS (SELECT 1 FROM sealed s WHERE s.event_id = l.event_id AND s.part = {Part.EVIDENCE}) AS evidence,
       EXISTS (SELECT 1 FROM cases c WHERE c.case_id = l.event_id AND c.state <> {_CLOSED}) AS case_open
FROM log l JOIN event_index i ON i.idx = l.idx
"""  # noqa: S608

_PIECES: Final = f"""
FROM sealed s CROSS JOIN log l CROSS JOIN event_index i LEFT JOIN cases c ON c.case_id = s.event_id
WHERE l.event_id = s.event_id AND i.idx = l.idx AND i.kind = {_SCREENED}
"""
"""CROSS JOIN: SQLite keeps to that order. What is held is less than what is in the log, and comes sorted."""


_DRAWN: Final = (
    "EXISTS (SELECT 1 FROM event_terms t"  # noqa: S608
    f" WHERE t.idx = i.idx AND t.kind = {REASON} AND t.term = '{RANDOM_SAMPLE}')"
)
_SAMPLED: Final = f"CASE WHEN i.outcome = {int(Outcome.OUTCOME_REFER)} AND {_DRAWN} THEN 1 ELSE 0 END"
"""1 for a random sample: by the outcome first, so that most screenings need no look at their reasons."""


class SqlSubjects:
    """A `SubjectStore` in a database with the decision log's tables."""

    def __init__(self, database: SqlDatabase, catch_up: Callable[[], None]) -> None:
        """`catch_up`: brings the views (event_index, cases) to the log's end."""
        self._database = database
        self._catch_up = catch_up

    def find(self, lookup: Lookup, limit: int) -> list[HeldScreening]:
        """Return the newest `limit` screenings that are found by this, newest first."""
        self._catch_up()
        query = f"{_HELD} JOIN lookups k ON k.idx = l.idx WHERE k.kind = ? AND k.hash = ? ORDER BY l.idx DESC LIMIT ?"
        with log_explained(), self._database.read() as connection:
            rows = connection.execute(query, (int(lookup.kind), lookup.hash, limit)).fetchall()
        return [_held(row) for row in rows]

    def screenings(self, event_ids: Sequence[str]) -> list[HeldScreening]:
        """Return those of these that are screenings in the log whose bodies weren't pruned."""
        self._catch_up()
        found: list[HeldScreening] = []
        with log_explained(), self._database.read() as connection:
            for some in chunks(event_ids):
                query = f"{_HELD} WHERE i.kind = ? AND l.event_id IN ({placeholders(some)}) ORDER BY l.idx"
                found += [_held(row) for row in connection.execute(query, (_SCREENED, *some))]
        return found

    def recorded_erasures(self) -> list[RecordedErasure]:
        """Return the DATA_ERASED events that may not be finished, oldest first."""
        self._catch_up()
        with log_explained(), self._database.read() as connection:
            rows = connection.execute(
                "SELECT l.idx, l.event FROM event_index i JOIN log l ON l.idx = i.idx"
                " WHERE i.kind = ? AND i.idx >= ? ORDER BY i.idx",
                (int(EventKind.EVENT_KIND_DATA_ERASED), _erased_upto(connection)),
            ).fetchall()
        events = [(row["idx"], Event.FromString(bytes(row["event"]))) for row in rows]
        return [RecordedErasure(idx, tuple(event.data_erased.screening_event_ids)) for idx, event in events]

    def finish_erasures(self, upto: int) -> None:
        """Remember that all DATA_ERASED events before this index are finished."""
        with log_explained(), self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO views (name, upto) VALUES (?, ?) ON CONFLICT (name) DO UPDATE"
                " SET upto = excluded.upto WHERE views.upto < excluded.upto",
                (ERASURES, upto),
            )

    def delete_screenings(self, event_ids: Sequence[str]) -> None:
        """Delete what is sealed beside screenings and beside events about them, and what they are found by."""
        self._catch_up()
        for some in chunks(event_ids, DELETED_AT_ONCE):
            with log_explained(), self._database.transaction() as connection:
                _delete_sealed(connection, some)
                _delete_payloads(connection, some)

    def overdue(self, limits: Sequence[Limit], after: Piece | None, count: int) -> list[Piece]:
        """Return at most `count` pieces that are overdue by one of these, in a fixed order, behind `after`."""
        self._catch_up()
        condition, values = _overdue(limits)
        last = (after.event_id, int(after.part)) if after else ("", 0)
        with log_explained(), self._database.read() as connection:
            rows = connection.execute(
                f"SELECT s.event_id, s.part, i.outcome, {_SAMPLED} AS sampled {_PIECES}"
                f" AND (s.event_id, s.part) > (?, ?) AND ({condition}) ORDER BY s.event_id, s.part LIMIT ?",
                (*last, *values, count),
            ).fetchall()
        return [Piece(row["event_id"], Part(row["part"]), _group(row)) for row in rows]

    def delete_pieces(self, pieces: Sequence[Piece]) -> None:
        """Delete these ciphertexts; with a payload what is sealed beside events about it, and what it is found by."""
        for some in chunks(pieces, DELETED_AT_ONCE):
            payloads = [piece.event_id for piece in some if piece.part is Part.PAYLOAD]
            with log_explained(), self._database.transaction() as connection:
                connection.executemany(
                    "DELETE FROM sealed WHERE event_id = ? AND part = ?",
                    [(piece.event_id, int(piece.part)) for piece in some],
                )
                if payloads:
                    _delete_payloads(connection, payloads)

    def delete_strays(self) -> None:
        """Delete what is sealed beside events about screenings whose payload is gone: it came during the erasure."""
        self._catch_up()
        with log_explained(), self._database.read() as connection:
            rows = connection.execute(
                "SELECT l.event_id FROM event_index i JOIN log l ON l.idx = i.idx"  # noqa: S608
                f" JOIN sealed s ON s.event_id = l.event_id WHERE i.kind IN ({placeholders(_BESIDE)}) AND NOT EXISTS"
                " (SELECT 1 FROM sealed p WHERE p.event_id = i.subject AND p.part = ?)",
                (*_BESIDE, int(Part.PAYLOAD)),
            ).fetchall()
        for some in chunks([row["event_id"] for row in rows], DELETED_AT_ONCE):
            with log_explained(), self._database.transaction() as connection:
                _delete_sealed(connection, some)

    def prunable(self, before: datetime, count: int) -> tuple[int, int]:
        """Return the next range of at most `count` events whose bodies may go: first, behind the last."""
        self._catch_up()
        with log_explained(), self._database.read() as connection:
            start = stop = _pruned_until(connection)
            end = _held_back_from(connection, start, start + count)
            for row in connection.execute(
                "SELECT idx, logged_at FROM log WHERE idx >= ? AND idx < ? ORDER BY idx", (start, end)
            ):
                if row["logged_at"] > to_microseconds(before):
                    break
                stop = row["idx"] + 1
        return start, stop

    def prune(self, start: int, stop: int, sign: SignRange) -> bool:
        """Prune the bodies of a range, and keep the signed note that says so. False if another process was first."""
        with log_explained(), self._database.transaction() as connection:
            _lock(connection)
            if _pruned_until(connection) != start:
                return False
            first = _first_of_note(connection, start, stop)
            leaves = [
                bytes(row["leaf_sha256"])
                for row in connection.execute(
                    "SELECT leaf_sha256 FROM log WHERE idx >= ? AND idx < ? ORDER BY idx", (first, stop)
                )
            ]
            connection.execute("DELETE FROM pruned WHERE start = ?", (first,))
            connection.execute(
                "INSERT INTO pruned (start, stop, note) VALUES (?, ?, ?)",
                (first, stop, sign(first, stop, leaves)),
            )
            _delete_bodies(connection, start, stop)
        return True

    def counts(self, limits: Sequence[Limit], events_before: datetime) -> HeldCounts:
        """Count what is held and what is overdue by these; events by when the log took them."""
        self._catch_up()
        with log_explained(), self._database.read() as connection:
            pruned_until = _pruned_until(connection)
            found = [
                *_count_pieces(connection, limits),
                *_count_events(connection, pruned_until, events_before),
            ]
            last = connection.execute(
                "SELECT max(time) AS time FROM event_index WHERE kind = ?",
                (int(EventKind.EVENT_KIND_RETENTION_APPLIED),),
            ).fetchone()["time"]
        return HeldCounts(tuple(found), None if last is None else from_microseconds(last), pruned_until)

    def scrub(self) -> bool:
        """Leave nothing of what was deleted in the database's files. False: readers are in the way, try again."""
        with log_explained():
            return self._database.truncate_wal()


def _delete_sealed(connection: Connection, event_ids: Sequence[str]) -> None:
    connection.execute(f"DELETE FROM sealed WHERE event_id IN ({placeholders(event_ids)})", event_ids)  # noqa: S608


def _delete_payloads(connection: Connection, event_ids: Sequence[str]) -> None:
    """What else goes with a payload: what is sealed under its key beside other events, and the look-ups."""
    these = placeholders(event_ids)
    connection.execute(
        "DELETE FROM sealed WHERE event_id IN (SELECT l.event_id FROM event_index i JOIN log l ON l.idx = i.idx"  # noqa: S608
        f" WHERE i.subject IN ({these}) AND i.kind <> {_SCREENED})",
        event_ids,
    )
    connection.execute(
        f"DELETE FROM lookups WHERE idx IN (SELECT idx FROM log WHERE event_id IN ({these}))",  # noqa: S608
        event_ids,
    )


def _delete_bodies(connection: Connection, start: int, stop: int) -> None:
    """Of each event its id, its leaf hash and its place stay; of a case whose beginning is gone nothing."""
    within = (start, stop)
    connection.execute("UPDATE log SET event = NULL, once = NULL WHERE idx >= ? AND idx < ?", within)
    for table in ("event_index", "event_terms", "lookups"):
        connection.execute(f"DELETE FROM {table} WHERE idx >= ? AND idx < ?", within)  # noqa: S608
    connection.execute(
        "DELETE FROM cases WHERE case_id IN (SELECT event_id FROM log WHERE idx >= ? AND idx < ?)", within
    )


def _lock(connection: Connection) -> None:
    """Wait for another process that prunes, if there is one, and shut out all others."""
    connection.execute(
        "INSERT INTO views (name, upto) VALUES (?, 0) ON CONFLICT (name) DO NOTHING", (PRUNING,)
    )
    connection.execute("UPDATE views SET upto = upto WHERE name = ?", (PRUNING,))


def _erased_upto(connection: Connection) -> int:
    row = connection.execute("SELECT upto FROM views WHERE name = ?", (ERASURES,)).fetchone()
    return 0 if row is None else int(row["upto"])


def _pruned_until(connection: Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(stop), 0) AS stop FROM pruned").fetchone()["stop"])


def _first_of_note(connection: Connection, start: int, stop: int) -> int:
    """Where the note for a range begins: with the last one's range, while the two are short enough for one note."""
    row = connection.execute("SELECT start FROM pruned WHERE stop = ?", (start,)).fetchone()
    if row is None or stop - row["start"] > RANGE_LENGTH:
        return start
    return int(row["start"])


def _held_back_from(connection: Connection, start: int, end: int) -> int:
    """The first event of a range whose body has to stay, whatever its age; `end` if there is none."""
    sealed = (
        "SELECT min(l.idx) AS idx FROM log l JOIN sealed s ON s.event_id = l.event_id"
        " WHERE l.idx >= ? AND l.idx < ?"
    )
    cases = f"SELECT min(l.idx) AS idx FROM cases c JOIN log l ON l.event_id = c.case_id WHERE c.state <> {_CLOSED}"  # noqa: S608
    erasures = "SELECT min(idx) AS idx FROM event_index WHERE kind = ? AND idx >= ?"
    erased = (int(EventKind.EVENT_KIND_DATA_ERASED), _erased_upto(connection))
    queries: tuple[tuple[str, tuple[int, ...]], ...] = (
        (sealed, (start, end)),
        (cases, ()),
        (erasures, erased),
    )
    found = [connection.execute(query, values).fetchone()["idx"] for query, values in queries]
    return min([end, *(int(idx) for idx in found if idx is not None)])


def _overdue(limits: Sequence[Limit]) -> tuple[str, list[Any]]:
    """The condition under which a piece is overdue, and its values."""
    conditions, values = [], []
    for limit in limits:
        over = "i.time <= ?"
        times = [to_microseconds(limit.since)]
        if limit.from_case:
            over = "c.closed_at <= ? OR (c.case_id IS NULL AND i.time <= ?) OR i.time <= ?"
            times = [
                to_microseconds(limit.since),
                to_microseconds(limit.since),
                to_microseconds(limit.at_latest),
            ]
        conditions.append(f"(s.part = ? AND i.outcome = ? AND {_SAMPLED} = ? AND ({over}))")
        values += [int(limit.part), limit.group.outcome, int(limit.group.sampled), *times]
    return " OR ".join(conditions), values


def _count_pieces(connection: Connection, limits: Sequence[Limit]) -> Iterable[HeldCount]:
    condition, values = _overdue(limits)
    rows = connection.execute(
        f"SELECT s.part, i.outcome, {_SAMPLED} AS sampled, count(*) AS held, min(i.time) AS oldest,"
        f" sum(CASE WHEN {condition} THEN 1 ELSE 0 END) AS overdue {_PIECES} GROUP BY 1, 2, 3",
        values,
    ).fetchall()
    for row in rows:
        yield HeldCount(
            Part(row["part"]),
            _group(row),
            row["held"],
            from_microseconds(row["oldest"]),
            int(row["overdue"]),
        )


def _count_events(connection: Connection, pruned_until: int, before: datetime) -> Iterable[HeldCount]:
    """Events by outcome. Those that the log took early enough are a beginning of those whose bodies it has."""
    first_kept = connection.execute(
        "SELECT idx FROM log WHERE idx >= ? AND logged_at > ? ORDER BY idx LIMIT 1",
        (pruned_until, to_microseconds(before)),
    ).fetchone()
    end = BEYOND if first_kept is None else int(first_kept["idx"])
    rows = connection.execute(
        "SELECT coalesce(outcome, 0) AS outcome, count(*) AS held, min(time) AS oldest,"
        " sum(CASE WHEN idx < ? THEN 1 ELSE 0 END) AS overdue FROM event_index GROUP BY 1",
        (end,),
    ).fetchall()
    for row in rows:
        yield HeldCount(
            None, Group(row["outcome"]), row["held"], from_microseconds(row["oldest"]), int(row["overdue"])
        )


def _group(row: Any) -> Group:
    return Group(row["outcome"], bool(row["sampled"]))


def _held(row: Any) -> HeldScreening:
    return HeldScreening(
        row["idx"],
        row["event_id"],
        row["request_id"],
        from_microseconds(row["time"]),
        row["crossing"],
        row["outcome"],
        bool(row["payload"]),
        bool(row["evidence"]),
        bool(row["case_open"]),
    )
