"""The gallery: faces of recent travelers, to see whether one comes with two identities.

It is in memory alone: nothing of it is in a file, a backup or the log, and a restart forgets everybody. Off unless a
policy switches it on, and names the law that allows it (docs/patterns.md). Each process has its own.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import structlog

from borderpost.decisions.patterns.domain import Seen
from borderpost.runtime.calibration import Calibration

MAX_FACES: Final = 50_000
"""Faces that are held at most; where more come, those go first whose time is over first."""

FIRST_ROWS: Final = 256

Vector = npt.NDArray[np.float32]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Face:
    """A traveler's face: its template (length 1) and the model that made it; SHA-256 of whom the document names; in
    which screening; until when it is held."""

    seen: Seen
    holder: bytes
    model_id: str
    vector: Vector
    until: datetime


class Gallery:
    """Faces of recent travelers. May be used by many threads."""

    def __init__(self, calibrations: Mapping[str, Calibration], most: int = MAX_FACES) -> None:
        """`calibrations`, by model: what scores mean."""
        self._calibrations = calibrations
        self._most = most
        self._lock = threading.Lock()
        self._models: dict[tuple[str, int], _Rows] = {}
        self._held: dict[str, Face] = {}
        self._ends: list[tuple[datetime, str]] = []

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, face: Face, now: datetime) -> None:
        """Hold a face; the same screening's again changes nothing."""
        with self._lock:
            self._forget_old(now)
            if face.seen.event_id in self._held or face.until <= now:
                return
            if len(self._held) >= self._most:
                self._drop(heapq.heappop(self._ends)[1])
            self._rows(face).put(face.seen.event_id, face.vector)
            self._held[face.seen.event_id] = face
            heapq.heappush(self._ends, (face.until, face.seen.event_id))

    def of_others(self, face: Face, fmr: float, now: datetime) -> list[Seen]:
        """Return in which screenings of other visits a face like this came with another holder's document.

        Like this: as strangers are at the mean false-match rate `fmr` of a comparison. Nobody is found at a rate that
        the model's calibration can't show.
        """
        threshold = self._threshold(face.model_id, fmr)
        if threshold is None:
            return []
        with self._lock:
            self._forget_old(now)
            alike = [self._held[event_id] for event_id in self._rows(face).alike(face.vector, threshold)]
        return [
            other.seen
            for other in alike
            if other.holder != face.holder and other.seen.visit_id != face.seen.visit_id
        ]

    def forget(self, event_ids: Iterable[str]) -> None:
        """Forget the faces of these screenings."""
        with self._lock:
            for event_id in event_ids:
                self._drop(event_id)

    def forget_old(self, now: datetime) -> None:
        """Forget those whose time is over."""
        with self._lock:
            self._forget_old(now)

    def _forget_old(self, now: datetime) -> None:
        while self._ends and self._ends[0][0] <= now:
            self._drop(heapq.heappop(self._ends)[1])

    def _drop(self, event_id: str) -> None:
        face = self._held.pop(event_id, None)
        if face is not None:
            self._rows(face).drop(event_id)

    def _rows(self, face: Face) -> _Rows:
        return self._models.setdefault((face.model_id, len(face.vector)), _Rows(len(face.vector)))

    def _threshold(self, model_id: str, fmr: float) -> float | None:
        calibration = self._calibrations.get(model_id)
        threshold = calibration.mean_threshold_at(fmr) if calibration else None
        if threshold is None or not threshold.supported:
            _log.warning("gallery_rate_unsupported", model_id=model_id, fmr=fmr)
            return None
        return threshold.score


class _Rows:
    """Templates of one model as rows of a matrix. A dropped one's numbers are overwritten."""

    def __init__(self, dimension: int) -> None:
        self._matrix = np.zeros((FIRST_ROWS, dimension), np.float32)
        self._places: dict[str, int] = {}
        self._ids: dict[int, str] = {}
        self._free = list(range(FIRST_ROWS))

    def put(self, event_id: str, vector: Vector) -> None:
        if not self._free:
            self._free = list(range(len(self._matrix), 2 * len(self._matrix)))
            grown = np.concatenate((self._matrix, np.zeros_like(self._matrix)))
            self._matrix[:] = 0
            self._matrix = grown
        place = self._free.pop()
        self._matrix[place] = vector
        self._places[event_id], self._ids[place] = place, event_id

    def drop(self, event_id: str) -> None:
        place = self._places.pop(event_id)
        self._matrix[place] = 0
        del self._ids[place]
        self._free.append(place)

    def alike(self, vector: Vector, threshold: float) -> Sequence[str]:
        places = np.flatnonzero(self._matrix @ vector >= threshold)
        return [self._ids[place] for place in places.tolist() if place in self._ids]
