"""Measures the console in a real browser, before the real services and a large log: `make bench-console`.

    PYTHONPATH=tests python tests/bench_console.py --events 1e6

The log is filled as `borderpost.decisions.bench_log` does it: ten screenings in eleven events, one of ten referred and
open. What is measured is the browser's own first contentful paint (W3C Paint Timing), from the request on.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from borderpost.cli.stack import Stack, private_settings
from borderpost.decisions.__main__ import House
from borderpost.decisions.bench_log import BATCH, screening_events
from borderpost.reports.markdown import table
from borderpost.runtime.settings import Settings
from borderpost.runtime.tls import ensure_development_certificates
from fakes.browser import Browser
from fakes.console_house import console
from fakes.console_walk import AUDITOR, OFFICER, login

LOADS: Final = 15


def fill(settings: Settings, count: int) -> None:
    """Fill the log, and let its views catch up."""
    ensure_development_certificates(settings)
    with ExitStack() as opened:
        house = House(settings, opened)
        events = itertools.chain.from_iterable(
            screening_events(number, house.lookups) for number in itertools.count()
        )
        begun = time.monotonic()
        for _ in range(0, count, BATCH):
            house.log.append(list(itertools.islice(events, BATCH)))
        house.views.catch_up()
        print(f"{count:,} events after {time.monotonic() - begun:.0f} s", flush=True)  # noqa: T201


def paints(browser: Browser, url: str) -> list[float]:
    """Milliseconds to the first content of a page, of several loads."""
    found = []
    for _ in range(LOADS):
        browser.call("Page.navigate", url="about:blank")
        browser.open(url)
        browser.until("performance.getEntriesByName('first-contentful-paint').length === 1", 60)
        paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        found.append(float(browser.value(paint)))
    return found


def row(name: str, found: list[float]) -> list[str]:
    """A row of the table."""
    return [name, f"{statistics.median(found):.0f}", f"{max(found):.0f}"]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=float, default=1e6)
    count = int(parser.parse_args().events)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        settings = private_settings(Path(scratch, "state"), Settings())
        settings.state_dir.mkdir(parents=True)
        fill(settings, count)
        with Stack(settings), console(settings) as url, Browser(Path(scratch, "browser")) as browser:
            browser.look(1280, 720)
            login(browser, url, OFFICER)
            waiting = browser.value("document.querySelector('.count').innerText")
            rows = [row(f"queue: {waiting}", paints(browser, f"{url}/queue"))]
            rows.append(row("queue, one crossing", paints(browser, f"{url}/queue?crossing=c7")))
            login(browser, url, AUDITOR)
            browser.open(f"{url}/audit")
            browser.value("document.querySelector('[name=purpose]').value = 'bench'")
            browser.value("document.querySelector(\"form[action='/audit/query']\").requestSubmit()")
            browser.until("location.pathname.startsWith('/audit/results')", 60)
            results = browser.value("location.href")
            rows.append(row(f"audit: {count:,} events, newest", paints(browser, results)))
            browser.open(f"{url}/audit")
            browser.value("document.querySelector('[name=purpose]').value = 'bench'")
            browser.value("document.querySelector('[name=crossing]').value = 'c7'")
            browser.value("document.querySelectorAll('[value=REFER]').forEach(each => each.click())")
            browser.value("document.querySelector(\"form[action='/audit/query']\").requestSubmit()")
            browser.until("location.pathname.startsWith('/audit/results')", 60)
            rows.append(row("audit: one crossing, referred", paints(browser, browser.value("location.href"))))
    print(table(("page", "first content, ms (median)", "slowest of 15"), rows))  # noqa: T201


if __name__ == "__main__":
    main()
