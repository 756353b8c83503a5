"""Domain to protobuf. documents.proto is the specification."""

from __future__ import annotations

from typing import Final

from borderpost.documents import domain, mrz
from borderpost.documents.messages import ADVICE
from borderpost.v1 import documents_pb2 as pb
from borderpost.v1 import types_pb2

_FORMATS: Final = {
    "TD1": pb.MRZ_FORMAT_TD1,
    "TD2": pb.MRZ_FORMAT_TD2,
    "TD3": pb.MRZ_FORMAT_TD3,
    "MRV-A": pb.MRZ_FORMAT_MRV_A,
    "MRV-B": pb.MRZ_FORMAT_MRV_B,
}

_OVERALL: Final = {
    domain.Overall.PASS: types_pb2.CHECK_STATUS_PASSED,
    domain.Overall.FAIL: types_pb2.CHECK_STATUS_FAILED,
    domain.Overall.UNDETERMINED: types_pb2.CHECK_STATUS_UNDETERMINED,
}

_SEX: Final = {mrz.Sex.FEMALE: "F", mrz.Sex.MALE: "M", mrz.Sex.UNSPECIFIED: ""}


def to_response(reading: domain.DocumentReading) -> pb.ReadDocumentResponse:
    """Turn a reading into the answer of ReadDocument."""
    response = pb.ReadDocumentResponse(
        portrait=reading.portrait.jpeg if reading.portrait else b"",
        optical=_verdict(reading.optical),
        electronic=_verdict(reading.electronic),
        reader=reading.reader,
        stages=[types_pb2.StageTime(stage=s.name, milliseconds=s.milliseconds) for s in reading.stages],
    )
    if reading.mrz is not None:
        response.mrz.CopyFrom(_mrz(reading.mrz, reading))
    if reading.problem is not None:
        response.problems.add(code=reading.problem.value, advice=ADVICE[reading.problem])
    return response


def _mrz(document: mrz.Mrz, reading: domain.DocumentReading) -> pb.Mrz:
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
        check_digits=[
            pb.CheckDigit(
                field=digit.field, status=pb.CheckDigitStatus.Value(f"CHECK_DIGIT_STATUS_{digit.state.value}")
            )
            for digit in document.digits
        ],
        repairs=[_repair(repair) for repair in reading.repairs],
        confidence=min(min(line.confidences) for line in reading.lines),
        warnings=[warning.value for warning in reading.warnings],
    )
    if fields.birth_date is not None:
        message.birth_date.CopyFrom(_date(fields.birth_date))
    if fields.expiry_date is not None:
        message.expiry_date.CopyFrom(_date(fields.expiry_date))
    return message


def _date(date: mrz.PartialDate) -> types_pb2.PartialDate:
    return types_pb2.PartialDate(year=date.year, month=date.month, day=date.day)


def _repair(repair: mrz.Repair) -> pb.Repair:
    basis = pb.RepairBasis.Value(f"REPAIR_BASIS_{repair.basis.value}")
    # "from" is a keyword, so it goes in by name.
    return pb.Repair(
        field=repair.field, position=repair.position, to=repair.now, basis=basis, **{"from": repair.was}
    )


def _verdict(verdict: domain.Verdict) -> types_pb2.Verdict:
    return types_pb2.Verdict(status=_OVERALL[verdict.overall], checks=[_check(c) for c in verdict.checks])


def _check(check: domain.Check) -> types_pb2.Check:
    return types_pb2.Check(
        name=check.name.value,
        status=types_pb2.CheckStatus.Value(f"CHECK_STATUS_{check.result.value}"),
        reasons=[check.reason] if check.reason else [],
    )
