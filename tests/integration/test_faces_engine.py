"""The real engines: equal to dlib's own numbers, equal from many threads, and honest about bad pictures."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageFilter

from borderpost.faces.adapters.dlib_hog import DlibFaceFinder
from borderpost.faces.adapters.dlib_onnx import CARD, DlibOnnxEmbedder
from borderpost.faces.adapters.weights import RESNET, locate
from borderpost.faces.app import Faces
from borderpost.faces.domain import CaptureProblem, Decision, Face, Profile, travelers_face
from borderpost.faces.ports import Engine
from borderpost.runtime.calibration import load_calibration
from borderpost.runtime.pictures import decode_picture

PROJECT = Path(__file__).parents[2]
SAMPLES = PROJECT / ".cache" / "samples"
LFW = (
    Path(os.environ.get("BORDERPOST_DATA", PROJECT.parent / "shared" / "data")) / "faces/lfw/lfw-deepfunneled"
)

MAX_DELTA = 1e-5
"""Between our embedding and dlib's own of the same chip."""

DLIB_EMBEDS = """
import sys, dlib, numpy
model = dlib.face_recognition_model_v1(sys.argv[1])
chips = numpy.load(sys.argv[2])
numpy.save(sys.argv[3], [model.compute_face_descriptor(chip) for chip in chips])
"""
"""dlib holds the GIL while it embeds, so the test gives each core a process."""


@pytest.fixture(scope="module")
def finder():
    return DlibFaceFinder()


@pytest.fixture(scope="module")
def embedder():
    return DlibOnnxEmbedder.load()


@pytest.fixture(scope="module")
def faces(finder, embedder):
    return Faces(Engine(finder, finder, embedder), load_calibration(CARD.id))


@pytest.fixture(scope="module")
def samples():
    paths = sorted(SAMPLES.glob("*.jpg"))
    if not paths:
        pytest.skip("the sample pictures are not there: `make samples` fetches them")
    return {path.stem: decode_picture(path.read_bytes()) for path in paths}


@pytest.fixture(scope="module")
def portrait(samples):
    return samples["obama"]


def chip_of(finder, picture):
    box = travelers_face(finder.detect(picture), picture.shape[1], picture.shape[0])
    return None if box is None else finder.align(picture, Face(box, finder.landmarks(picture, box)))[0]


def encoded(picture):
    out = io.BytesIO()
    Image.fromarray(np.asarray(picture, dtype=np.uint8)).save(out, "PNG", compress_level=0)
    return out.getvalue()


def dlibs_own(chips, folder):
    """dlib's own embeddings of the chips, in two processes."""
    running = []
    for number, part in enumerate(np.array_split(chips, 2)):
        chips_file, out = folder / f"chips{number}.npy", folder / f"embeddings{number}.npy"
        np.save(chips_file, part)
        command = [sys.executable, "-c", DLIB_EMBEDS, str(locate(RESNET)), str(chips_file), str(out)]
        running.append((subprocess.Popen(command), out))
    assert [process.wait(100) for process, _ in running] == [0, 0]
    return np.concatenate([np.load(out) for _, out in running])


def test_embeddings_of_the_samples_equal_dlibs_own(finder, embedder, samples, tmp_path):
    chips = np.stack([chip_of(finder, picture) for picture in samples.values()])
    assert np.abs(embedder.embed(chips) - dlibs_own(chips, tmp_path)).max() <= MAX_DELTA


@pytest.mark.data
def test_200_embeddings_equal_dlibs_own(finder, embedder, tmp_path):
    people = sorted(LFW.glob("*/*_0001.jpg"))
    if not people:
        pytest.skip("the evaluation data are not there (BORDERPOST_DATA)")
    chips = []
    for path in people[:: len(people) // 230]:
        chip = chip_of(finder, decode_picture(path.read_bytes()))
        if chip is not None and len(chips) < 200:
            chips.append(chip)
    assert len(chips) == 200
    ours = np.concatenate([embedder.embed(np.stack(chips[i : i + 20])) for i in range(0, 200, 20)])
    assert np.abs(ours - dlibs_own(np.stack(chips), tmp_path)).max() <= MAX_DELTA


def test_from_picture_to_embedding_equals_face_recognition_at_the_same_box(
    finder, embedder, portrait, monkeypatch
):
    # Importing it lets Pillow take truncated pictures, in the whole process.
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)
    import face_recognition  # noqa: PLC0415  (slow, and loads a model that the service never loads)

    box = travelers_face(finder.detect(portrait), portrait.shape[1], portrait.shape[0])
    place = (box.top, box.left + box.width - 1, box.top + box.height - 1, box.left)
    theirs = face_recognition.face_encodings(portrait, [place], model="small")[0]
    ours = embedder.embed(chip_of(finder, portrait)[None])[0]
    assert np.abs(ours - theirs).max() <= MAX_DELTA


def test_a_chip_embeds_alike_alone_and_in_a_batch(finder, embedder, samples):
    chips = np.stack([chip_of(finder, picture) for picture in samples.values()])
    alone = np.concatenate([embedder.embed(chip[None]) for chip in chips])
    assert np.abs(embedder.embed(chips) - alone).max() <= MAX_DELTA


def test_the_same_person_matches_and_another_does_not(faces, samples):
    def template(name):
        return faces.extract([encoded(samples[name])], Profile.LIVE).template

    assert faces.compare(template("obama"), template("obama2"), 1e-3).decision is Decision.MATCH
    assert faces.compare(template("obama"), template("biden"), 1e-3).decision is Decision.NO_MATCH


def test_eight_threads_give_the_answers_of_one(faces, samples):
    small = [Image.fromarray(picture).reduce(2) for picture in samples.values()]
    turned = [picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for picture in small]
    blank = [Image.new("RGB", size, (90, 90, 90)) for size in ((300, 200), (200, 300))]
    pictures = [encoded(picture) for picture in (*small, *turned, *blank)]

    def extract(data):
        extraction = faces.extract([data], Profile.LIVE)
        return extraction.box, extraction.quality, extraction.template

    alone = [extract(data) for data in pictures]
    order = np.random.default_rng(3).permutation(np.repeat(np.arange(len(pictures)), 4))
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda index: extract(pictures[index]), order))
    for index, (box, quality, template) in zip(order, together, strict=True):
        assert (box, quality) == alone[index][:2]
        if box is not None:
            assert np.abs(template.values - alone[index][2].values).max() <= MAX_DELTA


def problems(faces, picture):
    return faces.extract([encoded(picture)], Profile.LIVE).quality.problems


def test_a_good_portrait_has_no_problem(faces, portrait):
    assert problems(faces, portrait) == ()


def test_a_dark_picture_is_told(faces, portrait):
    assert problems(faces, portrait * 0.12) == (CaptureProblem.TOO_DARK,)


def test_a_bright_picture_is_told(faces, portrait):
    assert problems(faces, np.minimum(portrait + 100.0, 255)) == (CaptureProblem.TOO_BRIGHT,)


def test_a_blurred_picture_is_told(faces, portrait):
    blurred = Image.fromarray(portrait).filter(ImageFilter.GaussianBlur(9))
    assert problems(faces, blurred) == (CaptureProblem.TOO_BLURRED,)


def test_a_face_far_away_is_told(faces, portrait):
    far = Image.new("RGB", (480, 360), (120, 130, 140))
    far.paste(Image.fromarray(portrait).reduce(6), (160, 100))
    assert problems(faces, far) == (CaptureProblem.FACE_TOO_SMALL,)


def test_two_faces_are_told_and_counted(faces, portrait):
    extraction = faces.extract([encoded(np.hstack([portrait, portrait[:, ::-1]]))], Profile.LIVE)
    assert extraction.faces_found == 2
    assert extraction.quality.problems == (CaptureProblem.SEVERAL_FACES,)
    assert extraction.template is not None


def test_a_cut_off_face_is_told(faces, samples):
    for name in ("obama_partial_face", "obama_partial_face2"):
        assert CaptureProblem.FACE_CUT_OFF in problems(faces, samples[name])


def test_a_picture_without_a_face_is_told(faces):
    assert problems(faces, np.full((480, 640, 3), 127)) == (CaptureProblem.NO_FACE,)
    noise = np.random.default_rng(5).integers(0, 255, size=(480, 640, 3))
    assert problems(faces, noise) == (CaptureProblem.NO_FACE,)


@pytest.mark.parametrize("size", [(16, 16), (16, 3000), (3000, 16), (80, 80)])
def test_pictures_of_odd_sizes_have_no_face_and_break_nothing(faces, size):
    assert problems(faces, np.zeros((*size, 3))) == (CaptureProblem.NO_FACE,)


def test_eyes_are_found_where_they_are_and_not_where_nobody_is(faces, portrait):
    """Both eyes move with the picture, and the one on the left stays the one on the left."""
    moved = np.pad(portrait, ((40, 0), (60, 0), (0, 0)), constant_values=128)
    nobody = np.full((240, 320, 3), 128)
    here, there, none = faces.locate_eyes([encoded(each) for each in (portrait, moved, nobody)])
    assert none is None
    assert here.left_eye[0] < here.right_eye[0]
    for before, after in ((here.left_eye, there.left_eye), (here.right_eye, there.right_eye)):
        assert after == pytest.approx((before[0] + 60, before[1] + 40), abs=0.1 * here.inter_eye_distance)


def test_running_the_service_never_imports_face_recognition():
    code = (
        "import sys; from borderpost.faces.adapters.dlib_hog import DlibFaceFinder as F;"
        "from borderpost.faces.adapters.dlib_onnx import DlibOnnxEmbedder as E; F().warm_up(); E.load();"
        "sys.exit(any(name.startswith('face_recognition') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
