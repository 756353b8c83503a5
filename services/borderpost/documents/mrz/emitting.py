"""From what a document says to its lines."""

from __future__ import annotations

from typing import Final

from borderpost.documents.mrz.dates import emit_date
from borderpost.documents.mrz.digits import check_digit
from borderpost.documents.mrz.fields import MrzFields
from borderpost.documents.mrz.formats import (
    DIGITS,
    FILLER,
    LETTERS,
    LONG_NUMBER_FORMATS,
    Field,
    Format,
    Kind,
    MrzShapeError,
    Span,
    format_of,
    text_at,
    width_of,
)
from borderpost.documents.mrz.names import emit_names

_WANTED: Final = {
    Kind.ANY: "none of A to Z, 0 to 9 and the filler",
    Kind.LETTERS: "none of A to Z and the filler",
    Kind.DIGITS: "none of 0 to 9 and the filler",
}


def emit(fields: MrzFields, layout: Format) -> tuple[str, ...]:
    """Write the lines of an MRZ with all its check digits; names too long for their field are cut.

    Raises MrzShapeError if a field does not fit, holds characters that it has no room for, or a document code
    is not of the format.
    """
    optional = (*fields.optional_data, "", "")
    values = {
        "document_code": fields.document_code,
        "issuing_state": fields.issuing_state,
        "names": emit_names(fields, width_of(layout.field("names").span)),
        "document_number": fields.document_number,
        "nationality": fields.nationality,
        "birth_date": emit_date(fields.birth_date),
        "sex": fields.sex.value,
        "expiry_date": emit_date(fields.expiry_date),
        "optional_data": optional[0],
        "optional_data_2": optional[1],
    }
    is_long = layout.name in LONG_NUMBER_FORMATS and len(fields.document_number) > _number_width(layout)
    if is_long:
        values |= _long_number(fields.document_number, optional[0], _number_width(layout))
    lines: tuple[str, ...] = (FILLER * layout.width,) * layout.rows
    for field in layout.fields:
        lines = _written(lines, field, values[field.name])
    for rule in layout.checks:
        if not (is_long and rule.field == "document_number"):
            covered = "".join(text_at(lines, span) for span in rule.covers)
            empty = rule.field == "optional_data" and not covered.strip(FILLER)
            lines = _put(lines, rule.digit, FILLER if empty else str(check_digit(covered)))
    if format_of(lines) is not layout:
        raise MrzShapeError(f"MRZ: got a document code that is none of {layout.name}")
    return lines


def _number_width(layout: Format) -> int:
    return width_of(layout.field("document_number").span)


def _long_number(number: str, optional: str, width: int) -> dict[str, str]:
    """Let a number run on in the optional data, with its digit and a filler (9303-5 and -6, 4.2.2, note j)."""
    if set(number) - set(DIGITS + LETTERS):
        raise MrzShapeError(
            "MRZ: got a long document number with a character that is none of A to Z and 0 to 9"
        )
    return {
        "document_number": number[:width],
        "optional_data": f"{number[width:]}{check_digit(number)}{FILLER}{optional}",
    }


def _written(lines: tuple[str, ...], field: Field, text: str) -> tuple[str, ...]:
    if len(text) > width_of(field.span):
        raise MrzShapeError(f"MRZ: got {len(text)} characters for a field of {width_of(field.span)}")
    if not set(text) <= set(field.kind.value):
        raise MrzShapeError(f"MRZ: got a character in {field.name} that is {_WANTED[field.kind]}")
    return _put(lines, field.span, text.ljust(width_of(field.span), FILLER))


def _put(lines: tuple[str, ...], span: Span, text: str) -> tuple[str, ...]:
    line = lines[span.line]
    return (*lines[: span.line], line[: span.start] + text + line[span.end :], *lines[span.line + 1 :])
