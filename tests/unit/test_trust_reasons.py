"""Every reason for which something isn't trusted is explained, and the docs have them all."""

from __future__ import annotations

import re
from pathlib import Path

from borderpost.documents.pki import errors
from borderpost.documents.pki.signed_data import Fault
from borderpost.documents.trust import anchors, importing, list_signer
from borderpost.runtime.trust_reasons import TRUST_REASONS

ROOT = Path(__file__).parents[2]


def test_every_reason_that_the_code_gives_is_explained():
    given = {fault.value for fault in Fault}
    given |= {error.reason for error in errors.PkiError.__subclasses__()} - {errors.SignedDataError.reason}
    for module in (anchors, importing, list_signer):
        source = Path(module.__file__).read_text(encoding="utf-8")
        given |= set(re.findall(r'"([A-Z]{3,}(?:_[A-Z]+)+|SPECIMEN)"', source))
    assert len(given) > 20
    assert given <= TRUST_REASONS.keys()


def test_the_docs_have_every_reason_with_its_meaning():
    page = (ROOT / "docs/trust.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+) \|$", page, re.MULTILINE))
    assert rows == TRUST_REASONS
