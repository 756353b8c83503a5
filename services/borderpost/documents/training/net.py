"""The network: 2-D convolutions that lower a strip to one row, and dilated ones along that row.

Parameters are a dictionary from a layer's name to its kernel and bias, so that training (JAX) and export (ONNX) walk
through the same list of layers. Strips enter as bytes; every column is first made even in light and contrast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from borderpost.documents.adapters.ocrb_net import HEIGHT
from borderpost.documents.mrz import ALPHABET

Params = dict[str, tuple[jax.Array, jax.Array]]

CLASSES: Final = 1 + len(ALPHABET)
"""Nothing, and the 37 characters."""

OUTPUTS: Final = CLASSES + 1
"""The last one tells whether a character's middle is at the column."""

NEIGHBOURHOOD: Final = 65
"""Columns whose mean and deviation make a column even: about four characters."""

LEAST_DEVIATION: Final = 3.0
"""In steps of 255: flat paper is not blown up to full contrast."""


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution with zeros around, so that a stride of 1 keeps the size; then ReLU, unless it is the last."""

    name: str
    kernel: tuple[int, int]
    channels: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: int = 1
    """Along the line."""
    residual: bool = False
    """The input is added to the output."""
    collapses: bool = False
    """No zeros above and below: the rows become one."""
    last: bool = False

    @property
    def padding(self) -> tuple[int, int]:
        """Rows above and below, and columns left and right."""
        return (0 if self.collapses else self.kernel[0] // 2), self.kernel[1] // 2 * self.dilation


WIDE: Final = 96

LAYERS: Final = (
    Conv("stem", (5, 5), (1, 16), stride=(2, 2)),
    Conv("half", (3, 3), (16, 32), stride=(2, 2)),
    Conv("half2", (3, 3), (32, 32), residual=True),
    Conv("quarter", (3, 3), (32, 48), stride=(2, 1)),
    Conv("quarter2", (3, 3), (48, 48), residual=True),
    Conv("row", (HEIGHT // 8, 3), (48, WIDE), collapses=True),
    *(Conv(f"along{d}", (1, 3), (WIDE, WIDE), dilation=d, residual=True) for d in (1, 2, 4, 8)),
    Conv("head", (1, 1), (WIDE, OUTPUTS), last=True),
)


def fresh(rng: np.random.Generator) -> Params:
    """Return random parameters, scaled after He et al. (2015); residual layers begin small."""
    params: Params = {}
    for layer in LAYERS:
        shape = (*layer.kernel, *layer.channels)
        deviation = math.sqrt(2 / math.prod(shape[:3])) * (0.3 if layer.residual or layer.last else 1.0)
        kernel = rng.standard_normal(shape, dtype=np.float32) * np.float32(deviation)
        params[layer.name] = (jnp.asarray(kernel), jnp.zeros(layer.channels[1], dtype=jnp.float32))
    return params


def evened(strips: jax.Array) -> jax.Array:
    """Take mean and deviation of its neighbourhood from every column: bytes N × HEIGHT × W to N × HEIGHT × W × 1."""
    grey = strips.astype(jnp.float32)
    mean, square = _pooled(grey.mean(axis=1)), _pooled((grey**2).mean(axis=1))
    deviation = jnp.sqrt(jnp.maximum(square - mean**2, 0.0)) + LEAST_DEVIATION
    return ((grey - mean[:, None]) / deviation[:, None])[..., None]


def forward(params: Params, strips: jax.Array) -> jax.Array:
    """Return logits, N × W/4 × OUTPUTS, of strips of bytes, N × HEIGHT × W (a multiple of 4)."""
    x = evened(strips)
    for layer in LAYERS:
        kernel, bias = params[layer.name]
        (down, across), step = layer.padding, layer.dilation
        y = lax.conv_general_dilated(
            x,
            kernel,
            layer.stride,
            ((down, down), (across, across)),
            rhs_dilation=(1, step),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        y = y + bias if layer.last else jax.nn.relu(y + bias)
        x = x + y if layer.residual else y
    return x[:, 0]


def _pooled(rows: jax.Array) -> jax.Array:
    """Return the mean over the neighbourhood, of N × W; beyond the ends nothing counts."""
    sums = lax.reduce_window(
        jnp.stack([rows, jnp.ones_like(rows)]), 0.0, lax.add, (1, 1, NEIGHBOURHOOD), (1, 1, 1), "SAME"
    )
    return sums[0] / sums[1]
