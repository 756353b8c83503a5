from __future__ import annotations

import datetime
import io

import numpy as np
import pytest
from PIL import Image

from borderpost.documents import mrz
from borderpost.specimens import ocrb, pages

TODAY = datetime.date(2026, 11, 24)
ROUNDING = 0.05


def specimen(**values) -> pages.Specimen:
    portrait = io.BytesIO()
    Image.new("RGB", (70, 90), "grey").save(portrait, "PNG")
    base = {
        "surname": "Müller",
        "given_names": "Anna",
        "document_number": "L898902C3",
        "birth_date": datetime.date(1974, 8, 12),
        "sex": mrz.Sex.UNSPECIFIED,
        "expiry_date": datetime.date(2031, 4, 15),
        "portrait": portrait.getvalue(),
    }
    return pages.Specimen(**{**base, **values})


def test_a_specimen_is_a_passport_of_utopia_with_all_digits_right():
    document = mrz.parse(pages.mrz_lines(specimen()), TODAY)
    assert document.fields.issuing_state == "UTO"
    assert document.fields.surname == "MUELLER"
    assert mrz.refuted(document.digits) == ()


@pytest.mark.parametrize("field", [rule.field for rule in mrz.TD3.checks])
def test_a_fault_refutes_the_digit_it_names_and_no_other(field):
    lines = pages.mrz_lines(specimen(wrong_digits=(field,)))
    assert mrz.refuted(mrz.digit_evidence(lines, mrz.TD3)) == (field,)


def test_an_unknown_fault_is_refused():
    with pytest.raises(ValueError, match="surname"):
        pages.mrz_lines(specimen(wrong_digits=("surname",)))


def test_a_page_has_the_proportions_of_a_passport():
    with Image.open(io.BytesIO(pages.render(specimen()))) as page:
        assert page.format == "JPEG"
        assert page.width == 2400
        assert page.width / page.height == pytest.approx(125 / 88, abs=0.002)


def test_the_strokes_are_the_alphabet_of_the_mrz_within_their_pitch():
    assert set(ocrb.GLYPHS) == set(mrz.ALPHABET)
    for paths in ocrb.GLYPHS.values():
        for x, y in (point for path in paths for point in path):
            assert -ROUNDING <= x <= ocrb.WIDTH + ROUNDING
            assert -ROUNDING <= y <= ocrb.DIGIT + ROUNDING


@pytest.mark.parametrize(
    ("char", "height"), [("0", 27.0), ("8", 27.0), ("O", 25.0), ("H", 25.0), ("Z", 25.0)]
)
def test_digits_are_drawn_taller_than_capitals(char, height):
    ink = np.flatnonzero(np.asarray(ocrb.line_mask(char, 40.0)).max(axis=1) > 127)
    assert ink[-1] - ink[0] + 1 == pytest.approx(height * 4, abs=2)
