"""What a screening is made of, for the policy: plain values, no I/O.

What the services answer is kept as their own generated messages (`Findings`): it goes into the record as
it came, and a second set of types for the same fields would only be a place for mistakes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from borderpost.v1 import documents_pb2, faces_pb2, types_pb2, watchlist_pb2


class Outcome(StrEnum):
    """What a screening ends in; names as in types.proto."""

    CLEAR = "CLEAR"
    REFER = "REFER"
    RETAKE = "RETAKE"


class CheckKind(StrEnum):
    """The checks that a policy can require; names as in types.proto, where they are explained."""

    DOCUMENT_OPTICAL = "DOCUMENT_OPTICAL"
    DOCUMENT_ELECTRONIC = "DOCUMENT_ELECTRONIC"
    FACE_CAPTURE = "FACE_CAPTURE"
    FACE_MATCH = "FACE_MATCH"
    LIVENESS = "LIVENESS"
    WATCHLIST_FACE = "WATCHLIST_FACE"
    WATCHLIST_DOCUMENT = "WATCHLIST_DOCUMENT"
    WATCHLIST_NAME = "WATCHLIST_NAME"


class Status(StrEnum):
    """What became of a check; names as in types.proto."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    UNDETERMINED = "UNDETERMINED"
    NOT_PERFORMED = "NOT_PERFORMED"


@dataclass(frozen=True, slots=True)
class Advice:
    """Something that another picture could mend: its reason code, and what the traveler is to do."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check. `advice` is there if another picture could make it pass."""

    kind: CheckKind
    status: Status
    reasons: tuple[str, ...] = ()
    advice: tuple[Advice, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome, its reasons (weightiest first), what was required, and advice where it is RETAKE."""

    outcome: Outcome
    reasons: tuple[str, ...]
    required: tuple[CheckKind, ...]
    advice: tuple[Advice, ...] = ()


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

    def content_sha256(self) -> bytes:
        """Hash what the kiosk asked, to tell the same request from another one under the same id.

        SHA-256 over, each ended by a newline: visit id, attempt, direction, then the SHA-256 of the page
        and of every frame, in hexadecimal; where there is a capture token, "token" and its SHA-256 too. The
        kiosk's clock and language are left out: a retry may carry others.
        """
        pictures = [hashlib.sha256(picture).hexdigest() for picture in (self.page, *self.frames)]
        lines = [self.visit_id, str(self.attempt), str(int(self.direction)), *pictures]
        if self.capture_token:
            lines.append(f"token {hashlib.sha256(self.capture_token).hexdigest()}")
        return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).digest()


@dataclass(slots=True)
class Findings:
    """What the services answered. What is None was not done; the steps say why."""

    document: documents_pb2.ReadDocumentResponse | None = None
    live: faces_pb2.ExtractTemplateResponse | None = None
    portrait: faces_pb2.ExtractTemplateResponse | None = None
    comparison: faces_pb2.CompareResponse | None = None
    watchlists: watchlist_pb2.SearchResponse | None = None
    steps: list[types_pb2.Step] = field(default_factory=list)
