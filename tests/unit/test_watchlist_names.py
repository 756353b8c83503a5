"""Names with birth dates: the definition by examples, the index against it, thresholds, hostile names."""

from __future__ import annotations

import json
import math
import os
from datetime import date
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from borderpost.runtime.calibration import CalibrationError, target_fmr
from borderpost.runtime.names import to_mrz_letters
from borderpost.runtime.transliteration import LETTERS
from borderpost.watchlist.adapters.faiss_index import FaissIndex
from borderpost.watchlist.domain import EntryBlock
from borderpost.watchlist.evaluation_names import BEGIN, END, calibrate, in_half_a, main, read_people, to_name
from borderpost.watchlist.names import (
    DateAgreement,
    NameIndex,
    PartAgreement,
    PartMatch,
    load_name_calibration,
    match_names,
    name_fmr_at,
    name_threshold,
)
from borderpost.watchlist.naming import matching
from borderpost.watchlist.naming.calibration import FILE, MAX_NAME_FMR, parse_name_calibration, weights_sha256
from borderpost.watchlist.naming.dates import MOST_EVIDENCE, compare_dates
from borderpost.watchlist.naming.parts import (
    MAX_IDENTIFIER_PARTS,
    MAX_NAME_SPELLINGS,
    MAX_PART_LETTERS,
    Forms,
)
from borderpost.watchlist.persons import UNKNOWN_DATE, PartialDate, PersonName
from borderpost.watchlist.view import SMALL_NAMES, make_block, merge_small, whole

LFW = (
    Path(os.environ.get("BORDERPOST_DATA", Path(__file__).parents[3] / "shared/data"))
    / "faces/lfw/lfw-deepfunneled"
)
BIRTH = PartialDate(1971, 3, 9)

words = st.sampled_from(
    [
        "SMITH",
        "Smyth",
        "SMITHE",
        "JO",
        "John",
        "J",
        "JONATHAN",
        "Müller",
        "MUELLER",
        "MULLER",
        "al-Attiyah",
        "ATTIYAH",
        "AL",
        "Юрий",
        "YURII",
        "Щукина",
        "Ng",
        "-",
        "\u0301",
        "محمد",
        "王",
        "ШИЖИЧИ",
        "ABCDEFGH",
        "ABCDEFG",
        "ABCD",
        "BACDEFG",
    ]
)
made_up = st.text("AOBKCP", min_size=1, max_size=6)
identifiers = st.lists(words | made_up, max_size=4).map(" ".join)
names = st.builds(PersonName, identifiers, identifiers, st.just("") | identifiers | st.just("ШИЖИЧИ " * 8))
births = st.builds(
    PartialDate, *(st.sampled_from([None, *values]) for values in [(1970, 1971), (3, 4), (3, 4, 9)])
)
items = st.lists(st.tuples(st.integers(0, 4), names, births), max_size=8)


def best_of_each_row(listed, name, birth, score):
    """What the index must answer, by the definition alone."""
    best = {}
    for row, other, other_birth in listed:
        match = match_names(name, birth, other, other_birth)
        if match.score >= score and (row not in best or match.score > best[row].score):
            best[row] = match
    return sorted(best.items())


def agreements(given_name, listed_name):
    match = match_names(PersonName(*given_name), UNKNOWN_DATE, PersonName(*listed_name), UNKNOWN_DATE)
    return [(part.given, part.listed, part.agreement.name) for part in match.parts]


@given(items, names, births, st.floats(-1, 12))
@example([(0, PersonName("", ""), BIRTH), (0, PersonName("A", ""), BIRTH)], PersonName("B", ""), BIRTH, 0.0)
@example([(0, PersonName("SMITH", "J"), BIRTH)], PersonName("", ""), BIRTH, 0.0)
@settings(max_examples=400, deadline=None)
def test_the_index_answers_as_the_definition_does(listed, name, birth, score):
    assert NameIndex(listed).at_least(name, birth, score) == best_of_each_row(listed, name, birth, score)


@given(items, names, births)
@settings(deadline=None)
def test_the_index_finds_a_match_at_exactly_its_own_score(listed, name, birth):
    index = NameIndex(listed)
    for row, match in best_of_each_row(listed, name, birth, 0.0):
        assert (row, match) in index.at_least(name, birth, match.score)


@given(names, births, names, births)
@settings(deadline=None)
def test_the_score_is_the_same_whoever_is_the_traveler(one, one_birth, other, other_birth):
    there, back = (
        match_names(one, one_birth, other, other_birth),
        match_names(other, other_birth, one, one_birth),
    )
    assert there.birth_date == back.birth_date
    assert there.score == pytest.approx(back.score)


@given(names, births, names, births)
@settings(deadline=None)
def test_every_part_of_both_names_is_told_about_once(one, one_birth, other, other_birth):
    match = match_names(one, one_birth, other, other_birth)
    for side, name in (("given", one), ("listed", other)):
        told = sorted(getattr(part, side) for part in match.parts if getattr(part, side))
        forms = [sorted(part.usual for part in form.parts) for form in Forms().of(name)]
        assert told in forms or not match.parts


@pytest.mark.parametrize(
    ("given_name", "listed_name", "want"),
    [
        (("MUELLER", "HANS"), ("Müller", "Hans"), ["EXACT", "EXACT"]),
        (("MULLER", "HANS"), ("Müller", "Hans"), ["SPELLING", "EXACT"]),
        (("MULLER", "HANS"), ("MUELLER", "HANS"), ["SPELLING", "EXACT"]),
        (("YUSHCHENKO", "VIKTOR"), ("Ющенко", "Виктор"), ["SPELLING", "EXACT"]),
        (("PAPADOPOUL", "J"), ("Papadopoulos", "John"), ["CUT", "INITIAL"]),
        (("SMITH", "JOHN"), ("SMIHT", "JOHN"), ["EDIT", "EXACT"]),
        (("SMITH", "JOHN"), ("SMYTHE", "JON"), ["PHONETIC", "PHONETIC"]),
        (("AL ATTIYAH", "ALI"), ("al-Attiyah", "Ali"), ["EXACT", "EXACT"]),
        (("ALATTIYAH", "ALI"), ("Al Attiyah", "Ali"), ["EXACT", "EXACT"]),
        (("ATTIYAH", "ALI"), ("Al Attiyah", "Ali"), ["SPELLING", "EXACT"]),
        (("VANDERBERG", "ANNA"), ("van der Berg", "Anna"), ["EXACT", "EXACT"]),
        (("SMITH", "JOHN"), ("SMITH", "JOHN PAUL"), ["EXACT", "EXACT", "MISSING_HERE"]),
        (("SMITH", "JOHN PAUL"), ("SMITH", "JOHN"), ["EXACT", "EXACT", "MISSING_THERE"]),
        (("SMITH", "JOHN"), ("SMITH", "MARY"), ["EXACT", "MISSING_THERE", "MISSING_HERE"]),
    ],
)
def test_it_says_which_parts_agree_and_how(given_name, listed_name, want):
    assert [how for _, _, how in agreements(given_name, listed_name)] == want


def test_the_parts_are_told_in_letters_with_the_missing_one_empty():
    match = match_names(PersonName("Müller", "J"), BIRTH, PersonName("MULLER", "Johann Paul"), BIRTH)
    assert match.parts == (
        PartMatch("MUELLER", "MULLER", PartAgreement.SPELLING),
        PartMatch("J", "JOHANN", PartAgreement.INITIAL),
        PartMatch("", "PAUL", PartAgreement.MISSING_HERE),
    )


def test_a_part_is_cut_only_at_the_end_of_its_identifier():
    assert agreements(("PAPADOPOUL GEORGE", ""), ("Papadopoulos George", ""))[0][2] == "MISSING_THERE"
    assert agreements(("GEORGE PAPADOPOUL", ""), ("George Papadopoulos", ""))[1][2] == "CUT"


def test_exchanged_surname_and_given_name_are_said_and_cost_little():
    straight = match_names(PersonName("NAKAMURA", "YUKO"), BIRTH, PersonName("NAKAMURA", "YUKO"), BIRTH)
    swapped = match_names(PersonName("YUKO", "NAKAMURA"), BIRTH, PersonName("NAKAMURA", "YUKO"), BIRTH)
    assert (straight.swapped, swapped.swapped) == (False, True)
    assert 0 < straight.score - swapped.score < 1


def test_the_native_name_counts_where_the_transliteration_was_made_by_ear():
    listed = PersonName("Tschaikowski", "Jurij", native="Юрий Чайковский")
    assert match_names(PersonName("CHAIKOVSKII", "IURII"), BIRTH, listed, BIRTH).score > 9


def test_a_name_without_a_letter_of_the_tables_matches_nobody():
    assert match_names(PersonName("王", "伟"), BIRTH, PersonName("王", "伟"), BIRTH).score == 0.0
    assert NameIndex([(0, PersonName("王", "伟"), BIRTH)]).at_least(PersonName("王", "伟"), BIRTH, 0.1) == []


@pytest.mark.parametrize(
    ("one", "other", "want"),
    [
        (PartialDate(1971, 3, 9), PartialDate(1971, 3, 9), "SAME"),
        (PartialDate(1971, 3, 9), PartialDate(1971), "POSSIBLE"),
        (PartialDate(1971, 3), PartialDate(1971, None, 9), "POSSIBLE"),
        (PartialDate(1971, 3, 9), PartialDate(1971, 9, 3), "SWAPPED"),
        (PartialDate(1971, 3, 9), PartialDate(1971, 3, 8), "NEAR"),
        (PartialDate(1971, 3, 9), PartialDate(1972, 4, 9), "DIFFERENT"),
        (PartialDate(1971, 3, 9), PartialDate(1972), "DIFFERENT"),
        (PartialDate(1971), PartialDate(None, 3, 9), "UNKNOWN"),
        (UNKNOWN_DATE, PartialDate(1971, 3, 9), "UNKNOWN"),
    ],
)
def test_birth_dates_agree_as_far_as_both_are_known(one, other, want):
    assert compare_dates(one, other)[0] is DateAgreement[want]
    assert compare_dates(other, one) == compare_dates(one, other)


def test_what_is_known_of_birth_dates_orders_their_evidence():
    evidence = [
        compare_dates(BIRTH, other)[1]
        for other in (
            BIRTH,
            PartialDate(1971, 9, 3),
            PartialDate(1971, 3),
            PartialDate(1971),
            PartialDate(1971, 3, 8),
            UNKNOWN_DATE,
            PartialDate(1950, 1, 1),
        )
    ]
    assert evidence == sorted(evidence, reverse=True)
    assert evidence[0] == pytest.approx(math.log10(365.25 * 60)) == MOST_EVIDENCE


def test_a_closer_agreement_never_scores_less():
    listed = PersonName("PAPADOPOULOS", "")
    given_names = ["PAPADOPOULOS", "PAPADOPOUL", "PAPADOPULOS", "PAPATOPOLUS", "GEORGIOU"]
    scores = [match_names(PersonName(name, ""), BIRTH, listed, BIRTH).score for name in given_names]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] == 0.0


def test_without_a_birth_date_only_a_rare_name_alarms_on_a_list_of_a_thousand():
    threshold = name_threshold(0.01, 1000).score
    common, rare = PersonName("LI", "WEI"), PersonName("PAPADOPOULOS", "KONSTANTINOS")
    assert match_names(common, UNKNOWN_DATE, common, UNKNOWN_DATE).score < threshold
    assert match_names(rare, UNKNOWN_DATE, rare, UNKNOWN_DATE).score >= threshold
    assert match_names(common, BIRTH, common, BIRTH).score >= threshold


# Thresholds and rates.


def test_the_fingerprint_of_the_weights_is_of_numbers_and_words_not_of_where_a_library_lies(monkeypatch):
    before = weights_sha256()
    monkeypatch.setattr(matching, "LIBRARY", math, raising=False)
    assert weights_sha256() == before
    monkeypatch.setattr(matching, "WEIGHT", 1.5, raising=False)
    assert weights_sha256() != before


def test_the_shipped_calibration_is_sound_and_made_with_these_weights():
    calibration = load_name_calibration()
    assert calibration.rows[0].fmr == 1.0
    assert all(row.false_matches >= 30 for row in calibration.rows)


def test_the_shipped_calibration_holds_no_name():
    content = json.loads((resources.files("borderpost.watchlist") / FILE).read_bytes())
    assert {type(value) for row in content["rows"] for value in row.values()} <= {int, float}


def test_a_threshold_rises_with_the_list_and_with_a_stricter_target():
    by_size = [name_threshold(0.01, size).score for size in (0, 1, 100, 1000, 10**5, 10**6)]
    by_target = [name_threshold(fpir, 1000).score for fpir in (0.1, 0.01, 0.001)]
    assert by_size == sorted(by_size)
    assert by_target == sorted(by_target)


@pytest.mark.parametrize("size", [1, 100, 1000, 10**6])
def test_a_threshold_keeps_its_target_by_the_table_and_by_its_own_claim(size):
    threshold = name_threshold(0.01, size)
    fmr = min(target_fmr(0.01, size), MAX_NAME_FMR)
    assert 10**-threshold.score <= fmr * (1 + 1e-9)
    assert name_fmr_at(threshold.score).rate <= fmr or not threshold.supported


def test_a_target_beyond_the_data_is_said_not_to_be_supported_and_never_relaxed():
    last = load_name_calibration().rows[-1]
    beyond = name_threshold(0.01, 10**6)
    assert not beyond.supported
    assert beyond.score > last.score
    assert name_fmr_at(beyond.score).is_upper_bound
    assert name_threshold(0.01, 1000).supported


def test_a_rate_between_two_steps_is_the_larger_one():
    rows = load_name_calibration().rows
    assert name_fmr_at(rows[1].score).rate == rows[1].fmr
    assert name_fmr_at((rows[1].score + rows[2].score) / 2).rate == rows[1].fmr
    assert name_fmr_at(-1.0).rate == 1.0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.pop("rows"),
        lambda content: content.update(weights_sha256="0" * 64),
        lambda content: content["rows"].reverse(),
        lambda content: content["rows"][-1].update(false_matches=29),
        lambda content: content["rows"][0].update(fmr=0.5),
    ],
)
def test_an_unsound_calibration_is_refused(spoil):
    content = json.loads((resources.files("borderpost.watchlist") / FILE).read_bytes())
    spoil(content)
    with pytest.raises(CalibrationError):
        parse_name_calibration(json.dumps(content).encode())


def test_an_error_of_a_calibration_names_the_command_that_makes_one():
    with pytest.raises(CalibrationError, match="evaluation_names"):
        parse_name_calibration(b"{}")


# The evaluation, on made-up people.


@pytest.fixture
def small_evaluation(monkeypatch):
    """Lists of up to 30 people, each drawn twice."""
    for name, value in {"SIZES": (10, 30), "LISTS": 2, "PROBED_DAYS": 5000}.items():
        monkeypatch.setattr(f"borderpost.watchlist.evaluation_names.{name}", value)


def make_people(folder, count):
    syllables = ["Ba", "Ko", "Mi", "Tu", "Re", "Sa"]
    for place in range(count):
        first, second = syllables[place % 6], syllables[place // 6 % 6]
        (folder / f"{first}ri{second.lower()}_{second}ndo{first.lower()}{place // 36 * 'n'}").mkdir()


def test_the_evaluation_calibrates_on_one_half_and_writes_what_it_measured_on_the_other(
    small_evaluation, tmp_path, capsys
):
    data, docs, file = tmp_path / "people", tmp_path / "names.md", tmp_path / "calibration.json"
    data.mkdir()
    make_people(data, 200)
    docs.write_text(f"# Names\n\n{BEGIN}\nold\n{END}\nafter\n")
    assert main(["--data", str(data), "--docs", str(docs), "--calibration", str(file)]) == 0
    calibration = parse_name_calibration(file.read_bytes())
    assert len(calibration.rows) > 2
    text = docs.read_text()
    assert "30 at 1%" in text
    assert "old" not in text
    assert text.endswith(f"{END}\nafter\n")
    assert calibration.id[:16] in text
    assert "ndo" not in text + capsys.readouterr().out + file.read_text()


def test_too_few_people_are_not_evaluated(small_evaluation, tmp_path, capsys):
    make_people(tmp_path, 100)
    assert main(["--data", str(tmp_path)]) == 1
    assert "got 100 people, want 120" in capsys.readouterr().err


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.skipif(not LFW.is_dir(), reason="LFW is not there: set BORDERPOST_DATA")
def test_the_shipped_calibration_is_what_the_command_makes_of_the_names_of_lfw():
    people = [person for person in read_people(LFW) if in_half_a(person)]
    assert calibrate(people) == (resources.files("borderpost.watchlist") / FILE).read_bytes()


def test_a_folder_is_read_as_given_names_and_surname():
    assert to_name("Anna_Maria_Berg") == PersonName("Berg", "Anna Maria")
    assert to_name("William_Ford_Jr") == PersonName("Ford Jr", "William")
    assert to_name("Zico") == PersonName("Zico", "")


# Hostile names.

MOST_SPELLINGS = MAX_NAME_SPELLINGS + 3 * 2 * MAX_IDENTIFIER_PARTS
"""And of each part the usual one and its reduced one."""

hostile_words = st.sampled_from(
    ["AL", "де", "ван", "Ü" * 6, "Ü" * 40, "ШЖЧХЦГ", "Щ-Ж", "ХЦ", "A", "ÄÖÜ", "ΩЯ"]
)
hostile_texts = st.lists(hostile_words, max_size=12).map(" ".join)


def spellings_of(forms):
    return sum(len(part.spellings) for form in forms for part in form.parts)


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200))
@settings(max_examples=50, deadline=None)
def test_any_text_can_be_a_name(primary, secondary, native):
    name = PersonName(primary, secondary, native)
    index = NameIndex([(0, name, UNKNOWN_DATE)])
    found = index.at_least(name, UNKNOWN_DATE, 0.1)
    assert found == best_of_each_row([(0, name, UNKNOWN_DATE)], name, UNKNOWN_DATE, 0.1)


@pytest.mark.parametrize(
    "text",
    [
        "A " * 100,
        "AL " * 100,
        "Ü" * 200,
        "Щ" * 200,
        "ЄЮЯ" * 66,
        "A" + "\u0301" * 199,
        "".join(LETTERS)[:200],
        "محمد " * 40,
        "ة\u0651" * 100,
        "<" * 200,
        "\U0001d504" * 200,
    ],
)
def test_a_hostile_name_has_few_parts_of_few_letters_and_spellings(text):
    forms = Forms().of(PersonName(text, text, text))
    for form in forms:
        assert len(form.parts) <= 2 * MAX_IDENTIFIER_PARTS
        for part in form.parts:
            assert len(part.usual) <= MAX_PART_LETTERS
            assert all(len(spelling) <= MAX_PART_LETTERS for spelling in part.spellings)
            assert to_mrz_letters(part.usual) == part.usual
    assert spellings_of(forms) <= MOST_SPELLINGS


@given(hostile_texts, hostile_texts, hostile_texts)
@settings(deadline=None)
def test_whatever_a_name_is_made_of_it_has_so_many_spellings_at_most(primary, secondary, native):
    assert spellings_of(Forms().of(PersonName(primary, secondary, native))) <= MOST_SPELLINGS


def test_a_name_of_too_many_spellings_is_compared_by_the_usual_ones_alone():
    few, many = PersonName("Мишин Шишкин", ""), PersonName("Мишин Шишкин", "ЩЖЧХЦГ " * 8)
    (form,), (hostile,) = Forms().of(few), Forms().of(many)
    assert "SHYSHKIN" in form.parts[1].spellings
    assert [part.usual for part in hostile.parts[:2]] == ["MISHIN", "SHISHKIN"]
    assert all(part.spellings == {part.usual} for part in hostile.parts)
    assert (
        match_names(few, BIRTH, PersonName("MYSHYN SHYSHKYN", ""), BIRTH).parts[1].agreement.name
        == "SPELLING"
    )


def test_a_name_is_spelt_the_same_whatever_was_indexed_before_it():
    few, many = PersonName("Шишкин", ""), PersonName("Шишкин", "ЩЖЧХЦГ " * 8)
    making = Forms()
    spelt = [making.of(name)[0].parts[0].spellings for name in (few, many, few)]
    assert spelt[0] == spelt[2] == Forms().of(few)[0].parts[0].spellings
    assert spelt[1] == {"SHISHKIN"}


def test_the_longest_usual_names_keep_all_their_spellings():
    name = PersonName("Müller-Grünwald", "Jörg Björn", native="Римский-Корсаков Георгий Владимирович")
    spelt = {spelling for form in Forms().of(name) for part in form.parts for spelling in part.spellings}
    assert {"MULLER", "GRUNWALD", "BJORN", "RYMSKII", "HEORHYI", "VLADIMIROVIC"} <= spelt


def test_equal_names_share_one_match_however_many_they_are():
    name = PersonName("Smith", "John")
    index = NameIndex([(row, name, PartialDate(1971, 1 + row % 12)) for row in range(600)])
    found = index.at_least(name, PartialDate(1971, 3), 1.0)
    assert [row for row, _ in found] == list(range(600))
    assert len({id(match) for _, match in found}) == 2  # one for the same month, one for any other


def names_block(names, entries):
    """A block of so many entries that share so many names."""
    rows = sorted(place % entries for place in range(names))
    listed = [(row, PersonName("Smith", "John"), UNKNOWN_DATE) for row in rows]
    ids, times = [f"{names} {place}" for place in range(entries)], np.zeros(entries, np.int64)
    return whole(make_block(EntryBlock("list", ids, times, times, {}, listed, []), FaissIndex))


def test_a_block_of_many_names_is_not_indexed_anew_at_every_change():
    full, few, one = names_block(SMALL_NAMES + 1, 20), names_block(SMALL_NAMES, 20), names_block(1, 1)
    assert merge_small("list", (full, one), FaissIndex) == (full, one)
    (kept, merged) = merge_small("list", (full, few, one), FaissIndex)
    assert (kept, merged.block.size, len(merged.block.name_of)) == (full, 21, SMALL_NAMES + 1)


def test_sixteen_hostile_names_of_many_entries_are_matched_once_for_each_different_one(monkeypatch):
    hostile = [
        PersonName(" ".join(f"{letter}{other}ЩЮЯ" for other in "ABCDEFGH"), "Ü" * 200, "Щ " * 100)
        for letter in "ABCDEFGHIJKLMNOP"
    ]
    index = NameIndex([(row, name, UNKNOWN_DATE) for row in range(50) for name in hostile])
    asked = []
    real = match_names.__globals__["match_forms"]

    def counting(here, there):
        asked.append(there)
        return real(here, there)

    monkeypatch.setattr("borderpost.watchlist.naming.index.match_forms", counting)
    found = index.at_least(hostile[0], UNKNOWN_DATE, 1.0)
    assert [row for row, _ in found] == list(range(50))
    assert len(asked) <= 2 * (len(hostile) + 1)


def test_no_date_of_the_calendar_is_out_of_bounds():
    for day in (date.min, date.max):
        birth = PartialDate(day.year, day.month, day.day)
        assert compare_dates(birth, birth)[0] is DateAgreement.SAME
