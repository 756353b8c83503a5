"""The page of the model cards is what the code says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from borderpost.faces.adapters import dlib_onnx, mobilefacenet
from borderpost.faces.adapters.own_model import read_card
from borderpost.faces.cards import EXAMPLE, page
from borderpost.faces.errors import ModelCardError
from borderpost.runtime.calibration import load_calibration

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_the_engines_is_what_the_code_says():
    assert (DOCS / "engines.md").read_text(encoding="utf-8") == page(), "run `make docs` and commit"


@pytest.mark.parametrize("card", [mobilefacenet.CARD, dlib_onnx.CARD], ids=lambda card: card.id)
def test_the_calibration_that_ships_was_made_for_the_card_that_ships(card):
    load_calibration(card.id).check_engine(card.id, card.fingerprint, card.engine)


def test_a_fingerprint_is_of_the_numbers_and_of_nothing_else():
    card = mobilefacenet.CARD
    told = replace(card, licence="other", holder="other", provenance="other", training_data="other")
    assert told.fingerprint == card.fingerprint
    for changes in (
        {"id": "other"},
        {"files": card.files[:2]},
        {"input": "other"},
        {"alignment": "other"},
        {"views": card.views[:1]},
        {"dimension": 128},
        {"metric": "other"},
    ):
        assert replace(card, **changes).fingerprint != card.fingerprint


def test_the_example_of_a_card_is_one():
    assert read_card(EXAMPLE).id == "agency-r100-v1"


def test_a_hash_that_is_none_is_told_as_such(tmp_path):
    card = tmp_path / "card.toml"
    card.write_text(EXAMPLE.read_text(encoding="utf-8").replace("0123456789abcdef", "?"), encoding="utf-8")
    with pytest.raises(ModelCardError, match="sha256: want the file's SHA-256, 64 hex digits"):
        read_card(card)
