"""What the documents service needs from outside."""

from __future__ import annotations

from typing import Protocol

from borderpost.documents.domain import Portrait, Problem, Zone
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
    """Finds the portrait and cuts it out, upright. Safe to use from several threads at once."""

    def crop(self, page: Rgb, zone: Zone, format_name: str) -> Portrait | None:
        """Cut the portrait of the page that the zone is on, which tells where it is and which way is up.

        `format_name` is the zone's format, such as "TD3". None where there is no portrait: none was found, it is
        mostly outside the picture, or the format has it on the other side (TD1).
        """

    def crop_card(self, page: Rgb) -> Portrait | None:
        """Cut the portrait of a card's side without a zone, lying in any direction; None if none was found."""


class TrustAnchors(Protocol):
    """What is trusted to sign chips."""

    def snapshot(self) -> TrustSnapshot:
        """Return the newest version, which doesn't change any more."""
