"""`borderpost trust` over a running system: in by the administrator, seen by the others, kept, and in the log."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest

from borderpost.cli.stack import Stack, environment
from fakes.command import Done, run
from fakes.trust import sha256, utopia

FOUND_SECONDS = 10.0


@pytest.fixture
def borderpost(stack: Stack):
    def command(*arguments: str) -> Done:
        return run(environment(stack.settings), *arguments)

    return command


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    made = {"root.cer": utopia().csca.der, "list.ml": utopia().master_list, "pkd.ldif": utopia().ldif}
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    return {name: str(tmp_path / name) for name in made}


def test_trust_comes_in_survives_kill_9_and_is_in_the_log(borderpost, files, stack: Stack):
    csca = sha256(utopia().csca.der)
    refused = borderpost("trust", "import", files["list.ml"], "--json").error
    assert refused["reason"] == "TRUST_FILE_REFUSED"
    assert csca.hex() in refused["message"]
    assert borderpost("trust", "import", files["root.cer"], "--as", "officer/dev").status == 1

    told = borderpost("trust", "import", files["pkd.ldif"], "--issuer", csca.hex(), "--dry-run")
    assert "5 certificates new" in told.out
    done = borderpost(
        "trust", "import", files["root.cer"], files["list.ml"], files["pkd.ldif"], "--json"
    ).json
    assert [each.get("added", 0) for each in done["imports"]] == [1, 4, 0]
    assert done["imports"][2]["revocation_lists_added"] == 2
    version = int(done["imports"][2]["version"])

    stack.kill("documents")
    stack.restart("documents")
    deadline = time.monotonic() + FOUND_SECONDS
    while (listed := borderpost("trust", "list", "--country", "UT", "--json")).status and (
        time.monotonic() < deadline
    ):
        time.sleep(0.2)
    assert int(listed.json["version"]) == version
    assert base64.b64encode(csca).decode() in [each["sha256"] for each in listed.json["certificates"]]
    shown = borderpost("trust", "show", csca.hex()[:12], "--as", "auditor/dev")
    assert csca.hex() in "".join(shown.out.split())

    while time.monotonic() < deadline + FOUND_SECONDS:
        kinds = ("--kind", "trust-store-changed", "--json")
        entries = borderpost("audit", "query", "--purpose", "a test", *kinds).json["entries"]
        if len(entries) >= 3:
            break
        time.sleep(0.2)
    versions = [int(entry["event"]["trust_store_changed"]["version"]) for entry in entries]
    assert versions[:3] == [version, version - 1, version - 2]
    assert borderpost("audit", "verify").status == 0
