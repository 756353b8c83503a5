"""The portrait on the page: found in all formats, from every side, and fit for the face engine."""

from __future__ import annotations

import io
import os
import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from borderpost.documents import mrz
from borderpost.documents.adapters.opencv_portrait import OpenCvPortraitCropper
from borderpost.documents.domain import Line, Zone
from borderpost.faces.adapters.dlib_hog import DlibFaceFinder
from borderpost.runtime.pictures import decode_picture
from borderpost.specimens import pages
from borderpost.specimens.batch import random_specimen
from borderpost.specimens.layouts import layout_of
from borderpost.specimens.paper import px
from borderpost.specimens.samples import load_samples
from borderpost.specimens.scenes import Scene, photograph, random_scene

PROJECT = Path(__file__).parents[2]
LFW = (
    Path(os.environ.get("BORDERPOST_DATA", PROJECT.parent / "shared" / "data")) / "faces/lfw/lfw-deepfunneled"
)

LINE_MM = 3.2
"""Height of a line as a reader marks it."""

CLOSE = 0.9
"""Intersection over union with the true place: a crop that is off by 1 mm at one side has 0.97."""

SCENES = {
    "a scan": Scene(size=(1700, 1300), fill=1.0, shade=0.0),
    "upside down": Scene(turn=180),
    "on its side": Scene(turn=-90),
    "by an odd angle": Scene(turn=37),
    "seen from below": Scene(tilt=28, tilt_towards=270),
    "seen from the left": Scene(tilt=28, tilt_towards=0, turn=12),
    "small": Scene(size=(1200, 900), turn=5, tilt=10),
}


@pytest.fixture(scope="module")
def cropper():
    return OpenCvPortraitCropper()


@pytest.fixture(scope="module")
def portrait():
    return load_samples(PROJECT / ".cache" / "samples").a_portrait


@pytest.fixture(scope="module")
def finder():
    return DlibFaceFinder()


def seen(specimen, scene):
    """The picture of the side with the portrait, where the portrait is, and the zone; None for a card's side."""
    layout = layout_of(specimen.format)
    taken = photograph(pages.portrait_side(specimen), scene, px(layout.corner_radius))
    width, height = layout.size

    def place(left, top, wide, high):
        return taken.place((left / width, top / height, wide / width, high / height))

    long = specimen.format.width * 2.54 + 1.0
    quads = tuple(
        place(layout.mrz_left - 0.5, centre - LINE_MM / 2, long, LINE_MM) for centre in layout.line_centres
    )
    lines = tuple(Line(text, (), ()) for text in pages.mrz_lines(specimen))
    zone = None if layout.two_sides else Zone(lines, quads[0], quads)
    return np.asarray(taken.picture), place(*layout.portrait), zone


def cut(cropper, specimen, scene):
    picture, true, zone = seen(specimen, scene)
    found = cropper.crop_card(picture) if zone is None else cropper.crop(picture, zone, specimen.format.name)
    return found, true


def overlap(one, other):
    one, other = (np.array(quad, dtype=np.float32) for quad in (one, other))
    shared, _ = cv2.intersectConvexConvex(one, other)
    return shared / (cv2.contourArea(one) + cv2.contourArea(other) - shared)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
@pytest.mark.parametrize("name", list(pages.FORMATS))
def test_the_portrait_is_found_where_it_is_upright_and_with_a_face(cropper, finder, portrait, name, scene):
    source = random.Random(name)  # noqa: S311
    specimen = random_specimen(source, pages.FORMATS[name], portrait)
    found, true = cut(cropper, specimen, scene)
    assert overlap(found.quad, true) > CLOSE
    assert np.linalg.norm(np.subtract(found.quad[0], true[0])) < 0.1 * np.linalg.norm(
        np.subtract(true[2], true[0])
    )
    assert len(finder.detect(decode_picture(found.jpeg))) == 1


def test_a_td1_side_with_the_zone_has_no_portrait(cropper):
    specimen = random_specimen(random.Random(1), mrz.TD1)  # noqa: S311
    quad = ((10.0, 10.0), (900.0, 10.0), (900.0, 40.0), (10.0, 40.0))
    zone = Zone((Line("<" * 30, (), ()),) * 3, quad, (quad,) * 3)
    assert cropper.crop(np.asarray(pages.picture(specimen)), zone, "TD1") is None


def test_a_portrait_without_a_face_is_found_by_its_frame(cropper):
    out = io.BytesIO()
    Image.new("RGB", (350, 450), (200, 60, 60)).save(out, "PNG")
    specimen = random_specimen(random.Random(4), mrz.TD3, out.getvalue())  # noqa: S311
    found, true = cut(cropper, specimen, Scene(turn=70, tilt=15))
    assert overlap(found.quad, true) > CLOSE


def test_a_page_without_a_portrait_gives_none(cropper):
    picture, _, zone = seen(random_specimen(random.Random(4), mrz.TD3), Scene())  # noqa: S311
    blank = np.full_like(picture, 235)
    assert cropper.crop(blank, zone, "TD3") is None
    assert cropper.crop_card(blank) is None


@pytest.mark.parametrize("size", [(16, 16), (17, 900), (900, 17), (480, 640)])
def test_noise_of_any_size_has_no_portrait_and_is_no_crash(cropper, size):
    noise = np.random.default_rng(5).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert cropper.crop_card(noise) is None


@pytest.mark.parametrize(
    "quad",
    [
        ((900.0, 800.0), (100.0, 800.0), (100.0, 830.0), (900.0, 830.0)),
        ((100.0, 800.0), (140.0, 800.0), (140.0, 830.0), (100.0, 830.0)),
        ((100.0, 800.0), (100.0, 800.0), (100.0, 800.0), (100.0, 800.0)),
    ],
    ids=["mirrored", "too short", "a point"],
)
def test_a_zone_that_tells_no_plane_gives_none(cropper, quad):
    below = tuple((x, y + 60.0) for x, y in quad)
    zone = Zone((Line("<" * 44, (), ()),) * 2, quad, (quad, below))
    assert cropper.crop(np.full((1000, 1200, 3), 200, np.uint8), zone, "TD3") is None


def test_a_portrait_mostly_outside_the_picture_is_not_delivered(cropper, portrait):
    specimen = random_specimen(random.Random(4), mrz.TD3, portrait)  # noqa: S311
    picture, true, zone = seen(specimen, Scene())
    cut_at = round(true[0][1] + 0.8 * (true[3][1] - true[0][1]))
    moved = tuple(tuple((x, y - cut_at) for x, y in quad) for quad in zone.line_quads)
    assert cropper.crop(picture[cut_at:], Zone(zone.lines, moved[0], moved), "TD3") is None


def test_two_threads_find_what_one_finds(cropper, portrait):
    source = random.Random(9)  # noqa: S311
    made = [seen(random_specimen(source, mrz.TD3, portrait), Scene(turn=turn)) for turn in (0, 40, 170)]
    alone = [cropper.crop(picture, zone, "TD3") for picture, _, zone in made]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda one: cropper.crop(one[0], one[2], "TD3"), made * 4))
    assert together == alone * 4


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_portraits_of_strangers_in_random_scenes_are_found_in_nearly_all(cropper, finder, capsys):
    """With `-s` it prints the figures of docs/documents.md: 5 formats × 40 scenes, LFW's pictures as portraits."""
    if not LFW.is_dir():
        pytest.skip("evaluation data is absent: ../shared/data/faces, or BORDERPOST_DATA")
    source = random.Random(2026)  # noqa: S311
    people = sorted(LFW.glob("*/*_0001.jpg"))
    overlaps, faces = defaultdict(list), defaultdict(int)
    for name, layout in pages.FORMATS.items():
        for _ in range(40):
            specimen = random_specimen(source, layout, source.choice(people).read_bytes())
            specimen = replace(specimen, portrait_box=(55, 25, 195, 205))
            found, true = cut(cropper, specimen, random_scene(source))
            overlaps[name].append(0.0 if found is None else overlap(found.quad, true))
            faces[name] += found is not None and len(finder.detect(decode_picture(found.jpeg))) > 0
    with capsys.disabled():
        for name, values in overlaps.items():
            close = sum(value > CLOSE for value in values)
            print(  # noqa: T201
                f"\n{name}: {close} of {len(values)} over {CLOSE}, median {np.median(values):.3f}, "
                f"worst {min(values):.2f}; a face in {faces[name]}"
            )
    assert all(sum(value > CLOSE for value in values) >= 36 for values in overlaps.values())
