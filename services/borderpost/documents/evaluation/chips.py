"""Passive authentication over real signed objects: what states and standards bodies have published, and spoilt copies.

The wanted results are what is known of the files from elsewhere, and what the maker of the forgeries says of each.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from borderpost.documents.adapters.sqlite_trust import MIGRATIONS, SqliteTrustStore
from borderpost.documents.chip.domain import ActiveAuthentication, ChipFiles, ChipReading
from borderpost.documents.chip.errors import ChipFileError
from borderpost.documents.chip.portrait import read_portrait
from borderpost.documents.chip.read import read_chip
from borderpost.documents.evaluation.pages import SPECIMEN_SEED
from borderpost.documents.pki.certificates import parse_certificate
from borderpost.documents.pki.errors import PkiError
from borderpost.documents.trust.app import TrustStore
from borderpost.documents.trust.domain import NOTHING_TRUSTED, Report, TrustSnapshot
from borderpost.documents.trust.errors import TrustFileRefusedError, TrustFileUnreadableError
from borderpost.documents.trust.master_list import parse_master_list
from borderpost.documents.verdict import CheckName, Overall, Result, verdict
from borderpost.runtime.calls import Actor
from borderpost.runtime.picture_heads import JPEG
from borderpost.runtime.sqlite import Database
from borderpost.specimens.batch import random_specimen
from borderpost.specimens.chip import ChipOrder, SpecimenChip, make_chip
from borderpost.specimens.forgeries import FINDINGS, Finding, Forgery, forge
from borderpost.specimens.pages import mrz_lines
from borderpost.specimens.samples import empty_scene

AT: Final = datetime(2026, 11, 1, tzinfo=UTC)
"""When everything is judged, so that a run can be repeated."""

SIGNED_AGO: Final = timedelta(days=30)
"""Specimen chips were signed so long before: the forgeries' certificates end or begin within that time."""

NONCE: Final = bytes(range(8))

EXAMINER: Final = Actor("evaluation", "evaluation")

KEY_IDS: Final = 454
"""Different subject key identifiers on the German list of 2026-05 and the Dutch one of 2026-07."""

TRUNCATED: Final = 0.5
"""Share that is left of a truncated file."""


@dataclass(frozen=True, slots=True)
class ChipCheck:
    """One file: what is known of it, and what was found."""

    file: str
    wanted: str
    got: str
    right: bool


class _StillClock:
    """A clock that stands at a time."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        """The time."""
        return self._at


def check_real(folder: Path) -> list[ChipCheck]:
    """Check the published lists, chips and portraits in `folder`, and spoilt copies of them."""
    return [*_lists(folder / "master_lists"), *_chips(folder / "specimens"), *_portraits(folder / "dg2")]


def _lists(folder: Path) -> Iterator[ChipCheck]:
    """Each newest list by its root certificate; the older German one after the newer has brought its CSCA."""
    for name, root, count in (
        ("DE_ML_2026-05-28-08-28-45.ml", "DE_ROOT_CA_CSCA07.cer", 588),
        ("NL_ML_2026-07-22.ml", "NL_ROOT_CA.cer", 411),
    ):
        file = (folder / name).read_bytes()
        with _store(AT) as store:
            yield _refused(
                f"{name} without its root", store, file, "no trusted certificate issued its signer's"
            )
            _take(store, (folder / root).read_bytes())
            yield _refused(f"{name}, a byte changed", store, _changed(file, 0.5), "")
            found = _take(store, file)
            total = _listed(found)
            yield ChipCheck(name, f"signature fits; {count} certificates", _said(found), total == count)
    with _store(AT) as store:
        for name in ("DE_ROOT_CA_CSCA07.cer", "NL_ROOT_CA.cer", "DE_ML_2026-05-28-08-28-45.ml"):
            _take(store, (folder / name).read_bytes())
        found = _take(store, (folder / "DE_ML_2024-08-07-07-38-24.ml").read_bytes())
        text = "signature fits, by a CSCA that the newer list brings"
        yield ChipCheck("DE_ML_2024-08-07-07-38-24.ml", text, _said(found), _listed(found) > 0)
    yield _keys([folder / "DE_ML_2026-05-28-08-28-45.ml", folder / "NL_ML_2026-07-22.ml"])


def _keys(files: Sequence[Path]) -> ChipCheck:
    """Every certificate of the newest lists can be read, with its key, explicit curve parameters too."""
    ids, unreadable = set(), 0
    for file in files:
        for each in parse_master_list(file.read_bytes()).listed:
            try:
                ids.add(parse_certificate(each.der).key_id)
            except PkiError:
                unreadable += 1
    got = f"{unreadable} unreadable; {len(ids)} key ids"
    return ChipCheck(
        "both newest lists", f"0 unreadable; {KEY_IDS} key ids", got, (unreadable, len(ids)) == (0, KEY_IDS)
    )


def _listed(found: Report) -> int:
    return len(found.findings.certificates) + len(found.findings.duplicates) + len(found.findings.refused)


def _said(found: Report) -> str:
    reasons = Counter(each.reason for each in found.findings.refused)
    refused = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    trusted = len(found.findings.certificates) + len(found.findings.duplicates)
    return f"signature fits; {_listed(found)} certificates: {trusted} trusted" + (
        f", refused {refused}" if refused else ""
    )


def _refused(name: str, store: TrustStore, file: bytes, why: str) -> ChipCheck:
    """A list that has to be refused, with `why` in the message."""
    wanted = f"refused: {why}" if why else "refused"
    try:
        found = _take(store, file)
    except (TrustFileRefusedError, TrustFileUnreadableError) as error:
        return ChipCheck(name, wanted, f"refused: {error.reason}", why in error.message)
    return ChipCheck(name, wanted, _said(found), right=False)


def _chips(folder: Path) -> Iterator[ChipCheck]:
    unknown = "UNDETERMINED: TRUST_ANCHOR_UNKNOWN; signature and hashes fit"
    for name, groups in (("bsi", (1, 14)), ("etsi", (1, 14, 15))):
        files = ChipFiles(
            b"",
            (folder / f"{name}_sod.bin").read_bytes(),
            {number: (folder / f"{name}_dg{number}.bin").read_bytes() for number in groups},
        )
        passed = (
            CheckName.SECURITY_OBJECT,
            CheckName.SIGNED_ATTRIBUTES,
            CheckName.SIGNATURE,
            CheckName.DATA_GROUP_HASHES,
        )
        reading = read_chip(files, NOTHING_TRUSTED, AT)
        right = (
            verdict(reading.checks).overall is Overall.UNDETERMINED
            and all(_result(reading, each) is Result.PASSED for each in passed)
            and "TRUST_ANCHOR_UNKNOWN" in _reasons(reading)
        )
        shown = ", ".join(f"DG{number}" for number in groups)
        yield ChipCheck(f"{name}: SOD, {shown}", unknown, _judged(reading), right)
        spoilt: Mapping[str, tuple[ChipFiles, CheckName]] = {
            "a byte of DG1 changed": (
                _with_group(files, 1, _changed(files.data_groups[1], 0.5)),
                CheckName.DATA_GROUP_HASHES,
            ),
            "a byte of the signature changed": (
                replace(files, sod=_changed(files.sod, 1.0)),
                CheckName.SIGNATURE,
            ),
            "SOD cut off": (
                replace(files, sod=files.sod[: round(len(files.sod) * TRUNCATED)]),
                CheckName.SECURITY_OBJECT,
            ),
        }
        for what, (changed, check) in spoilt.items():
            yield _fails(f"{name}, {what}", changed, check)
    bsi = ChipFiles(
        b"",
        (folder / "bsi_sod.bin").read_bytes(),
        {number: (folder / f"bsi_dg{number}.bin").read_bytes() for number in (1, 15)},
    )
    reading = read_chip(bsi, NOTHING_TRUSTED, AT)
    right = _result(
        reading, CheckName.DATA_GROUP_HASHES
    ) is not Result.PASSED and "DATA_GROUP_NOT_SIGNED" in _reasons(reading)
    yield ChipCheck(
        "bsi, DG15 too, which its SOD lacks", "DG15 refused: DATA_GROUP_NOT_SIGNED", _judged(reading), right
    )


def _with_group(files: ChipFiles, number: int, data: bytes) -> ChipFiles:
    return replace(files, data_groups={**files.data_groups, number: data})


def _fails(name: str, files: ChipFiles, check: CheckName) -> ChipCheck:
    reading = read_chip(files, NOTHING_TRUSTED, AT)
    right = _result(reading, check) is Result.FAILED
    return ChipCheck(name, f"FAIL: {check.value}", _judged(reading), right)


def _portraits(folder: Path) -> Iterator[ChipCheck]:
    for file in sorted(folder.glob("*.bin")):
        try:
            portrait = read_portrait(file.read_bytes())
        except ChipFileError as error:
            yield ChipCheck(file.name, "decodes", str(error), right=False)
            continue
        kind = "JPEG" if portrait.picture.startswith(JPEG) else "JPEG 2000"
        yield ChipCheck(file.name, "decodes", f"{kind}, {portrait.width} × {portrait.height}", right=True)


def check_specimens() -> list[ChipCheck]:
    """Check a genuine specimen chip and every forgery of it, with Utopia's certificates trusted."""
    lines = mrz_lines(random_specimen(random.Random(SPECIMEN_SEED)))  # noqa: S311  repeatable
    order = ChipOrder(lines=lines, portrait=empty_scene(), signed_at=AT - SIGNED_AGO, issuance=None)
    genuine = make_chip(order)
    with _store(AT) as store:
        _take(store, genuine.csca)
        for name in ("masterlist.ml", "pkd.ldif"):
            _take(store, genuine.trust[name])
        trust = store.snapshot()
    forgeries = [each for each in Forgery if each is not Forgery.OTHER_PAGE]  # of which the chip is genuine
    return [
        _specimen("genuine", genuine, trust, Finding("PASS", frozenset())),
        *(
            _specimen(each.value, forge(each, order, genuine=genuine), trust, FINDINGS[each])
            for each in forgeries
        ),
    ]


def _specimen(name: str, chip: SpecimenChip, trust: TrustSnapshot, wanted: Finding) -> ChipCheck:
    groups = {int(each[2:]): data for each, data in chip.files.items() if each.startswith("DG")}
    answer = None if name == Forgery.SILENT_CLONE.value or chip.key is None else chip.answer(NONCE)
    files = ChipFiles(
        chip.files["COM"],
        chip.files["SOD"],
        groups,
        None if answer is None else ActiveAuthentication(NONCE, answer),
    )
    reading = read_chip(files, trust, AT)
    overall = verdict(reading.checks).overall.value
    open_checks = {each.name.value for each in reading.checks if each.result is not Result.PASSED}
    right = overall == wanted.verdict and (not wanted.checks or bool(wanted.checks & open_checks))
    checks = " or ".join(sorted(wanted.checks))
    text = f"{wanted.verdict}: {checks}" if checks else wanted.verdict
    return ChipCheck(f"specimen, {name}", text, _judged(reading), right)


@contextmanager
def _store(at: datetime) -> Iterator[TrustStore]:
    """An empty trust store, thrown away afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "trust.sqlite", MIGRATIONS)
        try:
            yield TrustStore(SqliteTrustStore(database), _StillClock(at), accept_specimens=True)
        finally:
            database.close()


def _take(store: TrustStore, file: bytes) -> Report:
    return store.import_file(file, "evaluation", EXAMINER, "evaluation", issuer_sha256=b"", dry_run=False)


def _changed(data: bytes, place: float) -> bytes:
    """The bytes with one of them changed, `place` of the way through."""
    at = min(len(data) - 1, round(len(data) * place))
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _result(reading: ChipReading, name: CheckName) -> Result | None:
    return next((each.result for each in reading.checks if each.name is name), None)


def _reasons(reading: ChipReading) -> set[str]:
    return {str(each.reason) for each in reading.checks}


def _judged(reading: ChipReading) -> str:
    """The verdict, and the checks that failed, or else those that stayed open."""
    made = verdict(reading.checks)
    for result in (Result.FAILED, Result.UNDETERMINED):
        told = [f"{each.name.value} {each.reason}" for each in made.checks if each.result is result]
        if told:
            return f"{made.overall.value}: {', '.join(told)}"
    return made.overall.value
