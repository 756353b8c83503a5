"""One check per request, at the edge: "field: got X, want Y"."""

from __future__ import annotations

from borderpost.proofs.notes import MAX_NOTE_BYTES
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1.transparency_pb2 import (
    AddCosignatureRequest,
    GetCheckpointRequest,
    GetConsistencyProofRequest,
    GetInclusionProofRequest,
)

MAX_KEY: int = 500
"""Characters of a vkey: a name of 200 and 53 more."""

_MAX_SIZE = (1 << 63) - 1


def get_checkpoint(request: GetCheckpointRequest) -> None:
    """Check which checkpoint is wanted."""
    _size("size", request.size)
    if request.make and request.size:
        raise InvalidRequestError("make: got it with a size, want one of them", field="make")


def inclusion(request: GetInclusionProofRequest) -> None:
    """Check of what a proof is wanted."""
    _size("index", request.index)
    _size("size", request.size)


def consistency(request: GetConsistencyProofRequest) -> None:
    """Check of what a proof is wanted."""
    _size("from_size", request.from_size)
    _size("to_size", request.to_size)


def cosignature(request: AddCosignatureRequest) -> None:
    """Check a cosigned checkpoint."""
    for field, most in (("checkpoint", MAX_NOTE_BYTES), ("verifier_key", MAX_KEY)):
        length = len(getattr(request, field))
        if not 1 <= length <= most:
            raise InvalidRequestError(f"{field}: got {length:,} characters, want 1 to {most:,}", field=field)


def _size(field: str, number: int) -> None:
    if number > _MAX_SIZE:
        raise InvalidRequestError(f"{field}: got {number}, want at most {_MAX_SIZE}", field=field)
