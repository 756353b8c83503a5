"""The evaluation of document reading: its degradations, its judging, its figures and its page."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from borderpost.documents import mrz
from borderpost.documents.evaluation import __main__ as command
from borderpost.documents.evaluation import cases
from borderpost.documents.evaluation.answers import Answer, Outcome, assembled, outcome
from borderpost.documents.evaluation.degradations import (
    KINDS,
    PARTIAL,
    PITCH_MM,
    SIZES,
    Page,
    Strength,
    degrade,
    two_pages,
)
from borderpost.documents.evaluation.errors import EvaluationDataError
from borderpost.documents.evaluation.figures import Rate, tally
from borderpost.documents.evaluation.measuring import Answers, Result
from borderpost.documents.evaluation.pages import Original, development_pages, specimen_pages
from borderpost.documents.evaluation.plots import draw_plots
from borderpost.documents.evaluation.readers import PassportEye
from borderpost.documents.evaluation.report import Measured, columns, differences, write_report

LINES = (
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
    "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
)
EVERY = [(kind, strength) for kind in (*KINDS, *SIZES, *PARTIAL) for strength in kind.levels]


def a_page(name="XXX/00", width=480) -> Page:
    """White with the zone as stripes: as light as paper, as dark as print."""
    picture = np.full((width * 88 // 125, width, 3), 240, dtype=np.uint8)
    left, top, right, bottom = width * 0.05, width * 0.55, width * 0.945, width * 0.65
    picture[int(top) : int(bottom), int(left) : int(right) : 4] = 20
    return Page(name, picture, (left, top, right, bottom), 2, 44)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize(("kind", "strength"), EVERY, ids=lambda each: getattr(each, "name", ""))
def test_a_degradation_is_the_same_every_time_and_differs_from_page_to_page(kind, strength):
    first = degrade(a_page(), kind, strength)
    assert first == degrade(a_page(), kind, strength)
    assert opened(first).mode == "RGB"
    if kind.name in ("rotation", "glare", "noise"):
        assert first != degrade(a_page("XXX/01"), kind, strength)


def test_every_published_degradation_is_defined_at_both_strengths_and_strong_is_not_mild():
    for kind in KINDS:
        assert set(kind.levels) == set(Strength)
        assert kind.described(Strength.MILD) != kind.described(Strength.STRONG)
        assert kind.reason


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.name in ("rotation", "perspective", "phone")]
)
def test_the_page_stays_whole_in_the_picture(kind):
    """Dark corners that are drawn on a white page are still there."""
    page = a_page()
    page.picture[:] = 255
    for y in (slice(0, 24), slice(-24, None)):
        for x in (slice(0, 24), slice(-24, None)):
            page.picture[y, x] = (255, 0, 0)
    picture = np.asarray(opened(degrade(page, kind, Strength.MILD))).astype(int)
    red = picture[..., 0] - picture[..., 1:].max(axis=2) > 60
    across, down = np.nonzero(red)[1], np.nonzero(red)[0]
    assert np.ptp(across) > 0.5 * page.picture.shape[1]
    assert np.ptp(down) > 0.4 * page.picture.shape[0]


def test_lengths_are_millimetres_by_the_length_of_the_lines():
    page = a_page(width=2_400)
    left, _, right, _ = page.zone
    assert page.scale == pytest.approx((right - left) / (44 * PITCH_MM))
    small = opened(degrade(page, next(kind for kind in KINDS if kind.name == "resolution"), Strength.STRONG))
    assert small.width == pytest.approx(2_400 * 4.8 / page.scale, abs=1)


def test_a_cut_picture_ends_within_the_lines():
    page = a_page()
    aside, below, without = PARTIAL
    assert opened(degrade(page, aside, Strength.STRONG)).width < page.picture.shape[1]
    height = opened(degrade(page, below, Strength.STRONG)).height
    assert page.zone[1] < height < page.zone[3] - (page.zone[3] - page.zone[1]) / 2 + 1
    assert opened(degrade(page, without, Strength.STRONG)).height < page.zone[1]


def test_two_pages_are_both_whole_in_the_picture():
    both = opened(two_pages(a_page(), a_page("XXX/01", width=320)))
    assert both.width == 480
    assert both.height > 480 * 88 // 125 + 320 * 88 // 125


def changed(place: int, char: str) -> tuple[str, str]:
    return LINES[0], LINES[1][:place] + char + LINES[1][place + 1 :]


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (LINES, Outcome.EXACT),
        (None, Outcome.ASKED_AGAIN),
        (changed(0, "M"), Outcome.REFUTED),
        (changed(20, "M"), Outcome.FALSELY_VALID),  # no digit covers the sex
        ((LINES[0].replace("ANNA", "ANNE"), LINES[1]), Outcome.FALSELY_VALID),
    ],
)
def test_an_answer_is_judged_by_the_page_and_by_the_check_digits(lines, wanted):
    assert outcome(lines, [LINES]) is wanted


def test_either_of_two_documents_counts_as_exact():
    other = changed(20, "M")
    assert outcome(other, [LINES, other]) is Outcome.EXACT


@pytest.mark.parametrize(
    "texts",
    [
        list(LINES),
        ["REPUBLIC OF UTOPIA", *LINES, "1"],
        [f" {LINES[0][:20]} {LINES[0][20:]}", LINES[1].lower()],
        [LINES[0] + "<", "7" + LINES[1] + "JJ"],
        [LINES[0].replace("<<<<", "«<<", 1), LINES[1]],
    ],
)
def test_a_peers_lines_are_found_among_others_and_trimmed_where_they_fit(texts):
    assert assembled(texts) == LINES


@pytest.mark.parametrize(
    "texts", [[], [LINES[0]], [LINES[1][:43], LINES[0]], ["NOTHING"] * 5, ["9" * 44] * 2]
)
def test_a_peer_without_a_zone_has_no_answer(texts):
    assert assembled(texts) is None


@settings(deadline=None)
@given(st.lists(st.text(max_size=50), max_size=6))
def test_whatever_text_a_peer_gives_is_an_mrz_or_none(texts):
    found = assembled(texts)
    assert found is None or mrz.format_of(found) in mrz.FORMATS


def test_the_bound_of_a_rate_without_any_event_is_the_rule_of_three():
    rate = Rate(0, 1_000)
    assert rate.bound == pytest.approx(1 - 0.05 ** (1 / 1_000), rel=1e-9)
    assert rate.bound == pytest.approx(3 / 1_000, rel=0.01)
    assert (rate.low, Rate(7, 7).high) == (0.0, 1.0)


def test_the_interval_is_the_exact_binomial_one():
    rate = Rate(57, 60)
    assert rate.low == pytest.approx(0.86077, abs=1e-4)
    assert rate.high == pytest.approx(0.98957, abs=1e-4)


@settings(deadline=None)
@given(st.integers(1, 300).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_an_interval_holds_its_share(pair):
    rate = Rate(*pair)
    assert rate.low <= rate.share <= rate.high + 1e-12
    assert rate.share <= rate.bound + 1e-12


def a_result(name="BEL/00", lines=LINES, change=None, reader="Borderpost", seconds=0.5, **more) -> Result:
    original = Original(name, name.split("/")[0], Path("nowhere"), LINES, (0, 0, 1, 1))
    return Result(cases.Case(original, change), reader, Answer(lines, seconds, **more))


def test_a_tally_counts_outcomes_repairs_and_times():
    found = tally(
        [
            a_result(repairs=1),
            a_result(seconds=0.1),
            a_result(lines=None, seconds=9.0),
            a_result(lines=changed(0, "M")),
        ]
    )
    assert found.counts == {Outcome.EXACT: 2, Outcome.ASKED_AGAIN: 1, Outcome.REFUTED: 1}
    assert (found.repaired, found.total, found.median, found.p95) == (1, 4, 0.5, 9.0)


def everything() -> Measured:
    pages = [
        a_result(name, change=change, stages={"decode": 10.0, "read_mrz": 40.0})
        for name in ("BEL/00", "D/00")
        for change in (None, *((kind, strength) for kind in KINDS for strength in Strength))
    ]
    pages.append(a_result("D/01", lines=(LINES[0].replace("ANNA", "ANNE"), LINES[1])))
    sizes = [a_result(change=(kind, Strength.STRONG)) for kind in SIZES]
    partial = [
        a_result(lines=None, note="MRZ_CUT_OFF", change=(kind, strength))
        for kind in PARTIAL
        for strength in kind.levels
    ]
    specimens = [a_result("TD3/00")]
    peers = [a_result(lines=None, reader="tesseract", seconds=2.0)]
    return Measured(pages, specimens, sizes, partial, [*pages, *peers], specimens)


def test_the_page_has_every_column_every_reader_and_what_was_falsely_valid():
    page = write_report("make evaluate-documents", "data", everything(), {"Borderpost": "1"}, [], ["a.svg"])
    for name in columns():
        assert f"| {name} |" in page
    assert "held out" in page
    assert "names: `E` for `A`" in page
    assert "tesseract" in page
    assert "Falsely valid: 1 in 56" in page
    assert "4.0 ×" in page


def test_a_difference_names_the_field_and_what_was_read_for_what():
    assert differences(changed(20, "M"), [LINES]) == "sex: `M` for `F`"
    assert differences(changed(9, "7"), [LINES]) == "a check digit: `7` for `6`"


def test_plots_are_drawn_and_are_the_same_for_the_same_figures(tmp_path):
    first = draw_plots(everything(), tmp_path / "a")
    second = draw_plots(everything(), tmp_path / "b")
    assert [each.name for each in first] == ["exact.svg", "cpu.svg"]
    assert [each.read_bytes() for each in first] == [each.read_bytes() for each in second]


def test_answers_are_kept_under_the_readers_version_and_survive_a_torn_line(tmp_path):
    Answers(tmp_path, "Borderpost", "1").put("key", Answer(LINES, 0.5, "", {"decode": 1.0}, 1))
    kept = next(tmp_path.glob("*.jsonl"))
    with kept.open("a") as file:
        file.write('{"key": "torn')
    again = Answers(tmp_path, "Borderpost", "1")
    assert again.get("key") == Answer(LINES, 0.5, "", {"decode": 1.0}, 1)
    assert again.get("torn") is None
    again.put("later", Answer(None, 0.1, "NO_MRZ"))
    assert Answers(tmp_path, "Borderpost", "1").get("later") == Answer(None, 0.1, "NO_MRZ")
    assert Answers(tmp_path, "Borderpost", "2").get("key") is None


@pytest.fixture(scope="module")
def specimens(tmp_path_factory):
    return tmp_path_factory.mktemp("specimens"), specimen_pages(tmp_path_factory.mktemp("pages"), 1)


def test_specimens_are_always_the_same_and_their_zone_is_where_the_print_is(specimens):
    folder, pages = specimens
    assert [page.lines for page in pages] == [page.lines for page in specimen_pages(folder, 1)]
    assert [page.group for page in pages] == [layout.name for layout in mrz.FORMATS]
    for page in pages:
        rgb = page.page().picture
        left, top, right, bottom = (math.floor(each) for each in page.zone)
        inside, below = rgb[top:bottom, left:right], rgb[bottom + 20 :, left:right]
        assert inside.min() < 60 < below.min()


def test_two_cases_never_share_a_key(specimens):
    _, pages = specimens
    every = [*cases.degraded(pages, tuple(Strength)), *cases.resized(pages), *cases.partial(pages)]
    assert len({case.key for case in every}) == len(every)


def test_the_peers_draw_is_fixed_and_takes_the_same_number_of_every_group(tmp_path):
    pages = [
        Original(f"{group}/{number:02d}", group, Path("nowhere"), LINES, (0, 0, 1, 1))
        for group in ("AAA", "BBB")
        for number in range(5)
    ]
    drawn = command.drawn(pages, 3)
    assert drawn == command.drawn(pages, 3)
    assert [page.group for page in drawn] == ["AAA"] * 3 + ["BBB"] * 3
    assert len(set(drawn)) == 6


def test_a_folder_without_pages_is_said_to_have_none(tmp_path):
    with pytest.raises(EvaluationDataError, match="want STATE/NN"):
        development_pages(tmp_path)


def environment(folder, program):
    """An environment whose interpreter is a shell script."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{program}\n")
    python.chmod(0o755)
    return folder


def test_a_peer_that_cannot_run_is_no_peer_that_reads_nothing(tmp_path):
    reader = PassportEye(environment(tmp_path, "exit 1"))
    with pytest.raises(EvaluationDataError, match="can't be run"):
        reader.read(b"picture")


def test_a_peers_answer_is_read_from_its_own_process(tmp_path):
    answer = json.dumps({"lines": LINES, "seconds": 1.5, "note": "score 100"})
    reader = PassportEye(environment(tmp_path, f"while read path; do echo '{answer}'; done"))
    assert reader.read(b"picture") == Answer(LINES, 1.5, "score 100")
    assert reader.read(b"another") == Answer(LINES, 1.5, "score 100")
    reader.close()
