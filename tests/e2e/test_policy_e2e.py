"""A candidate policy, tried on what the running services have recorded."""

from __future__ import annotations

from borderpost.cli.stack import environment
from borderpost.kiosk import Captured, Visit
from borderpost.policy.model import BUILT_IN
from fakes.command import run


def test_the_policy_in_force_changes_nothing_and_a_stricter_one_what_it_should(
    stack, kiosk, travelers, tmp_path
):
    kiosk.screen(Visit(), Captured(travelers.page_a, (travelers.samples.a_live,)))
    stricter = tmp_path / "stricter.toml"
    text = BUILT_IN.read_text("utf-8").replace('    "FACE_MATCH",', '    "FACE_MATCH",\n    "LIVENESS",')
    stricter.write_text(text, "utf-8")

    def simulated(policy):
        arguments = ("--purpose", "change 12", "--most", "200", "--json")
        return run(environment(stack.settings), "policy", "simulate", str(policy), *arguments).json

    same, changed = simulated(BUILT_IN), simulated(stricter)
    assert same["screenings"] > 0
    assert (same["changed"], same["fields_not_simulated"]) == (0, {})
    assert changed["changed"] > 0
    ways = {(one["before"], one["after"]) for one in changed["outcomes"] if one["before"] != one["after"]}
    assert ("CLEAR", "REFER") in ways
    assert "CLEAR" not in {after for _, after in ways}
    assert "LIVENESS_NOT_PERFORMED" in changed["reasons"]


def test_which_policy_is_in_force_is_told_and_one_that_is_none_is_not_proposed(stack, tmp_path):
    told = run(environment(stack.settings), "policy", "status", "--json").json
    assert told["policy"].startswith("default-5@")
    assert told["policy_by_people"]
    (tmp_path / "none.toml").write_text("name = ")
    refused = run(
        environment(stack.settings),
        "policy",
        "propose",
        str(tmp_path / "none.toml"),
        "--purpose",
        "x",
        "--json",
    )
    assert refused.status == 1
    assert '"POLICY"' in refused.err
