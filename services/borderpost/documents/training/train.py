"""Draw the lines, and fit the network to them: both can be repeated exactly from a seed.

The loss looks at every column: which character is there (cross-entropy, weighted by nearness to the character's
middle), and whether a middle is there (binary cross-entropy). The drawer knows all places, so no CTC is needed.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from borderpost.documents.adapters.ocrb_net import COLUMN, HEIGHT, PIXELS_PER_CHARACTER
from borderpost.documents.training import degrade, glyphs, net
from borderpost.documents.training.lines import Sampler, Settings

NEAR: Final = 0.17
"""Pitches from a character's middle at which the target of "a middle is here" has fallen to 0.6."""

NOTHING_WEIGHT: Final = 0.4
"""Weight of a column without a character."""

MIDDLE_SHARE: Final = 1.0
"""Weight of the second part of the loss."""

OFFSET_STEPS: Final = 100
"""Offsets are stored as hundredths of a pitch."""

MIDDLE_OFFSET: Final = 13
"""Hundredths of a pitch up to which a column is a character's own: half a column."""

LENS_SHARE: Final = 0.65
"""Of the windows that are blurred once more; the others are moved."""

SOFTENING: Final = (0.3, 1.3)
"""Strengths of that blur: the last is a sigma of 0.17 pitches, or a motion of 0.55."""

NOISE: Final = 0.3
"""Highest strength of the noise that is added then."""

CHUNK: Final = 500
"""Windows drawn from one seed."""

HELD_BACK: Final = 1000
"""Windows at the end of a folder that are not trained on: they set the temperature."""

TEMPERATURES: Final = np.exp(np.linspace(np.log(0.5), np.log(2.0), 57))

REPORT: Final = 50
"""Steps from one line of the report, and one saving, to the next."""

FORGETTING: Final = 10.0
"""Steps for which the first parameters count in the average at the beginning."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the network is fitted."""

    seed: int
    windows: int
    epochs: float
    softened: float = 0.0
    """Share of the windows that are blurred once more, differently every time they are seen."""
    batch: int = 32
    peak_rate: float = 2.5e-3
    decay: float = 1e-3
    smoothing: float = 0.002
    """How much each step moves the averaged parameters, which are the result."""


def banks(seed: int, fonts: Sequence[Path]) -> list[glyphs.Bank]:
    """Return the project's strokes and some fonts, in equal shares."""
    rng = np.random.default_rng(seed)
    strokes = glyphs.stroke_banks(rng)
    outlines = [bank for font in fonts for bank in glyphs.font_banks(rng, font)]
    repeats = max(1, len(strokes) // len(outlines)) if outlines else 0
    return strokes + outlines * repeats


def draw(folder: Path, recipe: Recipe, settings: Settings, fonts: Sequence[Path]) -> None:
    """Draw all windows into arrays in a folder; the same seed draws the same ones."""
    cv2.setNumThreads(1)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = _arrays(folder, recipe.windows, settings.window, "w+")
    sets = banks(recipe.seed, fonts)
    for begin in range(0, recipe.windows, CHUNK):
        rng = np.random.default_rng((recipe.seed, begin))
        sampler = Sampler(sets, settings, rng)
        for place in range(begin, min(begin + CHUNK, recipe.windows)):
            sample = sampler.window(float(rng.random()))
            for array, value in zip(
                arrays, (sample.strip, sample.labels, _stored(sample.offsets)), strict=True
            ):
                array[place] = value
    about = {"recipe": asdict(recipe), "settings": settings.digest(), "fonts": [font.name for font in fonts]}
    (folder / "about.json").write_text(json.dumps(about))


def fit(
    folder: Path,
    recipe: Recipe,
    settings: Settings,
    target: Path,
    start: Path | None = None,
    stop: int | None = None,
) -> None:
    """Fit the network to the windows of a folder, and write its parameters; they are also saved on the way.

    It begins with random parameters, or with those of a file, and ends with the recipe's last step or earlier.
    """
    cv2.setNumThreads(1)
    arrays = _arrays(folder, recipe.windows, settings.window, "r")
    rng = np.random.default_rng(recipe.seed)
    params = averaged = net.fresh(rng) if start is None else load(start)
    steps = round(recipe.epochs * recipe.windows / recipe.batch)
    rate = optax.warmup_cosine_decay_schedule(
        0.0, recipe.peak_rate, steps // 30, steps, recipe.peak_rate / 100
    )
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=recipe.decay))
    state = optimiser.init(params)
    begin, losses = time.monotonic(), []
    last = steps if stop is None else min(stop, steps)
    for step, batch in enumerate(_batches(arrays, recipe, rng, last), start=1):
        share = max(recipe.smoothing, FORGETTING / (FORGETTING + step))
        params, state, averaged, loss = _step(optimiser, params, state, averaged, np.float32(share), batch)
        losses.append(float(loss))
        if step % REPORT == 0 or step == last:
            recent = np.mean(losses[-REPORT:])
            print(f"{step}/{steps} {time.monotonic() - begin:.0f} s: loss {recent:.4f}", flush=True)  # noqa: T201
            save(target, averaged)


def save(path: Path, params: net.Params) -> None:
    """Write parameters as an NPZ file."""
    arrays = {
        f"{name}.{kind}": np.asarray(value)
        for name, pair in params.items()
        for kind, value in zip("kb", pair, strict=True)
    }
    np.savez(path, allow_pickle=False, **arrays)


def load(path: Path) -> net.Params:
    """Read what `save` wrote."""
    with np.load(path) as file:
        return {
            layer.name: (jnp.asarray(file[f"{layer.name}.k"]), jnp.asarray(file[f"{layer.name}.b"]))
            for layer in net.LAYERS
        }


def loss_of(params: net.Params, strips: jax.Array, labels: jax.Array, offsets: jax.Array) -> jax.Array:
    """Return the mean loss of a batch: strips N × HEIGHT × W, labels and offsets (in pitches) N × W/4."""
    logits = net.forward(params, strips)
    inside = labels > 0
    near = jnp.where(inside, jnp.exp(-0.5 * (offsets / NEAR) ** 2), 0.0)
    # Where two characters meet, both are seen and neither is right.
    weights = jnp.where(inside, near, NOTHING_WEIGHT)
    character = optax.softmax_cross_entropy_with_integer_labels(logits[..., : net.CLASSES], labels)
    middle = optax.sigmoid_binary_cross_entropy(logits[..., net.CLASSES], near)
    return (character * weights).sum() / weights.sum() + MIDDLE_SHARE * middle.mean()


def temperature(params: net.Params, folder: Path, recipe: Recipe, settings: Settings) -> float:
    """Return what the logits are to be divided by, so that the held-back windows are likeliest (Guo et al., 2017)."""
    arrays = _arrays(folder, recipe.windows, settings.window, "r")
    forward = jax.jit(net.forward)
    losses = np.zeros(len(TEMPERATURES))
    for begin in range(recipe.windows - HELD_BACK, recipe.windows, recipe.batch):
        strips, labels, offsets = (np.asarray(array[begin : begin + recipe.batch]) for array in arrays)
        read = (labels > 0) & (np.abs(offsets) <= MIDDLE_OFFSET)
        logits = np.asarray(forward(params, strips))[read][:, : net.CLASSES]
        truth = labels[read].astype(np.intp)
        for place, value in enumerate(TEMPERATURES):
            cooled = logits / value
            cooled -= cooled.max(axis=1, keepdims=True)
            losses[place] += (np.log(np.exp(cooled).sum(axis=1)) - cooled[np.arange(len(truth)), truth]).sum()
    return float(TEMPERATURES[int(losses.argmin())])


@functools.partial(jax.jit, static_argnums=0)
def _step(
    optimiser: optax.GradientTransformation,
    params: Any,
    state: Any,
    averaged: Any,
    share: Any,
    batch: Any,
) -> tuple[Any, Any, Any, jax.Array]:
    loss, gradient = jax.value_and_grad(loss_of)(params, *batch)
    updates, state = optimiser.update(gradient, state, params)
    params = optax.apply_updates(params, updates)
    averaged = jax.tree.map(lambda old, new: old + share * (new - old), averaged, params)
    return params, state, averaged, loss


def _batches(
    arrays: tuple[npt.NDArray[Any], ...], recipe: Recipe, rng: np.random.Generator, steps: int
) -> Iterator[tuple[npt.NDArray[Any], ...]]:
    """Take the windows in random order, again and again."""
    order = np.array([], dtype=np.intp)
    for _ in range(steps):
        if len(order) < recipe.batch:
            order = rng.permutation(recipe.windows - HELD_BACK)
        chosen, order = np.sort(order[: recipe.batch]), order[recipe.batch :]
        strips, labels, offsets = (array[chosen] for array in arrays)
        if recipe.softened:
            for place in np.flatnonzero(rng.random(recipe.batch) < recipe.softened):
                strips[place] = _softened(strips[place], rng)
        yield strips, labels.astype(np.int32), offsets.astype(np.float32) / OFFSET_STEPS


def _softened(strip: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Blur a strip by a lens or by motion, and add a little noise."""
    picture = strip.astype(np.float32) / np.float32(255)
    blur = degrade.blurred if rng.random() < LENS_SHARE else degrade.moved
    picture = blur(picture, rng, float(rng.uniform(*SOFTENING)), PIXELS_PER_CHARACTER)
    return degrade.to_bytes(degrade.noisy(picture, rng, float(rng.uniform(0, NOISE)), PIXELS_PER_CHARACTER))


def _arrays(folder: Path, count: int, width: int, mode: Any) -> tuple[npt.NDArray[Any], ...]:
    columns = width // COLUMN
    return (
        np.lib.format.open_memmap(folder / "strips.npy", mode, np.uint8, (count, HEIGHT, width)),
        np.lib.format.open_memmap(folder / "labels.npy", mode, np.uint8, (count, columns)),
        np.lib.format.open_memmap(folder / "offsets.npy", mode, np.int8, (count, columns)),
    )


def _stored(offsets: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
    return np.asarray(np.round(np.clip(offsets, -0.5, 0.5) * OFFSET_STEPS), dtype=np.int8)
