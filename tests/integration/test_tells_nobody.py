"""Nothing that Borderpost loads leaves traces at home or talks on the terminal."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

LOADS = {
    "the reader": "from borderpost.documents.adapters.two_network_reader import TwoNetworkReader as R; R()",
    "the embedder": "from borderpost.faces.adapters.dlib_onnx import DlibOnnxEmbedder as E; E.load()",
    "the index": "from borderpost.watchlist.adapters.faiss_index import FaissIndex",
    "numbers and traces": "from borderpost.runtime import metrics, tracing as t, settings as s; "
    "metrics.Numbers(); t.configure_tracing('gateway', s.Settings().tracing)()",
}


@pytest.mark.parametrize("code", LOADS.values(), ids=LOADS)
def test_loading_a_model_writes_nothing_at_home_and_nothing_to_the_terminal(tmp_path, code):
    clean = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        env={**clean, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    assert list(tmp_path.rglob("*")) == []


ASKED_BY_THE_ENVIRONMENT = """
import socket, sys, threading
def refused(*_, **__): raise AssertionError("a connection")
socket.socket.connect = refused
from borderpost.runtime import metrics, settings, tracing, watching
end = tracing.configure_tracing("gateway", settings.Settings().tracing)
watched = watching.Watched("/borderpost.v1.FacesService/Compare", metrics.Numbers())
watched.entered(None)
watched.ended("OK")
end()
assert "opentelemetry.sdk" not in sys.modules
assert threading.active_count() == 1
"""


def test_without_a_setting_nothing_is_traced_whatever_the_environment_asks_for():
    """OpenTelemetry's own variables would have it send to a collector."""
    asked = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider",
    }
    code = ASKED_BY_THE_ENVIRONMENT
    subprocess.run([sys.executable, "-B", "-c", code], env={**os.environ, **asked}, check=True, timeout=60)
