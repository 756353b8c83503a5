"""ONNX Runtime sessions, all opened in one way."""

from __future__ import annotations

from typing import Final

import onnxruntime

ERRORS_ONLY: Final = 3
"""ONNX Runtime's severity from which it prints; some models have initialisers that it would warn about."""


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """A session on the CPU with one thread: calls run beside each other instead. Raises ONNX Runtime's own errors."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    return onnxruntime.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])
