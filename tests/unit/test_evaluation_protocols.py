"""Who is compared with whom: halves, groups, LFW's lists, and random draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.faces.evaluation.errors import EvaluationDataError
from borderpost.faces.evaluation.protocols import (
    Groups,
    Sample,
    check_size,
    draw,
    draws,
    first_of_each,
    in_first_half,
    read_folder,
    read_groups,
    read_lfw_pairs,
    read_lfw_sex,
)

QUICK = settings(deadline=None, max_examples=40)  # the first call of numpy is slow

PEOPLE = st.lists(st.integers(0, 9), min_size=4, max_size=40).map(
    lambda numbers: np.unique(numbers, return_inverse=True)[1]
)


def sample(people):
    names = tuple(f"p{number}" for number in range(int(people.max()) + 1))
    return Sample(np.arange(len(people), dtype=np.float32)[:, None], people, names)


def test_halves_hold_about_as_many_people_and_never_change():
    first = [in_first_half(f"person {number}") for number in range(2_000)]
    assert 900 < sum(first) < 1_100
    assert (in_first_half("Woody_Allen"), in_first_half("Zico")) == (False, True)


@QUICK
@given(PEOPLE, st.integers(1, 4))
def test_no_one_has_more_templates_than_allowed_and_nobody_is_lost(people, count):
    few = first_of_each(sample(people), count)
    assert few.names == sample(people).names
    assert np.bincount(few.people).max() <= count
    assert np.bincount(few.people).tolist() == np.minimum(np.bincount(people), count).tolist()


@QUICK
@given(PEOPLE, st.integers(1, 9), st.integers(0, 99))
def test_a_draw_never_searches_the_enrolled_picture_and_searches_everybody_once(people, size, seed):
    drawn = draw(sample(people), size, np.random.default_rng(seed))
    assert not set(drawn.enrolled) & set(drawn.probes)
    enrolled, searched = people[drawn.enrolled], people[drawn.probes]
    assert len(set(enrolled)) == len(enrolled) == min(size, people.max() + 1)
    assert len(set(searched)) == len(searched)
    alone = {person for person in enrolled if (people == person).sum() == 1}
    assert set(searched) == set(people) - alone


def test_draws_differ_from_each_other_and_not_from_run_to_run():
    people = np.repeat(np.arange(30), 2)
    first, second = draws(sample(people), 10, 2, seed=3)
    again, _ = draws(sample(people), 10, 2, seed=3)
    assert first.enrolled.tolist() == again.enrolled.tolist() != second.enrolled.tolist()


def test_a_folder_has_a_folder_for_every_person(tmp_path):
    for name in ("anna/1.jpg", "anna/2.PNG", "anna/notes.txt", "ben/1.jpeg", "stray.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = read_folder(tmp_path)
    assert [path.name for path in found.pictures] == ["1.jpg", "2.PNG", "1.jpeg"]
    assert found.names == ("anna", "anna", "ben")


def test_a_folder_without_people_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(EvaluationDataError, match="folder of pictures for every person"):
            read_folder(folder)


def test_groups_come_from_the_columns_of_a_csv(tmp_path):
    (tmp_path / "groups.csv").write_text("person,sex,age\np0,female,old\np1,male,\np2,female,young\n")
    groups = read_groups(tmp_path / "groups.csv")
    assert groups.members == {
        "age: old": {"p0"},
        "age: young": {"p2"},
        "sex: female": {"p0", "p2"},
        "sex: male": {"p1"},
    }
    assert groups.rows(sample(np.asarray([0, 1, 1, 2])), "sex: female").tolist() == [True, False, False, True]


@pytest.mark.parametrize("text", ["", "name,sex\n", "person\np0\n"])
def test_a_csv_of_another_form_is_refused(tmp_path, text):
    (tmp_path / "groups.csv").write_text(text)
    with pytest.raises(EvaluationDataError, match="person,ATTRIBUTE"):
        read_groups(tmp_path / "groups.csv")


def test_lfw_pairs_are_read_fold_by_fold(tmp_path):
    (tmp_path / "pairs.txt").write_text("2\t1\nA_B\t1\t12\nA_B\t2\tC\t3\nD\t1\t2\nD\t1\tE\t4\n")
    pairs = read_lfw_pairs(tmp_path / "pairs.txt")
    assert [(p.first, p.second, p.same, p.fold) for p in pairs] == [
        ("A_B_0001.jpg", "A_B_0012.jpg", True, 0),
        ("A_B_0002.jpg", "C_0003.jpg", False, 0),
        ("D_0001.jpg", "D_0002.jpg", True, 1),
        ("D_0001.jpg", "E_0004.jpg", False, 1),
    ]


def test_people_with_both_labels_or_none_are_of_no_sex(tmp_path):
    (tmp_path / "female_names.txt").write_text("Anna_0001.jpg\nKim_0001.jpg\n")
    (tmp_path / "male_names.txt").write_text("Ben_de_Vries_0001.jpg\nKim_0002.jpg\n")
    assert read_lfw_sex(tmp_path) == Groups(
        {"sex: female": frozenset({"Anna"}), "sex: male": frozenset({"Ben_de_Vries"})}
    )


def test_a_sample_that_can_show_nothing_is_refused():
    with pytest.raises(EvaluationDataError, match="at least 20"):
        check_size(sample(np.repeat(np.arange(10), 3)))
    with pytest.raises(EvaluationDataError, match="two pictures"):
        check_size(sample(np.arange(40)))
    check_size(sample(np.repeat(np.arange(20), 2)))
