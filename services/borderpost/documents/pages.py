"""Reading and judging a page: its MRZ, its portrait, its optical verdict."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from borderpost.documents import mrz
from borderpost.documents.decide import Interpretation, interpret, is_of_its_kinds, merge, repaired
from borderpost.documents.domain import (
    DocumentReading,
    Line,
    Portrait,
    Problem,
    Stage,
    Warn,
    Zone,
    electronic_verdict_without_chip,
    optical_verdict,
    optical_verdict_of_problem,
    optical_verdict_without_page,
)
from borderpost.documents.ports import MrzReader, PortraitCropper
from borderpost.runtime.pictures import Rgb, decode_picture

NEVER_BELIEVED: Final = frozenset({Problem.GLARE_ON_MRZ})
"""Flaws with which nothing is read, however clear it looks: what a reflection leaves of a letter can be another one."""


class Pages:
    """Reads and judges pages. Holds no state of its own: any number of threads may use it."""

    def __init__(self, reader: MrzReader, cropper: PortraitCropper, *, accept_specimens: bool) -> None:
        self._reader = reader
        self._cropper = cropper
        self._accept_specimens = accept_specimens

    def read(self, page: bytes, today: datetime.date, portrait_page: bytes = b"") -> DocumentReading:
        """Read a picture of a data page, and judge it as of `today`.

        `portrait_page` is the document's other side, if it has the portrait.
        Raises only the errors of `decode_picture`. A page that can't be read is a result with a problem.
        """
        clock = _StageClock()
        with clock.stage("decode"):
            picture = decode_picture(page, "page")
            other_side = decode_picture(portrait_page, "portrait_page") if portrait_page else None
        with clock.stage("read_mrz"):
            zone = self._reader.read(picture)
        if isinstance(zone, Problem):
            return self._unread(zone, (), clock)
        if zone.flaw in NEVER_BELIEVED:
            return self._unread(zone.flaw, zone.lines, clock)
        found, lines, looked_twice = self._settle(picture, zone, clock)
        if found is None:
            return self._unread(zone.flaw or Problem.MRZ_UNCERTAIN, lines, clock)
        document = mrz.parse(found.lines, today)
        with clock.stage("portrait"):
            if other_side is None:
                portrait = self._cropper.crop(picture, zone, document.format.name)
            else:
                portrait = self._cropper.crop_card(other_side)
        warnings = _warnings(document, found, portrait, looked_twice=looked_twice)
        return DocumentReading(
            problem=None,
            lines=lines,
            mrz=document,
            repairs=found.repairs,
            warnings=warnings,
            zone=zone.quad,
            portrait=portrait,
            optical=optical_verdict(document, today, accept_specimens=self._accept_specimens),
            electronic=electronic_verdict_without_chip(),
            reader=self._reader.name,
            stages=clock.stages(),
        )

    def without_page(self) -> DocumentReading:
        """Say of a document whose chip alone was sent what there is to say of its page: nothing."""
        return DocumentReading(
            problem=None,
            lines=(),
            mrz=None,
            repairs=(),
            warnings=(),
            zone=None,
            portrait=None,
            optical=optical_verdict_without_page(),
            electronic=electronic_verdict_without_chip(),
            reader="",
            stages=(),
        )

    def _settle(
        self, page: Rgb, zone: Zone, clock: _StageClock
    ) -> tuple[Interpretation | None, tuple[Line, ...], bool]:
        """Interpret the first reading, and with a second one if anything is open.

        Returns None if it stays open; also the lines it rests on, and whether a second reading was needed.
        """
        first = _try_interpret(zone.lines)
        if first is not None and not first.refuted and not first.unsettled:
            return first, zone.lines, False
        with clock.stage("read_mrz_again"):
            second = self._reader.read_again(page, zone).lines
        lines = merge(zone.lines, second)
        found = _try_interpret(lines)
        if found is not None:
            found = repaired(lines, found)
            if found.unsettled or not is_of_its_kinds(found.lines):
                found = None
        return found, lines, True

    def _unread(self, problem: Problem, lines: tuple[Line, ...], clock: _StageClock) -> DocumentReading:
        return DocumentReading(
            problem=problem,
            lines=lines,
            mrz=None,
            repairs=(),
            warnings=(),
            zone=None,
            portrait=None,
            optical=optical_verdict_of_problem(problem),
            electronic=electronic_verdict_without_chip(),
            reader=self._reader.name,
            stages=clock.stages(),
        )


def _try_interpret(lines: tuple[Line, ...]) -> Interpretation | None:
    try:
        return interpret(lines)
    except mrz.MrzShapeError:
        return None


def _warnings(
    document: mrz.Mrz, found: Interpretation, portrait: Portrait | None, *, looked_twice: bool
) -> tuple[Warn, ...]:
    by_digit = any(repair.basis is mrz.RepairBasis.CHECK_DIGIT for repair in found.repairs)
    applies = {
        Warn.CHARACTER_REPAIRED: by_digit,
        Warn.NAMES_MAY_BE_CUT: document.names_may_be_cut,
        Warn.PORTRAIT_NOT_FOUND: portrait is None,
        Warn.SECOND_READING: looked_twice,
    }
    return tuple(warning for warning, holds in applies.items() if holds)


class _StageClock:
    """Wall time of the stages of one reading."""

    def __init__(self) -> None:
        self._stages: list[Stage] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._stages.append(Stage(name, (time.perf_counter() - begun) * 1000))

    def stages(self) -> tuple[Stage, ...]:
        return tuple(self._stages)
