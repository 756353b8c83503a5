"""axe-core, the accessibility checker, for tests alone (MPL-2.0): fetched by npm, pinned, kept in .cache/axe.

Not a fake: the real checker in the real browser. `python -m fakes.axe` fetches it, as the Makefile does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from borderpost.faces.adapters.weights import WeightsFile
from borderpost.faces.fetch_weights import NpmPackage, fetch
from fakes.browser import Browser

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / ".cache/axe"
PACKAGE = NpmPackage(
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    (
        WeightsFile(
            "axe-core",
            "axe.min.js",
            "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c",
            fetched=True,
        ),
    ),
)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def script() -> str | None:
    """axe-core's text, if it was fetched."""
    file = FOLDER / PACKAGE.files[0].installed_name
    return file.read_text("utf-8") if file.exists() else None


def violations(browser: Browser, axe: str) -> list[str]:
    """What axe finds wrong on the page, a line each. It runs beside the page's own scripts, as a developer would."""
    browser.call("Runtime.evaluate", expression=axe)
    found: Any = browser.value(
        f"axe.run(document, {{runOnly: {RULES!r}, resultTypes: ['violations']}}).then(r => r.violations.map("
        "v => v.id + ': ' + v.nodes.map(n => n.target.join(' ') + ' ' + (n.any[0]?.message || '')).join(' | ')))"
    )
    return list(found)


if __name__ == "__main__":
    fetch(PACKAGE, FOLDER, PROJECT / "requirements-npm.lock")
