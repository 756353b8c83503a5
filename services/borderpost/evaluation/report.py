"""The watchlist's accuracy as Markdown. Every figure comes from `study`; nothing is written by hand."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import metadata
from typing import Final

from borderpost.evaluation.lists import MAX_TEMPLATES
from borderpost.evaluation.rates import widened
from borderpost.evaluation.study import DISTANCES, DRAWS, MIN_STRANGERS, SIZES, TARGETS, Kept, Result, Study
from borderpost.faces.evaluation.metrics import RESAMPLES, Estimate
from borderpost.faces.evaluation.protocols import KNOWN_ERRORS
from borderpost.reports.markdown import table
from borderpost.runtime.calibration import MIN_FALSE_MATCHES

LIBRARIES: Final = ("borderpost", "dlib-bin", "numpy", "onnxruntime", "pillow")

COMMAND: Final = "python -m borderpost.evaluation --data DATA/faces/lfw --docs docs --cache DIR"

YES, WIDER, BELOW, ABOVE = "yes", "yes, with the calibration's", "no, fewer", "**no, more**"
SUPPORT: Final = "not supported"


def write_report(data: str, studies: Sequence[Study], plots: Sequence[str]) -> str:
    """The whole page; `plots` are links to files beside it."""
    parts = [
        _head(data, studies),
        _summary(studies),
        *(f"![{plot}]({plot})" for plot in plots),
        *(_engine(each) for each in studies),
        _fixed(studies),
        _alike(studies),
        _known_errors(studies),
        _predicted(studies),
        _limits(),
    ]
    return "\n\n".join(parts) + "\n"


def verdict(kept: Kept, target: float) -> str:
    """Whether the target lies in the interval of what was measured, or in the one with the calibration's own error."""
    if kept.unsupported:
        of = "" if kept.unsupported == DRAWS else f" for {kept.unsupported} of {DRAWS} lists"
        return f"{SUPPORT}{of}"
    wide = widened(kept.fpir, kept.calibrated)
    if kept.fpir.low <= target <= kept.fpir.high:
        return YES
    if wide.low <= target <= wide.high:
        return WIDER
    return BELOW if target > wide.high else ABOVE


def _head(data: str, studies: Sequence[Study]) -> str:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    people = ", ".join(
        f"{each.calibration.model_id} {each.people:,} people, {each.pictures:,} templates" for each in studies
    )
    return f"""# Accuracy of the watchlist's thresholds

Written by `{COMMAND}`; don't edit. Versions: {versions}.

Data: {data}. Half B: {people}.

A list asks for a rate of false alarms (FPIR): of the travelers who aren't on it, the share that gets any candidate,
over all templates searched. **Is it kept, and what does it cost?** Measured with the calibrations that ship, which are
of half A's people only. Lists and travelers are drawn from half B: {DRAWS} random lists of each kind; everybody else
passes by once, with one picture, or with two as a live picture and a portrait would be. The people of "several
templates" are those with most pictures, {MAX_TEMPLATES} templates at most, one or two pictures left to look for
(FNIR: the traveler's own entry is no candidate). Fewer than {MIN_STRANGERS} travelers: left out.

**own scores** is what the service does: the calibration, and the factor that the list's own templates say
([thresholds.md](thresholds.md)). **templates × probes** is the calibration alone, every template as if of another
person.

FPIR's intervals are for 95 %, by a delete-one-person jackknife in both roles: a person left out is left out as a
traveler, and as the entry that caused an alarm alone. So they respect that all travelers of a list meet the same
entries, and that {DRAWS} lists share people; in simulations of such lists about 95 in 100 hold. FNIR's are by bootstrap
over people ({RESAMPLES:,} resamples).

**Target in it**: "{YES}"; or "{WIDER}": only if the calibration's own 95 % is added, because it rests on
as few people; or not even then. **Lists**: those in whose own interval (Wilson; travelers of one list are independent)
the target lies. **Comparisons an entry**: those that count, for one picture of a traveler."""


def _summary(studies: Sequence[Study]) -> str:
    rows = [
        (
            f"{result.setting.entries:,}",
            f"{target:.0%}",
            *(cell for study in studies for cell in _short(_same(study.results, result) or result, target)),
        )
        for result in studies[0].results
        if _is_simple(result)
        for target in TARGETS
    ]
    head = ["entries", "target"]
    for study in studies:
        name = study.calibration.model_id
        head += [f"{name}: FPIR", "target in it", "FNIR"]
    return f"""## In short

{_counted(studies)}

One template an entry, one picture of a traveler:

{table(head, rows)}"""


def _counted(studies: Sequence[Study]) -> str:
    """How often each verdict is given."""
    said = Counter(
        SUPPORT if kept.unsupported else verdict(kept, target)
        for study in studies
        for result in study.results
        for target, kept in result.own.items()
    )
    return (
        f"Of {said.total()} kinds of lists and targets, all engines together, the target lies in the interval in "
        f"{said[YES]}, with the calibration's own error in {said[WIDER]} more. {said[BELOW]} have fewer false alarms "
        f"than that, {said[ABOVE]} have more. For {said[SUPPORT]} the calibration can't show the target for some of "
        "the lists."
    )


def _short(result: Result | None, target: float) -> tuple[str, str, str]:
    if result is None:
        return "–", "–", "–"
    kept = result.own[target]
    return _estimate(kept.fpir), verdict(kept, target), _estimate(kept.fnir)


def _same(results: Iterable[Result], wanted: Result) -> Result | None:
    return next((each for each in results if each.setting == wanted.setting), None)


def _is_simple(result: Result) -> bool:
    return not result.setting.several and result.setting.probes == 1


def _engine(study: Study) -> str:
    head = (
        "entries",
        "templates each",
        "pictures of a traveler",
        "target",
        "FPIR",
        "target in it",
        "single lists",
        "lists",
        "FNIR",
        "comparisons an entry",
        "threshold",
        "templates × probes: FPIR",
        "target in it",
        "FNIR",
    )
    rows = [
        (
            f"{result.setting.entries:,}",
            f"{result.templates_each:.1f}",
            str(result.setting.probes),
            f"{target:.0%}",
            *_cells(result.own[target], target),
            _estimate(result.plain[target].fpir),
            verdict(result.plain[target], target),
            f"{result.plain[target].fnir.rate:.1%}",
        )
        for result in study.results
        for target in TARGETS
    ]
    return f"## {study.calibration.model_id}\n\n" + table(head, rows)


def _cells(kept: Kept, target: float) -> tuple[str, ...]:
    return (
        _estimate(kept.fpir),
        verdict(kept, target),
        f"{kept.lowest:.1%} to {kept.highest:.1%}",
        f"{kept.holding} of {DRAWS}",
        _estimate(kept.fnir),
        f"{kept.comparisons_each:.2f}",
        f"{kept.score:.4f}",
    )


def _fixed(studies: Sequence[Study]) -> str:
    text = f"""## Beside one threshold for all lists

A distance of {DISTANCES[0]} is what programs that use dlib's embeddings mostly take for "the same person", and
{DISTANCES[1]} a strict one. For dlib it is the Euclidean distance of embeddings as the network gives them, here turned
into the cosine of embeddings of half A's mean length; for the other engine, which has no such custom, it is 1 − cosine.
One threshold can't keep a rate: false alarms grow with the list."""
    for study in studies:
        scores = ", ".join(f"{each.name} is the cosine {each.score:.4f}" for each in study.fixed)
        rows = [
            (
                f"{result.setting.entries:,}",
                f"{result.templates_each:.1f}",
                str(result.setting.probes),
                *(
                    cell
                    for each in study.fixed
                    for cell in (
                        _estimate(result.fixed[each.name].fpir),
                        f"{result.fixed[each.name].fnir.rate:.1%}",
                    )
                ),
            )
            for result in study.results
        ]
        head = ["entries", "templates each", "pictures of a traveler"]
        for each in study.fixed:
            head += [f"{each.name}: FPIR", "FNIR"]
        text += f"\n\n**{study.calibration.model_id}**: {scores}.\n\n" + table(head, rows)
    return text


def _alike(studies: Sequence[Study]) -> str:
    text = """## Lists of people who resemble each other

What own scores are for: a list of one sex, one template an entry, one picture of a traveler. Travelers of that sex
resemble the list, as do those of a border where most come from where the list's people come from. The calibration
alone takes all travelers as a mean. Small lists show less of it, in few pairs and at milder scores, so their target
isn't wholly kept. All travelers together alarm less than the target then: that is the price, beside the FNIR.
"""
    head = (
        "model",
        "list of",
        "entries",
        "target",
        "own scores: FPIR of the same",
        "of all",
        "FNIR",
        "comparisons an entry",
        "templates × probes: FPIR of the same",
        "of all",
        "FNIR",
    )
    rows = [
        (
            study.calibration.model_id,
            each.label,
            f"{each.entries:,}",
            f"{each.target:.0%}",
            _estimate(each.own.fpir) + _star(each.own),
            f"{each.own_all.fpir.rate:.1%}",
            f"{each.own.fnir.rate:.1%}",
            f"{each.own.comparisons_each:.2f}",
            _estimate(each.plain.fpir) + _star(each.plain),
            f"{each.plain_all.fpir.rate:.1%}",
            f"{each.plain.fnir.rate:.1%}",
        )
        for study in studies
        for each in study.alike
    ]
    starred = f"\n\n\\* not supported for some of the {DRAWS} lists: the strictest threshold was taken."
    return f"{text}\n{table(head, rows)}{starred}"


def _star(kept: Kept) -> str:
    return " *" if kept.unsupported else ""


def _known_errors(studies: Sequence[Study]) -> str:
    named = "; ".join(" / ".join(pair).replace("_", " ") for pair in KNOWN_ERRORS)
    rows = [
        (
            study.calibration.model_id,
            f"{result.setting.entries:,}",
            f"{target:.0%}",
            *_short(result, target),
            _estimate(without.own[target].fpir),
            verdict(without.own[target], target),
            _estimate(without.own[target].fnir),
        )
        for study in studies
        for result in study.results
        if (without := _same(study.without_errors, result)) is not None
        for target in TARGETS
    ]
    head = (
        "model",
        "entries",
        "target",
        "with: FPIR",
        "target in it",
        "FNIR",
        "without: FPIR",
        "target in it",
        "FNIR",
    )
    return f"""## Known label errors

With and without the people of whom a picture is known to show another, or to be there twice:
{named}.
The lists without them are other random lists. Errors that nobody knows of stay in both.

{table(head, rows)}"""


def _predicted(studies: Sequence[Study]) -> str:
    rows = [
        (
            study.calibration.model_id,
            f"{each.entries:,}",
            f"{each.target:.1%}",
            f"{each.fmr:.1e}",
            "yes" if each.supported else "no",
            f"{each.score:.4f}",
            f"{each.fpir:.2%}" if each.supported else f"{each.fpir:.1%}, at most",
            f"{each.fnmr:.1%}",
            "–" if each.supported else _needed(study, each.fmr),
        )
        for study in studies
        for each in study.predicted
    ]
    head = (
        "model",
        "entries",
        "target",
        "FMR that it takes",
        "supported",
        "threshold",
        "FPIR predicted",
        "FNMR there",
        "people that a calibration needs",
    )
    return f"""## Predicted, not measured

Lists larger than {SIZES[-1]:,} and targets below {TARGETS[-1]:.0%}: one template an entry, one picture of a traveler,
from the calibration alone. Where it ends, the list takes its strictest threshold and says so
(`target_supported`, `expected_fpir`). FNMR: half B's genuine pairs below the threshold, about what a search of a single
entry's single template would miss. The last column: people, with as many pictures each as here, from whom the rate
could be shown.

{table(head, rows)}"""


def _needed(study: Study, fmr: float) -> str:
    """People of both halves, in two digits: half of them make the pairs for MIN_FALSE_MATCHES at the rate."""
    pictures = math.sqrt(2 * MIN_FALSE_MATCHES / fmr)
    people = 2 * pictures / study.pictures_each
    return f"{round(people, 1 - math.floor(math.log10(people))):,.0f}"


def _limits() -> str:
    return """## What this doesn't show

- Other travelers. These are press photographs of public figures; lanes have other cameras, light and people. Rates by
  origin and age aren't measured. A list takes the calibration's mean: a group of travelers that it matches more often
  than the mean alarms more often.
- Two pictures of a traveler are taken as independent. They aren't quite, so those lists alarm less often than their
  target: the line says "no, fewer" where the data can tell. How alike an entry's templates are is no measure of it: a
  live picture and a portrait can be years apart.
- Some people alarm on many entries, most on none, and more so with dlib: a search then alarms less often than
  independent comparisons would, and the larger the target the more. That is left on the safe side, too.
- Nothing is chosen on half B. The rule was chosen on parts of half A (one calibrates, the other makes lists); an
  earlier form of it, which took a list's own rate without taking off what chance explains, was seen on half B as well:
  it alarmed less often than the target for lists of 100."""


def _estimate(estimate: Estimate) -> str:
    return f"{estimate.rate:.2%} ({estimate.low:.2%} to {estimate.high:.2%})"
