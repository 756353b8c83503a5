"""The accuracy card as Markdown. Every figure comes from `figures` and `study`; nothing is written by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Final

from borderpost.faces.evaluation.calibrating import FACTOR_RATES, UNMEASURED_FACTOR, people_needed, unlabelled
from borderpost.faces.evaluation.figures import (
    DRAWS,
    FMRS,
    MIN_GALLERY,
    Acquisition,
    Figures,
    Identification,
    OperatingPoint,
    Protocol,
)
from borderpost.faces.evaluation.metrics import RESAMPLES, Estimate
from borderpost.faces.evaluation.protocols import KNOWN_ERRORS, MAX_PER_PERSON
from borderpost.faces.evaluation.study import Way
from borderpost.reports.markdown import table
from borderpost.runtime.calibration import MIN_FALSE_MATCHES

LIBRARIES: Final = ("borderpost", "dlib-bin", "numpy", "onnxruntime", "pillow")

SUMMARY_FPIR: Final = 0.01

SEARCHING: Final = f"""Identification: one random picture of each of N random people is
enrolled, another one searched (FNIR: not the first candidate, or below the threshold), and one picture of everybody
else (FPIR: any candidate at all); {DRAWS} draws."""

NO_GALLERY: Final = f"""Identification (1:N) is left out: it takes a
gallery of at least {MIN_GALLERY} people in each half, and strangers beside them."""


def write_card(
    command: str,
    protocol: Protocol,
    figures: Sequence[Figures],
    ways: Mapping[str, Sequence[Way]],
    plots: Sequence[str],
) -> str:
    """The whole card. `ways` by model id; `plots` are links to files beside it."""
    parts = [
        _head(command, protocol, figures),
        _engines(figures),
        _summary(figures),
        _one_to_one(figures),
        _compared(figures),
        _identification(figures),
        _listed(figures),
        _groups(figures, protocol),
        _known_errors(figures, protocol),
        _ways(ways),
        _pictures(plots),
        _limits(protocol),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(command: str, protocol: Protocol, figures: Sequence[Figures]) -> str:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    people = len(set(protocol.labelled.names))
    searched = SEARCHING if any(each.identification for each in figures) else NO_GALLERY
    return f"""# Accuracy of the face engines

Written by `{command}`; don't edit. Versions: {versions}.

Data: {protocol.data}. {len(protocol.labelled.pictures):,} pictures of {people:,} people.

Method. People are split in halves by a hash of their name. **Thresholds are chosen on half A, and everything is
reported on half B**, unless a line says otherwise. Templates are made as the service makes them. A comparison matches
if its score is at least the threshold. Pairs: at most {MAX_PER_PERSON} pictures of each person; FMR over all pairs of
different people; FNMR over all pairs of one person, every person weighing the same, pictures without a face left out
(failure to acquire stands beside it). {searched}
Intervals are for 95 %: of FMR by a delete-one-person jackknife, of the others by bootstrap over people
({RESAMPLES:,} resamples), because comparisons that share a person are not independent. A threshold with fewer than
{MIN_FALSE_MATCHES} false matches of half A behind it is marked *, and shows nothing."""


def _engines(figures: Sequence[Figures]) -> str:
    rows = [
        (
            each.card.id,
            each.card.engine,
            f"{each.card.licence}; {each.card.holder}",
            each.card.training_data,
            "; ".join(each.card.views),
            f"`{each.card_sha256[:16]}`",
            ", ".join(f"{file.name} `{file.sha256[:16]}`" for file in each.card.files),
        )
        for each in figures
    ]
    head = (
        "model",
        "engine",
        "licence; holder",
        "training data",
        "views, averaged",
        "fingerprint",
        "files' SHA-256",
    )
    return "## Engines\n\n" + table(head, rows)


def _summary(figures: Sequence[Figures]) -> str:
    lines: list[tuple[str, ...]] = []
    if all(each.official for each in figures):
        lines.append(
            (
                "LFW's official 10 folds, accuracy ± standard error",
                *(
                    f"{each.official.accuracy:.2%} ± {each.official.standard_error:.2%}"
                    for each in figures
                    if each.official
                ),
            )
        )
    lines += [
        (f"FNMR at FMR {asked:.0e}", *(_starred(each.points[index]) for each in figures))
        for index, asked in enumerate(FMRS)
    ]
    found = [_at(each.identification, _largest(each), SUMMARY_FPIR) for each in figures]
    sizes = {each.size for each in found if each}
    if len(sizes) == 1 and all(found):
        size = f"N = {sizes.pop():,}"
        fnirs = (_estimate(each.fnir) + ("" if each.supported else " *") for each in found if each)
        lines.append((f"FNIR at FPIR 1 %, {size}", *fnirs))
        lines.append((f"rank 1, {size}", *(f"{each.rank_one:.2%}" for each in found if each)))
    lines.append(("failure to acquire", *(_acquisition(each.acquisition) for each in figures)))
    return "## Side by side\n\n" + table(("", *(each.card.id for each in figures)), lines)


def _one_to_one(figures: Sequence[Figures]) -> str:
    text = "## 1:1 at thresholds of half A"
    for each in figures:
        text += _points_title(each) + _points(each)
        text += _below(needed(each, each.points, 1.0))
    if all(each.official for each in figures):
        text += (
            "\n\nFor comparison with other reports: LFW's 3,000 official genuine pairs, thresholds from all impostor "
            "pairs of all pictures that the protocol names, so threshold and report are of the same data.\n\n"
        )
        rows = [
            (each.card.id, *(f"{each.official.fnmr_same_data[rate]:.1%}" for rate in FMRS))
            for each in figures
            if each.official
        ]
        text += table(("", *(f"FNMR at FMR {rate:.0e}" for rate in FMRS)), rows)
        without = ", ".join(
            f"{each.card.id}: {each.official.pairs_without_face}" for each in figures if each.official
        )
        text += (
            f"\n\nOf the 6,000 official pairs, those with a picture without a face ({without}) count as no match in "
            "the 10 folds, and are left out here."
        )
    return text


def _points_title(each: Figures) -> str:
    return (
        f"\n\n**{each.card.id}**: half A {len(each.half_a.names):,} people, {len(each.half_a.vectors):,} templates; "
        f"half B {len(each.half_b.names):,} people, {len(each.half_b.vectors):,} templates, {each.impostors_b:,} "
        f"impostor and {each.genuine_b:,} genuine pairs.\n\n"
    )


def _points(each: Figures) -> str:
    rows = [
        (
            f"{point.asked:.0e}" + ("" if point.supported else " *"),
            f"{point.threshold:.4f}",
            _fmr_interval(point, each.impostors_b),
            f"{point.false_matches:,}",
            _estimate(point.fnmr),
            *((_estimate(point.fnmr_official),) if point.fnmr_official else ()),
        )
        for point in each.points
    ]
    head = ("FMR chosen on A", "threshold", "FMR on B", "false matches on B", "FNMR on B")
    official = ("FNMR, B's official pairs",) if each.points[0].fnmr_official else ()
    return table((*head, *official), rows)


def needed(each: Figures, points: Iterable[OperatingPoint], factor: float) -> str:
    """How many people the rates with a star take, in a sentence; nothing where none has one. `factor` divides them."""
    pictures = len(each.half_a.vectors) / len(each.half_a.names)
    wanted = [
        f"FMR {point.asked:.0e} takes about {people_needed(point.asked, factor, pictures):,}"
        for point in points
        if not point.supported
    ]
    if not wanted:
        return ""
    people = len(each.half_a.names) + len(each.half_b.names)
    return (
        f"{people:,} people are too few for so small a rate: {', '.join(wanted)} people, with "
        f"{pictures:.1f} pictures of each as here."
    )


def _below(note: str) -> str:
    return f"\n\n\\* {note}" if note else ""


def _fmr_interval(point: OperatingPoint, pairs: int) -> str:
    if not point.false_matches:
        return f"none in {pairs:,}"
    return f"{point.fmr.rate:.1e} ({point.fmr.low:.1e} to {point.fmr.high:.1e})"


def _compared(figures: Sequence[Figures]) -> str:
    text = (
        "## What Compare does when asked for an FMR\n\nIts threshold is set where the mean FMR of half A is the asked "
        "one divided by the calibration's safety factor: the worst measured group's FMR by the mean, the largest "
        f"between {FACTOR_RATES[0]:g} and {FACTOR_RATES[1]:g}, rounded up to a whole number; {UNMEASURED_FACTOR:g} at "
        "least where groups are not measured. "
    )
    if any(each.calibration["groups"] for each in figures):
        text += "So the worst measured group stays near the asked rate, where the mean over all pairs would hide it. "
    text += (
        "With * the answer is UNDETERMINED from the threshold on, because the calibration can't show so small a "
        "rate."
    )
    for each in figures:
        text += (
            f"\n\n**{each.card.id}**, safety factor {each.factor:g}: {each.calibration['safety_reason']}.\n\n"
        )
        labels = list(each.compared[0].groups)
        rows = [
            (
                f"{point.asked:.0e}" + ("" if point.supported else " *"),
                f"{point.threshold:.4f}",
                f"{point.fmr.rate:.1e}" if point.false_matches else f"none in {each.impostors_b:,}",
                *(_fmr(point, label) for label in labels),
                _estimate(point.fnmr),
            )
            for point in each.compared
        ]
        head = (
            "asked FMR",
            "threshold",
            "FMR on B",
            *(f"FMR on B, {label}" for label in labels),
            "FNMR on B",
        )
        text += table(head, rows) + _below(needed(each, each.compared, each.factor))
    return text


def _identification(figures: Sequence[Figures]) -> str:
    if not any(each.identification for each in figures):
        return ""
    text = "## 1:N, open set\n\n" + _searches(
        (each.card.id, found) for each in figures for found in each.identification
    )
    if any(each.large for each in figures):
        text += (
            "\n\nLarger galleries need the people of both halves. **Their thresholds come from other draws of the "
            "same people**: these figures are kinder than the ones above.\n\n"
        )
        text += _searches((each.card.id, found) for each in figures for found in each.large)
    return text


def _searches(found: Iterable[tuple[str, Identification]]) -> str:
    rows = [
        (
            model,
            f"{each.size:,}",
            f"{each.asked:.0%}" + ("" if each.supported else " *"),
            _estimate(each.fpir),
            _estimate(each.fnir),
            f"{each.lowest:.1%} to {each.highest:.1%}",
            f"{each.rank_one:.2%}",
        )
        for model, each in found
    ]
    head = ("model", "N", "FPIR chosen", "FPIR measured", "FNIR", "FNIR of single draws", "rank 1")
    return table(head, rows)


def _listed(figures: Sequence[Figures]) -> str:
    if not any(each.listed for each in figures):
        return ""
    return (
        "## What a watchlist does when asked for an FPIR\n\nIts threshold is where the calibration's mean FMR is "
        "1 − (1 − FPIR)^(1/N). This assumes that the comparisons of one search are independent, and the safety factor "
        "stays out: the target is a rate over all travelers, and an officer sees every alarm. Measured on half B; "
        "with * the calibration can't show so small an FMR, the strictest threshold that it can is taken, and the "
        "list says so.\n\n"
    ) + _searches((each.card.id, found) for each in figures for found in each.listed)


def _groups(figures: Sequence[Figures], protocol: Protocol) -> str:
    if not protocol.groups.members:
        return "## By group\n\nNot measured: no groups were given."
    text = (
        "## By group\n\nAt the same thresholds (chosen on all of half A). FMR of a group: pairs of different people "
        "within it; the mean over all pairs is lower, because most of them are of unlike people. "
    )
    sizes = {_largest(each) for each in figures} - {None}
    if sizes:
        shown = " and ".join(f"{size:,}" for size in sizes if size)
        text += f"FNIR and FPIR: by the group of the person searched for, N = {shown}. "
    text += (
        f"Other groups{unlabelled(protocol.groups.members)} are not labelled in this data: **not measured**."
    )
    for each in figures:
        text += f"\n\n**{each.card.id}**\n\n" + _group_table(each)
    return text


def _group_table(each: Figures) -> str:
    rows: list[tuple[str, ...]] = []
    labels = list(each.points[0].groups)
    rows.append(("failure to acquire", *(_acquisition(each.acquisition_by_group[label]) for label in labels)))
    for point in each.points:
        rows.append((f"FMR where all have {point.asked:.0e}", *(_fmr(point, label) for label in labels)))
        missed = (point.groups[label].fnmr for label in labels)
        rows.append(
            (f"FNMR there ({point.asked:.0e})", *(_estimate(rate) if rate else "–" for rate in missed))
        )
    for found in each.identification:
        if found.size == _largest(each):
            measured = [found.groups.get(label) for label in labels]
            rows.append(
                (f"FPIR where all have {found.asked:.0%}", *(_estimate(m[0]) if m else "–" for m in measured))
            )
            rows.append(
                (f"FNIR there ({found.asked:.0%})", *(_estimate(m[1]) if m else "–" for m in measured))
            )
    return table(("", *labels), rows)


def _known_errors(figures: Sequence[Figures], protocol: Protocol) -> str:
    if not protocol.known_errors:
        return ""
    pairs = "; ".join(f"{a} / {b}" for a, b in KNOWN_ERRORS)
    text = (
        f"## Known label errors\n\nLFW is known to show one person, or one picture, under two names: {pairs}. "
        "There are more; at FMR 1e-6 the set measures its own labels. Above, all are in. Without these people:\n\n"
    )
    rows = [
        (
            each.card.id,
            f"{with_them.asked:.0e}",
            f"{with_them.fmr.rate:.2e} → {without.fmr.rate:.2e}",
            f"{with_them.fnmr.rate:.2%} → {without.fnmr.rate:.2%}",
        )
        for each in figures
        for with_them, without in zip(each.points, each.points_without, strict=True)
    ]
    return text + table(("model", "FMR chosen on A", "FMR on B, with → without", "FNMR on B"), rows)


def _ways(ways: Mapping[str, Sequence[Way]]) -> str:
    if not ways:
        return ""
    text = (
        "## Beyond the weights\n\nWhat else was tried. What is learned or chosen comes from half A (one part of its "
        "people teaches, the other chooses by FNIR at FPIR 1 %); the figures are of half B, at half B's own "
        "thresholds so that every line stands at the same FMR or FPIR, without intervals: differences below those of "
        "the tables above are noise. N = 1,000. Everything below the second line starts from the views' mean. The "
        "last three lines are of few, much photographed people, and compare with each other only."
    )
    for model, lines in ways.items():
        rows = [(way.name, f"{way.fnmr_3:.2%}", f"{way.fnmr_4:.2%}", f"{way.fnir:.1%}") for way in lines]
        text += f"\n\n**{model}**\n\n" + table(
            ("", "FNMR at FMR 1e-3", "FNMR at FMR 1e-4", "FNIR at FPIR 1 %"), rows
        )
    return text


def _pictures(plots: Sequence[str]) -> str:
    return "## Plots of half B\n\n" + "\n\n".join(f"![{plot}]({plot})" for plot in plots) if plots else ""


def _limits(protocol: Protocol) -> str:
    lines = []
    is_lfw = bool(protocol.pairs)
    if is_lfw:
        lines.append(
            "Press photographs are not pictures of a border crossing, and no document portraits are among them."
        )
    else:
        lines.append(
            "These figures hold for pictures taken as these were: whoever took them knows how like a border's they are."
        )
    missing = unlabelled(protocol.groups.members)
    if missing:
        lines.append(
            f"Error rates by group are not measured where nobody labelled it{missing}. Elsewhere they were found to "
            "differ by ten times and more at one threshold; the safety factor covers what was measured, and nothing "
            "else."
        )
    if is_lfw:
        lines.append(
            "An agency calibrates with its own labelled pictures: "
            "`borderpost faces calibrate --folder DIR --groups CSV --out FILE`."
        )
    lines += [
        "The models' training data is not known to exclude these people.",
        "Liveness is not measured here.",
    ]
    return "## What this does not show\n\n" + "\n".join(f"- {line}" for line in lines)


def _largest(each: Figures) -> int | None:
    """People in the largest gallery within half B, for which identification is shown by group; None without any."""
    return max((found.size for found in each.identification), default=None)


def _at(found: Iterable[Identification], size: int | None, asked: float) -> Identification | None:
    return next((each for each in found if each.size == size and each.asked == asked), None)


def _starred(point: OperatingPoint) -> str:
    return _estimate(point.fnmr) + ("" if point.supported else " *")


def _fmr(point: OperatingPoint, label: str) -> str:
    group = point.groups[label]
    if group.false_matches < MIN_FALSE_MATCHES:
        return f"not measured ({group.false_matches} false matches)"
    return f"{group.fmr:.1e} ({group.fmr / point.asked:.1f} ×)"


def _estimate(estimate: Estimate) -> str:
    if not estimate.rate:
        return f"none (to {estimate.high:.2%})"
    return f"{estimate.rate:.2%} ({estimate.low:.2%} to {estimate.high:.2%})"


def _acquisition(acquisition: Acquisition) -> str:
    share = acquisition.failed / acquisition.pictures if acquisition.pictures else 0.0
    return f"{acquisition.failed} of {acquisition.pictures:,} ({share:.2%})"
