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
