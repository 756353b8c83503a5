"""How well lines are read that no one trained on: drawn ones by strength, and those of real pages.

Figures only; no text of a page is printed. Real pages are cut where a reader found their lines, and the same cuts
are read by every reader measured, so that only the reading is compared.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np
from PIL import Image

from borderpost.documents.adapters.ocrb_net import DIGIT_PER_PITCH, TEXT_SHARE, NetLine, OcrbNet, Strip
from borderpost.documents.adapters.reading.networks import LINE_HEIGHT, STEP, Networks
from borderpost.documents.adapters.two_network_reader import TwoNetworkReader
from borderpost.documents.domain import Problem, Quad
from borderpost.documents.mrz import ALPHABET
from borderpost.documents.ports import MrzReader
from borderpost.documents.training import glyphs
from borderpost.documents.training.glyphs import Bank
from borderpost.documents.training.lines import Sampler, Settings
from borderpost.runtime.pictures import Rgb

STRENGTHS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)

MEASURING_SEED: Final = 4242
"""No line that is measured was drawn for training."""

BINS: Final = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
"""Edges of the confidences that are counted together."""

ROOM: Final = 1.0
"""Pitches left and right of a line in its strip."""

JPEG_QUALITY: Final = 30

GENERAL_TEXT_SHARE: Final = 0.8
"""Height of the text by that of the strip which PP-OCR's recogniser reads."""


class LineNet(Protocol):
    """What is measured."""

    def read(self, strips: Sequence[Strip]) -> list[NetLine]:
        """Read lines."""


@dataclass(slots=True)
class Tally:
    """Counts of lines and characters read."""

    lines: int = 0
    exact: int = 0
    characters: int = 0
    errors: int = 0
    seconds: float = 0.0
    confidences: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    """Both only of lines that have the true length: elsewhere no character has a certain place."""

    def add(self, line: NetLine, truth: str) -> None:
        """Count one line."""
        self.lines += 1
        self.exact += line.text == truth
        self.characters += len(truth)
        self.errors += edits(line.text, truth)
        if len(line.text) == len(truth):
            self.confidences += line.confidences.tolist()
            self.right += [read == true for read, true in zip(line.text, truth, strict=True)]

    def __str__(self) -> str:
        return (
            f"{self.lines} lines, exact {self.exact / self.lines:.1%}, characters wrong "
            f"{self.errors / self.characters:.3%}, {1000 * self.seconds / self.lines:.1f} CPU ms a line"
        )

    def calibration(self) -> str:
        """Return a line for every bin: characters, mean confidence, share that is right."""
        confidences, right = np.array(self.confidences), np.array(self.right)
        rows = []
        for low, high in itertools.pairwise(BINS):
            chosen = (confidences > low) & (confidences <= high)
            if chosen.any():
                mean, share = confidences[chosen].mean(), right[chosen].mean()
                rows.append(
                    f"  {low:.3f} to {high:.3f}: {chosen.sum()} characters, mean {mean:.4f}, right {share:.4f}"
                )
        return "\n".join(rows)


def drawn(network: OcrbNet, banks: Sequence[Bank], strength: float, count: int, seed: int) -> Tally:
    """Read drawn lines of one strength; seeds of measuring are none of training's."""
    sampler = Sampler(banks, Settings(), np.random.default_rng((seed, round(100 * strength))))
    tally = Tally()
    for _ in range(count):
        sample = sampler.whole(strength)
        begin = time.process_time()
        (line,) = network.read([sample.strip])
        tally.seconds += time.process_time() - begin
        tally.add(line, sample.text)
    return tally


def edits(one: str, other: str) -> int:
    """Return the fewest insertions, deletions and changes that make one text the other."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        previous, row[0] = row[0], i
        for j, b in enumerate(other, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


def blurred(page: Rgb, sigma: float) -> Rgb:
    """Blur a page; sigma in pixels."""
    return np.asarray(cv2.GaussianBlur(page, (0, 0), sigma), dtype=np.uint8)


def moved(page: Rgb, length: int) -> Rgb:
    """Blur a page by motion along the lines; length in pixels."""
    kernel = np.full((1, length), 1 / length, dtype=np.float32)
    return np.asarray(cv2.filter2D(page, -1, kernel), dtype=np.uint8)


def shrunk(page: Rgb, width: int) -> Rgb:
    """Scale a page down to a width."""
    height = round(page.shape[0] * width / page.shape[1])
    return np.asarray(cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def compressed(page: Rgb, quality: int = JPEG_QUALITY) -> Rgb:
    """Compress a page as JPEG."""
    _, data = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)


def noisy(page: Rgb, sigma: float) -> Rgb:
    """Add Gaussian noise, the same on every page; sigma in steps of 255."""
    noise = np.random.default_rng(0).standard_normal(page.shape, dtype=np.float32) * np.float32(sigma)
    return np.asarray(np.clip(page + noise, 0, 255), dtype=np.uint8)


def faded(page: Rgb, contrast: float) -> Rgb:
    """Press a page's tones together around a light grey."""
    return np.asarray(200 + (page.astype(np.float32) - 200) * np.float32(contrast), dtype=np.uint8)


DAMAGES: Final[Mapping[str, Callable[[Rgb], Rgb]]] = {
    "as it is": lambda page: page,
    "800 px wide": lambda page: shrunk(page, 800),
    "400 px wide": lambda page: shrunk(page, 400),
    "300 px wide": lambda page: shrunk(page, 300),
    "1200 px, JPEG 30": lambda page: compressed(shrunk(page, 1200)),
    "600 px, JPEG 30": lambda page: compressed(shrunk(page, 600)),
    "1200 px, sigma 2": lambda page: blurred(shrunk(page, 1200), 2.0),
    "1200 px, sigma 3": lambda page: blurred(shrunk(page, 1200), 3.0),
    "1200 px, motion 9": lambda page: moved(shrunk(page, 1200), 9),
    "1200 px, noise 30": lambda page: noisy(shrunk(page, 1200), 30.0),
    "1200 px, contrast 0.2": lambda page: faded(shrunk(page, 1200), 0.2),
    "600 px, sigma 1, noise 10, JPEG 30": lambda page: compressed(
        noisy(blurred(shrunk(page, 600), 1.0), 10.0)
    ),
}
"""What is done to a page before its lines are cut; 1,200 pixels are 24 to a character."""


class GeneralReader:
    """PP-OCR's recogniser of all sorts of print, restricted to the 37 characters, as a reader of the same strips."""

    def __init__(self) -> None:
        self._networks = Networks()

    def read(self, strips: Sequence[Strip]) -> list[NetLine]:
        """Read the middle of each strip, for this network wants narrow margins."""
        return [self._read(strip) for strip in strips]

    def _read(self, strip: Strip) -> NetLine:
        margin = round(strip.shape[0] * (1 - TEXT_SHARE / GENERAL_TEXT_SHARE) / 2)
        tight = strip[margin : strip.shape[0] - margin]
        width = max(STEP, round(tight.shape[1] * LINE_HEIGHT / tight.shape[0] / STEP) * STEP)
        method = cv2.INTER_AREA if tight.shape[0] > LINE_HEIGHT else cv2.INTER_LINEAR
        scaled = cv2.resize(tight, (width, LINE_HEIGHT), interpolation=method)
        frames = self._networks.recognise(np.asarray(scaled, dtype=np.uint8))
        best = frames.argmax(axis=1)
        kept = np.flatnonzero((best > 0) & (best != np.append(0, best[:-1])))
        text = "".join(ALPHABET[place - 1] for place in best[kept])
        return NetLine(text, frames[kept, 1:], (kept + 0.5).astype(np.float32) * STEP)


@dataclass(frozen=True, slots=True)
class Page:
    """A real page, where its lines are, and what they say."""

    picture: Rgb
    quads: tuple[Quad, ...]
    truth: tuple[str, ...]


def located(folder: Path, reader: MrzReader) -> list[Page]:
    """Return the pages of a folder (`*/NN.jpg` with `NN.txt`) on which a reader finds as many lines as there are."""
    pages = []
    for path in sorted(folder.glob("*/*.jpg")):
        picture = np.asarray(Image.open(path).convert("RGB"))
        truth = tuple(path.with_suffix(".txt").read_text().split())
        zone = reader.read(picture)
        if not isinstance(zone, Problem) and len(zone.line_quads) == len(truth):
            pages.append(Page(picture, zone.line_quads, truth))
    return pages


def cut(picture: Rgb, quad: Quad, scale: float, length: int) -> Strip:
    """Cut a strip as OcrbNet wants it, around a line of so many characters whose corners are in unscaled pixels."""
    corners = np.array(quad, dtype=np.float32) * np.float32(scale)
    left, right = (corners[0] + corners[3]) / 2, (corners[1] + corners[2]) / 2
    pitch = (right - left) / length
    down = np.array([-pitch[1], pitch[0]]) * (DIGIT_PER_PITCH / TEXT_SHARE / 2)
    left, right = left - ROOM * pitch, right + ROOM * pitch
    source = np.array([left - down, right - down, right + down, left + down], dtype=np.float32)
    size = [max(1, round(float(np.linalg.norm(side)))) for side in (right - left, 2 * down)]
    target = np.array([[0, 0], [size[0], 0], size, [0, size[1]]], dtype=np.float32)
    warp = cv2.getPerspectiveTransform(source, target)
    strip = cv2.warpPerspective(picture, warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(strip, dtype=np.uint8)


def real(network: LineNet, pages: Sequence[Page], damage: Callable[[Rgb], Rgb]) -> tuple[Tally, int]:
    """Read the lines of damaged pages; return the lines' tally and the number of pages read without an error."""
    tally, exact = Tally(), 0
    for page in pages:
        picture = damage(page.picture)
        scale = picture.shape[1] / page.picture.shape[1]
        strips = [
            cut(picture, quad, scale, len(text)) for quad, text in zip(page.quads, page.truth, strict=True)
        ]
        begin = time.process_time()
        lines = network.read(strips)
        tally.seconds += time.process_time() - begin
        for line, text in zip(lines, page.truth, strict=True):
            tally.add(line, text)
        exact += tuple(line.text for line in lines) == page.truth
    return tally, exact


def report(weights: Path, fonts: Sequence[Path], lines: int, pages: Path | None) -> None:
    """Print all figures: drawn lines in our strokes and in each font, then real pages, if a folder is given."""
    cv2.setNumThreads(1)
    network = OcrbNet(weights=weights)
    rng = np.random.default_rng(MEASURING_SEED)
    sources = {"our strokes": glyphs.stroke_banks(rng)} | {
        font.name: glyphs.font_banks(rng, font) for font in fonts
    }
    for source, banks in sources.items():
        together = Tally()
        for strength in STRENGTHS:
            tally = drawn(network, banks, strength, lines, MEASURING_SEED)
            together.confidences += tally.confidences
            together.right += tally.right
            _say(f"{source}, strength {strength}: {tally}")
        _say(together.calibration())
    if pages is not None:
        _report_pages(network, located(pages, TwoNetworkReader()))


def _report_pages(network: OcrbNet, pages: Sequence[Page]) -> None:
    for name, reader in (("ocrb-net", network), ("PP-OCR", GeneralReader())):
        together = Tally()
        for damage, change in DAMAGES.items():
            tally, exact = real(reader, pages, change)
            together.confidences += tally.confidences
            together.right += tally.right
            _say(f"{name}, {damage}: {exact} of {len(pages)} pages exact; {tally}")
        _say(together.calibration())


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201
