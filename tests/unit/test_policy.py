"""The policy: one pure function from checks to an outcome."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderpost.policy.deciding import ATTEMPTS_EXHAUSTED, NOT_A_TRAVEL_DOCUMENT, decide
from borderpost.policy.domain import Advice, Age, CheckKind, CheckResult, Outcome, Status, Traveler
from borderpost.policy.model import BUILT_IN, Policy, PolicyError, load_policy

POLICY = load_policy(None).policy
ADULT = Age(at_least=18)
TRAVELER = Traveler("north", "ENTRY", "P", attempt=1, age=ADULT)
LAST = Traveler("north", "ENTRY", "P", attempt=POLICY.max_attempts, age=ADULT)
AGAIN = (Advice("NO_FACE", "Look into the camera."),)
OPTIONAL = (
    CheckKind.DOCUMENT_ELECTRONIC,
    CheckKind.LIVENESS,
    CheckKind.CHIP_DATA,
    CheckKind.DOCUMENT_CONSISTENT,
    CheckKind.DOCUMENT_COMBINED,
)


def checks(**changes):
    """All checks passed, but for the optional ones, which no service performs, and `changes`."""
    results = {kind: CheckResult(kind, Status.PASSED) for kind in CheckKind}
    for kind in OPTIONAL:
        results[kind] = CheckResult(kind, Status.NOT_PERFORMED, (f"{kind}_NOT_PERFORMED",))
    for name, (status, *rest) in changes.items():
        kind = CheckKind(name)
        results[kind] = CheckResult(kind, status, (f"{kind}_REASON",), *rest)
    return tuple(results.values())


@pytest.mark.parametrize(
    ("changes", "traveler", "outcome", "reasons"),
    [
        ({}, TRAVELER, Outcome.CLEAR, ()),
        ({"FACE_MATCH": (Status.FAILED,)}, TRAVELER, Outcome.REFER, ("FACE_MATCH_REASON",)),
        ({"FACE_MATCH": (Status.UNDETERMINED,)}, TRAVELER, Outcome.REFER, ("FACE_MATCH_REASON",)),
        ({"WATCHLIST_FACE": (Status.NOT_PERFORMED,)}, TRAVELER, Outcome.REFER, ("WATCHLIST_FACE_REASON",)),
        ({"FACE_CAPTURE": (Status.UNDETERMINED, AGAIN)}, TRAVELER, Outcome.RETAKE, ("NO_FACE",)),
        (
            {"FACE_CAPTURE": (Status.UNDETERMINED, AGAIN)},
            LAST,
            Outcome.REFER,
            (ATTEMPTS_EXHAUSTED, "NO_FACE"),
        ),
        # What no other picture can mend goes to an officer at once, whatever else could be taken again.
        (
            {"FACE_CAPTURE": (Status.UNDETERMINED, AGAIN), "WATCHLIST_NAME": (Status.NOT_PERFORMED,)},
            TRAVELER,
            Outcome.REFER,
            ("WATCHLIST_NAME_REASON", "NO_FACE"),
        ),
        (
            {"FACE_CAPTURE": (Status.UNDETERMINED, AGAIN), "WATCHLIST_DOCUMENT": (Status.FAILED,)},
            TRAVELER,
            Outcome.REFER,
            ("WATCHLIST_DOCUMENT_REASON", "NO_FACE"),
        ),
        # A check that wasn't required and FAILED still refers.
        ({"LIVENESS": (Status.FAILED,)}, TRAVELER, Outcome.REFER, ("LIVENESS_REASON",)),
    ],
)
def test_outcome_table(changes, traveler, outcome, reasons):
    decision = decide(POLICY, traveler, checks(**changes))
    assert (decision.outcome, decision.reasons) == (outcome, reasons)


def test_retake_carries_the_advice_and_refer_does_not():
    changes = {"FACE_CAPTURE": (Status.UNDETERMINED, AGAIN)}
    assert decide(POLICY, TRAVELER, checks(**changes)).advice == AGAIN
    assert decide(POLICY, LAST, checks(**changes)).advice == ()


def test_a_required_check_that_nobody_assessed_is_not_performed():
    without = [check for check in checks() if check.kind is not CheckKind.FACE_MATCH]
    decision = decide(POLICY, TRAVELER, without)
    assert (decision.outcome, decision.reasons) == (Outcome.REFER, ("FACE_MATCH_NOT_PERFORMED",))


@given(
    st.lists(st.sampled_from(Status), min_size=len(CheckKind), max_size=len(CheckKind)),
    st.lists(st.booleans(), min_size=len(CheckKind), max_size=len(CheckKind)),
    st.integers(1, 5),
)
def test_clear_if_and_only_if_every_required_check_passed_and_none_failed(statuses, mendable, attempt):
    results = [
        CheckResult(kind, status, advice=AGAIN if again else ())
        for kind, status, again in zip(CheckKind, statuses, mendable, strict=True)
    ]
    decision = decide(POLICY, Traveler("north", "ENTRY", "P", attempt, age=ADULT), results)
    by_kind = {result.kind: result.status for result in results}
    all_passed = all(by_kind[kind] is Status.PASSED for kind in decision.required)
    assert (decision.outcome is Outcome.CLEAR) == (all_passed and Status.FAILED not in statuses)
    assert bool(decision.reasons) == (decision.outcome is not Outcome.CLEAR)
    assert decision.outcome is not Outcome.RETAKE or attempt < POLICY.max_attempts


def required(policy, traveler):
    return tuple(dict.fromkeys(kind for rule in policy.rules_for(traveler) for kind in rule.required))


def test_the_first_rule_that_fits_decides_what_is_required():
    policy = Policy.model_validate(
        {
            "name": "t",
            "max_attempts": 1,
            "face_match_fmr": 0.001,
            "travel_documents": ["P", "V"],
            "rules": [
                {"required": ["LIVENESS"], "crossings": ["north"], "directions": ["EXIT"]},
                {"required": ["FACE_MATCH"], "document_codes": ["V"]},
                {"required": ["DOCUMENT_OPTICAL"]},
            ],
        }
    )
    expected = {
        ("north", "EXIT", "V"): CheckKind.LIVENESS,
        ("north", "ENTRY", "V"): CheckKind.FACE_MATCH,
        ("south", "EXIT", "P"): CheckKind.DOCUMENT_OPTICAL,
        ("north", "ENTRY", "P"): CheckKind.DOCUMENT_OPTICAL,
    }
    for (crossing, direction, code), kind in expected.items():
        assert required(policy, Traveler(crossing, direction, code, 1)) == (kind,)
    # Unread, the document could be of any code: all rules that it could fall under are in force.
    both = (CheckKind.FACE_MATCH, CheckKind.DOCUMENT_OPTICAL)
    assert required(policy, Traveler("north", "ENTRY", "", 1)) == both
    assert required(policy, Traveler("north", "EXIT", "", 1)) == (CheckKind.LIVENESS,)


WITH_CHIP = Traveler("north", "ENTRY", "P", attempt=1, has_chip=True, age=ADULT)
TOLERANT = POLICY.model_copy(update={"tolerated": frozenset({"COULD_BE_A_CLONE"})})


def combined(status, *reasons, merely_unsure=True):
    result = CheckResult(CheckKind.DOCUMENT_COMBINED, status, reasons, merely_unsure=merely_unsure)
    return tuple(result if check.kind is result.kind else check for check in checks())


def test_a_chip_that_was_sent_must_be_good_and_none_is_asked_of_a_document_without():
    unsure = combined(Status.UNDETERMINED, "TRUST_ANCHOR_UNKNOWN")
    decision = decide(POLICY, WITH_CHIP, unsure)
    assert (decision.outcome, decision.reasons) == (Outcome.REFER, ("TRUST_ANCHOR_UNKNOWN",))
    assert decide(POLICY, TRAVELER, unsure).outcome is Outcome.CLEAR
    assert decide(POLICY, WITH_CHIP, combined(Status.PASSED)).outcome is Outcome.CLEAR


@pytest.mark.parametrize(
    ("status", "reasons", "outcome"),
    [
        (Status.UNDETERMINED, ["COULD_BE_A_CLONE"], Outcome.CLEAR),
        (Status.UNDETERMINED, ["COULD_BE_A_CLONE", "TRUST_ANCHOR_UNKNOWN"], Outcome.REFER),
        (Status.UNDETERMINED, [], Outcome.REFER),
        (Status.NOT_PERFORMED, ["COULD_BE_A_CLONE"], Outcome.REFER),
        (Status.FAILED, ["COULD_BE_A_CLONE"], Outcome.REFER),
    ],
)
def test_tolerated_is_only_an_unclear_result_for_no_other_reason(status, reasons, outcome):
    decision = decide(TOLERANT, WITH_CHIP, combined(status, *reasons))
    assert decision.outcome is outcome
    assert decision.tolerated == (("COULD_BE_A_CLONE",) if outcome is Outcome.CLEAR else ())


def test_what_rests_on_something_that_was_not_made_is_not_tolerated():
    unmade = combined(Status.UNDETERMINED, "COULD_BE_A_CLONE", merely_unsure=False)
    assert decide(TOLERANT, WITH_CHIP, unmade).outcome is Outcome.REFER


def test_the_policy_that_comes_with_borderpost_tolerates_nothing():
    assert not POLICY.tolerated


def test_the_policy_that_comes_with_borderpost_clears_in_spite_of_suppressed_candidates():
    assert POLICY.refer_suppressed is False


def test_lists_may_be_five_minutes_old_where_a_policy_does_not_say():
    of_before = POLICY.model_dump(exclude={"max_watchlist_age_seconds"})
    assert POLICY.max_watchlist_age_seconds == 300
    assert Policy.model_validate(of_before).max_watchlist_age_seconds == 300


@pytest.mark.parametrize("code", ["V", "VA", "XX", "<"])
def test_what_is_no_travel_document_refers_even_if_everything_passed(code):
    decision = decide(POLICY, Traveler("north", "ENTRY", code, 1, age=ADULT), checks())
    assert (decision.outcome, decision.reasons) == (Outcome.REFER, (NOT_A_TRAVEL_DOCUMENT,))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("max_attempts = 3", "max_attempts = 0"), "max_attempts"),
        (("face_match_fmr = 0.001", "face_match_fmr = 0.5"), "face_match_fmr"),
        (("age_seconds = 300", "age_seconds = 0"), "max_watchlist_age_seconds"),
        (("age_seconds = 300", "age_seconds = inf"), "max_watchlist_age_seconds"),
        (('    "FACE_MATCH",', '    "FACE_MACH",'), "required"),
        (("[[rules]]", '[[rules]]\ncrossings = ["north"]'), "last rule"),
        (("[[rules]]", "[[rules]]\nnationalities = ['UTO']"), "nationalities"),
        (('name = "default-5"', "name = "), "not TOML"),
    ],
)
def test_a_wrong_policy_is_refused_and_says_where(tmp_path, change, says):
    text = BUILT_IN.read_text(encoding="utf-8").replace(*change)
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError, match=says):
        load_policy(path)


def test_a_policy_is_named_by_its_content(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_bytes(BUILT_IN.read_bytes() + b"\n# a comment\n")
    ours, other = load_policy(None).version, load_policy(path).version
    assert ours != other
    assert {version.partition("@")[0] for version in (ours, other)} == {"default-5"}


def test_reasons_come_weightiest_first_whatever_the_order_of_the_checks():
    results = checks(
        DOCUMENT_OPTICAL=(Status.FAILED,), FACE_MATCH=(Status.FAILED,), WATCHLIST_NAME=(Status.FAILED,)
    )
    wanted = ("WATCHLIST_NAME_REASON", "FACE_MATCH_REASON", "DOCUMENT_OPTICAL_REASON")
    for order in itertools.islice(itertools.permutations(results), 0, 40_000, 5_000):
        assert decide(POLICY, TRAVELER, order).reasons == wanted
