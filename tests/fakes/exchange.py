"""Helpers for files of entries: read bytes as a format, and make entries that every format can write.

Not a fake of anything; the people are none.
"""

from __future__ import annotations

import io
from pathlib import Path

from hypothesis import strategies as st

from borderpost.exchange.choices import Choices
from borderpost.exchange.files import Source
from borderpost.v1 import types_pb2, watchlist_pb2

ROW = '{"record_id":"r1","reason_code":"A1","source_reference":"4711/26","valid_until":"2030-12-31"%s}'


def source(data: bytes, format_name: str, choices: Choices | None = None) -> Source:
    return Source(io.BytesIO(data), format_name, choices or Choices(Path("/nowhere")))


def read(data: bytes, format_name: str, choices: Choices | None = None) -> list[watchlist_pb2.ImportRow]:
    """All rows of a file; what was counted before is what was read."""
    opened = source(data, format_name, choices)
    facts = opened.facts()
    rows = list(opened.rows(facts))
    assert [row.row for row in rows] == list(range(1, facts.rows + 1))
    return rows


def reason_of(row: watchlist_pb2.ImportRow) -> str:
    assert not row.HasField("entry")
    assert row.row == row.error.row
    return row.error.reason


TEXT = (
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
    .map(str.strip)
    .filter(bool)
)
CODE = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=9)
DATES = st.builds(
    types_pb2.PartialDate,
    year=st.none() | st.integers(1, 9999),
    month=st.none() | st.integers(1, 12),
    day=st.none() | st.integers(1, 28),
)
NAMES = st.builds(
    watchlist_pb2.PersonName,
    primary_identifier=TEXT,
    secondary_identifier=TEXT | st.just(""),
    native=TEXT | st.just(""),
)
DOCUMENTS = st.builds(types_pb2.DocumentKey, document_code=CODE, issuing_state=CODE, number=CODE)


@st.composite
def entries(draw: st.DrawFn) -> watchlist_pb2.Entry:
    """An entry with everything that a table can hold."""
    entry = watchlist_pb2.Entry(
        entry_id=draw(TEXT),
        names=draw(st.lists(NAMES, max_size=3)),
        documents=draw(st.lists(DOCUMENTS, max_size=3)),
        sex=draw(st.sampled_from(["", "F", "M", "X"])),
        nationalities=draw(st.lists(CODE, max_size=3)),
        reason_code=draw(TEXT),
        source_reference=draw(TEXT),
    )
    if draw(st.booleans()):
        entry.birth_date.CopyFrom(draw(DATES))
    if draw(st.booleans()):
        entry.valid_from.FromNanoseconds(draw(st.integers(0, 2**60)))
    entry.valid_until.FromNanoseconds(draw(st.integers(0, 2**62)))
    return entry
