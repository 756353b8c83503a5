"""`make drill`: screen travelers while everything fails, and check the books."""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from borderpost.cli.demo import make_watchlist, specimen_a
from borderpost.cli.stack import Stack, free_ports, private_settings
from borderpost.drill.books import Books
from borderpost.drill.faults import HIT, Faults
from borderpost.drill.proxy import Line
from borderpost.kiosk import Captured, Kiosk, Visit
from borderpost.kiosk.visits import make_request
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.settings import SERVICES, ServiceName, Settings
from borderpost.runtime.status import RemoteError
from borderpost.specimens.pages import render
from borderpost.specimens.samples import load_samples

DEADLINE_SECONDS: Final = 6.0
AGAIN_SECONDS: Final = 0.3
KIOSKS: Final = ("kiosk/north/1", "kiosk/south/1", "kiosk/north/1", "kiosk/south/1")
BLANK_PAUSE_SECONDS: Final = 0.5
PAGE_WIDTH: Final = 1200
"""A page of this width is read as well as a larger one, and sooner."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a drill came to. `whole`: screenings with a page to read and a face to match; `wrong`: everything that isn't
    as it has to be."""

    screenings: int
    whole: int
    errors: dict[str, int]
    faults: dict[str, int]
    slowest_seconds: float
    wrong: list[str]

    def plain(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "screenings": self.screenings,
            "whole": self.whole,
            "errors": self.errors,
            "faults": self.faults,
            "slowest_seconds": round(self.slowest_seconds, 2),
            "wrong": self.wrong,
        }


def drill(folder: Path, samples: Path, screenings: int, longest_seconds: float, seed: int) -> Result:
    """Screen `screenings` travelers with page and face, or as many as come within the time, and others between them,
    under faults; then check everything."""
    settings, lines = _wired(folder)
    books = Books(DEADLINE_SECONDS)
    with Stack(settings) as stack:
        make_watchlist(settings, "Drill")
        travelers = _travelers(samples)
        faults, stop = Faults(stack, lines, seed), threading.Event()
        threads = [
            threading.Thread(target=_screen, args=(settings, kiosk, captured, books, stop))
            for kiosk, captured in zip(KIOSKS, travelers, strict=True)
        ]
        for thread in threads:
            thread.start()
        faults.start()
        until = time.monotonic() + longest_seconds
        while books.whole < screenings and time.monotonic() < until:
            time.sleep(0.1)
        faults.stop()
        stop.set()
        for thread in threads:
            thread.join(4 * DEADLINE_SECONDS)
        wrong = [*faults.failed, *_mended(stack, settings, books)]
    for line in lines.values():
        line.close()
    return Result(
        len(books.answers),
        books.whole,
        dict(books.errors),
        dict(faults.done),
        max(books.seconds, default=0.0),
        wrong,
    )


def _mended(stack: Stack, settings: Settings, books: Books) -> list[str]:
    """Now that all serve: send again what has no answer, and check the books."""
    for name in SERVICES:
        stack.wait_ready(name)
    with Kiosk(settings, KIOSKS[0]) as kiosk:
        for request in list(books.open.values()):
            for _ in range(5):
                _send(kiosk, request, books)
                if request.request_id not in books.open:
                    break
                time.sleep(AGAIN_SECONDS)
    return books.check(settings)


def _screen(
    settings: Settings, identity: str, captured: Captured, books: Books, stop: threading.Event
) -> None:
    clock = SystemClock()
    with Kiosk(settings, identity) as kiosk:
        while not stop.is_set():
            request = make_request(Visit(), captured, "", clock.now())
            _send(kiosk, request, books)
            while request.request_id in books.open and not stop.wait(AGAIN_SECONDS):
                _send(kiosk, request, books)
            if not captured.frames or captured.page == captured.frames[0]:
                stop.wait(BLANK_PAUSE_SECONDS)  # quick ones are to meet every moment, not to be the most


def _send(kiosk: Kiosk, request: Any, books: Books) -> None:
    started = time.monotonic()
    try:
        answer = kiosk.send(request, DEADLINE_SECONDS)
    except RemoteError as error:
        books.refused(request, error, time.monotonic() - started)
    else:
        books.answered(request, answer, time.monotonic() - started)


def _wired(folder: Path) -> tuple[Settings, dict[ServiceName, Line]]:
    """Settings of a stack whose services reach one another over lines that can be bad."""
    settings = private_settings(folder, Settings())
    lines: dict[ServiceName, Line] = {}
    for name, port in zip(HIT, free_ports(len(HIT)), strict=True):
        section = settings.service(name)
        own = int(section.address.rpartition(":")[2])
        lines[name] = Line(port, own)
        wired = section.model_copy(update={"address": f"127.0.0.1:{port}", "listen": section.address})
        settings = settings.model_copy(update={name: wired})
    return settings, lines


def _travelers(samples: Path) -> list[Captured]:
    """Two genuine travelers, and two with blank pages, who take little time and so meet every moment."""
    pictures = load_samples(samples)
    page, live = _smaller(render(specimen_a(pictures)), PAGE_WIDTH), pictures.a_live
    blank = _jpeg(Image.new("RGB", (64, 48), "white"))
    genuine = Captured(page, (live,))
    return [genuine, genuine, Captured(blank, (blank,)), Captured(blank, declined=True)]


def _smaller(picture: bytes, width: int) -> bytes:
    image = Image.open(io.BytesIO(picture))
    return _jpeg(image.resize((width, image.height * width // image.width)))


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def main() -> None:
    """Run a drill. Exit status 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--screenings", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=20.0, help="at most")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--samples", type=Path, default=Path(".cache/samples"))
    asked = parser.parse_args()
    print(f"Fault drill, seed {asked.seed}: {asked.screenings} screenings …", file=sys.stderr)  # noqa: T201
    with tempfile.TemporaryDirectory() as folder:
        result = drill(Path(folder), asked.samples, asked.screenings, asked.minutes * 60, asked.seed)
    print(json.dumps(result.plain(), indent=1))  # noqa: T201
    sys.exit(bool(result.wrong) or result.whole < asked.screenings)


if __name__ == "__main__":
    main()
