"""The real reader on rendered specimens, and on real pages where the evaluation data is present."""

from __future__ import annotations

import datetime
import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from borderpost.documents import mrz
from borderpost.documents.adapters.opencv_portrait import OpenCvPortraitCropper
from borderpost.documents.adapters.rapidocr_reader import RapidOcrReader
from borderpost.documents.app import Documents
from borderpost.documents.domain import Problem
from borderpost.documents.verdict import CheckName, Overall, Result
from borderpost.specimens import pages as specimens

TODAY = datetime.date(2026, 11, 24)
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
    return Documents(RapidOcrReader(), OpenCvPortraitCropper(), accept_specimens=True)


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
