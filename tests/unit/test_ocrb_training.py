"""What the line reader is trained on: drawn lines, each with the truth about its columns."""

import itertools

import numpy as np
import onnxruntime as ort
import pytest

from borderpost.documents.adapters.ocrb_net import COLUMN, HEIGHT, WEIGHTS
from borderpost.documents.mrz import ALPHABET
from borderpost.documents.training import content, degrade, glyphs, lines, measure


@pytest.fixture(scope="module")
def banks():
    return glyphs.stroke_banks(np.random.default_rng(1))


def sampler(banks, seed, **settings):
    return lines.Sampler(banks, lines.Settings(**settings), np.random.default_rng(seed))


def spelled(sample):
    """The text by the columns' labels: a new character begins where the offset falls back."""
    text, last = "", 1.0
    for label, offset in zip(sample.labels, sample.offsets, strict=True):
        if offset < last and label:
            text += ALPHABET[label - 1]
        last = offset if label else 1.0
    return text


def test_the_labels_spell_the_line(banks):
    drawer = sampler(banks, 2)
    for strength in (0.0, 0.5, 1.0):
        sample = drawer.whole(strength)
        assert spelled(sample) == sample.text
        assert sample.strip.shape == (HEIGHT, COLUMN * len(sample.labels))


def test_the_same_seed_draws_the_same_strips(banks):
    one, other = sampler(banks, 3), sampler(banks, 3)
    for strength in (0.1, 0.9):
        a, b = one.window(strength), other.window(strength)
        assert np.array_equal(a.strip, b.strip)
        assert np.array_equal(a.labels, b.labels)


@pytest.mark.parametrize("fate", ["upside_down", "other_text", "empty"])
def test_what_is_no_line_has_no_characters(banks, fate):
    nothing = {"upside_down": 0.0, "other_text": 0.0, "empty": 0.0}
    drawer = sampler(banks, 4, **nothing | {fate: 1.0})
    assert not any(drawer.window(0.5).labels.any() for _ in range(5))


def test_every_length_and_character_is_drawn():
    rng = np.random.default_rng(5)
    texts = [content.line(rng) for _ in range(300)]
    assert {len(text) for text in texts} == set(content.LENGTHS)
    assert set("".join(texts)) == set(ALPHABET)


def test_every_degradation_keeps_size_and_range():
    rng = np.random.default_rng(6)
    picture = rng.random((30, 200), dtype=np.float32)
    for (degradation, _), pitch in itertools.product(degrade.CHAIN, (5.2, 24.0)):
        worse = degrade.to_bytes(degradation(picture, rng, 1.0, pitch))
        assert worse.shape == picture.shape
    assert degrade.degraded(picture, rng, 1.0, 12.0).max() <= 1


@pytest.mark.parametrize(
    ("one", "other", "expected"), [("", "", 0), ("AB", "AB", 0), ("AB", "", 2), ("ABC", "BCD", 2)]
)
def test_edits_are_counted(one, other, expected):
    assert measure.edits(one, other) == expected


def test_the_weights_say_what_they_are():
    about = ort.InferenceSession(str(WEIGHTS)).get_modelmeta().custom_metadata_map
    assert about["name"] == "ocrb-1"
    assert about["alphabet"] == ALPHABET
    assert about["height"] == str(HEIGHT)


def test_the_weights_were_made_with_these_settings():
    about = ort.InferenceSession(str(WEIGHTS)).get_modelmeta().custom_metadata_map
    assert about["settings_sha256"] == lines.Settings().digest()


def test_the_weights_are_small():
    assert WEIGHTS.stat().st_size < 500_000
