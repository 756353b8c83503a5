"""From what each character may be to an MRZ that can be judged: pure, no pictures.

A check digit that does not fit can mean two things: a character was misread, or the document is wrong. The first
asks for another picture and the second is a FAIL, so they must not be mixed up. What is printed is taken for known
only where every other reading is far less likely (CLEAR), or is refuted by a check digit that the reading fits.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from borderpost.documents import mrz
from borderpost.documents.domain import Line, Odds
from borderpost.documents.mrz.formats import kinds_of, replaced, text_at
from borderpost.runtime.states import is_state

CLEAR: Final = math.log(20)
"""Another reading counts as possible unless it is less likely than the best by this factor."""

MAX_CHANGES: Final = 40
"""With more other readings than these under the check digits, chance alone makes some combination fit."""

MIN_ODDS: Final = 1e-4
"""What is less likely than this counts as this."""

SEXES: Final = frozenset("FMX<")
"""ICAO Doc 9303-4, 4.2.2.2; some print X for unspecified."""

STATE_FIELDS: Final = ("issuing_state", "nationality")

LEFT_TO_ONE: Final = frozenset({"nationality", "sex"})
"""Fields without a check digit that a second reader need not confirm."""

Place = tuple[int, int]
"""Line and position in it."""


@dataclass(frozen=True, slots=True)
class Change:
    """Another reading of one character. `cost` is how much less likely it is, as a natural logarithm."""

    place: Place
    char: str
    cost: float


@dataclass(frozen=True, slots=True)
class Interpretation:
    """An MRZ's lines after mapping by kind, and what is still open.

    `refuted` names the fields whose check digit does not fit. `unsettled` names the fields in which another
    reading is possible that nothing excludes.
    """

    lines: tuple[str, ...]
    repairs: tuple[mrz.Repair, ...]
    refuted: tuple[str, ...]
    unsettled: tuple[str, ...]


def interpret(lines: Sequence[Line]) -> Interpretation:
    """Map by kind, check the digits, and say what they leave open. Raises MrzShapeError."""
    layout = mrz.format_of(tuple(line.text for line in lines))
    cells, repairs = _by_kind(lines, layout)
    text = _text(cells)
    mrz.format_of(text)
    changes = _changes(cells)
    protected = {place for rule in layout.checks for place in rule.places()}
    refuted = _refuted(text, layout)
    inside = [change for change in changes if change.place in protected]
    open_places = {change.place for change in changes if change.place not in protected}
    open_places -= _known_codes(text, layout, changes)
    open_places |= {place for place, cell in cells.items() if _is_lost(cell) and place not in protected}
    open_places |= {place for place, cell in cells.items() if _is_lost(cell) and len(cell) == 1}
    open_places |= _open_under_digits(text, layout, inside, refuted)
    return Interpretation(text, repairs, refuted, _names_of(layout, open_places))


def repaired(lines: Sequence[Line], found: Interpretation) -> Interpretation:
    """Replace the one character that the check digits prove to be another, if all else is clear.

    Exactly one possible reading must fit every digit. Visas are not repaired, since they have no composite
    digit; names can't be, since no digit covers them.
    """
    layout = mrz.format_of(found.lines)
    if not found.refuted or layout in (mrz.MRV_A, mrz.MRV_B):
        return found
    cells, _ = _by_kind(lines, layout)
    changes = _changes(cells)
    fitting = [change for change in changes if not _refuted(_changed(found.lines, change), layout)]
    if len(fitting) != 1:
        return found
    (change,) = fitting
    # A second change could fit as well, together with this place as it was read or as another character.
    pairs = _fitting_pairs(found.lines, layout, changes, change.cost + CLEAR)
    if any(pairs):
        return found
    text = _changed(found.lines, change)
    name, position = _field_at(layout, change.place)
    was = found.lines[change.place[0]][change.place[1]]
    repair = mrz.Repair(name, position, was, change.char, mrz.RepairBasis.CHECK_DIGIT)
    protected = {place for rule in layout.checks for place in rule.places()}
    under = {name for name in found.unsettled if _places_named(layout, name) & protected}
    still = tuple(name for name in found.unsettled if name not in under)
    return Interpretation(text, (*found.repairs, repair), (), still)


def is_of_its_kinds(lines: tuple[str, ...]) -> bool:
    """Tell whether every character is one that its field may hold. A letter in a date has the value of some digit."""
    layout = mrz.format_of(lines)
    return all(
        lines[row][position] in kind.value
        for _, span, kind in kinds_of(layout)
        for row, position in span.places()
    )


def rows_to_confirm(lines: Sequence[Line]) -> frozenset[int]:
    """Rows that one reader alone can't settle: where anything is open, and where fields have no check digit.

    A nationality in the code list and a sex are left to one reader that is clear about them.
    """
    every = frozenset(range(len(lines)))
    try:
        found = interpret(lines)
    except mrz.MrzShapeError:
        return every
    if found.refuted or found.unsettled:
        return every
    layout = mrz.format_of(found.lines)
    protected = {place for rule in layout.checks for place in rule.places()}
    nationality = text_at(found.lines, layout.field("nationality").span).rstrip(mrz.FILLER)
    left = LEFT_TO_ONE if is_state(nationality) else LEFT_TO_ONE - {"nationality"}
    return frozenset(
        row
        for name, span, _ in kinds_of(layout)
        if name not in left
        for row, position in span.places()
        if (row, position) not in protected
    )


def merge(first: Sequence[Line], second: Sequence[Line]) -> tuple[Line, ...]:
    """Join two looks at the same lines: what both hold possible, each weighing the same.

    They are looks of the same eyes, so their agreement makes nothing surer than the surer of them. A line that
    the second look gives another length stays as it was.
    """
    return tuple(
        one
        if len(one.text) != len(other.text)
        else Line.of([_mean(a, b) for a, b in zip(one.odds, other.odds, strict=True)])
        for one, other in zip(first, second, strict=True)
    )


def _mean(one: Odds, other: Odds) -> Odds:
    """Geometric mean of two odds, scaled to the mean of what both leave to none."""
    means = {
        char: math.sqrt(max(one.get(char, 0.0), MIN_ODDS) * max(other.get(char, 0.0), MIN_ODDS))
        for char in {**one, **other}
    }
    scale = (sum(one.values()) + sum(other.values())) / 2 / sum(means.values())
    return {char: odds * scale for char, odds in means.items()}


def _by_kind(
    lines: Sequence[Line], layout: mrz.Format
) -> tuple[Mapping[Place, Odds], tuple[mrz.Repair, ...]]:
    """Give a lookalike's odds to the character that its field's kind allows; the rest's are lost.

    Lost odds are not shared out: a clear digit in a name makes no letter likely.
    """
    cells: dict[Place, Odds] = {}
    repairs = []
    for name, span, kind in kinds_of(layout):
        table = {mrz.Kind.LETTERS: mrz.LETTER_FOR_DIGIT, mrz.Kind.DIGITS: mrz.DIGIT_FOR_LETTER}.get(kind, {})
        allowed = SEXES if name == "sex" else frozenset(kind.value)
        for place in span.places():
            row, position = place
            odds: dict[str, float] = {}
            for char, chance in lines[row].odds[position].items():
                mapped = table.get(char, char)
                if mapped in allowed:
                    odds[mapped] = odds.get(mapped, 0.0) + chance
            if not odds or max(odds.values()) < lines[row].confidences[position] / 2:
                odds = {lines[row].text[position]: MIN_ODDS}  # clear print that may not stand there
            cells[place] = odds
            was, now = lines[row].text[position], max(cells[place], key=lambda char: cells[place][char])
            if was != now and table.get(was) == now:
                basis = mrz.RepairBasis.FIELD_KIND
                repairs.append(mrz.Repair(name, position - span.start, was, now, basis))
    return cells, tuple(repairs)


def _text(cells: Mapping[Place, Odds]) -> tuple[str, ...]:
    rows = max(row for row, _ in cells) + 1
    return tuple(
        "".join(
            max(cells[place], key=lambda char: cells[place][char])
            for place in sorted(place for place in cells if place[0] == row)
        )
        for row in range(rows)
    )


def _changes(cells: Mapping[Place, Odds]) -> list[Change]:
    """Every other reading that is possible, the likeliest first."""
    changes = [
        Change(place, char, cost)
        for place, odds in cells.items()
        for best in [max(odds, key=lambda char: odds[char])]
        for char, chance in odds.items()
        if char != best and (cost := -math.log(max(chance / max(odds[best], MIN_ODDS), MIN_ODDS))) < CLEAR
    ]
    return sorted(changes, key=lambda change: change.cost)


def _is_lost(odds: Odds) -> bool:
    """Tell whether most of what was read there is no character that may stand there."""
    best = max(odds.values())
    return best < 1 - best or best < 0.5


def _refuted(text: tuple[str, ...], layout: mrz.Format) -> tuple[str, ...]:
    return mrz.refuted(mrz.digit_evidence(text, layout))


def _open_under_digits(
    text: tuple[str, ...], layout: mrz.Format, changes: Sequence[Change], refuted: Sequence[str]
) -> set[Place]:
    """Places under check digits that another possible reading would change.

    If the digits fit, other readings must fit too to count: one change that they are blind to, or two that make
    up for each other. If a digit is refuted, any possible other reading under it counts: it may be what is printed.
    """
    if len(changes) > MAX_CHANGES:
        return {change.place for change in changes}
    blind = {
        change.place for change in changes if set(_refuted(_changed(text, change), layout)) <= set(refuted)
    }
    if refuted:
        under = {place for rule in layout.checks if rule.field in refuted for place in rule.places()}
        return blind | {change.place for change in changes if change.place in under}
    pairs = _fitting_pairs(text, layout, changes, CLEAR)
    return blind.union(*({one.place, other.place} for one, other in pairs))


def _fitting_pairs(
    text: tuple[str, ...], layout: mrz.Format, changes: Sequence[Change], most: float
) -> Iterator[tuple[Change, Change]]:
    """Pairs of changes that together fit every digit, and cost less than `most`."""
    for one, other in itertools.combinations(changes, 2):
        if one.place == other.place or one.cost + other.cost >= most:
            continue
        if not _refuted(_changed(_changed(text, one), other), layout):
            yield one, other


def _known_codes(text: tuple[str, ...], layout: mrz.Format, changes: Sequence[Change]) -> set[Place]:
    """Places of state codes that are settled: the code is in the list, and no other possible one is."""
    known: set[Place] = set()
    for name in STATE_FIELDS:
        span = layout.field(name).span
        places = set(span.places())
        own = [change for change in changes if change.place in places]
        others = [_changed(text, change) for change in own]
        others += [
            _changed(_changed(text, one), two)
            for one, two in itertools.combinations(own, 2)
            if one.place != two.place and one.cost + two.cost < CLEAR
        ]
        codes = {lines[span.line][span.start : span.end].rstrip(mrz.FILLER) for lines in [text, *others]}
        listed = {code for code in codes if is_state(code)}
        if listed == {text[span.line][span.start : span.end].rstrip(mrz.FILLER)}:
            known |= places
    return known


def _changed(text: tuple[str, ...], change: Change) -> tuple[str, ...]:
    return replaced(text, *change.place, change.char)


def _names_of(layout: mrz.Format, places: set[Place]) -> tuple[str, ...]:
    return tuple(name for name, span, _ in kinds_of(layout) if not places.isdisjoint(span.places()))


def _places_named(layout: mrz.Format, name: str) -> set[Place]:
    return {place for own, span, _ in kinds_of(layout) if own == name for place in span.places()}


def _field_at(layout: mrz.Format, place: Place) -> tuple[str, int]:
    row, position = place
    return next(
        (name, position - span.start)
        for name, span, _ in kinds_of(layout)
        if span.line == row and span.start <= position < span.end
    )
