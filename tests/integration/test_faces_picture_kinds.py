"""One face in pictures of every kind: nearly the same box and template, however it was stored."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from borderpost.faces.adapters.engines import load_engine
from borderpost.faces.app import Faces
from borderpost.faces.domain import Profile, cosine
from borderpost.runtime.calibration import load_calibration

SAMPLE = Path(__file__).parents[2] / ".cache" / "samples" / "obama.jpg"

ORIENTATION = 0x0112
UNDOES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What a picture was turned by, for each EXIF orientation to turn it back."""


@pytest.fixture(scope="module")
def faces():
    engine = load_engine("dlib")
    return Faces(engine, load_calibration(engine.embedder.card.id))


@pytest.fixture(scope="module")
def image():
    if not SAMPLE.is_file():
        pytest.skip("the sample pictures are not there: `make samples` fetches them")
    whole = Image.open(SAMPLE).convert("RGB")
    return whole.resize((480, 600), Image.Resampling.LANCZOS)


@pytest.fixture(scope="module")
def original(faces, image):
    return faces.extract([encoded(image, "PNG")], Profile.LIVE)


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def deep(image):
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)


def transparent(image):
    image = image.convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


COLOUR = 0.995
GREY = 0.95
"""The least cosine to the template of the picture in colour, as it was."""


@pytest.mark.parametrize(
    ("store", "least"),
    [
        pytest.param(lambda im: encoded(im, "JPEG", quality=95), COLOUR, id="jpeg"),
        pytest.param(
            lambda im: encoded(im, "JPEG", quality=95, progressive=True), COLOUR, id="jpeg-progressive"
        ),
        pytest.param(lambda im: encoded(im.convert("CMYK"), "JPEG", quality=95), COLOUR, id="jpeg-cmyk"),
        pytest.param(lambda im: encoded(im.convert("L"), "JPEG", quality=95), GREY, id="jpeg-grey"),
        pytest.param(lambda im: encoded(im.convert("L"), "PNG"), GREY, id="png-grey"),
        pytest.param(lambda im: encoded(im.convert("LA"), "PNG"), GREY, id="png-grey-alpha"),
        pytest.param(lambda im: encoded(deep(im), "PNG"), GREY, id="png-16-bit-grey"),
        pytest.param(lambda im: encoded(transparent(im), "PNG"), COLOUR, id="png-transparent"),
        pytest.param(lambda im: encoded(im.quantize(256), "PNG"), 0.97, id="png-palette"),
        pytest.param(lambda im: encoded(im, "JPEG2000"), COLOUR, id="jpeg2000"),
        pytest.param(lambda im: encoded(im.convert("L"), "JPEG2000"), GREY, id="jpeg2000-grey"),
        pytest.param(lambda im: encoded(im, "JPEG2000", no_jp2=True), COLOUR, id="jpeg2000-codestream"),
    ],
)
def test_every_way_to_store_a_picture_gives_nearly_the_same_face(faces, image, original, store, least):
    stored = faces.extract([store(image)], Profile.LIVE)
    assert (stored.box.left, stored.box.top, stored.box.width) == pytest.approx(
        (original.box.left, original.box.top, original.box.width), abs=8
    )
    assert cosine(stored.template, original.template) > least


@pytest.mark.parametrize("orientation", sorted(UNDOES))
def test_a_camera_held_any_way_gives_the_same_face(faces, image, original, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    turned = image.transpose(UNDOES[orientation])
    stored = faces.extract([encoded(turned, "PNG", exif=exif)], Profile.LIVE)
    assert stored.box == original.box
    assert cosine(stored.template, original.template) > 0.999999


def test_a_huge_picture_gives_the_same_face_in_its_own_pixels(faces, image, original):
    huge = image.resize((4_800, 6_000), Image.Resampling.BICUBIC)
    stored = faces.extract([encoded(huge, "JPEG", quality=90)], Profile.LIVE)
    assert stored.box.width / 10 == pytest.approx(original.box.width, rel=0.1)
    assert cosine(stored.template, original.template) > 0.98
