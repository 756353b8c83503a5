"""The command line itself: its help, and how it shows text from outside. No service is needed."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from borderpost.cli import show, show_entries, show_matches, show_watchlist
from borderpost.cli.main import app
from borderpost.v1 import decisions_pb2, types_pb2, watchlist_pb2
from fakes.terminal import set_columns

HOSTILE = "[/red] :smile: [bold]"


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does_and_shows_an_example_that_it_understands(path):
    command = COMMANDS[path]
    sentence, _, rest = command.help.partition("\n\n")
    assert sentence.endswith(".")
    example = re.search(r"Example: `(.+?)`", rest, re.DOTALL)
    assert example, command.help
    words = [word for word in shlex.split(example[1]) if not re.match(r"[A-Z_]+=", word)]
    assert words[: len(path) + 1] == ["borderpost", *path]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_is_explained(path):
    options = [option for option in COMMANDS[path].params if option.param_type_name == "option"]
    assert [option.name for option in options if not option.help] == []


def hostile_event() -> decisions_pb2.LogEntry:
    event = decisions_pb2.Event(
        purpose=HOSTILE,
        actor=types_pb2.Actor(subject=HOSTILE),
        record_consulted=decisions_pb2.RecordConsulted(method="/x/GetScreening"),
    )
    return decisions_pb2.LogEntry(event=event)


def hostile_list() -> watchlist_pb2.Watchlist:
    return watchlist_pb2.Watchlist(name=HOSTILE, authority=HOSTILE, handling_instruction=HOSTILE)


@pytest.mark.parametrize(
    "make",
    [
        lambda: f"Made list “{HOSTILE}”.",
        lambda: show.events_view([hostile_event()]),
        lambda: show_watchlist.lists_view([watchlist_pb2.WatchlistStatus(watchlist=hostile_list())]),
        lambda: show_entries.entries_view([watchlist_pb2.Entry(reason_code=HOSTILE)], hostile_list()),
        lambda: show_entries.entry_view(watchlist_pb2.Entry(source_reference=HOSTILE), hostile_list()),
        lambda: show_matches.candidate_blocks(
            watchlist_pb2.ListResult(watchlist=hostile_list(), candidates=[watchlist_pb2.Candidate()])
        )[0],
    ],
)
def test_text_that_looks_like_markup_is_shown_as_it_is(capsys, monkeypatch, make):
    set_columns(monkeypatch, 300)
    show.emit(False, {}, make)
    assert HOSTILE in capsys.readouterr().out


def test_an_error_that_looks_like_markup_is_shown_as_it_is(capsys):
    show.error(False, "REASON", HOSTILE, {})
    assert HOSTILE in capsys.readouterr().err


def test_an_error_as_json_is_one_document(capsys):
    show.error(True, "REASON", HOSTILE, {"field": "x"})
    done = capsys.readouterr()
    assert json.loads(done.err) == {
        "error": {"reason": "REASON", "message": HOSTILE, "details": {"field": "x"}}
    }
    assert done.out == ""
