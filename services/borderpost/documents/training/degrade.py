"""What happens to print between the printer and the network: wear, light, optics, sensor and compression.

Every function takes a grey picture of floats, 0 black to 1 white, and gives back a new one. `strength` is from 0
(nothing) to 1 (hardly to be read), and lengths follow the pitch of the characters in pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Degradation = Callable[[Floats, np.random.Generator, float, float], Floats]
"""Picture, source of chance, strength, pitch."""

MAX_SIGMA: Final = 0.13
"""Gaussian and defocus blur in pitches: a stroke is 0.14 wide."""

MAX_MOTION: Final = 0.42
"""Length of motion blur in pitches."""

MAX_NOISE: Final = 0.11
"""Standard deviation of noise as a share of white."""

WORST_QUALITY: Final = 12
"""Of JPEG."""

FILTERS: Final = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)
FILTER_SHARES: Final = (0.45, 0.3, 0.2, 0.05)


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], cells: int) -> Floats:
    """Return a field of smooth chance, -1 to 1, with so many hills along the picture."""
    rows = max(2, round(cells * shape[0] / shape[1]) + 1)
    coarse = rng.uniform(-1, 1, (rows, cells + 1)).astype(np.float32)
    return _grey(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC))


def resized(picture: Floats, rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """Scale to a size (width, height) with a filter chosen by chance."""
    method = FILTERS[rng.choice(len(FILTERS), p=FILTER_SHARES)]
    return _grey(cv2.resize(picture, size, interpolation=method))


def blurred(picture: Floats, rng: np.random.Generator, strength: float, pitch: float) -> Floats:
    """Blur by a lens: Gaussian or by a disc, which may differ across and upwards."""
    sigma = MAX_SIGMA * strength * rng.uniform(0.2, 1.0) * pitch
    if rng.random() < 0.5:
        return _grey(
            cv2.GaussianBlur(picture, (0, 0), max(sigma, 0.1), sigmaY=max(sigma * rng.uniform(0.6, 1.4), 0.1))
        )
    return _grey(cv2.filter2D(picture, -1, _disc(2 * sigma), borderType=cv2.BORDER_REPLICATE))


def moved(picture: Floats, rng: np.random.Generator, strength: float, pitch: float) -> Floats:
    """Blur by motion in any direction."""
    length = max(1.0, MAX_MOTION * strength * rng.uniform(0.2, 1.0) * pitch)
    reach = int(np.ceil(length / 2)) + 1
    angle = rng.uniform(0, np.pi)
    end = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    kernel = np.zeros((2 * reach + 1,) * 2, dtype=np.uint8)
    fixed = np.round((np.stack([-end, end]) + reach) * 16).astype(np.int32)
    cv2.line(kernel, fixed[0].tolist(), fixed[1].tolist(), 255, 1, cv2.LINE_AA, 4)
    return _grey(cv2.filter2D(picture, -1, _unit_sum(kernel), borderType=cv2.BORDER_REPLICATE))


def noisy(picture: Floats, rng: np.random.Generator, strength: float, pitch: float) -> Floats:
    """Add a sensor's noise, stronger in the light, sometimes in clumps."""
    noise = rng.standard_normal(picture.shape, dtype=np.float32)
    if pitch > 10 and rng.random() < 0.3:
        noise = _grey(cv2.GaussianBlur(noise, (0, 0), 0.8)) * np.float32(2)
    sigma = np.float32(MAX_NOISE * strength * rng.uniform(0.1, 1.0))
    return picture + noise * sigma * np.sqrt(np.clip(picture, 0.1, 1))


def compressed(picture: Floats, rng: np.random.Generator, strength: float, pitch: float) -> Floats:
    """Compress as JPEG; the blocks lie anywhere."""
    del pitch
    quality = round(95 - (95 - WORST_QUALITY) * strength * rng.uniform(0.3, 1.0))
    dy, dx = rng.integers(0, 8, 2)
    padded = cv2.copyMakeBorder(to_bytes(picture), int(dy), 0, int(dx), 0, cv2.BORDER_REPLICATE)
    _, data = cv2.imencode(".jpg", padded, [cv2.IMWRITE_JPEG_QUALITY, quality])
    back = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), dtype=np.float32)[dy:, dx:]
    return back / np.float32(255)


def glared(picture: Floats, rng: np.random.Generator, strength: float, pitch: float) -> Floats:
    """Add a spot of light that may saturate."""
    height, width = picture.shape
    x = np.arange(width, dtype=np.float32) - np.float32(rng.uniform(0, width))
    y = np.arange(height, dtype=np.float32)[:, np.newaxis] - np.float32(rng.uniform(-0.5, 1.5) * height)
    lean = np.float32(rng.uniform(-1.5, 1.5))
    spread = np.float32(pitch * rng.uniform(0.7, 5.0))
    spot = np.exp(-(((x + lean * y) / spread) ** 2) - (y / np.float32(height * rng.uniform(0.3, 1.5))) ** 2)
    return np.minimum(picture + spot * np.float32(strength * rng.uniform(0.2, 1.6)), np.float32(1))


def shaded(picture: Floats, rng: np.random.Generator, strength: float, pitch: float) -> Floats:
    """Darken one side of an edge, sharp or soft, and all of it unevenly."""
    height, width = picture.shape
    x = (
        np.arange(width, dtype=np.float32)
        + np.float32(rng.uniform(-2, 2)) * np.arange(height, dtype=np.float32)[:, None]
    )
    side = np.tanh((x - np.float32(rng.uniform(0, width))) / np.float32(pitch * rng.uniform(0.1, 8)))
    depth = np.float32(strength * rng.uniform(0, 0.35) * rng.choice((-1, 1)))
    uneven = np.float32(0.15 * strength) * smooth_field(rng, (height, width), int(rng.integers(2, 8)))
    return _grey(picture * (1 - np.abs(depth) + depth * side.astype(np.float32) + uneven))


def toned(picture: Floats, rng: np.random.Generator, strength: float, pitch: float) -> Floats:
    """Change gamma, contrast and brightness; light and dark may be cut."""
    del pitch
    gamma = np.float32(np.exp(rng.uniform(-0.7, 0.7) * strength))
    low = np.float32(rng.uniform(-0.15, 0.35) * strength)
    high = np.float32(1 + rng.uniform(-0.35, 0.25) * strength)
    return _grey(np.clip(low + (high - low) * np.clip(picture, 0, 1) ** gamma, 0, 1))


def rippled(picture: Floats, rng: np.random.Generator, strength: float, pitch: float) -> Floats:
    """Lay a moiré over it, as screens and halftones make it."""
    height, width = picture.shape
    period, angle = pitch * rng.uniform(0.2, 3.0), rng.uniform(0, np.pi)
    along = np.float32(2 * np.pi / period * np.cos(angle)) * np.arange(width, dtype=np.float32)
    down = np.float32(2 * np.pi / period * np.sin(angle)) * np.arange(height, dtype=np.float32)[:, np.newaxis]
    return picture * (1 + np.float32(0.12 * strength * rng.uniform(0.2, 1)) * np.sin(along + down))


def halved(picture: Floats, rng: np.random.Generator, strength: float, pitch: float) -> Floats:
    """Lose resolution and gain the size back."""
    height, width = picture.shape
    share = max(1 - 0.6 * strength * rng.random(), 5.0 / pitch)
    if share >= 1:
        return picture
    small = resized(picture, rng, (max(8, round(width * share)), max(4, round(height * share))))
    return resized(small, rng, (width, height))


CHAIN: Final[tuple[tuple[Degradation, float], ...]] = (
    (blurred, 0.5),
    (moved, 0.25),
    (noisy, 0.6),
    (compressed, 0.45),
    (glared, 0.2),
    (shaded, 0.35),
    (toned, 0.5),
    (rippled, 0.12),
    (halved, 0.15),
)
"""Every degradation with its share of the pictures."""


def degraded(picture: Floats, rng: np.random.Generator, strength: float, pitch: float) -> Floats:
    """Apply some of the degradations in any order."""
    for place in rng.permutation(len(CHAIN)):
        degradation, share = CHAIN[place]
        if rng.random() < share:
            picture = degradation(picture, rng, strength * rng.uniform(0.4, 1.0), pitch)
    return np.clip(picture, 0, 1).astype(np.float32)


def to_bytes(picture: Floats) -> npt.NDArray[np.uint8]:
    """Return 0 to 255 for 0 to 1."""
    return np.asarray(np.clip(picture, 0, 1) * 255 + 0.5, dtype=np.uint8)


def _disc(radius: float) -> Floats:
    """Return the kernel of a lens out of focus."""
    reach = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return _unit_sum(np.clip(radius + 0.5 - np.hypot(x, y), 0, 1))


def _unit_sum(kernel: npt.NDArray[np.generic]) -> Floats:
    weights = kernel.astype(np.float32)
    return _grey(weights / weights.sum())


def _grey(picture: object) -> Floats:
    return np.asarray(picture, dtype=np.float32)
