"""The measurement of the watchlist's start: it loads what it has filled, and says what it measured."""

from __future__ import annotations

import json

import pytest

from borderpost.watchlist.bench_start import AT_ONCE, main


def test_it_tells_what_it_measured(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--entries", "7", "--dimension", "4", "--named", "--runs", "1"]
    assert main([*arguments, "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert (measured["entries"], measured["dimension"], measured["named"]) == (7, 4, True)
    assert measured["ratio"] == measured["ready"] / measured["faiss_reading"]
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[2].startswith("| 7 | 4 | yes | SQLite |")


def test_more_than_one_change_is_filled_and_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--entries", str(AT_ONCE + 3), "--dimension", "4", "--runs", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["entries"] == AT_ONCE + 3
