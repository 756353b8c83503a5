"""Faces without pictures: a frame is a line of text that says what is to be seen in it.

`frame("anna", yaw=25)` is anna, turned to her own left. No two frames are the same picture unless `same` is set.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from borderpost.faces.domain import (
    CaptureProblem,
    EyesOpen,
    Face,
    FaceBox,
    HeadPose,
    Landmarks,
    Look,
    Profile,
    QualityReport,
    make_template,
)
from borderpost.runtime.errors import PictureDamagedError

_numbers = itertools.count()


def frame(person: str = "anna", **seen: Any) -> bytes:
    """A frame. `yaw` degrees, `eyes` open 0 to 1, `x` and `size` pixels, `problem` a code, `slow` seconds."""
    said = {"person": person, **seen}
    return json.dumps(said if seen.get("same") else said | {"number": next(_numbers)}).encode()


DAMAGED = b"damaged"
NOBODY = {"person": ""}


def look_at(data: bytes) -> Look:
    """What such a frame shows. Raises PictureDamagedError."""
    try:
        seen = json.loads(data)
    except ValueError:
        raise PictureDamagedError("frame: damaged", field="frame") from None
    if not seen["person"]:
        return Look((), None, None, None, None, QualityReport((), (CaptureProblem.NO_FACE,)))
    x, size = seen.get("x", 300), seen.get("size", 100)
    eye, box = size / 4, FaceBox(round(x - size / 2), round(300 - size / 2), size, size)
    points = Landmarks(
        (x - 2 * eye, 290.0), (x - eye, 290.0), (x + eye, 290.0), (x + 2 * eye, 290.0), (x, 320.0)
    )
    chip = np.zeros((8, 8, 3), np.uint8)
    chip[0, 0] = len(seen["person"]), ord(seen["person"][0]), ord(seen["person"][-1])
    problems = (CaptureProblem(seen["problem"]),) if "problem" in seen else ()
    eyes = EyesOpen(seen["eyes"], seen["eyes"]) if "eyes" in seen else None
    return Look(
        (box,),
        Face(box, points),
        HeadPose(seen.get("yaw", 0.0), 0.0, 0.0),
        eyes,
        chip[None],
        QualityReport((), problems),
    )


def thumbnail_of(data: bytes) -> Any:
    """The thumbnail of such a frame: noise, unless it is the `same` picture as another."""
    seed = json.loads(data).get("same") or int.from_bytes(hashlib.sha256(data).digest()[:8], "big")
    return np.random.default_rng(seed).integers(0, 255, (4, 4)).astype(np.float32)


class FakeLooks:
    """What `Captures` needs of `Faces`. Equal names are one person; `looked` counts the frames looked at."""

    def __init__(self) -> None:
        self.looked = 0
        self.begun = threading.Event()

    def look(self, data: bytes, field: str, profile: Profile, by_network: bool = False) -> Look:
        self.looked += 1
        self.begun.set()
        look = look_at(data)
        time.sleep(json.loads(data).get("slow", 0.0))
        return look

    def templates(self, faces: Sequence[Any]) -> list[Any]:
        return [make_template("fake", np.asarray([*views[0, 0, 0], 1], np.float32)) for views in faces]

    def same_person(self, a: Any, b: Any) -> bool:
        return bool(np.allclose(a.values, b.values))
