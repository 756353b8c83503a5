"""What a chip holds, as protobuf. documents.proto is the specification."""

from __future__ import annotations

from borderpost.documents.chip.domain import ChipReading, HolderDetails, IssuanceDetails, Signer
from borderpost.documents.wire_mrz import to_date, to_mrz
from borderpost.runtime.clock import to_timestamp
from borderpost.v1 import documents_pb2 as pb


def to_chip(reading: ChipReading) -> pb.ChipReading:
    """Turn what was read from a chip into its message."""
    message = pb.ChipReading(
        clone_protection=pb.CloneProtection.Value(f"CLONE_PROTECTION_{reading.clone_protection.value}"),
        lds_version=reading.lds_version,
        files=reading.files,
    )
    if reading.mrz is not None:
        message.mrz.CopyFrom(to_mrz(reading.mrz))
    if reading.signer is not None:
        message.signer.CopyFrom(_signer(reading.signer))
    if reading.holder is not None:
        message.holder.CopyFrom(_holder(reading.holder))
    if reading.issuance is not None:
        message.issuance.CopyFrom(_issuance(reading.issuance))
    return message


def _signer(signer: Signer) -> pb.ChipSigner:
    message = pb.ChipSigner(
        country=signer.country,
        certificate_sha256=signer.certificate_sha256,
        csca_sha256=signer.csca_sha256,
        algorithm=signer.algorithm,
    )
    if signer.signed_at is not None:
        message.signed_at.CopyFrom(to_timestamp(signer.signed_at))
    if signer.revocation_list_from is not None:
        message.revocation_list_from.CopyFrom(to_timestamp(signer.revocation_list_from))
    return message


def _holder(holder: HolderDetails) -> pb.HolderDetails:
    message = pb.HolderDetails(
        full_name=holder.full_name,
        other_names=holder.other_names,
        personal_number=holder.personal_number,
        place_of_birth=holder.place_of_birth,
    )
    if holder.birth_date is not None:
        message.birth_date.CopyFrom(to_date(holder.birth_date))
    return message


def _issuance(issuance: IssuanceDetails) -> pb.IssuanceDetails:
    message = pb.IssuanceDetails(authority=issuance.authority, endorsements=issuance.endorsements)
    if issuance.issued_on is not None:
        message.issued_on.CopyFrom(to_date(issuance.issued_on))
    return message
