"""What a screening is made of: plain values, no I/O. What the policy makes of them is in `borderpost.policy`.

What the services answer is kept as their own generated messages (`Findings`): it goes into the record as
it came, and a second set of types for the same fields would only be a place for mistakes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from borderpost.runtime.clock import from_timestamp
from borderpost.v1 import decisions_pb2, documents_pb2, faces_pb2, types_pb2, watchlist_pb2


@dataclass(frozen=True, slots=True)
class ScreenRequest:
    """A validated request, with the kiosk from its certificate and the time it came in."""

    request_id: str
    visit_id: str
    attempt: int
    kiosk_id: str
    crossing: str
    direction: types_pb2.Direction.ValueType
    kiosk_time: datetime
    received_at: datetime
    page: bytes
    frames: Sequence[bytes]
    language: str = ""
    capture_token: bytes = b""
    portrait_page: bytes = b""
    chip: documents_pb2.ChipFiles | None = None
    declined: bool = False
    group_id: str = ""
    late: bool = False

    @property
    def at(self) -> datetime:
        """When the traveler stood there: of a late capture when the kiosk took it, otherwise when it came in."""
        return self.kiosk_time if self.late else self.received_at

    def content_sha256(self) -> bytes:
        """Hash what the kiosk asked, to tell the same request from another one under the same id.

        SHA-256 over, each ended by a newline: visit id, attempt, direction, then the SHA-256 of the page and of every
        frame, in hexadecimal; where there is a capture token, another side of the card, or a file of the chip, its
        name and its SHA-256 too; and where the traveler declined or has a group, that. The kiosk's clock and language
        are left out: a retry may carry others. So is whether it came late: a request whose answer never arrived may
        be sent again from the spool.
        """
        pictures = [_hex(picture) for picture in (self.page, *self.frames)]
        lines = [self.visit_id, str(self.attempt), str(int(self.direction)), *pictures]
        lines += [f"{name} {_hex(content)}" for name, content in self._further_content() if content]
        return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).digest()

    def _further_content(self) -> Iterator[tuple[str, bytes]]:
        yield "token", self.capture_token
        yield "portrait_page", self.portrait_page
        yield "declined", b"declined" if self.declined else b""
        yield "group", self.group_id.encode()
        if self.chip is not None:
            yield from ((f"chip {name}", getattr(self.chip, name)) for name in CHIP_FILES)
            yield "chip challenge", self.chip.active_authentication.challenge_token
            yield "chip signature", self.chip.active_authentication.signature
            yield "chip claim", b"claimed" if self.chip.chip_authentication_claimed else b""


CHIP_FILES: Final = ("com", "sod", "dg1", "dg2", "dg11", "dg12", "dg14", "dg15")
"""The fields of ChipFiles that hold a file of the chip."""


def _hex(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(slots=True)
class Findings:
    """What the services answered. What is None was not done; the steps say why.

    `comparison` is the live face against the page's portrait, `chip_comparison` against the chip's, and
    `portraits_comparison` the page's portrait against the chip's.
    """

    document: documents_pb2.ReadDocumentResponse | None = None
    live: faces_pb2.ExtractTemplateResponse | None = None
    portrait: faces_pb2.ExtractTemplateResponse | None = None
    chip_portrait: faces_pb2.ExtractTemplateResponse | None = None
    comparison: faces_pb2.CompareResponse | None = None
    chip_comparison: faces_pb2.CompareResponse | None = None
    portraits_comparison: faces_pb2.CompareResponse | None = None
    watchlists: watchlist_pb2.SearchResponse | None = None
    looked_back: decisions_pb2.LookBackResponse | None = None
    chip_sent: bool = False
    declined: bool = False
    steps: list[types_pb2.Step] = field(default_factory=list)

    @property
    def identity(self) -> documents_pb2.Mrz | None:
        """What the document says of its holder: its page, or its chip where no page was sent or read. Whether to
        believe it is in the checks."""
        if self.document is None:
            return None
        if self.document.HasField("mrz"):
            return self.document.mrz
        return self.document.chip.mrz if self.document.chip.HasField("mrz") else None

    @property
    def watchlists_as_of(self) -> datetime | None:
        """When what was searched was last known to be the database's. None without an answer that says it."""
        if self.watchlists is None or not self.watchlists.HasField("as_of"):
            return None
        try:
            return from_timestamp(self.watchlists.as_of)
        except (ValueError, OverflowError):
            return None
