"""The reference pages in docs/, written from the code that they describe: `make docs`, held by a test.

python -m borderpost.cli.reference docs/
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from borderpost.runtime.access import ACCESS, Rule, scope_of
from borderpost.runtime.calls import PEOPLE, Role
from borderpost.runtime.metric_table import METRICS
from borderpost.runtime.reasons import REASONS
from borderpost.runtime.settings import SERVICES, describe_settings


def pages() -> Mapping[str, str]:
    """Return every reference page: its file name, its text."""
    return {
        "settings.md": _settings(),
        "reasons.md": _reasons(),
        "access.md": _access(),
        "metrics.md": _metrics(),
    }


def _settings() -> str:
    intro = (
        "All services read the same settings: the defaults below, over them one TOML file, which\n"
        "`BORDERPOST_CONFIG` names, over that the environment. `gateway.listen` is `[gateway] listen = …` in the\n"
        "file and `BORDERPOST_GATEWAY__LISTEN` in the environment. A wrong setting is refused at start."
    )
    rows = (
        (f"`{name}`", f"`{default}`" if default else "", meaning)
        for name, default, meaning in describe_settings()
    )
    return _page("Settings", intro, ("setting", "default", "meaning"), rows)


def _reasons() -> str:
    intro = (
        "The reason codes of a screening, as they stand in the decision log, and what they mean to an officer; at the\n"
        "end those with which work on watchlists is refused. Codes never change their meaning; new ones may come."
    )
    return _page(
        "Reasons", intro, ("code", "meaning"), ((f"`{code}`", text) for code, text in REASONS.items())
    )


def _metrics() -> str:
    intro = (
        "What each service shows to Prometheus at its setting `metrics`, besides Prometheus's own `process_…`.\n"
        "[Observability](observability.md) says what it is for. A label has a value out of a closed set, and OTHER\n"
        "for everything else: never a name, a number, an id, or text that somebody sent."
    )
    rows = (
        (
            f"`{metric.name}`",
            metric.kind,
            ", ".join(metric.labels),
            "all" if metric.of == SERVICES else ", ".join(sorted(metric.of)),
            metric.meaning,
        )
        for metric in METRICS
    )
    return _page("Metrics", intro, ("metric", "kind", "labels", "services", "meaning"), rows)


def _access() -> str:
    intro = (
        "Who may call what: a method by role. A method or role that is not here is closed to everybody. The role is\n"
        "the one on whose behalf the call is made.\n\n"
        "- ● at the gateway: its own methods, and those that it passes on\n"
        "- ○ internally: called by the gateway alone, while it screens, enrols or migrates for somebody\n"
        "- ◆ directly, at the service itself\n\n"
        "Scopes of a person's token limit what a method shows and does: to crossings or lists\n"
        "([identity](identity.md)). Services' own roles stand together."
    )
    rows = (
        (f"`{method.strip('/').removeprefix('borderpost.v1.')}`", *_cells(rule), scope_of(method))
        for method, rule in ACCESS.items()
    )
    return _page("Access", intro, ("method", *COLUMNS, "limited by"), rows)


COLUMNS: Mapping[str, frozenset[Role]] = {
    "kiosk": frozenset({Role.KIOSK}),
    "newcomer": frozenset({Role.NEWCOMER}),
    "console": frozenset({Role.CONSOLE}),
    "services": frozenset(Role) - PEOPLE - {Role.KIOSK, Role.NEWCOMER, Role.CONSOLE},
    **{str(role): frozenset({role}) for role in Role if role in PEOPLE},
}
"""The columns of the matrix, and their roles."""


def _cells(rule: Rule) -> Iterable[str]:
    for roles in COLUMNS.values():
        may = roles & rule.actors
        if not may:
            yield ""
        elif rule.direct:
            yield "◆" if may == roles else f"◆ {', '.join(sorted(may))}"
        else:
            yield "●" if may & rule.at_gateway else "○"


def _page(title: str, intro: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    table = [head, ["---"] * len(head), *rows]
    lines = (f"| {' | '.join(row)} |" for row in table)
    return f"# {title}\n\nWritten by `make docs` from the code.\n\n{intro}\n\n" + "\n".join(lines) + "\n"


def main() -> None:
    """Write the pages into the folder that the first argument names."""
    folder = Path(sys.argv[1])
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
