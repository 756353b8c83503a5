"""From lines to what they say."""

from __future__ import annotations

import datetime

from borderpost.documents.mrz.dates import read_birth_date, read_expiry_date
from borderpost.documents.mrz.digits import digit_evidence, is_long_number, split_long_number
from borderpost.documents.mrz.fields import Mrz, MrzFields, Sex
from borderpost.documents.mrz.formats import FILLER, format_of, text_at
from borderpost.documents.mrz.names import parse_names


def parse(lines: tuple[str, ...], today: datetime.date) -> Mrz:
    """Read the fields of an MRZ whose kinds are mapped already. `today` decides centuries.

    Raises MrzShapeError. A check digit that does not fit, or a date that no calendar has, is no error: it
    is in the result.
    """
    layout = format_of(lines)
    values = {field.name: text_at(lines, field.span) for field in layout.fields}
    optional = values["optional_data"]
    number = values["document_number"].rstrip(FILLER)
    if is_long_number(lines, layout):
        number = split_long_number(lines, layout)[0]
        optional = optional.partition(FILLER)[2]
    surname, given = parse_names(values["names"])
    parts = (optional, values["optional_data_2"]) if "optional_data_2" in values else (optional,)
    fields = MrzFields(
        document_code=values["document_code"].rstrip(FILLER),
        issuing_state=values["issuing_state"].rstrip(FILLER),
        surname=surname,
        given_names=given,
        document_number=number,
        nationality=values["nationality"].rstrip(FILLER),
        birth_date=read_birth_date(values["birth_date"], today),
        sex=Sex(values["sex"]) if values["sex"] in ("F", "M") else Sex.UNSPECIFIED,
        expiry_date=read_expiry_date(values["expiry_date"], today),
        optional_data=tuple(part.rstrip(FILLER) for part in parts),
    )
    cut = values["names"][-1] != FILLER
    return Mrz(layout, lines, fields, digit_evidence(lines, layout), cut)
