"""What the documents service needs from outside."""

from __future__ import annotations

from typing import Protocol

from borderpost.documents.domain import Portrait, Problem, Quad, Zone
from borderpost.documents.trust.domain import TrustSnapshot
from borderpost.runtime.pictures import Rgb


class MrzReader(Protocol):
    """Finds and reads an MRZ. Safe to use from several threads at once."""

    @property
    def name(self) -> str:
        """Name and version of the reader and its models, for the record."""

    def read(self, page: Rgb) -> Zone | Problem:
        """Find the zone in a picture in any position, and read it."""

    def read_again(self, page: Rgb, zone: Zone) -> Zone:
        """Read the lines of a zone a second time, from differently scaled pixels.

        The answer's lines may differ from `zone`'s in text and in length.
        """


class PortraitCropper(Protocol):
    """Cuts the portrait out of a page."""

    def crop(self, page: Rgb, zone: Quad, columns: int) -> Portrait | None:
        """Cut the portrait by the layout above the zone; None if it is mostly outside the picture.

        `columns` is how many characters a line of the zone has, which gives the scale.
        """


class TrustAnchors(Protocol):
    """What is trusted to sign chips."""

    def snapshot(self) -> TrustSnapshot:
        """Return the newest version, which doesn't change any more."""
