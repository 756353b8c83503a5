"""The errors of the faces service alone; the shared ones are in `borderpost.runtime.errors`."""

from __future__ import annotations

import grpc

from borderpost.runtime.errors import BorderpostError


class WeightsMissingError(BorderpostError):
    """A file of model weights isn't where its package should have put it."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "WEIGHTS_MISSING"


class WeightsAlteredError(BorderpostError):
    """A file of model weights hasn't the pinned SHA-256, or can't be read as what it should be."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "WEIGHTS_ALTERED"


class ModelCardError(BorderpostError):
    """The card file of an agency's own model is wrong, or says another thing than the model does."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "MODEL_CARD"


class TemplateModelMismatchError(BorderpostError):
    """Two templates come from different models, or from one that this service doesn't run."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "TEMPLATE_MODEL_MISMATCH"


class TooManyCapturesError(BorderpostError):
    """As many guided captures are open as the service takes at once; try again after `retry_after_ms`."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_CAPTURES"


class LivenessCardError(BorderpostError):
    """The card of a passive liveness model, or the model itself, can't be used."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "LIVENESS_CARD"
