"""Where the limits of quality and the unified score come from, measured on LFW.

    python -m borderpost.faces.evaluation.quality natural  --lfw DIR   quantiles (half A), unified score (half B)
    python -m borderpost.faces.evaluation.quality spoilt   --lfw DIR   what each fault costs a template (half A)
    python -m borderpost.faces.evaluation.quality networks --lfw DIR   head pose and eyes (half B)

People are split in halves by their names, as everywhere: limits are chosen on half A. DIR has a folder per person.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from borderpost.faces import quality
from borderpost.faces.adapters.engines import load_engine
from borderpost.faces.domain import Chips, Component, Face, Profile, travelers_face
from borderpost.faces.evaluation.protocols import in_first_half
from borderpost.faces.ports import Engine
from borderpost.runtime.pictures import Rgb, decode_picture

Floats = npt.NDArray[np.float64]

MAX_PER_PERSON: Final = 6
"""Pictures of one person, so that a few much photographed people don't decide."""

SPOILT_PICTURES: Final = 120
NETWORK_PICTURES: Final = 1_500
"""First pictures of as many people; fewer would do for medians, eyes are seldom closed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m borderpost.faces.evaluation.quality", description=__doc__
    )
    parser.add_argument("study", choices=sorted(_STUDIES))
    parser.add_argument("--lfw", type=Path, required=True, metavar="DIR", help="a folder per person")
    parser.add_argument("--engine", default="mobilefacenet", choices=("mobilefacenet", "dlib"))
    options = parser.parse_args(arguments)
    for line in _STUDIES[options.study](load_engine(options.engine), options.lfw):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 0


@dataclass(frozen=True, slots=True)
class _Seen:
    """One picture: whose, its native values by component (NaN where there is none), its template, its length."""

    person: str
    natives: Floats
    template: Floats
    length: float


COMPONENTS: Final = tuple(Component)

QUANTILES: Final = (0, 0.001, 0.01, 0.05, 0.5, 0.95, 0.99, 0.999, 1)


def natural(engine: Engine, lfw: Path) -> Iterator[str]:
    """Quantiles of every component as the pictures are, and how well the unified score tells bad ones."""
    seen = [look for person in _people(lfw, least=2) for look in _looks(engine, person)]
    first = [look for look in seen if in_first_half(look.person)]
    yield f"half A: {len(first)} pictures; quantiles {QUANTILES}"
    values = np.asarray([look.natives for look in first])
    for index, component in enumerate(COMPONENTS):
        column = values[:, index]
        if not np.isnan(column).all():
            yield f"{component.value:28} " + _row(np.nanquantile(column, QUANTILES))
    lengths = np.asarray([look.length for look in first])
    yield f"{'length of the embedding':28} " + _row(np.quantile(lengths, QUANTILES))
    yield from _discarding([look for look in seen if not in_first_half(look.person)])


DISCARDED: Final = (0.0, 0.05, 0.1, 0.2)


def _discarding(half: Sequence[_Seen]) -> Iterator[str]:
    """Error versus discard (ISO/IEC 29794-1): the FNMR without the pairs that have the worst picture."""
    rows = np.stack([look.template for look in half])
    _, people = np.unique([look.person for look in half], return_inverse=True)
    scores = rows @ rows.T
    first, second = np.triu_indices(len(half), 1)
    same = people[first] == people[second]
    genuine, impostors = scores[first, second][same], np.sort(scores[first, second][~same])[::-1]
    by = {
        "chance": np.random.default_rng(1).random(len(half)),
        "length": np.asarray([x.length for x in half]),
    }
    for component in (Component.SHARPNESS, Component.EYES_OPEN):
        column = np.asarray([look.natives[COMPONENTS.index(component)] for look in half])
        by[component.value] = np.nan_to_num(column, nan=0.5)
    yield f"half B: {len(half)} pictures, {len(genuine)} genuine and {len(impostors)} impostor pairs"
    yield f"FNMR when the worst {DISCARDED} of the genuine pairs are discarded, by the worse picture of each:"
    for rate in (1e-3, 1e-4):
        threshold = impostors[int(rate * len(impostors))]
        for name, values in by.items():
            order = np.argsort(np.minimum(values[first[same]], values[second[same]]), kind="stable")
            kept = [genuine[order[int(share * len(order)) :]] for share in DISCARDED]
            yield f"FMR {rate:g} by {name:12} " + _row([100 * float((k < threshold).mean()) for k in kept])


def spoilt(engine: Engine, lfw: Path) -> Iterator[str]:
    """What each fault costs: the cosine to the template of the sound picture, beside the components' medians."""
    named = (
        Component.SHARPNESS,
        Component.COMPRESSION_ARTIFACTS,
        Component.UNDER_EXPOSURE_PREVENTION,
        Component.OVER_EXPOSURE_PREVENTION,
        Component.ILLUMINATION_UNIFORMITY,
        Component.DYNAMIC_RANGE,
    )
    columns = [COMPONENTS.index(component) for component in named]
    yield "median and tenth percentile of the cosine, then medians of " + ", ".join(c.value for c in named)
    found: dict[str, list[list[float]]] = {name: [] for name in FAULTS}
    for picture, face in _faces(engine, _first_pictures(lfw, first_half=True, count=SPOILT_PICTURES)):
        sound, _ = _template(engine, engine.aligner.align(picture, face))
        for name, spoil in FAULTS.items():
            bad = np.ascontiguousarray(spoil(picture))
            template, _ = _template(engine, engine.aligner.align(bad, face))
            natives = _natives(engine, bad, face)[columns]
            found[name].append([float(template @ sound), *natives])
    for name, rows in found.items():
        values = np.asarray(rows)
        cosines = [float(np.median(values[:, 0])), float(np.quantile(values[:, 0], 0.1))]
        yield f"{name:14} " + _row([*cosines, *np.nanmedian(values[:, 1:], axis=0)])


def _blurred(radius: float) -> Callable[[Rgb], Rgb]:
    return lambda picture: np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def _contrast(factor: float) -> Callable[[Rgb], Rgb]:
    return lambda picture: (128 + (picture.astype(np.float32) - 128) * factor).clip(0, 255).astype(np.uint8)


def _lit(factor: float) -> Callable[[Rgb], Rgb]:
    return lambda picture: (picture.astype(np.float32) * factor).clip(0, 255).astype(np.uint8)


def _half_lit(factor: float) -> Callable[[Rgb], Rgb]:
    def spoil(picture: Rgb) -> Rgb:
        dark = picture.copy()
        half = picture.shape[1] // 2
        dark[:, :half] = (dark[:, :half] * factor).astype(np.uint8)
        return dark

    return spoil


def _jpeg(quality_setting: int) -> Callable[[Rgb], Rgb]:
    def spoil(picture: Rgb) -> Rgb:
        out = io.BytesIO()
        Image.fromarray(picture).save(out, "JPEG", quality=quality_setting)
        return decode_picture(out.getvalue())

    return spoil


FAULTS: Final[dict[str, Callable[[Rgb], Rgb]]] = {
    "as it is": lambda picture: picture,
    **{f"blurred {r}": _blurred(r) for r in (0.5, 1, 1.5, 2, 2.5, 3, 4)},
    **{f"contrast {c}": _contrast(c) for c in (0.5, 0.25, 0.12, 0.06)},
    **{f"darker {c}": _lit(c) for c in (0.4, 0.2, 0.1)},
    **{f"brighter {c}": _lit(c) for c in (1.5, 2, 3, 4)},
    **{f"half lit {c}": _half_lit(c) for c in (0.3, 0.1)},
    **{f"JPEG {q}": _jpeg(q) for q in (40, 20, 10, 5, 3)},
}
"""Ways to spoil a picture: radius in pixels of LFW's 250, factors of contrast and light, JPEG quality."""


def networks(engine: Engine, lfw: Path) -> Iterator[str]:
    """Head pose against the mirror, against known turns and against five points; how many eyes are told closed."""
    if engine.pose is None or engine.eyes is None:
        yield "this engine has no networks for pose and eyes"
        return
    rows: list[tuple[float, ...]] = []
    surely: list[float] = []
    for picture, face in _faces(engine, _first_pictures(lfw, first_half=False, count=NETWORK_PICTURES)):
        eyes = engine.eyes.eyes(picture, face)
        surely.append((eyes.left + eyes.right) / 2)
        if len(rows) < SPOILT_PICTURES:
            pose, yaw = engine.pose.pose(picture, face), quality.yaw_of(face.landmarks)
            turned = np.asarray(Image.fromarray(picture).rotate(15, center=face.box.centre))
            flipped = np.ascontiguousarray(picture[:, ::-1])
            box = face.box
            across = type(box)(picture.shape[1] - box.left - box.width, box.top, box.width, box.height)
            other = engine.pose.pose(flipped, Face(across, face.landmarks))
            again = engine.pose.pose(turned, face)
            rows.append(
                (pose.yaw, yaw or 0.0, pose.yaw + other.yaw, pose.pitch - other.pitch, again.roll - pose.roll)
            )
    values = np.asarray(rows)
    yield f"{len(rows)} pictures; yaw and five points: correlation {np.corrcoef(values[:, 0], values[:, 1])[0, 1]:.2f},"
    yield f"RMS difference {np.sqrt(((values[:, 0] - values[:, 1]) ** 2).mean()):.1f} degrees"
    yield "yaw and its mirror's, pitch and its mirror's, mean of the absolute difference: " + _row(
        np.abs(values[:, 2:4]).mean(axis=0)
    )
    yield "roll of the picture turned by 15 degrees less its own, mean and deviation: " + _row(
        [values[:, 4].mean(), values[:, 4].std()]
    )
    told = np.asarray(surely)
    closed, unsure = told < quality.EYES_CLOSED_BELOW, told < quality.EYES_OPEN_FROM
    yield (
        f"eyes of {len(told)} faces: {closed.sum()} closed, {(unsure & ~closed).sum()} can't be told, "
        f"{(~unsure).sum()} open"
    )


_STUDIES: Final[dict[str, Callable[[Engine, Path], Iterator[str]]]] = {
    "natural": natural,
    "spoilt": spoilt,
    "networks": networks,
}


def _people(lfw: Path, least: int) -> Iterator[list[Path]]:
    for person in sorted(path for path in lfw.iterdir() if path.is_dir()):
        pictures = sorted(person.glob("*.jpg"))
        if len(pictures) >= least:
            yield pictures[:MAX_PER_PERSON]


def _first_pictures(lfw: Path, *, first_half: bool, count: int) -> list[Path]:
    people = [p for p in sorted(lfw.iterdir()) if p.is_dir() and in_first_half(p.name) is first_half]
    chosen = random.Random(5).sample(people, min(count, len(people)))  # noqa: S311
    return [min(person.glob("*.jpg")) for person in chosen]


def _faces(engine: Engine, paths: Sequence[Path]) -> Iterator[tuple[Rgb, Face]]:
    for path in paths:
        picture = decode_picture(path.read_bytes())
        box = travelers_face(engine.detector.detect(picture), picture.shape[1], picture.shape[0])
        if box is not None:
            yield picture, Face(box, engine.aligner.landmarks(picture, box))


def _looks(engine: Engine, paths: Sequence[Path]) -> Iterator[_Seen]:
    for picture, face in _faces(engine, paths):
        template, length = _template(engine, engine.aligner.align(picture, face))
        yield _Seen(paths[0].parent.name, _natives(engine, picture, face), template, length)


def _natives(engine: Engine, picture: Rgb, face: Face) -> Floats:
    pose = engine.pose.pose(picture, face) if engine.pose else None
    eyes = engine.eyes.eyes(picture, face) if engine.eyes else None
    report = quality.assess(quality.View(picture, (face.box,), face, pose, eyes), Profile.LIVE)
    return np.asarray([np.nan if m.native is None else m.native for m in report.measures])


def _template(engine: Engine, views: Chips) -> tuple[Floats, float]:
    """The template as the service makes it, and the length of the first view's embedding."""
    embeddings = engine.embedder.embed(views).astype(np.float64)
    lengths = np.linalg.norm(embeddings, axis=1)
    total = (embeddings / lengths[:, None]).sum(axis=0)
    return total / np.linalg.norm(total), float(lengths[0])


def _row(values: Sequence[float] | Floats) -> str:
    return " ".join(f"{value:9.4g}" for value in values)


if __name__ == "__main__":
    sys.exit(main())
