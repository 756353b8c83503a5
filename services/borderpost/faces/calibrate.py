"""Makes a calibration from Labeled Faces in the Wild.

    python -m borderpost.faces.calibrate --lfw DIR --out FILE

People are split in two halves by a hash of their name. Thresholds come from half A's impostor comparisons
(every pair of pictures of different people), and are checked on half B. Templates are those of the service:
central large face, no mirroring. `DIR` holds one folder of pictures per person.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from borderpost.faces.adapters.dlib_hog import DlibFaceFinder
from borderpost.faces.adapters.dlib_onnx import CARD, DlibOnnxEmbedder
from borderpost.faces.domain import Face, Vector, make_template, travelers_face
from borderpost.runtime.calibration import METRIC, MIN_FALSE_MATCHES, parse_calibration
from borderpost.runtime.pictures import decode_picture

PICTURES_PER_PERSON: Final = 2
"""Enough for a genuine pair; more would give a few much photographed people most of the impostor pairs."""

RATES: Final = tuple(factor * 10.0**-exponent for exponent in range(8) for factor in (1.0, 0.5, 0.2))
"""1, 0.5, 0.2, 0.1, …: down to what MIN_FALSE_MATCHES allows."""

BLOCK: Final = 512
"""Rows of the score matrix at a time: 512 × 7,500 scores take 15 MB."""

Vectors = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]
People = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Half:
    """One half of the people: a template per row, and whose it is."""

    vectors: Vectors
    people: People
    not_acquired: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m borderpost.faces.calibrate", description=__doc__)
    parser.add_argument("--lfw", type=Path, required=True, metavar="DIR", help="a folder per person")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the calibration to write")
    parser.add_argument("--threads", type=int, default=2, help="threads that embed (default 2)")
    parser.add_argument("--cache", type=Path, metavar="FILE", help="keep templates here between runs (.npz)")
    options = parser.parse_args(arguments)
    chosen = choose_pictures(options.lfw)
    if not chosen:
        parser.error(f"--lfw {options.lfw}: got no pictures, want a folder of .jpg files for every person")
    vectors = _vectors(chosen, options.threads, options.cache)
    content = calibrate(*_halves(chosen, vectors))
    data = (json.dumps(content, indent=2) + "\n").encode()
    calibration = parse_calibration(data)
    options.out.write_bytes(data)
    sys.stdout.write(_report(content) + f"\nwrote {options.out.name}, calibration id {calibration.id}\n")
    return 0


def choose_pictures(folder: Path) -> list[Path]:
    """The first pictures of every person, in the order of their names."""
    return [
        picture
        for person in sorted(path for path in folder.iterdir() if path.is_dir())
        for picture in sorted(person.glob("*.jpg"))[:PICTURES_PER_PERSON]
    ]


def in_first_half(person: str) -> bool:
    """Which half a person belongs to, for ever: the lowest bit of the SHA-256 of the name."""
    return hashlib.sha256(person.encode()).digest()[-1] % 2 == 0


def calibrate(first: Half, second: Half) -> dict[str, Any]:
    """The content of a calibration: thresholds from the first half, error rates of the second."""
    impostors = impostor_histogram(first)
    rows = table(impostors)
    return {
        "model_id": CARD.id,
        "metric": METRIC,
        "data": "Labeled Faces in the Wild, deep-funneled: press photographs of public figures, with some label "
        "errors, and not balanced by sex, age or origin: other groups can have many times this rate",
        "method": f"up to {PICTURES_PER_PERSON} pictures of each person, people split in halves by a hash of "
        "the name; thresholds from all impostor pairs of half A, checked on half B; templates as the service "
        "makes them (central large face, no mirroring)",
        "impostor_comparisons": int(impostors.sum()),
        "rows": rows,
        "checked_on": check(second, rows),
    }


BINS: Final = 200_000
"""Scores are counted in bins of 1e-5, from -1 to 1: far finer than the templates are stable."""


def impostor_histogram(half: Half) -> npt.NDArray[np.int64]:
    """How many pairs of different people score in each bin, each pair counted once."""
    counts = np.zeros(BINS, dtype=np.int64)
    for scores, same in _score_blocks(half):
        counts += _binned(scores[~same])
    return counts


def table(impostors: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
    """The lowest score, at each rate, from which on no more impostor pairs lie than the rate allows."""
    total = int(impostors.sum())
    reached = np.cumsum(impostors[::-1])[::-1]  # pairs in this bin or above
    rows: list[dict[str, Any]] = []
    lowest = int(np.flatnonzero(impostors)[0])  # from here on down every impostor matches
    for rate in RATES:
        edge = max(lowest, int(np.argmax(reached <= rate * total)))
        false_matches = int(reached[edge])
        if false_matches < MIN_FALSE_MATCHES:
            break
        score = round(edge * 2 / BINS - 1, 6)
        rows.append({"fmr": float(f"{rate:g}"), "score": score, "false_matches": false_matches})
    return rows


def check(half: Half, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Both error rates of a half at the thresholds of the other."""
    impostors = impostor_histogram(half)
    genuine = np.concatenate([scores[same] for scores, same in _score_blocks(half)])
    reached = np.cumsum(impostors[::-1])[::-1]
    at = []
    for row in rows:
        edge = round((row["score"] + 1) / 2 * BINS)
        false_matches, false_non_matches = int(reached[edge]), int((genuine < row["score"]).sum())
        at.append(
            {
                "asked_fmr": row["fmr"],
                "fmr": float(f"{false_matches / impostors.sum():.3g}"),
                "false_matches": false_matches,
                "fnmr": float(f"{false_non_matches / len(genuine):.4g}"),
                "false_non_matches": false_non_matches,
            }
        )
    return {
        "people": int(np.unique(half.people).size),
        "templates": len(half.vectors),
        "pictures_without_a_face": half.not_acquired,
        "impostor_comparisons": int(impostors.sum()),
        "genuine_comparisons": len(genuine),
        "at": at,
    }


def _score_blocks(half: Half) -> Iterable[tuple[Scores, npt.NDArray[np.bool_]]]:
    """Scores of every pair once, block by block, and whether both are the same person's."""
    for start in range(0, len(half.vectors), BLOCK):
        stop = min(start + BLOCK, len(half.vectors))
        scores = half.vectors[start:stop] @ half.vectors[start:].T
        same = half.people[start:stop, None] == half.people[None, start:]
        once = np.triu(np.ones(scores.shape, dtype=np.bool_), k=1)
        yield scores[once], same[once]


def _binned(scores: Scores) -> npt.NDArray[np.int64]:
    bins = np.floor((scores.astype(np.float64) + 1) / 2 * BINS).astype(np.int64)
    return np.bincount(np.clip(bins, 0, BINS - 1), minlength=BINS)


def _vectors(pictures: Sequence[Path], threads: int, cache: Path | None) -> list[Vector | None]:
    if cache is not None and cache.is_file():
        kept = np.load(cache)
        return [row if found else None for row, found in zip(kept["vectors"], kept["found"], strict=True)]
    vectors = _extract(pictures, threads)
    if cache is not None:
        empty = np.zeros(next(v.size for v in vectors if v is not None), dtype=np.float32)
        np.savez(
            cache,
            vectors=np.stack([empty if v is None else v for v in vectors]),
            found=np.asarray([v is not None for v in vectors]),
        )
    return vectors


def _extract(pictures: Sequence[Path], threads: int) -> list[Vector | None]:
    """The service's template of each picture, None where it finds no face."""
    finder, embedder = DlibFaceFinder(), DlibOnnxEmbedder.load()
    progress = _Progress(len(pictures))

    def extract(path: Path) -> Vector | None:
        progress.step()
        picture = decode_picture(path.read_bytes())
        box = travelers_face(finder.detect(picture), picture.shape[1], picture.shape[0])
        if box is None:
            return None
        chip = finder.align(picture, Face(box, finder.landmarks(picture, box)))
        return make_template(embedder.card.id, embedder.embed(chip[None])[0]).values

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(extract, pictures))


class _Progress:
    """Says on standard error how far it got, every thousand pictures."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._lock = threading.Lock()

    def step(self) -> None:
        with self._lock:
            self._done += 1
            if self._done % 1000 == 0:
                sys.stderr.write(f"{self._done:,} of {self._total:,} pictures\n")


def _halves(pictures: Sequence[Path], vectors: Sequence[Vector | None]) -> tuple[Half, Half]:
    people = {name: number for number, name in enumerate(sorted({path.parent.name for path in pictures}))}
    first = [in_first_half(path.parent.name) for path in pictures]

    def half(*, wanted: bool) -> Half:
        of_half = [
            (p, v) for p, v, is_first in zip(pictures, vectors, first, strict=True) if is_first is wanted
        ]
        found = [(people[path.parent.name], vector) for path, vector in of_half if vector is not None]
        return Half(
            vectors=np.stack([vector for _, vector in found]),
            people=np.asarray([person for person, _ in found], dtype=np.int64),
            not_acquired=len(of_half) - len(found),
        )

    return half(wanted=True), half(wanted=False)


def _report(content: dict[str, Any]) -> str:
    checked = content["checked_on"]
    head = (
        f"half A: {content['impostor_comparisons']:,} impostor pairs; half B: {checked['people']:,} people, "
        f"{checked['impostor_comparisons']:,} impostor and {checked['genuine_comparisons']:,} genuine pairs, "
        f"{checked['pictures_without_a_face']} pictures without a face\n"
        f"{'asked FMR':>10} {'score':>9} {'FMR on B':>10} {'FNMR on B':>10}"
    )
    lines = [
        f"{row['fmr']:>10g} {row['score']:>9.5f} {at['fmr']:>10.3g} {at['fnmr']:>10.2%}"
        for row, at in zip(content["rows"], checked["at"], strict=True)
    ]
    return "\n".join([head, *lines])


if __name__ == "__main__":
    sys.exit(main())
