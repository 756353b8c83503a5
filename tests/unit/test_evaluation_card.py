"""From a folder of pictures to figures, calibration and card, by an engine without models."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from borderpost.faces.evaluation import __main__ as command
from borderpost.faces.evaluation.calibrating import (
    UNMEASURED_FACTOR,
    Factor,
    calibrate,
    people_needed,
    safety_factor,
    unlabelled,
)
from borderpost.faces.evaluation.figures import lowest_fpir
from borderpost.faces.evaluation.metrics import Searches
from borderpost.faces.evaluation.plots import draw_plots
from borderpost.faces.evaluation.protocols import NO_GROUPS, Groups, Sample
from borderpost.faces.evaluation.templates import acquire, templates
from borderpost.reports.plots import PlotsMissingError
from borderpost.runtime.calibration import MIN_FALSE_MATCHES, parse_calibration
from fakes.faces import fake_engine

PEOPLE = 150
FEW = 90
"""Too few for a gallery of 30 in each half."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three pictures of each of 150 people: their own colour, a little noise."""
    rng = np.random.default_rng(7)
    root = tmp_path_factory.mktemp("people")
    for person in range(PEOPLE):
        (root / f"p{person}").mkdir()
        colour = rng.integers(60, 220, 3)
        for number in range(3):
            pixels = np.clip(colour + rng.integers(-6, 7, 3), 0, 255) * np.ones((16, 16, 1))
            Image.fromarray(pixels.astype(np.uint8)).save(root / f"p{person}" / f"{number}.png")
    Image.new("RGB", (16, 16)).save(root / "p0" / "nobody.png")
    (root / "p1" / "broken.png").write_bytes(b"no picture")
    return root


@pytest.fixture
def few(folder, tmp_path):
    """The pictures of the first 90 people."""
    for person in range(FEW):
        (tmp_path / "few" / f"p{person}").mkdir(parents=True)
        for picture in (folder / f"p{person}").iterdir():
            (tmp_path / "few" / f"p{person}" / picture.name).symlink_to(picture)
    return tmp_path / "few"


@pytest.fixture
def by_fake(monkeypatch):
    monkeypatch.setattr(command, "load_engine", lambda name, card=None: fake_engine())


@pytest.fixture(scope="module")
def groups(folder):
    lines = [f"p{number},{'female' if number % 3 else 'male'}" for number in range(PEOPLE)]
    (folder.parent / "groups.csv").write_text("\n".join(["person,sex", *lines]) + "\n")
    return folder.parent / "groups.csv"


@pytest.mark.usefixtures("by_fake")
def test_a_folder_becomes_an_accuracy_card(folder, groups, capsys):
    arguments = ["evaluate", "--folder", str(folder), "--groups", str(groups), "--engine", "dlib"]
    assert command.main(arguments) == 0
    card = capsys.readouterr().out
    assert "452 pictures of 150 people" in card
    assert "| failure to acquire | 2 of 452 (0.44%) |" in card
    assert "| FNIR at FPIR 1 %, N = 30 |" in card
    assert "FNMR at FMR 1e-05" in card
    assert "*" in card.split("1e-05")[1].splitlines()[0]  # so few people can't show that rate
    assert "sex: female" in card
    assert "official" not in card.split("## Side by side")[1].split("## 1:1")[0]


@pytest.mark.usefixtures("by_fake")
def test_a_folder_becomes_a_calibration_that_the_services_read(folder, groups, tmp_path, capsys):
    out = tmp_path / "fake-1.json"
    arguments = ["calibrate", "--folder", str(folder), "--groups", str(groups), "--out", str(out)]
    assert command.main(arguments) == 0
    calibration = parse_calibration(out.read_bytes())
    assert calibration.model_id == "fake-1"
    assert calibration.groups == ("sex: female", "sex: male")
    assert all(row.false_matches >= MIN_FALSE_MATCHES for row in calibration.rows)
    assert not calibration.threshold_at(1e-6).supported
    assert calibration.id in capsys.readouterr().out


@pytest.mark.usefixtures("by_fake")
def test_the_card_of_ones_own_pictures_says_nothing_of_lfws(few, tmp_path, capsys):
    names = [
        f"p{number},{'fm'[number % 2]},{'old' if number % 5 else 'young'},north" for number in range(FEW)
    ]
    (tmp_path / "groups.csv").write_text("\n".join(["person,sex,age,origin", *names]) + "\n")
    arguments = [
        "evaluate",
        "--folder",
        str(few),
        "--groups",
        str(tmp_path / "groups.csv"),
        "--engine",
        "dlib",
    ]
    assert command.main(arguments) == 0
    card = capsys.readouterr().out
    for of_lfw in (
        "Press photographs",
        "official",
        "N = 1,000",
        "borderpost faces calibrate",
        "(origin, age)",
        "LFW",
    ):
        assert of_lfw not in card, of_lfw
    assert "Identification (1:N) is left out" in card
    assert "## 1:N" not in card
    assert "0.0e+00" not in card


@pytest.mark.usefixtures("by_fake")
def test_too_few_people_are_told_how_many_it_takes(few, tmp_path, capsys):
    assert command.main(["calibrate", "--folder", str(few), "--out", str(tmp_path / "fake-1.json")]) == 0
    assert (
        "can't support FMR 1e-03 with the safety factor 4: at that rate everybody is referred. About 370 people"
        in (capsys.readouterr().err)
    )
    assert command.main(["evaluate", "--folder", str(few), "--engine", "dlib"]) == 0
    told = capsys.readouterr()
    assert "everybody is referred" in told.err
    assert "90 people are too few for so small a rate: FMR 1e-03 takes about 170" in told.out


@pytest.mark.usefixtures("by_fake")
def test_names_that_do_not_meet_are_counted_and_not_named(few, tmp_path, capsys):
    (tmp_path / "groups.csv").write_text("person,sex\np0,female\np1,male\nsomebody,male\n")
    out = tmp_path / "absent" / "fake-1.json"
    groups = ["--groups", str(tmp_path / "groups.csv")]
    assert command.main(["calibrate", "--folder", str(few), *groups, "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert (
        "groups: 1 of 3 people have no folder\ngroups: 88 of 90 people of the folder have no label\n"
        in told.err
    )
    assert "somebody" not in told.err + told.out
    calibration = parse_calibration(out.read_bytes())  # its folder was made
    assert calibration.groups == ()
    assert "sex: female 0, sex: male 0" in calibration.safety_reason


@pytest.mark.usefixtures("by_fake")
def test_a_file_that_cannot_be_written_is_told_before_anything_is_embedded(
    few, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(command, "load_engine", lambda *_: pytest.fail("an engine was loaded"))
    for name in ("calibrate", "evaluate"):
        assert command.main([name, "--folder", str(few), "--out", str(tmp_path)]) == 1
        assert "is a folder" in capsys.readouterr().err


@pytest.mark.usefixtures("by_fake")
def test_a_calibration_under_another_name_is_told(few, tmp_path, capsys):
    assert command.main(["calibrate", "--folder", str(few), "--out", str(tmp_path / "mine.json")]) == 0
    assert "fake-1.json" in capsys.readouterr().err


@pytest.mark.usefixtures("by_fake")
def test_what_is_wrong_is_said_in_a_line(folder, tmp_path, capsys):
    assert command.main(["evaluate", "--folder", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "folder: got no pictures, want a folder of pictures for every person\n"
    assert command.main(["evaluate", "--folder", str(tmp_path / "absent")]) == 1
    assert "absent is not there" in capsys.readouterr().err
    missing = str(tmp_path / "absent.csv")
    assert command.main(["evaluate", "--folder", str(folder), "--groups", missing]) == 1
    assert "No such file" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("by_fake")
def test_plots_stand_beside_the_card_and_are_the_same_each_time(folder, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib", reason="plots need the extra `evaluate`")
    drawn = []
    monkeypatch.setattr(
        command, "draw_plots", lambda data, each, into: drawn.extend(each) or draw_plots(data, each, into)
    )
    out = tmp_path / "card.md"
    assert command.main(["evaluate", "--folder", str(folder), "--engine", "dlib", "--out", str(out)]) == 0
    assert "](card/det.svg)" in out.read_text()
    assert f"wrote {out} and 3 plots" in capsys.readouterr().out
    drawing = (tmp_path / "card" / "fnir.svg").read_text()
    assert 'width="614" height="403"' in drawing
    assert "half B, N = 30" in drawing
    assert "10 %" in drawing
    assert drawn[0].curves.fmr[0] * drawn[0].impostors_b >= MIN_FALSE_MATCHES - 1e-6
    again = draw_plots(f"the folder {folder.name}", drawn, tmp_path / "again")
    assert [file.name for file in again] == ["det.svg", "fnir.svg", "cmc.svg"]
    assert all(file.read_bytes() == (tmp_path / "card" / file.name).read_bytes() for file in again)


def test_a_line_of_false_alarms_ends_where_fewer_than_30_people_alarm():
    people = np.repeat(np.arange(100), 10)  # ten draws search each of 100 strangers
    best = np.where(people < 40, 0.9 - people / 100, 0.1).astype(np.float32)
    nobody = np.empty(0, np.int64)
    assert lowest_fpir(Searches(np.empty(0, np.float32), nobody, nobody, best, people)) == pytest.approx(0.3)


def test_without_matplotlib_the_error_names_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(PlotsMissingError, match="extra"):
        command.draw_plots("made up", [], tmp_path)


def test_embeddings_are_kept_and_made_anew_where_the_engine_changed(folder, tmp_path, capsys):
    pictures = sorted(folder.glob("p[2-9]/*.png"))
    first = acquire(fake_engine(), pictures, tmp_path)
    assert capsys.readouterr().err == "fake-1: 24 of 24 pictures\n"
    again = acquire(fake_engine(), pictures, tmp_path)
    assert capsys.readouterr().err == ""
    assert again.views == pytest.approx(first.views)
    changed = acquire(replace(fake_engine(), embedder=Doubling()), pictures, tmp_path)
    assert "anew" in capsys.readouterr().err
    assert changed.views == pytest.approx(first.views * 2)


class Doubling:
    card = fake_engine().embedder.card

    def embed(self, chips):
        return fake_engine().embedder.embed(chips) * 2


def test_the_mean_of_a_pictures_views_has_length_1_and_no_face_stays_zero(folder):
    acquired = acquire(fake_engine(), [folder / "p0" / "0.png", folder / "p0" / "nobody.png"], None)
    assert acquired.found.tolist() == [True, False]
    made = templates(acquired)
    assert np.linalg.norm(made, axis=1).tolist() == pytest.approx([1.0, 0.0])


def test_the_safety_factor_is_the_worst_groups_ratio_rounded_up():
    def row(fmr, **rates):
        return {"fmr": fmr, "groups": rates}

    rows = [
        row(0.1, a=0.9, b=0.1),
        row(1e-2, a=0.031, b=0.01),
        row(1e-3, a=2e-3, b=3.4e-3),
        row(1e-4, b=9e-4),
    ]
    found = safety_factor(rows, ("a", "b"), {"a": 300, "b": 100})
    assert (found.value, "(b)" in found.reason, "assumption" in found.reason) == (4.0, True, False)


def test_without_groups_the_safety_factor_is_an_assumption():
    assert safety_factor([], (), {}) == Factor(UNMEASURED_FACTOR, "no group was measured: an assumption")


def test_groups_with_too_few_false_matches_are_told_with_their_counts():
    rows = [{"fmr": 1.0, "groups": {"sex: f": 1.0, "sex: m": 1.0}}, {"fmr": 1e-2, "groups": {"sex: m": 0.06}}]
    found = safety_factor(rows, ("sex: f", "sex: m"), {"sex: f": 12, "sex: m": 90})
    assert found.value == 6.0  # not less than what was measured
    assert "sex: f 12" in found.reason
    assert "30 are needed" in found.reason
    assert "sex: m 90" not in found.reason
    few = safety_factor(rows[:1], ("sex: f", "sex: m"), {"sex: f": 12, "sex: m": 0})
    assert few.value == UNMEASURED_FACTOR
    assert "sex: f 12, sex: m 0" in few.reason
    assert "assumption" in few.reason


def test_only_attributes_that_nobody_labelled_are_called_so():
    assert unlabelled(["sex: f", "sex: m"]) == " (origin, age)"
    assert unlabelled(["Origin: north", "sex: f", "age: old"]) == ""


def test_the_people_needed_make_the_pairs_that_30_false_matches_need():
    people = people_needed(1e-3, 4, 2)  # the table's row is 2e-4: 150,000 pairs, 548 pictures in a half
    assert people == 550
    assert math.comb(people, 2) * 2e-4 == pytest.approx(MIN_FALSE_MATCHES, rel=0.02)
    assert people_needed(1e-3, 4, 1) == 1_100


def test_a_calibration_stops_where_too_few_false_matches_stand_behind_it():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(80, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    half = Sample(vectors, np.repeat(np.arange(40), 2), tuple(f"p{number}" for number in range(40)))
    content = calibrate("m", "h", "made up", half, half, Groups({"sex: none": frozenset()}))
    scores = np.sort((vectors @ vectors.T)[np.triu_indices(80, 1)])
    for each in content["rows"][1:]:
        assert each["false_matches"] >= MIN_FALSE_MATCHES
        assert (scores >= each["score"]).sum() - 40 <= each["false_matches"]
    assert content["rows"][-1]["fmr"] == 0.01  # 3,120 pairs
    assert "no group was measured" in calibrate("m", "h", "made up", half, half, NO_GROUPS)["safety_reason"]
    assert json.loads(json.dumps(content)) == content
