"""The use cases of the faces service: extract a template, compare two. Plain Python, called from threads."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from borderpost.faces import quality
from borderpost.faces.domain import (
    LIVENESS_NOT_PERFORMED,
    Chip,
    Comparison,
    Decision,
    Extraction,
    Face,
    FaceBox,
    Profile,
    QualityReport,
    StageTimes,
    Template,
    check_template,
    cosine,
    make_template,
    travelers_face,
)
from borderpost.faces.errors import TemplateModelMismatchError
from borderpost.faces.ports import Engine
from borderpost.runtime.calibration import Calibration
from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.pictures import Rgb, decode_picture

MAX_FRAMES: Final = 8
"""Frames of one capture (faces.proto); each costs a decode and a detection."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame's findings; the picture itself is not kept."""

    face: Face | None
    chip: Chip | None
    faces_found: int
    report: QualityReport


class Faces:
    """Extraction and 1:1 comparison by one model. Safe to call from several threads at a time."""

    def __init__(self, engine: Engine, calibration: Calibration) -> None:
        card = engine.embedder.card
        if calibration.model_id != card.id:
            raise TemplateModelMismatchError(
                f"calibration: belongs to another model than {card.id}: name the one that fits",
                model_id=card.id,
            )
        self._engine = engine
        self._card = card
        self._calibration = calibration

    def extract(self, pictures: Sequence[bytes], profile: Profile) -> Extraction:
        """The template of the best frame of one capture, with its quality. No face is a result, not an error.

        `pictures` are 1 to MAX_FRAMES encoded pictures of the same person. Raises InvalidRequestError for
        another count, and the errors of `runtime.pictures` for bytes that can't be decoded.
        """
        if not 1 <= len(pictures) <= MAX_FRAMES:
            raise InvalidRequestError(
                f"frames: got {len(pictures)}, want 1 to {MAX_FRAMES} frames of one capture",
                field="pictures",
            )
        watch = _Stopwatch()
        frames = [self._look(data, f"frames[{i}]", profile, watch) for i, data in enumerate(pictures)]
        best = quality.best_of([frame.report for frame in frames])
        frame = frames[best]
        return Extraction(
            profile=profile,
            model_id=self._card.id,
            best_frame=best if frame.face is not None else None,
            template=self._template(frame.chip, watch) if frame.chip is not None else None,
            box=frame.face.box if frame.face is not None else None,
            faces_found=frame.faces_found,
            quality=frame.report,
            liveness=LIVENESS_NOT_PERFORMED,
            milliseconds=watch.times(),
        )

    def compare(self, probe: Template, reference: Template, fmr_target: float) -> Comparison:
        """Compare two templates, and decide at the false-match rate `fmr_target`.

        Raises TemplateModelMismatchError, TemplateInvalidError, and InvalidRequestError for a rate that the
        calibration's table can't hold.
        """
        card = self._card
        for field, template in (("probe", probe), ("reference", reference)):
            check_template(template, card.id, card.dimension, field)
        score = cosine(probe, reference)
        threshold = self._calibration.threshold_at(fmr_target)
        if score < threshold.score:
            decision = Decision.NO_MATCH
        else:
            decision = Decision.MATCH if threshold.supported else Decision.UNDETERMINED
        return Comparison(
            model_id=card.id,
            score=score,
            fmr=self._calibration.fmr_at(score),
            fmr_target=fmr_target,
            threshold=threshold.score,
            decision=decision,
            calibration_id=self._calibration.id,
        )

    def _look(self, data: bytes, field: str, profile: Profile, watch: _Stopwatch) -> _Frame:
        with watch.stage("decode"):
            picture = decode_picture(data, field)
        height, width = picture.shape[:2]
        with watch.stage("detect"):
            boxes = self._engine.detector.detect(picture)
        box = travelers_face(boxes, width, height)
        if box is None:
            return _Frame(None, None, 0, quality.no_face())
        with watch.stage("align"):
            face, chip = self._aligned(picture, box)
        with watch.stage("assess"):
            report = quality.assess(quality.View(width, height, boxes, face, chip), profile)
        return _Frame(face, chip, len(boxes), report)

    def _aligned(self, picture: Rgb, box: FaceBox) -> tuple[Face, Chip]:
        face = Face(box, self._engine.aligner.landmarks(picture, box))
        return face, self._engine.aligner.align(picture, face)

    def _template(self, chip: Chip, watch: _Stopwatch) -> Template:
        with watch.stage("embed"):
            return make_template(self._card.id, self._engine.embedder.embed(chip[None])[0])


class _Stopwatch:
    """Adds up the time of each stage over all frames."""

    def __init__(self) -> None:
        self._spent = dict.fromkeys(("decode", "detect", "align", "assess", "embed"), 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._spent[name] += (time.perf_counter() - started) * 1000

    def times(self) -> StageTimes:
        return StageTimes(**self._spent)
