"""What the docs say is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import grpc
import pytest

from borderpost.cli.reference import pages
from borderpost.documents import domain as documents
from borderpost.faces.domain import CaptureProblem
from borderpost.gateway import assess, combined
from borderpost.policy.domain import CheckKind
from borderpost.runtime import tokens
from borderpost.runtime.reasons import REASONS

ROOT = Path(__file__).parents[2]
NOT_REASONS = {"CLONE_PROTECTION", "PAGE_PORTRAIT_IS_THE_CHIPS", "LIVE_FACE_IS_THE_CHIPS"}
"""Names of checks that a module speaks of."""


@pytest.mark.parametrize("name", pages())
def test_a_reference_page_is_what_the_code_says(name):
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == pages()[name], "run `make docs` and commit"


def test_every_problem_of_a_capture_is_explained():
    assert {problem.value for problem in documents.Problem} <= REASONS.keys()
    assert {problem.value for problem in CaptureProblem} <= REASONS.keys()


def test_every_check_can_be_explained_as_not_checked():
    assert {f"{kind}_NOT_CHECKED" for kind in CheckKind} <= REASONS.keys()


def test_every_reason_that_the_code_gives_is_explained():
    """Codes in quotes, in the modules that give reasons to checks."""
    given = set()
    for module in (assess, combined, documents):
        source = Path(module.__file__).read_text(encoding="utf-8")
        given |= set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', source))
    names = {
        member.name for enum in (documents.Warn, documents.CheckName, documents.Result) for member in enum
    }
    unexplained = given - REASONS.keys() - names - NOT_REASONS
    assert not unexplained


def test_every_reason_with_which_work_on_watchlists_is_refused_is_explained():
    """As the comments of the service's methods name them, after the code of gRPC."""
    source = (ROOT / "protos/borderpost/v1/watchlist.proto").read_text(encoding="utf-8")
    service = source[: source.index("// Why a list exists.")]
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", service)) - {code.name for code in grpc.StatusCode}
    assert len(named) > 20
    assert named - {"INVALID_REQUEST", "PURPOSE_MISSING", "LIST_ID"} <= REASONS.keys()


def test_every_refusal_of_a_challenge_is_explained():
    given = re.findall(r'TokenRefusedError\("([A-Z_]+)"\)', Path(tokens.__file__).read_text(encoding="utf-8"))
    assert len(given) >= 7
    assert {f"CHIP_CHALLENGE_{reason}" for reason in given} <= REASONS.keys()


def test_the_changelog_and_the_package_agree_on_the_version():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"', project, re.MULTILINE)[1]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_link_between_the_pages_leads_somewhere():
    pages_of_the_project = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("docker/*.md")]
    assert len(pages_of_the_project) > 10
    broken = [
        f"{page.relative_to(ROOT)} → {link}"
        for page in pages_of_the_project
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert not broken
