"""Templates of many pictures, kept between runs: the engine's own detection, alignment and embedding.

A kept embedding is found again by the model's id, the card's fingerprint, and the hash of the picture's bytes.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from borderpost.faces.domain import Chips, Face, travelers_face
from borderpost.faces.ports import Engine, ModelCard
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.pictures import decode_picture

Vectors = npt.NDArray[np.float32]
"""N × dimension: templates or embeddings, one a row."""

Kept: TypeAlias = dict[str, Vectors | None]
"""By the hash of a picture's bytes: views × dimension, or None where it has no face."""

BATCH: Final = 32
"""Pictures that a thread takes at a time: enough that embedding them together pays."""

SAME_EMBEDDING: Final = 1e-3
"""Alone or in a batch, an embedding's values differ by less than this."""

SAVE_EVERY: Final = 1_024
"""Pictures after which what was embedded is kept: a stopped run loses a minute."""


@dataclass(frozen=True, slots=True)
class Acquired:
    """All pictures by one engine. `found`: N, false where there is no face. `views`: N × views × dimension, the
    embeddings of each face's views, not normalised; zeros where there is no face."""

    found: npt.NDArray[np.bool_]
    views: Vectors


def templates(acquired: Acquired, views: int | None = None) -> Vectors:
    """Rows of length 1, as the service makes them: the mean of all views, or of the first ones. Zeros stay."""
    of_views = np.moveaxis(acquired.views, 1, 0)[:views]
    return unit(np.sum([unit(vectors) for vectors in of_views], axis=0))


def unit(vectors: Vectors) -> Vectors:
    """Each row at length 1; a row of zeros stays."""
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    divided: Vectors = (wide / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return divided


def acquire(engine: Engine, pictures: Sequence[Path], cache: Path | None, threads: int = 2) -> Acquired:
    """Look at every picture, or take what is kept of it in the folder `cache`.

    A picture that can't be decoded, or shows no face, is a failure to acquire.
    """
    card = engine.embedder.card
    file = cache / f"{card.id}-{card.fingerprint[:12]}.npz" if cache else None
    keys = [hashlib.sha256(path.read_bytes()).hexdigest() for path in pictures]
    kept = _read(file)
    if not _still_holds(engine, kept, zip(keys, pictures, strict=True)):
        sys.stderr.write(f"{card.id}: what was kept is of other code: all pictures anew\n")
        kept = {}
    missing = {key: path for key, path in zip(keys, pictures, strict=True) if key not in kept}
    items = list(missing.items())
    for start in range(0, len(items), SAVE_EVERY):
        part = items[start : start + SAVE_EVERY]
        looked = _look_at(engine, [path for _, path in part], threads)
        kept.update(zip((key for key, _ in part), looked, strict=True))
        _write(file, kept, card)
        sys.stderr.write(f"{card.id}: {start + len(part):,} of {len(items):,} pictures\n")
    return _stacked([kept[key] for key in keys], card)


def _still_holds(engine: Engine, kept: Kept, pictures: Iterable[tuple[str, Path]]) -> bool:
    """Whether the first picture with a face gives what is kept of it: code can change without the card."""
    for key, path in pictures:
        before = kept.get(key)
        if before is not None:
            now = _embed(engine, [_views(engine, path)])[0]
            return now is not None and np.allclose(now, before, atol=SAME_EMBEDDING)
    return True


def _look_at(engine: Engine, pictures: Sequence[Path], threads: int) -> Iterator[Vectors | None]:
    batches = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
    with ThreadPoolExecutor(threads) as pool:
        for looked in pool.map(
            lambda batch: _embed(engine, [_views(engine, path) for path in batch]), batches
        ):
            yield from looked


def _views(engine: Engine, path: Path) -> Chips | None:
    try:
        picture = decode_picture(path.read_bytes())
    except BorderpostError:
        return None
    box = travelers_face(engine.detector.detect(picture), picture.shape[1], picture.shape[0])
    if box is None:
        return None
    return engine.aligner.align(picture, Face(box, engine.aligner.landmarks(picture, box)))


def _embed(engine: Engine, faces: Sequence[Chips | None]) -> list[Vectors | None]:
    """The embeddings of each face's views, all in one batch."""
    found = [views for views in faces if views is not None]
    if not found:
        return [None] * len(faces)
    rows = engine.embedder.embed(np.concatenate(found))
    each = iter(rows.reshape(len(found), len(engine.embedder.card.views), -1))
    return [None if views is None else next(each) for views in faces]


def _stacked(rows: Sequence[Vectors | None], card: ModelCard) -> Acquired:
    empty = np.zeros((len(card.views), card.dimension), dtype=np.float32)
    return Acquired(
        found=np.asarray([row is not None for row in rows]),
        views=np.stack([empty if row is None else row for row in rows]),
    )


def _read(file: Path | None) -> Kept:
    if file is None or not file.is_file():
        return {}
    kept = np.load(file)
    rows = zip(kept["keys"], kept["found"], kept["views"], strict=True)
    return {str(key): views if found else None for key, found, views in rows}


def _write(file: Path | None, kept: Kept, card: ModelCard) -> None:
    if file is None or not kept:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    stacked = _stacked(list(kept.values()), card)
    partial = file.with_suffix(".part.npz")
    np.savez(partial, keys=list(kept), found=stacked.found, views=stacked.views)
    partial.replace(file)
