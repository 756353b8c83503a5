"""What can be wrong with the data of an evaluation."""

from __future__ import annotations

import grpc

from borderpost.runtime.errors import BorderpostError


class EvaluationDataError(BorderpostError):
    """The folder can't be evaluated."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "EVALUATION_DATA_UNUSABLE"
