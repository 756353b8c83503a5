"""The project's own line reader: exact on clean lines, silent on what is no line, and safe on anything."""

import concurrent.futures

import cv2
import numpy as np
import pytest

from borderpost.documents.adapters.ocrb_net import DIGIT_PER_PITCH, TEXT_SHARE, OcrbNet
from borderpost.documents.mrz import ALPHABET
from borderpost.specimens import ocrb

LINES = (
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
    "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
    "I<UTOD231458907<<<<<<<<<<<<<<<",
    "OO00Q0DO0II11LS5S58B8BZ22ZG66GC6UVWM",
)
PAPER, INK = 225, 40


@pytest.fixture(scope="module")
def network():
    return OcrbNet()


def strip(text, pixels_per_mm, above=0.33, below=0.33, ends=1.0):
    """A line drawn black on grey, with margins in digit heights and room at the ends in pitches."""
    mask = np.asarray(ocrb.line_mask(text, pixels_per_mm))
    height, pitch = mask.shape[0], ocrb.PITCH / ocrb.UNITS_PER_MM * pixels_per_mm
    across = round(ends * pitch)
    padded = np.pad(mask, ((round(above * height), round(below * height)), (across, across)))
    return (PAPER + (INK - PAPER) * (padded.astype(np.float32) / 255)).astype(np.uint8)


def sureness(line):
    return float(line.confidences.mean()) if line.text else 0.0


@pytest.mark.parametrize("pixels_per_mm", [3.0, 5.0, 8.0, 12.0, 19.2, 40.0])
@pytest.mark.parametrize("text", LINES)
def test_reads_drawn_lines_of_every_size_exactly(network, text, pixels_per_mm):
    (line,) = network.read([strip(text, pixels_per_mm)])
    assert line.text == text


@pytest.mark.parametrize(("above", "below"), [(0.13, 0.53), (0.53, 0.13), (0.25, 0.25), (0.43, 0.43)])
@pytest.mark.parametrize("ends", [0.1, 2.0])
def test_errors_of_the_cut_do_no_harm(network, above, below, ends):
    for text in LINES[:3]:
        (line,) = network.read([strip(text, 10.0, above, below, ends)])
        assert line.text == text


@pytest.mark.parametrize("rise", [-0.4, 0.4])
def test_a_slope_does_no_harm(network, rise):
    for text in LINES[:3]:
        straight = strip(text, 10.0)
        height, width = straight.shape
        slope = rise * height * TEXT_SHARE / width
        warp = np.array([[1, 0, 0], [slope, 1, -slope * width / 2]])
        sloping = cv2.warpAffine(straight, warp, (width, height), borderMode=cv2.BORDER_REPLICATE)
        (line,) = network.read([sloping])
        assert line.text == text


def test_known_places_are_read_as_the_line_is(network):
    grey = strip(LINES[1], 10.0)
    (line,) = network.read([grey])
    assert network.read_at(grey, line.centres) == pytest.approx(line.probabilities, abs=1e-3)
    assert network.read_at(grey[:2], [1.0, 5.0]).shape == (2, len(ALPHABET))


def test_places_outside_the_strip_are_read_at_its_ends(network):
    assert np.isfinite(network.read_at(strip(LINES[2], 10.0), [-1e9, 0.0, 1e9])).all()


def test_colour_pictures_are_read_as_grey_ones_are(network):
    grey = strip(LINES[0], 10.0)
    (line,) = network.read([np.repeat(grey[..., np.newaxis], 3, axis=2)])
    assert line.text == LINES[0]


def test_centres_are_where_the_characters_stand(network):
    pixels_per_mm = 10.0
    (line,) = network.read([strip(LINES[1], pixels_per_mm)])
    pitch = ocrb.PITCH / ocrb.UNITS_PER_MM * pixels_per_mm
    true = (np.arange(len(LINES[1])) + 1.5) * pitch
    assert np.abs(line.centres - true).max() < 0.25 * pitch


def test_every_character_has_the_probabilities_of_all_37(network):
    (line,) = network.read([strip(LINES[3], 10.0)])
    assert line.probabilities.shape == (len(LINES[3]), len(ALPHABET))
    assert line.probabilities.min() >= 0
    assert line.probabilities.sum(axis=1).max() <= 1 + 1e-4
    assert line.confidences == pytest.approx(line.probabilities.max(axis=1))
    assert "".join(ALPHABET[i] for i in line.probabilities.argmax(axis=1)) == line.text


def test_a_blurred_line_is_less_sure_than_a_sharp_one(network):
    sharp = strip(LINES[3], 8.0)
    (before,), (after,) = network.read([sharp]), network.read([cv2.GaussianBlur(sharp, (0, 0), 5.0)])
    assert sureness(before) > 0.95
    assert sureness(after) < 0.9


def test_a_line_upside_down_is_not_taken_for_one(network):
    for text in LINES[:3]:
        (line,) = network.read([np.ascontiguousarray(strip(text, 10.0)[::-1, ::-1])])
        assert len(line.text) < len(text) / 2 or sureness(line) < 0.5


@pytest.mark.parametrize(
    "hostile",
    [
        np.zeros((0, 0), np.uint8),
        np.zeros((0, 50, 3), np.uint8),
        np.zeros((1, 1), np.uint8),
        np.zeros((3, 4000), np.uint8),
        np.zeros((4000, 3, 3), np.uint8),
        np.zeros((40, 800), np.float32),
        np.zeros((40, 800, 4), np.uint8),
        np.zeros((40, 800, 3, 1), np.uint8),
        np.zeros(800, np.uint8),
    ],
    ids=[
        "empty",
        "no rows",
        "one pixel",
        "too flat",
        "a column",
        "floats",
        "four channels",
        "four axes",
        "one axis",
    ],
)
def test_what_is_no_strip_reads_as_nothing(network, hostile):
    (line,) = network.read([hostile])
    assert line.text == ""
    assert line.probabilities.shape == (0, len(ALPHABET))
    assert line.centres.shape == (0,)


@pytest.mark.parametrize("shape", [(40, 800), (4, 4), (4, 30_000), (3000, 4000), (40, 800, 3)])
@pytest.mark.parametrize("tone", [0, 128, 255])
def test_flat_strips_show_no_line(network, shape, tone):
    (line,) = network.read([np.full(shape, tone, dtype=np.uint8)])
    assert line.text == ""


def test_noise_is_never_read_with_confidence(network):
    rng = np.random.default_rng(3)
    for line in network.read([rng.integers(0, 256, (40, 900), dtype=np.uint8) for _ in range(20)]):
        assert sureness(line) < 0.9


def test_threads_get_the_same_answer(network):
    strips = [strip(text, scale) for text in LINES for scale in (4.0, 9.0)]
    alone = [line.probabilities for line in network.read(strips)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for lines in pool.map(lambda _: network.read(strips), range(24)):
            for line, expected in zip(lines, alone, strict=True):
                assert np.array_equal(line.probabilities, expected)


def test_no_strips_give_no_lines(network):
    assert network.read([]) == []


def test_the_docstring_says_the_margins_that_the_network_was_trained_for():
    assert pytest.approx(1 + 2 * 0.33, abs=0.01) == 1 / TEXT_SHARE
    assert pytest.approx((ocrb.DIGIT + ocrb.STROKE) / ocrb.PITCH, abs=0.01) == DIGIT_PER_PITCH
