"""docs/exchange.md says what the readers do, and what it shows can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from borderpost.exchange import ftm, jsonl, table
from borderpost.exchange.problems import ROW_REASONS
from borderpost.watchlist.partners import PartnersError, load_partners
from fakes.exchange import read

PAGE = (Path(__file__).parents[2] / "docs" / "exchange.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    return re.split(r"^## ", PAGE.split(f"## {name}\n")[1], flags=re.MULTILINE)[0]


def test_the_example_of_json_lines_is_a_row():
    (line,) = re.findall(r"^\{.*\}$", section("JSON Lines"), re.MULTILINE)
    (row,) = read(line.encode(), "jsonl")
    assert row.entry.documents[0].number == "L898902C3"


def test_every_field_of_json_lines_is_in_its_table():
    assert tuple(re.findall(r"^\| `(\w+)` \|", section("JSON Lines"), re.MULTILINE)) == jsonl.FIELDS


def test_every_column_of_a_table_is_named():
    assert set(table.COLUMNS) <= set(re.findall(r"`(\w+)`", section("CSV")))


def test_every_property_of_followthemoney_that_is_read_is_named():
    named = set(re.findall(r"`(\w+)`", section("FollowTheMoney")))
    assert {*ftm.FULL_NAMES, *ftm.GIVEN_NAMES, *ftm.FAMILY_NAMES, *ftm.DOCUMENT_CODES} <= named


def test_every_reason_of_a_row_is_explained():
    assert dict(re.findall(r"^\| `(ROW_\w+)` \| (.+) \|$", PAGE, re.MULTILINE)) == ROW_REASONS


def test_the_form_of_the_partners_file_is_the_one_that_is_read(tmp_path):
    """All but the keys, which the page doesn't have."""
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "partners.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PartnersError, match="recipient: got no X25519 recipient"):
        load_partners(path)
