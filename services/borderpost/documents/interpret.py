"""From characters and how sure the reader is of them to an MRZ that can be judged: pure, no pictures.

A check digit that does not fit can mean two things: the character was misread, or the document is wrong.
The first asks for another picture and the second is a FAIL, so they must not be mixed up. Hence the order:
read once; where a digit is refuted or a character is unsure that no digit protects, read again; only what
both readings agree on counts as printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from borderpost.documents import mrz
from borderpost.documents.domain import Line

SURE: Final = 0.8
"""A character with less confidence is doubtful. Set on the specimens: right characters have 0.9 and more."""

Place = tuple[int, int]
"""Line and position in it."""


@dataclass(frozen=True, slots=True)
class Interpretation:
    """An MRZ's lines after mapping by kind, with what is still open.

    `doubtful` are unsure characters, and `unsettled` the names of the fields in which a doubtful character
    decides: nothing protects them, or their check digit is refuted.
    """

    lines: tuple[str, ...]
    repairs: tuple[mrz.Repair, ...]
    doubtful: frozenset[Place]
    refuted: tuple[str, ...]
    unsettled: tuple[str, ...]


def interpret(lines: Sequence[Line]) -> Interpretation:
    """Map by kind and check the digits. Raises MrzShapeError."""
    raw = tuple(line.text for line in lines)
    mapped, repairs = mrz.map_kinds(raw)
    doubtful = frozenset(
        (row, position)
        for row, line in enumerate(lines)
        for position, confidence in enumerate(line.confidences)
        # A character that its field's kind has settled is sure: only one of the two could be there.
        if confidence < SURE and not _settled_by_kind(mapped, row, position)
    )
    return _judged(mapped, repairs, doubtful)


def merge(first: Sequence[Line], second: Sequence[Line]) -> tuple[Line, ...]:
    """Join two readings: agreement has their mean confidence, contradiction the surer character and 0.

    A line that the second reading gives another length keeps the first's text, and halves its confidence.
    """
    return tuple(_merge_line(one, other) for one, other in zip(first, second, strict=True))


def repaired(found: Interpretation) -> Interpretation:
    """Replace the doubtful character, if there is one and the check digits prove what it must be."""
    if not found.refuted:
        return found
    change = mrz.repair(found.lines, found.doubtful)
    if change is None:
        return found
    lines, repair = change
    return _judged(lines, (*found.repairs, repair), found.doubtful)


def _judged(
    lines: tuple[str, ...], repairs: tuple[mrz.Repair, ...], doubtful: frozenset[Place]
) -> Interpretation:
    layout = mrz.format_of(lines)
    evidence = mrz.digit_evidence(lines, layout)
    refuted = mrz.refuted(evidence)
    verified = {digit.field for digit in evidence if digit.state is mrz.DigitState.VERIFIED}
    protected = {
        place
        for rule in layout.checks
        if rule.field in verified and mrz.proves(lines, layout, rule, doubtful)
        for place in rule.places()
    }
    suspect = {place for rule in layout.checks if rule.field in refuted for place in rule.places()}
    deciding = doubtful & (_all_places(layout) - protected | suspect)
    unsettled = tuple(name for name, span in _named_spans(layout) if not deciding.isdisjoint(span.places()))
    return Interpretation(lines, repairs, doubtful, refuted, unsettled)


def _settled_by_kind(lines: tuple[str, ...], row: int, position: int) -> bool:
    """In a field of one kind, O and 0 (and the like) can't be taken for one another."""
    layout = mrz.format_of(lines)
    char = lines[row][position]
    spans = [(field.span, field.kind) for field in layout.fields]
    spans += [(rule.digit, mrz.Kind.DIGITS) for rule in layout.checks]
    kinds = {kind for span, kind in spans if (row, position) in span.places()}
    return (mrz.Kind.LETTERS in kinds and char == "O") or (mrz.Kind.DIGITS in kinds and char == "0")


def _merge_line(one: Line, other: Line) -> Line:
    if len(one.text) != len(other.text):
        return Line(one.text, tuple(confidence / 2 for confidence in one.confidences))
    text, confidences = "", []
    for a, b, sure_a, sure_b in zip(one.text, other.text, one.confidences, other.confidences, strict=True):
        text += a if sure_a >= sure_b else b
        confidences.append((sure_a + sure_b) / 2 if a == b else 0.0)
    return Line(text, tuple(confidences))


def _all_places(layout: mrz.Format) -> set[Place]:
    return {(row, position) for row in range(layout.rows) for position in range(layout.width)}


def _named_spans(layout: mrz.Format) -> list[tuple[str, mrz.Span]]:
    digits = [(f"{rule.field}_check_digit", rule.digit) for rule in layout.checks]
    return [(field.name, field.span) for field in layout.fields] + digits
