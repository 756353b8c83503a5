"""Geometry and cells of zones, on drawn lines whose truth is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from borderpost.documents import mrz
from borderpost.documents.adapters.reading import cells, find, glare, odds, rectify
from borderpost.documents.adapters.reading.networks import long_side_first
from borderpost.specimens import ocrb

LINES = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F3104157ZE184226B<<<<<10")
SCALE = 8.0
SPACING = 6.35


def page(lines=LINES, warp=None):
    """A white page with a zone, and the corners of its lines."""
    masks = [np.asarray(ocrb.line_mask(line, SCALE)) for line in lines]
    height, width = masks[0].shape
    picture = np.full((500, width + 200, 3), 235, dtype=np.uint8)
    boxes = []
    for row, mask in enumerate(masks):
        top = 150 + round(row * SPACING * SCALE)
        part = picture[top : top + height, 100 : 100 + width]
        part[:] = (part * (1 - mask[..., None] / 255) + 25 * (mask[..., None] / 255)).astype(np.uint8)
        boxes.append(
            [[98, top - 4], [102 + width, top - 4], [102 + width, top + height + 4], [98, top + height + 4]]
        )
    corners = np.array(boxes, dtype=np.float32)
    if warp is not None:
        matrix = np.array(warp, dtype=np.float64)
        picture = cv2.warpPerspective(picture, matrix, picture.shape[1::-1], borderValue=(235, 235, 235))
        corners = cv2.perspectiveTransform(corners.reshape(-1, 1, 2), matrix).reshape(-1, 4, 2)
    return picture, list(corners)


@pytest.mark.parametrize(
    "warp",
    [
        None,
        [[1, 0.1, -20], [0.03, 1, -20], [0, 0, 1]],
        [[0.9, -0.15, 60], [0.02, 0.85, 20], [0.00005, 0.0001, 1]],
    ],
    ids=["flat", "sheared", "in perspective"],
)
def test_a_zone_is_straightened_so_that_its_cells_fall_between_the_characters(warp):
    picture, lines = page(warp=warp)
    zone = rectify.straighten(picture, lines)
    grid = cells.find_grid(zone)
    assert grid.contrast > 0.7
    assert abs(grid.count - 44) <= 1
    assert grid.pitch == pytest.approx(rectify.CHAR_PITCH, rel=0.2)


def test_text_without_an_even_pitch_has_no_grid():
    picture = np.full((400, 1000, 3), 235, dtype=np.uint8)
    for y in (150, 200):
        cv2.putText(
            picture,
            "Will it simmer till Friday, Mr William?",
            (90, y),
            cv2.FONT_HERSHEY_TRIPLEX,
            1.2,
            (20,) * 3,
            2,
        )
    lines = [
        np.array([[88, y - 32], [930, y - 32], [930, y + 8], [88, y + 8]], dtype=np.float32)
        for y in (150, 200)
    ]
    assert cells.find_grid(rectify.straighten(picture, lines)).contrast < 0.45


def test_an_empty_place_is_no_line():
    with pytest.raises(rectify.NotALineError):
        rectify.straighten(np.full((300, 900, 3), 230, dtype=np.uint8), page()[1])


def test_two_long_equal_rows_are_the_first_candidate_in_whatever_direction():
    lines = page()[1]
    other = np.array([[100, 20], [300, 20], [300, 40], [100, 40]], dtype=np.float32)
    for degrees in (0, 37, 90, 200):
        turn = cv2.getRotationMatrix2D((400, 250), degrees, 1.0)
        turned = [cv2.transform(box[None], turn)[0] for box in [*lines, other]]
        (first, *_) = find.candidates([long_side_first(box) for box in turned])
        assert len(first) == 2


def test_no_text_gives_no_candidates():
    assert find.candidates([]) == []
    assert find.long_rows([]) == []


def test_a_hole_at_the_sensors_end_dazzles_the_cells_beside_it_and_no_other():
    picture, lines = page()
    picture[140:200, 400:520] = 255
    zone = rectify.straighten(picture, lines)
    grid = cells.find_grid(zone)
    dazzled = glare.dazzled(zone.strips[0], grid)
    assert 5 <= int(dazzled.sum()) <= 12
    assert not glare.dazzled(zone.strips[1], grid).any()


def test_white_paper_is_no_reflection():
    strip = np.full((rectify.BAND, 1400, 3), 255, dtype=np.uint8)
    assert not glare.dazzled(strip, cells.Grid(40, 30, 44, 1.0)).any()


def test_frames_are_sorted_into_cells_though_the_network_answers_late():
    text = "P<UTO<<ABC"
    frames = np.zeros((len(text) * 3, 38), dtype=np.float32)
    for index, char in enumerate(text):
        frames[index * 3 + 2, 1 + mrz.ALPHABET.index(char)] = 0.9
    by_cell = cells.by_cell(
        frames, [10 * (i + 0.5) for i in range(len(frames))], np.arange(len(text)) * 30.0 + 15
    )
    assert "".join(mrz.ALPHABET[i] for i in by_cell.argmax(axis=1)) == text


def test_contradicting_readers_leave_both_characters_possible_and_agreeing_ones_are_surer():
    table = odds.mistakes(0.01)
    answer = {char: odds.weighed(_sure(char), table) for char in "MW"}
    agreed = odds.together([answer["M"], answer["M"]]).max()
    contradicting = odds.together([answer["M"], answer["W"]])[0]
    assert agreed > answer["M"].max()
    assert contradicting.max() < 0.6


def test_readers_whose_mistakes_have_the_same_cause_are_together_no_surer_than_each():
    answer = odds.weighed(_sure("G"), odds.mistakes(0.01))
    assert odds.alike([answer, answer]).max() == pytest.approx(answer.max(), abs=1e-4)


def test_what_a_reader_does_not_say_makes_nothing_sure():
    silent = odds.weighed(np.zeros((1, 37), dtype=np.float32), odds.mistakes(0.01))
    assert silent.max() == pytest.approx(1 / 37)


def _sure(char):
    answer = np.zeros((1, 37), dtype=np.float32)
    answer[0, mrz.ALPHABET.index(char)] = 0.99
    return answer
