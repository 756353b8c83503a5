"""In-memory ports of the documents service."""

from __future__ import annotations

from collections.abc import Sequence

from borderpost.documents.domain import Line, Portrait, Problem, Quad, Zone
from borderpost.documents.trust.domain import TrustSnapshot
from borderpost.runtime.pictures import Rgb

QUAD: Quad = ((10.0, 80.0), (110.0, 80.0), (110.0, 95.0), (10.0, 95.0))


TWINS = dict(zip("01256UEMK", "OIZSGVFNX", strict=True)) | {"8": "B"}


def line(text: str, unsure: dict[int, float] | None = None) -> Line:
    """A line read with confidence 0.99, except at the positions of `unsure`: there its twin is possible too."""
    twins = TWINS | {twin: char for char, twin in TWINS.items()}
    sureness = [(unsure or {}).get(i, 0.99) for i in range(len(text))]
    return Line.of(
        [
            {char: sure, twins.get(char, "K"): min(0.8 * sure, 0.999 - sure)}
            for char, sure in zip(text, sureness, strict=True)
        ]
    )


class FakeMrzReader:
    """Says what it was told to: a first reading (or a problem), and a second one."""

    name = "fake-reader/1"

    def __init__(
        self, first: Sequence[Line] | Problem, second: Sequence[Line] = (), flaw: Problem | None = None
    ) -> None:
        self._first, self._second, self._flaw = first, second, flaw
        self.second_readings = 0

    def read(self, page: Rgb) -> Zone | Problem:
        if isinstance(self._first, Problem):
            return self._first
        return Zone(tuple(self._first), QUAD, (QUAD,) * len(self._first), self._flaw)

    def read_again(self, page: Rgb, zone: Zone) -> Zone:
        self.second_readings += 1
        return Zone(tuple(self._second), zone.quad, zone.line_quads)


class FakeCropper:
    """Finds a portrait, or none."""

    def __init__(self, jpeg: bytes | None = b"portrait") -> None:
        self._jpeg = jpeg

    def crop(self, page: Rgb, zone: Zone, format_name: str) -> Portrait | None:
        return None if self._jpeg is None else Portrait(self._jpeg, 35, 45, QUAD)

    def crop_card(self, page: Rgb) -> Portrait | None:
        return self.crop(page, Zone((), QUAD, ()), "TD1")


class FixedTrust:
    """Trusts always the same."""

    def __init__(self, snapshot: TrustSnapshot) -> None:
        self._snapshot = snapshot

    def snapshot(self) -> TrustSnapshot:
        return self._snapshot
