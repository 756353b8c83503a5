"""The use cases of the faces service: extract a template, compare two faces. Plain Python, called from threads."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import numpy as np

from borderpost.faces import quality
from borderpost.faces.domain import (
    LIVENESS_NOT_PERFORMED,
    CaptureProblem,
    Chips,
    Comparison,
    Decision,
    Extraction,
    Face,
    FaceBox,
    FacePicture,
    Landmarks,
    Look,
    Profile,
    Sample,
    Score,
    StageTimes,
    Template,
    check_template,
    cosine,
    make_template,
    mean_template,
    travelers_face,
)
from borderpost.faces.ports import Engine
from borderpost.runtime.calibration import Calibration, Threshold
from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.pictures import decode_picture

POSE_BY_NETWORK: Final = frozenset({Profile.WATCHLIST_ENROLMENT})
"""The pose network takes 7 ms, a quarter of a face's time: pictures to be kept are worth it. Elsewhere five points tell
yaw and roll, and pitch is not measured."""

MAX_FRAMES: Final = 8
"""Frames of one capture (faces.proto); each costs a decode and a detection."""

SAME_PERSON_FMR: Final = 1e-3
"""Frames of one capture show the same person if they match at this rate. They are seconds apart, under one light
and one camera, so the traveler's own frames lie far above it; and somebody who stepped in passes it once in
a thousand times, before the comparison with the document, which is the check that counts."""


class Faces:
    """Extraction and 1:1 comparison by one model. Safe to call from several threads at a time.

    Raises CalibrationError where the calibration was made for another engine.
    """

    def __init__(self, engine: Engine, calibration: Calibration) -> None:
        card = engine.embedder.card
        calibration.check_engine(card.id, card.fingerprint, card.engine)
        self._engine = engine
        self._card = card
        self._calibration = calibration
        self._same_person = calibration.mean_threshold_at(SAME_PERSON_FMR).score

    def warm_up(self) -> None:
        """Use every model on the calling thread, in the sizes that calls have: nothing is left to be loaded then.

        Raises WeightsMissingError, WeightsAlteredError.
        """
        engine, picture = self._engine, np.full((480, 640, 3), 128, dtype=np.uint8)
        engine.detector.detect(picture)
        box = FaceBox(220, 140, 200, 200)
        face = Face(box, engine.aligner.landmarks(picture, box))
        views = engine.aligner.align(picture, face)
        if engine.pose:
            engine.pose.pose(picture, face)
        if engine.eyes:
            engine.eyes.eyes(picture, face)
        for frames in (1, MAX_FRAMES):
            engine.embedder.embed(np.concatenate([views] * frames))

    def extract(self, pictures: Sequence[bytes], profile: Profile) -> Extraction:
        """One template of the frames of one capture, with the best one's quality.

        `pictures` are 1 to MAX_FRAMES encoded pictures of one person. Every frame without a problem goes into the
        template, or where all have one the best frame alone. Frames of somebody else stay out of it, and are the
        problem DIFFERENT_FACES. No face is a result, not an error.

        Raises InvalidRequestError for another count, and the errors of `runtime.pictures` for bytes that can't
        be decoded.
        """
        if not 1 <= len(pictures) <= MAX_FRAMES:
            raise InvalidRequestError(
                f"frames: got {len(pictures)}, want 1 to {MAX_FRAMES} frames of one capture",
                field="pictures",
            )
        watch = Stopwatch()
        looks = [self.look(data, f"frames[{i}]", profile, watch) for i, data in enumerate(pictures)]
        best = quality.best_of([look.quality for look in looks])
        seen, report = looks[best], looks[best].quality
        fused: tuple[int, ...] = ()
        template = None
        if seen.face is not None:
            with watch.stage("embed"):
                template, norm, fused, strangers = self._fused(looks, best)
            report = quality.with_unified_score(report, self._card.id, norm)
            if strangers:
                report = replace(report, problems=(*report.problems, CaptureProblem.DIFFERENT_FACES))
        return Extraction(
            profile=profile,
            model_id=self._card.id,
            best_frame=best if seen.face is not None else None,
            fused_frames=fused,
            template=template,
            box=seen.box,
            other_boxes=seen.other_boxes,
            quality=report,
            liveness=LIVENESS_NOT_PERFORMED,
            milliseconds=watch.times(),
        )

    def compare(self, probe: Sample, reference: Sample, fmr_target: float) -> Comparison:
        """Compare two faces, and decide at the false-match rate `fmr_target`. No face is a result, not an error.

        Raises TemplateModelMismatchError, TemplateInvalidError, the errors of `runtime.pictures`, and
        InvalidRequestError for a rate that the calibration's table can't hold.
        """
        threshold = self._calibration.threshold_at(fmr_target)
        ours, probe_look = self._sampled(probe, "probe")
        theirs, reference_look = self._sampled(reference, "reference")
        score = None
        if ours is not None and theirs is not None:
            value = cosine(ours, theirs)
            score = Score(value, self._calibration.fmr_at(value))
        return Comparison(
            model_id=self._card.id,
            score=score,
            fmr_target=fmr_target,
            threshold=threshold.score,
            decision=_decide(score, threshold),
            calibration_id=self._calibration.id,
            probe=probe_look,
            reference=reference_look,
        )

    def look(
        self,
        data: bytes,
        field: str,
        profile: Profile,
        watch: Stopwatch | None = None,
        *,
        by_network: bool = False,
    ) -> Look:
        """Look at one encoded picture: faces, quality, and the views of the traveler's face. Nothing is embedded.

        `field` names the picture in the errors of `runtime.pictures`; `watch` adds up the time of each stage.
        `by_network` has the head's pose measured by the engine's network, also where POSE_BY_NETWORK doesn't.
        """
        watch = watch or Stopwatch()
        with watch.stage("decode"):
            picture = decode_picture(data, field)
        height, width = picture.shape[:2]
        with watch.stage("detect"):
            boxes = self._engine.detector.detect(picture)
        box = travelers_face(boxes, width, height)
        if box is None:
            return Look((), None, None, None, None, quality.no_face())
        with watch.stage("align"):
            face = Face(box, self._engine.aligner.landmarks(picture, box))
            views = self._engine.aligner.align(picture, face)
        with watch.stage("assess"):
            wanted = by_network or profile in POSE_BY_NETWORK
            pose = self._engine.pose.pose(picture, face) if wanted and self._engine.pose else None
            eyes = self._engine.eyes.eyes(picture, face) if self._engine.eyes else None
            report = quality.assess(quality.View(picture, boxes, face, pose, eyes), profile)
        return Look(boxes, face, pose, eyes, views, report)

    def locate_eyes(self, pictures: Sequence[bytes]) -> list[Landmarks | None]:
        """The points of each picture's most prominent face; None where there is none.

        Raises the errors of `runtime.pictures` for bytes that can't be decoded.
        """
        return [self._points(data, f"pictures[{i}]") for i, data in enumerate(pictures)]

    def _points(self, data: bytes, field: str) -> Landmarks | None:
        picture = decode_picture(data, field)
        height, width = picture.shape[:2]
        box = travelers_face(self._engine.detector.detect(picture), width, height)
        return None if box is None else self._engine.aligner.landmarks(picture, box)

    def templates(self, faces: Sequence[Chips]) -> list[Template]:
        """The template of each face, given by its views: the mean of their embeddings. All in one batch."""
        return [template for template, _ in self._embedded(faces)]

    def _embedded(self, faces: Sequence[Chips]) -> list[tuple[Template, float]]:
        """The template of each face, and the length of its first view's embedding before it was divided by it."""
        embeddings = self._engine.embedder.embed(np.concatenate(faces))
        units = [make_template(self._card.id, embedding) for embedding in embeddings]
        each = len(self._card.views)
        firsts = range(0, len(units), each)
        return [
            (mean_template(units[first : first + each]), float(np.linalg.norm(embeddings[first])))
            for first in firsts
        ]

    def same_person(self, a: Template, b: Template) -> bool:
        """Whether two templates from one capture show one person, at SAME_PERSON_FMR."""
        return cosine(a, b) >= self._same_person

    def _fused(self, looks: Sequence[Look], best: int) -> tuple[Template, float, tuple[int, ...], bool]:
        """The template, the length of the best frame's embedding, which frames it is made of, and whether others
        show somebody else.
        """
        views = {
            index: look.views
            for index, look in enumerate(looks)
            if look.views is not None and (index == best or not look.quality.problems)
        }
        embedded = dict(zip(views, self._embedded(list(views.values())), strict=True))
        templates = {index: template for index, (template, _) in embedded.items()}
        fused = tuple(i for i, template in templates.items() if self.same_person(templates[best], template))
        template = mean_template([templates[i] for i in fused])
        return template, embedded[best][1], fused, len(fused) < len(templates)

    def _sampled(self, sample: Sample, field: str) -> tuple[Template | None, Look | None]:
        if isinstance(sample, FacePicture):
            look = self.look(sample.data, field, sample.profile)
            if look.views is None:
                return None, look
            template, norm = self._embedded([look.views])[0]
            report = quality.with_unified_score(look.quality, self._card.id, norm)
            return template, replace(look, quality=report)
        check_template(sample, self._card.id, self._card.dimension, field)
        return sample, None


def _decide(score: Score | None, threshold: Threshold) -> Decision:
    if score is None:
        return Decision.UNDETERMINED
    if score.value < threshold.score:
        return Decision.NO_MATCH
    return Decision.MATCH if threshold.supported else Decision.UNDETERMINED


class Stopwatch:
    """Adds up the time of each stage over all frames."""

    def __init__(self) -> None:
        self._spent = dict.fromkeys(("decode", "detect", "align", "assess", "embed"), 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage."""
        started = time.perf_counter()
        yield
        self._spent[name] += (time.perf_counter() - started) * 1000

    def times(self) -> StageTimes:
        """What was spent so far, in milliseconds."""
        return StageTimes(**self._spent)
