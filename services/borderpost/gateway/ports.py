"""What the gateway needs of the other services. Every method raises BorderpostError, and ends by its deadline.

`seconds` is the time that the answer may take; `call` says on whose behalf.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from borderpost.runtime.calls import Call
from borderpost.v1 import decisions_pb2, documents_pb2, faces_pb2, types_pb2, watchlist_pb2


class Documents(Protocol):
    """The documents service."""

    async def read(
        self, request: documents_pb2.ReadDocumentRequest, call: Call, seconds: float
    ) -> documents_pb2.ReadDocumentResponse:
        """Read a page and a chip's files, and judge them."""


class Faces(Protocol):
    """The faces service."""

    async def extract(
        self, request: faces_pb2.ExtractTemplateRequest, call: Call, seconds: float
    ) -> faces_pb2.ExtractTemplateResponse:
        """Make a template of pictures of one face; with a capture token, say what it says of liveness."""

    async def compare(
        self, probe: types_pb2.Template, reference: types_pb2.Template, fmr: float, call: Call, seconds: float
    ) -> faces_pb2.CompareResponse:
        """Compare two templates at a false-match rate."""


class Watchlists(Protocol):
    """The watchlist service."""

    async def search(
        self, request: watchlist_pb2.SearchRequest, call: Call, seconds: float
    ) -> watchlist_pb2.SearchResponse:
        """Search all lists."""

    async def propose(
        self, entry: watchlist_pb2.Entry, call: Call, seconds: float
    ) -> watchlist_pb2.ProposeEntryResponse:
        """Propose an entry."""

    async def stage_rows(
        self, request: watchlist_pb2.StageRowsRequest, call: Call, seconds: float
    ) -> watchlist_pb2.StageRowsResponse:
        """Take rows of an import."""

    async def without_model(
        self, request: watchlist_pb2.ListWithoutModelRequest, call: Call, seconds: float
    ) -> watchlist_pb2.ListWithoutModelResponse:
        """List entries that have a face and no template of a model, with their pictures."""

    async def add_templates(
        self, entry_id: str, templates: Sequence[types_pb2.Template], call: Call, seconds: float
    ) -> watchlist_pb2.AddTemplatesResponse:
        """Add templates, all of one model, to an entry that has none of it."""


class Decisions(Protocol):
    """The decision log."""

    async def find(
        self, kiosk_id: str, request_id: str, call: Call, seconds: float
    ) -> decisions_pb2.LogEntry | None:
        """Find the record of a request; None if the log has none."""

    async def append(
        self, request: decisions_pb2.AppendScreeningRequest, call: Call, seconds: float
    ) -> decisions_pb2.AppendScreeningResponse:
        """Append a record, durably; or get the one that is there for the same request."""

    async def look_back(
        self, request: decisions_pb2.LookBackRequest, call: Call, seconds: float
    ) -> decisions_pb2.LookBackResponse:
        """Tell what recent screenings say of this visit, its group and its document."""

    async def get(
        self, request: decisions_pb2.GetScreeningRequest, call: Call, seconds: float
    ) -> decisions_pb2.GetScreeningResponse:
        """Get a record with what was found, on behalf of a person, whose looking is recorded."""

    async def policy(self, version: str, call: Call, seconds: float) -> bytes:
        """Get the file of a policy that was in force."""
