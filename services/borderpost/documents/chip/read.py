"""What a chip holds and whether to believe it: all of its checks, in order. Never raises for bad files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, TypeVar

from borderpost.documents import mrz
from borderpost.documents.chip import active, passive
from borderpost.documents.chip.common import read_common
from borderpost.documents.chip.domain import ChipFiles, ChipPortrait, ChipReading, CloneProtection
from borderpost.documents.chip.errors import ChipFileError
from borderpost.documents.chip.groups import read_holder, read_issuance, read_mrz
from borderpost.documents.chip.passive import Passive
from borderpost.documents.chip.portrait import read_portrait
from borderpost.documents.chip.reasons import Why
from borderpost.documents.mrz import Mrz
from borderpost.documents.trust.domain import TrustSnapshot
from borderpost.documents.verdict import Check, CheckName, Result

DATA_CHECKS: Final = frozenset(
    {
        CheckName.CHIP_READ,
        CheckName.SECURITY_OBJECT,
        CheckName.SIGNED_ATTRIBUTES,
        CheckName.SIGNATURE,
        CheckName.SIGNER_ISSUER,
        CheckName.SIGNER_VALIDITY,
        CheckName.SIGNER_REVOCATION,
        CheckName.DATA_GROUP_HASHES,
        CheckName.DATA_GROUPS_COMPLETE,
        CheckName.SIGNER_COUNTRY,
        CheckName.CHIP_MRZ,
        CheckName.CHIP_PORTRAIT,
    }
)
"""Passive authentication and what it needs read: all of a chip's checks but CLONE_PROTECTION."""

_Value = TypeVar("_Value")


def read_chip(files: ChipFiles, trust: TrustSnapshot, at: datetime) -> ChipReading:
    """Read and judge a chip as of `at` (aware). Whatever is wrong with its files is a check with a reason."""
    files = replace(files, data_groups={number: data for number, data in files.data_groups.items() if data})
    if not (files.com or files.sod or files.data_groups):
        return _nothing(trust)
    at = at.astimezone(UTC)
    stages: dict[str, float] = {}
    with _timed(stages, "chip_passive"):
        zone = _read_group(files, 1, lambda data: read_mrz(data, at.date()))
        judged = passive.authenticate(files, zone, trust, at)
    with _timed(stages, "chip_portrait"):
        portrait = None if 2 in judged.refused_groups else _read_group(files, 2, read_portrait)
    with _timed(stages, "chip_active"):
        authenticity = active.authenticate(files, judged)
    zone = None if 1 in judged.refused_groups else zone
    return ChipReading(
        mrz=zone,
        portrait=portrait,
        holder=None if 11 in judged.refused_groups else _read_group(files, 11, read_holder),
        issuance=None if 12 in judged.refused_groups else _read_group(files, 12, read_issuance),
        signer=judged.signer,
        clone_protection=authenticity.protection,
        lds_version=_lds_version(files, judged),
        files=_names(files),
        checks=(
            Check(CheckName.CHIP_READ, Result.PASSED),
            *judged.checks,
            _chip_mrz(files, judged, zone),
            _chip_portrait(files, judged, portrait),
            authenticity.check,
        ),
        trust_store_version=trust.version,
        stages=stages,
        unread_groups=tuple(sorted(judged.unread_groups)),
    )


def _nothing(trust: TrustSnapshot) -> ChipReading:
    return ChipReading(
        mrz=None,
        portrait=None,
        holder=None,
        issuance=None,
        signer=None,
        clone_protection=CloneProtection.UNVERIFIED,
        lds_version="",
        files=(),
        checks=(Check(CheckName.CHIP_READ, Result.NOT_PERFORMED, Why.NO_CHIP_FILES),),
        trust_store_version=trust.version,
    )


def _read_group(files: ChipFiles, number: int, read: Callable[[bytes], _Value]) -> _Value | None:
    data = files.data_groups.get(number)
    if data is None:
        return None
    try:
        return read(data)
    except ChipFileError:
        return None


def _chip_mrz(files: ChipFiles, judged: Passive, zone: Mrz | None) -> Check:
    name = CheckName.CHIP_MRZ
    if zone is None:
        return _unread(name, files, judged, 1, Why.CHIP_MRZ_UNREADABLE)
    if mrz.refuted(zone.digits):
        return Check(name, Result.FAILED, Why.CHECK_DIGIT_REFUTED)
    return Check(name, Result.PASSED)


def _chip_portrait(files: ChipFiles, judged: Passive, portrait: ChipPortrait | None) -> Check:
    name = CheckName.CHIP_PORTRAIT
    if portrait is None:
        return _unread(name, files, judged, 2, Why.CHIP_PORTRAIT_UNREADABLE)
    return Check(name, Result.PASSED)


def _unread(name: CheckName, files: ChipFiles, judged: Passive, number: int, unreadable: Why) -> Check:
    if number in judged.refused_groups:
        return Check(name, Result.NOT_PERFORMED, Why.DATA_GROUP_NOT_SIGNED)
    if number not in files.data_groups:
        return Check(name, Result.NOT_PERFORMED, Why.DATA_GROUP_NOT_READ)
    return Check(name, Result.FAILED, unreadable)


def _lds_version(files: ChipFiles, judged: Passive) -> str:
    """The signed one, where the security object has it (LDS 1.8), otherwise EF.COM's."""
    if judged.security_object is not None and judged.security_object.lds_version:
        return judged.security_object.lds_version
    try:
        return read_common(files.com).lds_version if files.com else ""
    except ChipFileError:
        return ""


def _names(files: ChipFiles) -> tuple[str, ...]:
    first = (name for name, data in (("COM", files.com), ("SOD", files.sod)) if data)
    return (*first, *(f"DG{number}" for number in sorted(files.data_groups)))


@contextmanager
def _timed(stages: dict[str, float], name: str) -> Iterator[None]:
    begun = time.perf_counter()
    try:
        yield
    finally:
        stages[name] = (time.perf_counter() - begun) * 1000
