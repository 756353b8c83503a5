"""The whole system as real processes over real sockets, once for all end-to-end tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from borderpost.cli.demo import make_watchlist
from borderpost.cli.stack import Stack, private_settings
from borderpost.kiosk.client import Kiosk
from borderpost.runtime.channels import RECONNECT_MS
from borderpost.runtime.settings import ServiceName, Settings
from borderpost.specimens import Sex
from borderpost.specimens.pages import Specimen, render
from borderpost.specimens.samples import Samples, load_samples
from fakes.requests import PARTNER

SAMPLES = Path(__file__).parents[2] / ".cache/samples"


@dataclass
class Travelers:
    """Holders A and B with their pages and live pictures."""

    samples: Samples

    @cached_property
    def specimen(self) -> Specimen:
        expiry = date(datetime.now(UTC).year + 5, 6, 30)
        return Specimen(
            "Canaryname", "Anna", "U1CANARY1", date(1981, 8, 4), Sex.FEMALE, expiry, self.samples.a_portrait
        )

    @cached_property
    def page_a(self) -> bytes:
        return render(self.specimen)

    @cached_property
    def page_b(self) -> bytes:
        return render(
            replace(
                self.specimen,
                given_names="Bert",
                document_number="U2CANARY2",
                portrait=self.samples.b_portrait,
            )
        )

    @cached_property
    def page_wrong(self) -> bytes:
        return render(replace(self.specimen, wrong_digits=("document_number",)))


@pytest.fixture(scope="session")
def travelers() -> Travelers:
    if not (SAMPLES / "obama.jpg").exists():
        pytest.skip("the sample pictures are not here: `make samples` fetches them")
    return Travelers(load_samples(SAMPLES))


def with_partner(settings: Settings) -> Settings:
    """Settings with a partner for bundles, whom nobody is."""
    key = Ed25519PrivateKey.generate().public_key()
    pem = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
    recipient = pyrage.x25519.Identity.generate().to_public()
    file = settings.state_dir / "partners.toml"
    file.write_text(
        f'[[partner]]\nname = "{PARTNER}"\nrecipient = "{recipient}"\nverify_key = """\n{pem}"""\n', "utf-8"
    )
    # Tests make more lists than anybody else would.
    watchlist = settings.watchlist.model_copy(update={"partners": file, "most_lists": 1000})
    return settings.model_copy(update={"watchlist": watchlist})


@pytest.fixture(scope="session")
def partnered() -> Callable[[Settings], Settings]:
    """For tests with a stack of their own."""
    return with_partner


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Five services. A test that kills one starts it again."""
    settings = with_partner(private_settings(tmp_path_factory.mktemp("stack"), Settings()))
    with Stack(settings) as running:
        make_watchlist(running.settings, "Empty")
        yield running


@pytest.fixture
def kiosk(stack: Stack) -> Iterator[Kiosk]:
    with Kiosk(stack.settings, "kiosk/north/1") as client:
        yield client


@pytest.fixture
def away(stack: Stack) -> Callable[[ServiceName], AbstractContextManager[None]]:
    """Be without a service for a while: `with away("faces"):`. Afterwards the gateway has found it again."""

    @contextmanager
    def without(service: ServiceName) -> Iterator[None]:
        stack.kill(service)
        try:
            yield
        finally:
            stack.restart(service)
            time.sleep(2 * RECONNECT_MS / 1000)

    return without
