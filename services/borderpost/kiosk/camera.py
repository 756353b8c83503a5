"""A simulated camera: frames made of still pictures, for trials and tests without a real one.

It can do what a picture held before a camera can: move a little, come closer, be another picture. It can't turn its
head. Frames made so prove nothing about living people, and a challenge that asks for turns tells them apart.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from PIL import Image

from borderpost.v1 import faces_pb2

FRAMES_A_SECOND: Final = 15.0
NOISE_LEVELS: Final = 2.0
"""Standard deviation of the noise of each pixel, of 255: about what small cameras have in room light."""

SWAY: Final = 0.01
"""How far a standing person sways, as a share of the picture's width."""

REACTION_FRAMES: Final = 6
"""Frames until what is asked for is done: 0.4 s."""

CLOSER: Final = 1.4
STEP: Final = 1.05
"""How much closer the picture comes in all, and from one frame to the next."""

JPEG_QUALITY: Final = 90


class StillCamera:
    """Frames of somebody who is a picture. Iterate over it; it has no end.

    `turned` has other pictures of the same person for what a picture can't do: they are shown while that is asked
    for. Without them the picture goes on looking straight.
    """

    def __init__(
        self,
        straight: bytes,
        turned: Mapping[faces_pb2.CaptureAction.ValueType, bytes] | None = None,
        frames_a_second: float = FRAMES_A_SECOND,
    ) -> None:
        self._straight = _read(straight)
        self._turned = {action: _read(picture) for action, picture in (turned or {}).items()}
        self._pause = 1 / frames_a_second
        self._random = np.random.default_rng(1)
        self._action: faces_pb2.CaptureAction.ValueType = faces_pb2.CAPTURE_ACTION_LOOK_STRAIGHT
        self._asked = self._action
        self._asked_at = 0
        self._scale = 1.0
        self._number = 0

    def obey(self, guidance: faces_pb2.CaptureGuidance) -> None:
        """Do what is asked for, as soon as a person could."""
        if guidance.action != self._asked:
            self._asked, self._asked_at = guidance.action, self._number

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield self.frame()
            time.sleep(self._pause)

    def frame(self) -> bytes:
        """The next frame, a JPEG."""
        if self._number - self._asked_at >= REACTION_FRAMES:
            self._action = self._asked
        picture = self._turned.get(self._action, self._straight)
        wanted = CLOSER if self._action == faces_pb2.CAPTURE_ACTION_MOVE_CLOSER else 1.0
        self._scale = (
            min(wanted, self._scale * STEP) if wanted > self._scale else max(wanted, self._scale / STEP)
        )
        self._number += 1
        sway = SWAY * picture.width * math.sin(self._number / 4)
        return _jpeg(self._noisy(_moved(picture, self._scale, sway)))

    def _noisy(self, picture: Image.Image) -> Image.Image:
        pixels = np.asarray(picture, np.float32)
        noise = self._random.normal(0.0, NOISE_LEVELS, pixels.shape)
        return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


def _read(picture: bytes) -> Image.Image:
    return Image.open(io.BytesIO(picture)).convert("RGB")


def _moved(picture: Image.Image, scale: float, sway: float) -> Image.Image:
    """The picture `scale` times as near and `sway` pixels aside, with its edges going on."""
    width, height = picture.size
    x, y = width / 2 * (1 - 1 / scale) + sway, height / 2 * (1 - 1 / scale)
    return picture.transform(
        picture.size,
        Image.Transform.AFFINE,
        (1 / scale, 0, x, 0, 1 / scale, y),
        Image.Resampling.BILINEAR,
        fillcolor=picture.getpixel((0, 0)),
    )


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
