"""Random documents for the tests of everything that reads or writes a machine readable zone."""

from __future__ import annotations

import datetime
import string

from hypothesis import strategies as st

from borderpost.documents import mrz
from borderpost.runtime.states import STATE_CODES

TODAY = datetime.date(2026, 11, 24)

LONGEST_NUMBER = {"TD1": 22, "TD2": 14}
"""9 characters and what the optional data hold beside the digit and the filler: 13 of 15, and 5 of 7."""

STATES = sorted(STATE_CODES)

alphanumeric = string.ascii_uppercase + string.digits
words = st.lists(st.text(mrz.LETTERS, min_size=1, max_size=6), min_size=1, max_size=2).map(" ".join)
long_words = st.lists(st.text(mrz.LETTERS, min_size=2, max_size=20), min_size=1, max_size=6).map(" ".join)


def parts(date: datetime.date) -> mrz.PartialDate:
    return mrz.PartialDate(date.year, date.month, date.day)


def _partly(date: datetime.date, known: tuple[bool, bool, bool]) -> mrz.PartialDate:
    year, month, day = known
    return mrz.PartialDate(
        date.year if year else None, date.month if month else None, date.day if day else None
    )


# A year before this one or the next turn of the century has one reading only, whatever else is unknown.
birth_dates = st.builds(
    _partly,
    st.dates(datetime.date(1927, 1, 1), datetime.date(2025, 12, 31)),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
) | st.dates(datetime.date(1926, 11, 25), TODAY).map(parts)
expiry_dates = st.dates(datetime.date(1976, 1, 1), datetime.date(2075, 12, 31)).map(parts)

_CODES = {
    "TD1": ["I", "ID", "IP", "C", "A", mrz.CREW_CERTIFICATE],
    "TD2": ["I", "ID", "C", "AX"],
    "TD3": ["P", *mrz.PASSPORT_TYPES],
    "MRV-A": ["V", "VA"],
    "MRV-B": ["V", "VB"],
}


def _optional(width: int) -> st.SearchStrategy[str]:
    """Text that begins and ends with no filler, as it is read."""
    inner = st.text(mrz.ALPHABET, max_size=width)
    return inner.map(lambda text: text.strip(mrz.FILLER))


@st.composite
def documents(
    draw: st.DrawFn,
    layout: mrz.Format,
    *,
    names: st.SearchStrategy[str] = words,
    long_numbers: bool = True,
) -> mrz.MrzFields:
    """A document that its format has room for, but perhaps for its names."""
    longest = LONGEST_NUMBER.get(layout.name, 9) if long_numbers else 9
    number = draw(
        st.text(alphanumeric, min_size=1, max_size=9) | st.text(alphanumeric, min_size=1, max_size=longest)
    )
    width = len(list(layout.field("optional_data").span.places()))
    room = width - len(number[9:]) - 2 if len(number) > 9 else width
    optional = (draw(_optional(room)),)
    if layout is mrz.TD1:
        optional += (draw(_optional(11)),)
    return mrz.MrzFields(
        document_code=draw(st.sampled_from(_CODES[layout.name])),
        issuing_state=draw(st.sampled_from(STATES)),
        surname=draw(names),
        given_names=draw(st.just("") | names),
        document_number=number,
        nationality=draw(st.sampled_from(STATES)),
        birth_date=draw(birth_dates),
        sex=draw(st.sampled_from(list(mrz.Sex))),
        expiry_date=draw(expiry_dates),
        optional_data=optional,
    )
