"""Reading all cases with all readers, in processes of one thread, with every answer kept on disk.

A run that was stopped goes on where it was: an answer is kept under the picture's and the reader's digests, so what
changes either is read anew.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import cv2

from borderpost.documents.evaluation.answers import Answer, Outcome, outcome
from borderpost.documents.evaluation.cases import Case
from borderpost.documents.evaluation.readers import ONE_THREAD, PageReader, make_reader

PROGRESS_SECONDS: Final = 20.0

AHEAD: Final = 64
"""Cases handed to the processes before their answers are in."""


@dataclass(frozen=True, slots=True)
class Result:
    """A reader's answer to a case."""

    case: Case
    reader: str
    answer: Answer

    @property
    def outcome(self) -> Outcome:
        """What the answer is worth."""
        return outcome(self.answer.lines, self.case.truths)


@dataclass(frozen=True, slots=True)
class Work:
    """Which readers read which cases."""

    cases: Sequence[Case]
    readers: Sequence[str]


class Answers:
    """The answers of one version of a reader, kept in a file of lines of JSON."""

    def __init__(self, folder: Path, reader: str, version: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(version.encode()).hexdigest()[:16]
        self._file = folder / f"{reader.lower()}-{digest}.jsonl"
        self._known: dict[str, Answer] = {}
        if self._file.exists():
            text = self._file.read_text(encoding="utf-8")
            for line in text.splitlines():
                self._take(line)
            if not text.endswith("\n"):  # the run was stopped while it wrote this line
                self._file.write_text(text + "\n", encoding="utf-8")

    def _take(self, line: str) -> None:
        try:
            plain = json.loads(line)
        except json.JSONDecodeError:
            return
        key, lines = plain.pop("key"), plain.pop("lines")
        self._known[key] = Answer(None if lines is None else tuple(lines), **plain)

    def get(self, key: str) -> Answer | None:
        """The answer to a case."""
        return self._known.get(key)

    def taken(self, key: str) -> Answer:
        """The answer to a case that has been read."""
        return self._known[key]

    def put(self, key: str, answer: Answer) -> None:
        """Keep the answer to a case."""
        self._known[key] = answer
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, **asdict(answer)}) + "\n")


def measure(
    work: Sequence[Work], versions: Mapping[str, str], cache: Path, peers: Path | None, processes: int
) -> list[Result]:
    """Read everything that isn't known yet; every result, in the order of the work."""
    known = {name: Answers(cache, name, version) for name, version in versions.items()}
    wanted = [(case, name) for part in work for case in part.cases for name in part.readers]
    tasks: dict[str, tuple[Case, list[str]]] = {}
    for case, name in wanted:
        if known[name].get(case.key) is None:
            names = tasks.setdefault(case.key, (case, []))[1]
            if name not in names:
                names.append(name)
    _say(f"{len(wanted):,} readings, {sum(len(names) for _, names in tasks.values()):,} of them to do")
    for key, answers in _answered(list(tasks.values()), peers, processes):
        for name, answer in answers.items():
            known[name].put(key, answer)
    return [Result(case, name, known[name].taken(case.key)) for case, name in wanted]


def _answered(
    tasks: Sequence[tuple[Case, list[str]]], peers: Path | None, processes: int
) -> Iterator[tuple[str, Mapping[str, Answer]]]:
    """Answers as they come, with lines of progress."""
    if not tasks:
        return
    os.environ.update(ONE_THREAD)
    began = said = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _prepare, (peers,)) as pool:
        left = iter(tasks)
        running = {pool.submit(_read, *task) for task in islice(left, AHEAD)}
        done = 0
        while running:
            finished = next(as_completed(running))
            running.remove(finished)
            running.update(pool.submit(_read, *task) for task in _one(left))
            yield finished.result()
            done += 1
            if time.monotonic() - said > PROGRESS_SECONDS:
                said = time.monotonic()
                minutes = (said - began) / done * (len(tasks) - done) / 60
                _say(f"{done:,} of {len(tasks):,} pictures, about {minutes:.0f} minutes left")


def _one(tasks: Iterator[tuple[Case, list[str]]]) -> Iterable[tuple[Case, list[str]]]:
    task = next(tasks, None)
    return () if task is None else (task,)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


_readers: dict[str, PageReader] = {}
_environment: dict[str, Any] = {}


def _prepare(peers: Path | None) -> None:
    """Make ready a process of the pool."""
    cv2.setNumThreads(1)
    _environment["peers"] = peers


def _read(case: Case, names: Sequence[str]) -> tuple[str, Mapping[str, Answer]]:
    """Make a picture, and read it with each reader; runs in a process of the pool."""
    picture = case.jpeg()
    answers = {}
    for name in names:
        if name not in _readers:
            _readers[name] = make_reader(name, _environment["peers"])
        answers[name] = _readers[name].read(picture)
    return case.key, answers
