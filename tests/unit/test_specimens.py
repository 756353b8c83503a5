from __future__ import annotations

import datetime
import io
import itertools
import random

import numpy as np
import pytest
from PIL import Image

from borderpost.documents import mrz
from borderpost.specimens import batch, ocrb, pages
from borderpost.specimens.layouts import LAYOUTS, ZONE_HEIGHT
from borderpost.specimens.paper import HEADER_MARK, MARK, paper, px
from borderpost.specimens.scenes import Ground, Scene, photograph, random_scene

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


@pytest.mark.parametrize(
    ("layout", "field"), [(layout, rule.field) for layout in mrz.FORMATS for rule in layout.checks]
)
def test_a_fault_refutes_the_digit_it_names_and_no_other(layout, field):
    lines = pages.mrz_lines(specimen(format=layout, wrong_digits=(field,)))
    assert mrz.refuted(mrz.digit_evidence(lines, layout)) == (field,)


@pytest.mark.parametrize("layout", [mrz.TD1, mrz.TD2], ids=["TD1", "TD2"])
def test_a_fault_in_a_long_number_refutes_that_number_and_no_other(layout):
    made = specimen(format=layout, document_number="D23145890734", wrong_digits=("document_number",))
    assert mrz.refuted(mrz.digit_evidence(pages.mrz_lines(made), layout)) == ("document_number",)


def test_a_visa_has_no_composite_digit_to_print_wrongly():
    with pytest.raises(ValueError, match="composite"):
        pages.mrz_lines(specimen(format=mrz.MRV_A, wrong_digits=("composite",)))


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_random_specimens_are_read_back_as_they_were_meant(name):
    source = random.Random(11)  # noqa: S311
    seen = set()
    for _ in range(60):
        made = batch.random_specimen(source, pages.FORMATS[name])
        document = mrz.parse(pages.mrz_lines(made), TODAY)
        assert document.format.name == name
        assert mrz.refuted(document.digits) == ()
        assert document.fields.document_number == made.document_number
        assert document.fields.nationality == made.nationality
        assert document.fields.issuing_state == "UTO"
        seen.add((len(made.document_number) > 9, made.birth_date.day is None))
    assert (False, True) in seen
    assert ((True, False) in seen) == (name in ("TD1", "TD2"))


def test_the_same_seed_makes_the_same_specimens():
    first, second = (batch.random_specimen(random.Random(5), mrz.TD2) for _ in range(2))  # noqa: S311
    assert first == second


def test_an_unknown_fault_is_refused():
    with pytest.raises(ValueError, match="surname"):
        pages.mrz_lines(specimen(wrong_digits=("surname",)))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("TD1", (85.6, 54)),
        ("TD2", (105, 74)),
        ("TD3", (125, 88)),
        ("MRV-A", (120, 80)),
        ("MRV-B", (105, 74)),
    ],
)
def test_a_page_has_the_size_that_the_standard_gives_its_format(name, size):
    with Image.open(io.BytesIO(pages.render(specimen(format=pages.FORMATS[name])))) as page:
        assert page.format == "JPEG"
        millimetres = [side / dots * 25.4 for side, dots in zip(page.size, page.info["dpi"], strict=True)]
        assert millimetres == pytest.approx(size, abs=0.1)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_every_side_says_specimen(layout):
    sides = [paper(layout, with_mrz=True)] + [paper(layout, with_mrz=False)] * layout.two_sides
    for side in sides:
        pixels = np.asarray(side).astype(int)
        in_header = (np.abs(pixels - HEADER_MARK).max(axis=2) < 4).sum()
        reddish = (pixels[..., 0] - pixels[..., 2] > 20) & (pixels[..., 0] > max(MARK))
        assert in_header > 400 or layout.two_sides
        assert reddish.mean() > 0.01


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_what_is_printed_on_a_page_neither_overlaps_nor_leaves_it(layout):
    width, height = layout.size
    foot = height if layout.two_sides else height - ZONE_HEIGHT
    boxes = [layout.portrait] + [layout.ghost] * (layout.ghost is not None)
    boxes += [(place.x, place.y, 9.0, pages.VALUE_BASE_MM) for place in layout.fields]
    for left, top, wide, high in boxes:
        assert 0 <= left < left + wide <= width
        assert layout.header <= top < top + high <= foot
    for (a, b, c, d), (e, f, g, h) in itertools.combinations(boxes, 2):
        assert a + c <= e or e + g <= a or b + d <= f or f + h <= b


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_lines_of_the_zone_are_where_the_layout_says(layout):
    page = np.asarray(pages.picture(specimen(format=layout.format)).convert("L"))
    left = px(layout.mrz_left)
    for centre in layout.line_centres:
        rows = page[px(centre) - 40 : px(centre) + 41, left : left + px(2.54) * layout.format.width]
        ink = np.flatnonzero((rows < 110).any(axis=1))
        assert (ink[0] + ink[-1]) / 2 == pytest.approx(40, abs=3)
        columns = np.flatnonzero((page[px(centre) - 30 : px(centre) + 31] < 110).any(axis=0))
        assert columns[0] == pytest.approx(left, abs=px(0.5))


def test_only_a_td1_has_its_portrait_on_another_side():
    for name, layout in pages.FORMATS.items():
        made = specimen(format=layout)
        same = np.array_equal(np.asarray(pages.picture(made)), np.asarray(pages.portrait_side(made)))
        assert same == (name != "TD1")


def test_unknown_parts_of_a_birth_date_are_printed_as_such():
    made = specimen(birth_date=pages.PartialDate(1974, None, None))
    assert pages.printed_values(made)["birth_date"] == "XX XXX 1974"
    assert "74<<<<" in pages.mrz_lines(made)[1]


def test_the_same_scene_gives_the_same_picture_and_another_seed_another():
    page = Image.new("RGB", (500, 352), "white")
    first, again, other = (
        np.asarray(photograph(page, Scene(size=(400, 300), seed=seed)).picture) for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_photographed_page_is_where_its_corners_say():
    page = Image.new("RGB", (1000, 704), "white")
    page.paste((255, 0, 0), (100, 200, 400, 600))
    source = random.Random(2)  # noqa: S311
    for _ in range(12):
        seen = photograph(page, random_scene(source, (800, 600)))
        pixels = np.asarray(seen.picture).astype(int)
        for box, is_red in (((0.12, 0.32, 0.26, 0.5), True), ((0.45, 0.3, 0.5, 0.6), False)):
            for x, y in seen.place(box):
                red, green, _ = pixels[round(y), round(x)]
                assert (red > 1.5 * green) == is_red
        corners = np.array(seen.corners)
        assert (corners >= -1).all()
        assert (corners <= (801, 601)).all()


def test_a_turn_of_a_quarter_is_clockwise():
    seen = photograph(Image.new("RGB", (600, 400)), Scene(size=(800, 800), turn=90, ground=Ground.DARK))
    top_left, top_right = seen.corners[:2]
    assert top_left[0] > 400 > top_left[1]
    assert top_right[1] > 400


@pytest.mark.parametrize("wrong", [{"tilt": 90.0}, {"fill": 0.0}, {"tilt": -1.0}])
def test_a_scene_that_no_picture_can_have_is_refused(wrong):
    with pytest.raises(ValueError, match="scene"):
        photograph(Image.new("RGB", (60, 40)), Scene(size=(80, 80), **wrong))


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
