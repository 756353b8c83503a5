"""An MRZ as protobuf, of a page or of a chip. documents.proto is the specification."""

from __future__ import annotations

from typing import Final

from borderpost.documents import mrz
from borderpost.v1 import documents_pb2 as pb
from borderpost.v1 import types_pb2

_FORMATS: Final = {
    "TD1": pb.MRZ_FORMAT_TD1,
    "TD2": pb.MRZ_FORMAT_TD2,
    "TD3": pb.MRZ_FORMAT_TD3,
    "MRV-A": pb.MRZ_FORMAT_MRV_A,
    "MRV-B": pb.MRZ_FORMAT_MRV_B,
}

_SEX: Final = {mrz.Sex.FEMALE: "F", mrz.Sex.MALE: "M", mrz.Sex.UNSPECIFIED: ""}


def to_mrz(document: mrz.Mrz) -> pb.Mrz:
    """Turn an MRZ into its message, without what only a reading of a picture has."""
    fields = document.fields
    message = pb.Mrz(
        format=_FORMATS[document.format.name],
        lines=document.lines,
        document=types_pb2.DocumentKey(
            document_code=fields.document_code,
            issuing_state=fields.issuing_state,
            number=fields.document_number,
        ),
        nationality=fields.nationality,
        primary_identifier=fields.surname,
        secondary_identifier=fields.given_names,
        sex=_SEX[fields.sex],
        optional_data=" ".join(filter(None, fields.optional_data)),
        check_digits=[_to_digit(digit, document.format) for digit in document.digits],
    )
    if fields.birth_date is not None:
        message.birth_date.CopyFrom(to_date(fields.birth_date))
    if fields.expiry_date is not None:
        message.expiry_date.CopyFrom(to_date(fields.expiry_date))
    return message


def _to_digit(digit: mrz.DigitEvidence, layout: mrz.Format) -> pb.CheckDigit:
    message = pb.CheckDigit(
        field=digit.field, status=pb.CheckDigitStatus.Value(f"CHECK_DIGIT_STATUS_{digit.state.value}")
    )
    for rule in layout.checks:
        if rule.field == digit.field:
            message.digit.CopyFrom(to_span(rule.digit))
            message.covers.extend(to_span(span) for span in rule.covers)
    return message


def to_span(span: mrz.Span) -> pb.MrzSpan:
    """Turn characters of a line into their message."""
    return pb.MrzSpan(line=span.line, start=span.start, end=span.end)


def to_date(date: mrz.PartialDate) -> types_pb2.PartialDate:
    """Turn a date into its message; what is unknown is not set."""
    return types_pb2.PartialDate(year=date.year, month=date.month, day=date.day)
