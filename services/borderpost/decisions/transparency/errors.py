"""The errors of checkpoints and proofs."""

from __future__ import annotations

import grpc

from borderpost.runtime.errors import BorderpostError


class CheckpointNotFoundError(BorderpostError):
    """There is no checkpoint of this size."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "CHECKPOINT_NOT_FOUND"


class CosignatureWrongError(BorderpostError):
    """A cosignature isn't one of a checkpoint of this log by the given key."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "COSIGNATURE_WRONG"
