"""The page of the model cards is what the code says."""

from __future__ import annotations

from pathlib import Path

from borderpost.faces.cards import page

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_the_engines_is_what_the_code_says():
    assert (DOCS / "engines.md").read_text(encoding="utf-8") == page(), "run `make docs` and commit"
