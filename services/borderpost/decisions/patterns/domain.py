"""The patterns: pure functions over what is known of a document's recent screenings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

IN_TWO_PLACES: Final = "DOCUMENT_IN_TWO_PLACES"
MANY_VISITS: Final = "MANY_VISITS"
TWO_IDENTITIES: Final = "FACE_WITH_TWO_IDENTITIES"
PORTRAIT_CHANGED: Final = "CHIP_PORTRAIT_CHANGED"


@dataclass(frozen=True, slots=True)
class Seen:
    """A document that was shown: in which screening (empty: the new one), visit and crossing, when, and the keyed
    hash of its chip's portrait (None: no chip, or no portrait in it)."""

    event_id: str
    visit_id: str
    crossing: str
    at: datetime
    portrait: bytes | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What is looked for; see PatternTerms in decisions.proto. None or 0: not looked for."""

    window: timedelta
    two_places: timedelta
    most_visits: int
    portrait_changed: bool


@dataclass(frozen=True, slots=True)
class Pattern:
    """What was found: its code, the newest earlier screening that it rests on, and how many with the new one."""

    code: str
    newest: Seen
    screenings: int


def patterns(now: Seen, earlier: Sequence[Seen], terms: Terms) -> list[Pattern]:
    """Return what a document's earlier screenings and the new one say together.

    Screenings of the same visit are attempts of one traveler, and never a pattern with each other.
    """
    others = [
        seen for seen in earlier if seen.visit_id != now.visit_id and abs(now.at - seen.at) <= terms.window
    ]
    found = (
        _pattern(IN_TWO_PLACES, [seen for seen in others if _is_elsewhere(now, seen, terms)]),
        _pattern(MANY_VISITS, others if _are_many(others, terms) else []),
        _pattern(PORTRAIT_CHANGED, [seen for seen in others if _has_changed(now, seen, terms)]),
    )
    return [pattern for pattern in found if pattern is not None]


def _is_elsewhere(now: Seen, seen: Seen, terms: Terms) -> bool:
    return seen.crossing != now.crossing and abs(now.at - seen.at) < terms.two_places


def _are_many(others: Sequence[Seen], terms: Terms) -> bool:
    return bool(terms.most_visits) and len({seen.visit_id for seen in others}) + 1 > terms.most_visits


def _has_changed(now: Seen, seen: Seen, terms: Terms) -> bool:
    both = now.portrait is not None and seen.portrait is not None
    return terms.portrait_changed and both and now.portrait != seen.portrait


def two_identities(earlier: Sequence[Seen]) -> list[Pattern]:
    """Return what screenings in which the same face came with another holder's document say together."""
    found = _pattern(TWO_IDENTITIES, earlier)
    return [] if found is None else [found]


def _pattern(code: str, rests_on: Sequence[Seen]) -> Pattern | None:
    if not rests_on:
        return None
    return Pattern(code, max(rests_on, key=lambda seen: seen.at), len(rests_on) + 1)


def with_portraits(seen: Mapping[int, Seen], portraits: Mapping[int, bytes]) -> list[Seen]:
    """Add to screenings, by their index, the portraits of their chips."""
    return [
        Seen(one.event_id, one.visit_id, one.crossing, one.at, portraits.get(index))
        for index, one in seen.items()
    ]
