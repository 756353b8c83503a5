"""A file of entries with pictures: templates by the real engine, a row without a face in error, applied all at once."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from borderpost.cli.demo import make_watchlist
from borderpost.cli.stack import Stack, environment
from borderpost.runtime.clock import new_id
from fakes.command import Done, run
from fakes.requests import small_picture


@pytest.fixture(scope="module")
def borderpost(stack: Stack):
    def command(*arguments: str) -> Done:
        return run(environment(stack.settings), *arguments)

    return command


@pytest.fixture
def file(travelers, tmp_path: Path) -> Path:
    """Three rows: holder B's picture, a picture with nothing on it, and a name."""
    common = {"reason_code": "T", "source_reference": "t/1", "valid_until": "2099-12-31"}
    picture, nothing = (
        {"base64": base64.b64encode(content).decode()}
        for content in (travelers.samples.b_portrait, small_picture())
    )
    rows = [
        {"record_id": "face", "pictures": [picture], **common},
        {"record_id": "nothing", "pictures": [nothing], **common},
        {
            "record_id": "name",
            "names": [{"primary_identifier": "Importname"}],
            "birth_date": "1971-01-02",
            **common,
        },
    ]
    path = tmp_path / "wanted.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path


def test_rows_with_pictures_are_searched_once_a_second_person_approved_and_a_row_without_a_face_is_in_error(
    borderpost, stack: Stack, travelers, file, tmp_path
):
    name = f"List {new_id()}"
    list_id = make_watchlist(stack.settings, name)
    command = ("watchlist", "import", str(file), "--list", name, "--source", "Ministry", "--json")
    assert borderpost(*command).status == 1
    done = borderpost(*command, "--skip-errors").json
    begun = done["import"]
    assert (int(begun["added"]), int(begun["errors"])) == (2, 1)
    kept = borderpost("watchlist", "import-show", begun["import_id"], "--json").json
    assert [error["reason"] for error in kept["errors"]] == ["PICTURE_UNUSABLE"]

    page, live = tmp_path / "page.jpg", tmp_path / "live.jpg"
    page.write_bytes(travelers.page_b)
    live.write_bytes(travelers.samples.b_live)
    screen = ("screen", "--document", str(page), "--live", str(live), "--json")
    assert borderpost(*screen).json["answer"]["outcome"] == "OUTCOME_CLEAR"
    assert borderpost("watchlist", "import-approve", begun["import_id"], "--json").status == 0
    record = borderpost(*screen).json["record"]
    assert record["entry"]["event"]["traveler_screened"]["reasons"] == ["WATCHLIST_CANDIDATE_BY_FACE"]

    listed = borderpost("watchlist", "list", "--list", list_id, "--json").json["entries"]
    assert sorted(entry.get("picture_count", 0) for entry in listed) == [0, 1]
    for entry in listed:
        assert borderpost("watchlist", "remove", entry["entry_id"]).status == 0
