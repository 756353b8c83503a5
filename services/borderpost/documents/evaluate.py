"""How well the reader reads: exact, asked again, refuted, and falsely valid, on pages whose zone is known.

    python -m borderpost.documents.evaluate FOLDER

FOLDER has subfolders with pictures NAME.jpg and beside each NAME.txt, the zone's lines. "Falsely valid" is a
reading that differs from the page while every check digit fits: worse than none, and counted by itself.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from borderpost.documents import mrz
from borderpost.documents.adapters.opencv_portrait import OpenCvPortraitCropper
from borderpost.documents.adapters.rapidocr_reader import RapidOcrReader
from borderpost.documents.app import Documents
from borderpost.documents.domain import DocumentReading

RESULTS = ("exact", "asked again", "refuted", "falsely valid")


@dataclass(slots=True)
class Tally:
    """What came of some pages; CPU time in seconds."""

    results: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def row(self, name: str) -> str:
        """Return a row of the table."""
        counts = " | ".join(str(self.results[result]) for result in RESULTS)
        return f"| {name} | {len(self.seconds)} | {counts} | {statistics.median(self.seconds):.2f} |"


def classify(reading: DocumentReading, printed: tuple[str, ...]) -> str:
    """Say which of RESULTS a reading is."""
    if reading.mrz is None:
        return "asked again"
    if reading.mrz.lines == printed:
        return "exact"
    return "refuted" if mrz.refuted(reading.mrz.digits) else "falsely valid"


def evaluate(documents: Documents, pages: Iterable[Path], today: datetime.date) -> Tally:
    """Read every page and count."""
    tally = Tally()
    for page in pages:
        printed = tuple(page.with_suffix(".txt").read_text(encoding="ascii").split())
        started = time.process_time()
        reading = documents.read(page.read_bytes(), today)
        tally.seconds.append(time.process_time() - started)
        tally.results[classify(reading, printed)] += 1
    return tally


def main() -> None:
    """Print a table with a row for each subfolder, and one for all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    documents = Documents(RapidOcrReader(), OpenCvPortraitCropper(), accept_specimens=True)
    today = datetime.datetime.now(datetime.UTC).date()
    print(f"| pages | number | {' | '.join(RESULTS)} | CPU s, median |")  # noqa: T201
    print("| --- " * (len(RESULTS) + 3) + "|")  # noqa: T201
    total = Tally()
    for each in sorted(path for path in folder.iterdir() if path.is_dir()):
        tally = evaluate(documents, sorted(each.glob("*.jpg")), today)
        print(tally.row(each.name), flush=True)  # noqa: T201
        total.results += tally.results
        total.seconds += tally.seconds
    print(total.row("all"))  # noqa: T201


if __name__ == "__main__":
    main()
