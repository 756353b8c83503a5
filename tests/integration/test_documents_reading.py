"""The real reader on rendered specimens, and on real pages where the evaluation data is present."""

from __future__ import annotations

import datetime
import io
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from borderpost.documents import mrz
from borderpost.documents.adapters.opencv_portrait import OpenCvPortraitCropper
from borderpost.documents.adapters.two_network_reader import TwoNetworkReader
from borderpost.documents.domain import Problem
from borderpost.documents.pages import Pages
from borderpost.documents.verdict import CheckName, Overall, Result
from borderpost.specimens import pages as specimens
from borderpost.specimens import scenes
from borderpost.specimens.batch import random_specimen
from borderpost.specimens.paper import PIXELS_PER_MM

TODAY = datetime.date(2026, 11, 24)
MOST_SECONDS = 4.0
"""CPU time for any picture: twice what is promised, since machines that run tests are slow and shared."""

DATA = Path(os.environ.get("BORDERPOST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "documents"


def portrait() -> bytes:
    """Not a face: colours by which the crop can be told from the rest of the page."""
    picture = Image.new("RGB", (350, 450), (200, 40, 40))
    picture.paste((40, 40, 200), (0, 225, 350, 450))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def specimen(**values) -> specimens.Specimen:
    base = {
        "surname": "Ørsted-Quimby",
        "given_names": "Zoë Ines",
        "document_number": "SO0I1Z258",
        "birth_date": datetime.date(1988, 2, 29),
        "sex": mrz.Sex.FEMALE,
        "expiry_date": datetime.date(2031, 10, 5),
        "portrait": portrait(),
    }
    return specimens.Specimen(**{**base, **values})


@pytest.fixture(scope="module")
def documents():
    return Pages(TwoNetworkReader(), OpenCvPortraitCropper(), accept_specimens=True)


def jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90)
    return out.getvalue()


def test_a_specimen_is_read_exactly_and_passes(documents):
    made = specimen(optional_data="ZE184226B")
    reading = documents.read(specimens.render(made), TODAY)
    assert reading.mrz.lines == specimens.mrz_lines(made)
    assert reading.optical.overall is Overall.PASS


@pytest.mark.parametrize("degrees", [90, 180, 187, 270])
def test_a_turned_page_is_read_exactly(documents, degrees):
    page = specimens.picture(specimen()).rotate(
        degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=(90, 80, 70)
    )
    reading = documents.read(jpeg(page), TODAY)
    assert reading.mrz.lines == specimens.mrz_lines(specimen())


@pytest.mark.parametrize(
    "worsen",
    [
        lambda page: page.resize((1000, 704), Image.Resampling.BOX),
        lambda page: page.filter(ImageFilter.GaussianBlur(2)),
    ],
    ids=["1,000 px", "blurred by 2 px"],
)
def test_a_worse_picture_is_read_exactly(documents, worsen):
    reading = documents.read(jpeg(worsen(specimens.picture(specimen()))), TODAY)
    assert reading.mrz.lines == specimens.mrz_lines(specimen())


@pytest.mark.parametrize(
    "field", ["document_number", "birth_date", "expiry_date", "optional_data", "composite"]
)
def test_a_wrongly_printed_check_digit_is_refuted_not_repaired(documents, field):
    made = specimen(optional_data="ZE184226B", wrong_digits=(field,))
    reading = documents.read(specimens.render(made), TODAY)
    assert reading.problem is None
    assert mrz.refuted(reading.mrz.digits) == (field,)
    assert reading.optical.overall is Overall.FAIL
    assert not [repair for repair in reading.repairs if repair.basis is mrz.RepairBasis.CHECK_DIGIT]


def test_an_expired_specimen_fails_by_that_check_only(documents):
    reading = documents.read(specimens.render(specimen(expiry_date=datetime.date(2020, 1, 31))), TODAY)
    failed = [check.name for check in reading.optical.checks if check.result is Result.FAILED]
    assert failed == [CheckName.NOT_EXPIRED]


def test_a_picture_without_an_mrz_is_said_to_have_none(documents):
    without = specimens.picture(specimen()).crop((0, 0, 2400, 1200))
    assert documents.read(jpeg(without), TODAY).problem is Problem.NO_MRZ
    assert documents.read(jpeg(Image.new("RGB", (800, 600), "white")), TODAY).problem is Problem.NO_MRZ


@pytest.mark.parametrize("box", [(300, 0, 2400, 1690), (0, 0, 2000, 1690)], ids=["left", "right"])
def test_a_page_cut_off_at_one_side_is_said_to_be_cut_off(documents, box):
    reading = documents.read(jpeg(specimens.picture(specimen()).crop(box)), TODAY)
    assert reading.problem is Problem.MRZ_CUT_OFF


@pytest.mark.parametrize("layout", mrz.FORMATS, ids=lambda layout: layout.name)
def test_every_format_is_read_exactly_from_a_phone_picture_in_perspective(documents, layout):
    made = random_specimen(random.Random(f"phone {layout.name}"), layout)  # noqa: S311
    scene = scenes.Scene(size=(2000, 1500), turn=12, tilt=20, tilt_towards=200, fill=0.8, shade=0.4, seed=3)
    picture = scenes.photograph(specimens.picture(made), scene).picture
    assert documents.read(jpeg(picture), TODAY).mrz.lines == specimens.mrz_lines(made)


def test_a_mirrored_page_is_not_read(documents):
    mirrored = ImageOps.mirror(specimens.picture(specimen()))
    assert documents.read(jpeg(mirrored), TODAY).mrz is None


def test_two_documents_in_one_picture_are_said_to_be_two(documents):
    one, other = specimens.picture(specimen()), specimens.picture(specimen(document_number="X3A4C7KM2"))
    both = Image.new("RGB", (one.width, 2 * one.height + 100), (90, 80, 70))
    both.paste(one, (0, 0))
    both.paste(other, (0, one.height + 100))
    assert documents.read(jpeg(both), TODAY).problem is Problem.TWO_DOCUMENTS


def test_a_zone_whose_last_line_is_outside_the_picture_is_said_to_be_cut_off(documents):
    page = specimens.picture(specimen())
    without_last_line = page.crop((0, 0, page.width, page.height - round(12.6 * PIXELS_PER_MM)))
    assert documents.read(jpeg(without_last_line), TODAY).problem is Problem.MRZ_CUT_OFF


def test_a_reflection_over_print_is_never_guessed_and_the_traveler_is_told(documents):
    page = specimens.picture(specimen())
    ImageDraw.Draw(page).ellipse((500, 1360, 900, 1560), fill="white")
    assert documents.read(jpeg(page), TODAY).problem is Problem.GLARE_ON_MRZ


def test_a_page_full_of_text_has_no_mrz_and_is_not_searched_for_long(documents):
    page = Image.new("RGB", (1700, 2400), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=30)
    for row in range(50):
        draw.text(
            (80, 60 + 44 * row), "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG 0123456789 " * 2, "black", font
        )
    data = jpeg(page)
    begun = time.process_time()
    assert documents.read(data, TODAY).problem is Problem.NO_MRZ
    assert time.process_time() - begun < MOST_SECONDS


def test_a_page_too_blurred_to_read_gives_no_valid_mrz(documents):
    page = specimens.picture(specimen()).filter(ImageFilter.GaussianBlur(14))
    reading = documents.read(jpeg(page), TODAY)
    assert reading.problem is not None
    assert reading.optical.overall is Overall.UNDETERMINED


def test_noise_of_any_size_is_a_problem_and_no_crash(documents):
    generator = np.random.default_rng(7)
    for size in ((16, 16), (17, 900), (900, 17), (640, 480)):
        noise = Image.fromarray(generator.integers(0, 256, (*size, 3), dtype=np.uint8))
        assert documents.read(jpeg(noise), TODAY).problem is Problem.NO_MRZ


def test_two_threads_on_one_reader_read_what_one_reads(documents):
    made = [specimen(document_number=f"X{number}A4C7KM2") for number in (3, 7)]
    pages = [specimens.render(one) for one in made]
    with ThreadPoolExecutor(2) as pool:
        read = list(pool.map(lambda page: documents.read(page, TODAY), pages * 2))
    assert [reading.mrz.lines for reading in read] == [specimens.mrz_lines(one) for one in made] * 2


@pytest.mark.data
@pytest.mark.parametrize("name", ["BEL/01", "BLR/00", "D/02", "GBR/01", "IDN/00"])
def test_a_real_page_is_read_exactly(documents, name):
    if not DATA.is_dir():
        pytest.skip("evaluation data is absent: ../shared/data/documents, or BORDERPOST_DATA")
    reading = documents.read((DATA / f"{name}.jpg").read_bytes(), TODAY)
    assert reading.mrz.lines == tuple((DATA / f"{name}.txt").read_text().split())
