"""From what a document says to its lines."""

from __future__ import annotations

from borderpost.documents.mrz.dates import emit_date
from borderpost.documents.mrz.digits import check_digit
from borderpost.documents.mrz.fields import MrzFields
from borderpost.documents.mrz.formats import (
    ALPHABET,
    FILLER,
    LONG_NUMBER_FORMATS,
    Format,
    MrzShapeError,
    Span,
    format_of,
    text_at,
    width_of,
)
from borderpost.documents.mrz.names import emit_names


def emit(fields: MrzFields, layout: Format) -> tuple[str, ...]:
    """Write the lines of an MRZ with all its check digits; names too long for their field are cut.

    Raises MrzShapeError if a field does not fit or holds characters that the zone has no room for.
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
    excess = fields.document_number[width_of(layout.field("document_number").span) :]
    if excess and layout.name in LONG_NUMBER_FORMATS:
        values["document_number"] = fields.document_number[: -len(excess)]
        tail = f"{excess}{check_digit(fields.document_number)}"
        values["optional_data"] = f"{tail}{FILLER}{optional[0]}" if optional[0] else tail
    lines: tuple[str, ...] = (FILLER * layout.width,) * layout.rows
    for field in layout.fields:
        lines = _written(lines, field.span, values[field.name])
    for rule in layout.checks:
        if not (excess and rule.field == "document_number"):
            covered = "".join(text_at(lines, span) for span in rule.covers)
            empty = rule.field == "optional_data" and not covered.strip(FILLER)
            lines = _written(lines, rule.digit, FILLER if empty else str(check_digit(covered)))
    format_of(lines)
    return lines


def _written(lines: tuple[str, ...], span: Span, text: str) -> tuple[str, ...]:
    if len(text) > width_of(span):
        raise MrzShapeError(f"MRZ: got {len(text)} characters for a field of {width_of(span)}")
    if not set(text) <= set(ALPHABET):
        raise MrzShapeError("MRZ: got a character that is none of A to Z, 0 to 9 and the filler")
    line = lines[span.line]
    changed = line[: span.start] + text.ljust(width_of(span), FILLER) + line[span.end :]
    return (*lines[: span.line], changed, *lines[span.line + 1 :])
