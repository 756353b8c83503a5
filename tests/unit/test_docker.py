"""What docker/ says, held against the settings and the lock: no engine is needed, and none runs in the tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from borderpost.faces.adapters.weights import weights_folder
from borderpost.runtime.settings import ENV_PREFIX, SERVICES, ServiceName, Settings, load_settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
HEAVY = {"dlib-bin", "onnx", "onnxruntime", "faiss-cpu", "opencv-python-headless", "rapidocr"}
PINS = re.compile(r"^([a-z0-9-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def _stage(target: str) -> str:
    """Return what the Dockerfile says from one target to the next."""
    found = re.search(rf"^FROM \S+ AS {target}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert found, f"no target {target}"
    return found[1]


def _pins(file: Path) -> dict[tuple[str, str], frozenset[str]]:
    # Annotations ("# via ...") stand between pins and say nothing of them.
    text = "".join(
        line for line in file.read_text().splitlines(keepends=True) if not line.lstrip().startswith("#")
    )
    pins = {
        (name, pin): frozenset(re.findall(r"[0-9a-f]{64}", hashes))
        for name, pin, hashes in PINS.findall(text)
    }
    assert len(pins) == len(re.findall("==", text)), "every line was understood"
    return pins


def _settings(service: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for variable in list(os.environ):
        if variable.startswith(ENV_PREFIX):
            monkeypatch.delenv(variable)
    for variable, value in COMPOSE["services"][service]["environment"].items():
        if variable.startswith(ENV_PREFIX):
            monkeypatch.setenv(variable, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value))
    return load_settings()


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_of_compose_gets_only_settings_that_exist_and_listens_where_the_others_call(
    service: ServiceName, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings(service, monkeypatch)
    for name in SERVICES:
        section = settings.service(name)
        host, port = section.address.split(":")
        assert host == name, "the others find it by its name in the network"
        assert section.listen == f"0.0.0.0:{port}"
    assert settings.mode == "production"
    own_port = settings.service(service).address.rpartition(":")[2]
    assert re.findall(r"^EXPOSE (\d+)$", _stage(service), re.MULTILINE) == [own_port]


@pytest.mark.parametrize("service", [*SERVICES, "console", "certificates"])
def test_each_service_of_compose_is_built_from_a_target_and_confined(service: str) -> None:
    it = COMPOSE["services"][service]
    assert it["build"]["target"] == service
    assert _stage(service)
    assert it["user"] == "10001:10001"
    assert it["read_only"] is True
    assert it["cap_drop"] == ["ALL"]
    assert it["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in it
    assert "cap_add" not in it


def test_compose_has_the_six_services_and_only_gateway_and_console_are_reached_from_outside() -> None:
    services = COMPOSE["services"]
    assert set(services) == {*SERVICES, "console", "certificates"}
    published = {name: it["ports"] for name, it in services.items() if "ports" in it}
    assert published == {
        "gateway": ["${GATEWAY_PUBLISH:-127.0.0.1:7400}:7400"],
        "console": ["${CONSOLE_PUBLISH:-127.0.0.1:7490}:7490"],
    }


def test_the_console_listens_where_it_is_published_and_wants_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings("console", monkeypatch)
    assert (settings.mode, settings.console.listen) == ("production", "0.0.0.0:7490")
    assert settings.console.url.startswith("https://")
    assert re.findall(r"^EXPOSE (\d+)$", _stage("console"), re.MULTILINE) == ["7490"]


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_sees_its_own_certificate_only_and_can_renew_it_but_for_the_authority(
    service: ServiceName, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes = COMPOSE["services"][service]["volumes"]
    folder = _settings(service, monkeypatch).certificates
    settings = _settings(service, monkeypatch)
    mode = ":ro" if service == "authority" else ""
    assert [volume for volume in volumes if volume.startswith("tls-")] == [f"tls-{service}:{folder}{mode}"]
    kept_in = str(settings.revocations.parent)
    assert [volume for volume in volumes if volume.split(":")[1:] == [kept_in]]


def test_every_volume_and_network_that_is_used_is_declared_and_the_other_way_round() -> None:
    services = COMPOSE["services"].values()
    used = {volume.split(":")[0] for it in services for volume in it.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])
    assert {network for it in services for network in it.get("networks", [])} == set(COMPOSE["networks"])


def test_what_is_kept_is_kept_on_volumes_and_the_keys_apart_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = _settings("decisions", monkeypatch)
    for service in ("decisions", "watchlist", "documents"):
        assert f"{service}:{settings.state_dir}" in COMPOSE["services"][service]["volumes"]
    key_dir = settings.decisions.key_dir
    assert key_dir is not None
    assert not key_dir.is_relative_to(settings.state_dir)
    assert f"keys:{key_dir}" in COMPOSE["services"]["decisions"]["volumes"]
    watchlist_keys = _settings("watchlist", monkeypatch).watchlist.key_dir
    assert watchlist_keys is not None
    assert not watchlist_keys.is_relative_to(settings.state_dir)
    assert f"watchlist-keys:{watchlist_keys}" in COMPOSE["services"]["watchlist"]["volumes"]


def test_the_gateway_waits_for_every_other_service_to_be_healthy() -> None:
    waits = COMPOSE["services"]["gateway"]["depends_on"]
    healthy = {name for name, wait in waits.items() if wait["condition"] == "service_healthy"}
    assert healthy == set(SERVICES) - {"gateway"}


@pytest.mark.parametrize("service", SERVICES)
def test_each_image_runs_and_probes_its_own_service_and_holds_no_other(service: ServiceName) -> None:
    stage = _stage(service)
    assert f'ENTRYPOINT ["python", "-m", "borderpost.{service}"]' in stage
    assert f'CMD ["python", "-m", "borderpost.runtime.probe", "{service}"]' in stage
    own = {"decisions": [service, "proofs"], "gateway": [service, "policy"]}.get(service, [service])
    assert re.findall(r"/project/borderpost/(\w+)/", stage) == own
    assert re.findall(r"--from=libraries-(\w+)", stage) == [service]
    assert f"--require-hashes --requirement locks/{service}.lock" in _stage(f"libraries-{service}")


def test_the_faces_image_gets_its_weights_where_the_service_looks_for_them() -> None:
    # Debian's Python image has its prefix there; `weights_folder` stands on sys.prefix.
    folder = f"/usr/local/{weights_folder().relative_to(sys.prefix)}/"
    assert f"COPY --from=weights {folder} {folder}\n" in _stage("faces")
    assert "fetch_weights --npm-lock requirements-npm.lock" in _stage("weights")


def test_no_image_runs_as_root_and_all_stop_by_sigterm() -> None:
    base = _stage("base")
    assert re.findall(r"^USER (.*)$", base, re.MULTILINE) == ["10001:10001"]
    assert re.findall(r"^USER (.*)$", _stage("certificates"), re.MULTILINE)[-1] == "10001:10001"
    assert "STOPSIGNAL SIGTERM" in base
    assert "BORDERPOST_MODE=production" in base, "certificates are never made in a service's image"


@pytest.mark.parametrize("service", SERVICES)
def test_each_images_libraries_are_a_part_of_the_one_lock(service: ServiceName) -> None:
    part, whole = _pins(ROOT / "docker" / "locks" / f"{service}.lock"), _pins(ROOT / "requirements.lock")
    assert len(part) >= 15
    assert [pin for pin, hashes in part.items() if whole.get(pin) != hashes] == []


@pytest.mark.parametrize(
    ("service", "heavy"),
    [
        ("gateway", set()),
        ("decisions", set()),
        ("authority", set()),
        ("watchlist", {"faiss-cpu"}),
        ("faces", {"dlib-bin", "onnx", "onnxruntime"}),
        ("documents", {"dlib-bin", "rapidocr", "onnxruntime", "opencv-python-headless"}),
    ],
)
def test_each_image_holds_only_the_heavy_libraries_that_its_service_needs(
    service: ServiceName, heavy: set[str]
) -> None:
    names = {name for name, _ in _pins(ROOT / "docker" / "locks" / f"{service}.lock")}
    assert names & HEAVY == heavy
    assert not names & {"pytest", "mypy", "ruff", "face-recognition", "rich", "typer"}


@pytest.mark.parametrize("service", SERVICES)
def test_every_room_that_a_service_imports_is_in_its_image(service: ServiceName) -> None:
    script = (
        f"import sys, borderpost.{service}.__main__;"
        "print(*{name.split('.')[1] for name in sys.modules if name.startswith('borderpost.')})"
    )
    imported = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    copied = set(re.findall(r"/project/borderpost/(\w+)/", _stage("base") + _stage(service)))
    assert set(imported.split()) <= copied
