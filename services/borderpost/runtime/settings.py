"""Settings: defaults, over them one TOML file, over that the environment. A wrong one is refused at start.

`borderpost settings` prints them all with their meaning; docs/settings.md is its output. In the
environment a setting is `BORDERPOST_` and its path in upper case, parts joined by two underscores:
`gateway.listen` is `BORDERPOST_GATEWAY__LISTEN`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as UnreadableVariableError

from borderpost.runtime.errors import BorderpostError

ENV_PREFIX: Final = "BORDERPOST_"
CONFIG_VARIABLE: Final = "BORDERPOST_CONFIG"
"""Names the TOML file."""

NOT_SETTINGS: Final = frozenset({CONFIG_VARIABLE, "BORDERPOST_DATA"})
"""Variables with the prefix that mean something else: the file, and the evaluation data for the tests."""

ServiceName = Literal["gateway", "documents", "faces", "watchlist", "decisions", "authority"]
SERVICES: Final[tuple[ServiceName, ...]] = (
    "decisions",
    "authority",
    "watchlist",
    "faces",
    "documents",
    "gateway",
)
"""Every service, in the order in which they are started: the log first, the way in last."""


def _port_exists(address: str) -> str:
    # gRPC takes a larger number without a word, and listens on what is left of it after 65536.
    if not 1 <= int(address.rpartition(":")[2]) <= 65535:
        raise ValueError("a port from 1 to 65535")
    return address


def _safe_origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost"):
        raise ValueError("https, or http on this machine: 127.0.0.1")
    return url


Address = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9.\-]+:[0-9]{1,5}$"), AfterValidator(_port_exists)
]


def _metrics(port: int) -> Any:
    return Field(
        default=f"127.0.0.1:{port}",
        description="Where it shows its numbers to Prometheus, by HTTP: host:port, or off. For operators alone: keep "
        "it on this machine, or in a network of theirs.",
    )


EngineName = Literal["mobilefacenet", "dlib", "onnx"]
"""The face engines; docs/faces.md has their cards."""


class SettingsError(BorderpostError):
    """A setting is wrong. The message names every wrong one: where it is from, what was got, what was wanted."""

    reason = "SETTINGS"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServiceSettings(_Section):
    """What every service has."""

    address: Address = Field(description="Where the others reach it: host:port.")
    listen: Address | None = Field(
        default=None,
        description="Where it listens, if that is not its address (0.0.0.0:7400 in a container).",
    )
    threads: int = Field(default=2, ge=1, le=64, description="Worker threads. One per core is enough.")
    queue: int = Field(
        default=64,
        ge=1,
        le=10_000,
        description="Calls that may wait for a thread; more are RESOURCE_EXHAUSTED.",
    )
    metrics: Address | Literal["off"] = Field(
        default="off",
        description="Where it shows its numbers to Prometheus, by HTTP: host:port, or off. For operators alone: keep "
        "it on this machine, or in a network of theirs.",
    )


class DocumentsSettings(ServiceSettings):
    """The documents service."""

    address: Address = Field(default="127.0.0.1:7401", description="Where the others reach it: host:port.")
    metrics: Address | Literal["off"] = _metrics(9401)
    challenge_key: Path | None = Field(
        default=None,
        description="The key that challenges for chips are signed with (Ed25519, PEM). Several documents services of "
        "one installation share it. Default: documents-challenge.key beside the certificates; made on first use in "
        "development.",
    )


class FacesSettings(ServiceSettings):
    """The faces service."""

    address: Address = Field(default="127.0.0.1:7402", description="Where the others reach it: host:port.")
    metrics: Address | Literal["off"] = _metrics(9402)
    engine: EngineName = Field(
        default="mobilefacenet",
        description="The face engine: mobilefacenet (lower error at FMR 1e-3 and below), dlib (public domain), "
        "onnx (a model of your own).",
    )
    card: Path | None = Field(
        default=None, description="The card file of a model of your own (TOML), for the engine onnx."
    )
    capture_key: Path | None = Field(
        default=None,
        description="The key that capture tokens are signed with (Ed25519, PEM). Several faces services of one "
        "installation share it. Default: faces-capture.key beside the certificates; made on first use in development.",
    )
    captures: int = Field(
        default=8, ge=1, le=1000, description="Guided captures open at once; more are RESOURCE_EXHAUSTED."
    )
    liveness_card: Path | None = Field(
        default=None,
        description="The card file of a passive liveness model (TOML, docs/faces.md). Default: none is used.",
    )


class WatchlistSettings(ServiceSettings):
    """The watchlist service."""

    address: Address = Field(default="127.0.0.1:7403", description="Where the others reach it: host:port.")
    metrics: Address | Literal["off"] = _metrics(9403)
    database: str | None = Field(
        default=None,
        min_length=1,
        description="The PostgreSQL database that holds lists and entries (postgresql://… or libpq's key=value form; "
        "the password is better in a file that PGPASSFILE names). Several watchlist services share it. Default: a "
        "SQLite file in state_dir, for one service alone.",
    )
    key_dir: Path | None = Field(
        default=None,
        description="Where the keys of the entries are kept. Default: keys/watchlist/ in state_dir. Keep it out of the "
        "database's backups: a backup without it opens nothing.",
    )
    key_database: str | None = Field(
        default=None,
        min_length=1,
        description="The PostgreSQL database that holds the keys of the entries in place of key_dir, which several "
        "services can't share. Never the one that holds the entries, nor in its backups.",
    )
    partners: Path | None = Field(
        default=None,
        description="The agencies that bundles are exchanged with, a TOML file (docs/exchange.md). Default: none.",
    )
    bundle_identity: Path | None = Field(
        default=None,
        description="The age identity that bundles from partners are opened with. Default: watchlist-age.key beside "
        "the certificates; made on first use in development.",
    )
    bundle_key: Path | None = Field(
        default=None,
        description="The key that bundles for partners are signed with (Ed25519, PEM). Default: watchlist-bundle.key "
        "beside the certificates; made on first use in development.",
    )
    most_lists: int = Field(
        default=200,
        ge=1,
        le=1000,
        description="How many lists there may be: the record of every screening names all that were searched.",
    )
    fast_scan_from: int = Field(
        default=1_000_000,
        ge=0,
        description="From this many templates on, a list is searched by a fast first pass whose candidates are scored "
        "exactly; below it every template is. 0: never.",
    )

    @model_validator(mode="after")
    def _keys_are_apart(self) -> WatchlistSettings:
        if self.key_database is not None and self.key_database == self.database:
            raise ValueError("key_database another database than database: backups would hold both")
        return self


class DecisionsSettings(ServiceSettings):
    """The decisions service."""

    address: Address = Field(default="127.0.0.1:7404", description="Where the others reach it: host:port.")
    metrics: Address | Literal["off"] = _metrics(9404)
    database: str | None = Field(
        default=None,
        min_length=1,
        description="The PostgreSQL database (15 or later) that holds the log (postgresql://… or libpq's key=value "
        "form; the password is better in a file that PGPASSFILE names). Default: a SQLite file in state_dir.",
    )
    key_dir: Path | None = Field(
        default=None,
        description="Where the keys of the payloads are kept. Default: keys/ in state_dir. Keep it out of the "
        "log's backups: a backup without it opens nothing.",
    )
    key_database: str | None = Field(
        default=None,
        min_length=1,
        description="The PostgreSQL database that holds the keys of the payloads in place of key_dir. Never the one "
        "that holds the log, nor in its backups.",
    )
    log_key: Path | None = Field(
        default=None,
        description="The key that checkpoints and receipts are signed with (Ed25519, PEM). Default: decisions-log.key "
        "beside the certificates; made on first use in development.",
    )
    next_log_key: Path | None = Field(
        default=None,
        description="The key that follows log_key: while both are set, checkpoints are signed with both "
        "(docs/decisions.md, rotation). Default: none.",
    )
    log_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9./_\-]{1,100}$")] | None = Field(
        default=None,
        description="The log's name in checkpoints (their origin line); never changed. "
        "Default: TRUST_DOMAIN/decisions.",
    )
    checkpoint_seconds: float = Field(
        default=60.0,
        ge=1,
        le=86_400,
        description="At the latest after this time a log that has grown gets a checkpoint.",
    )
    retention: Path | None = Field(
        default=None,
        description="How long data is kept, a TOML file (docs/retention.md). Default: the rules that come with it.",
    )
    lease_seconds: float = Field(
        default=600.0,
        ge=30,
        le=86_400,
        description="How long an officer holds a case without claiming it again.",
    )
    writers: int = Field(
        default=64,
        ge=1,
        le=256,
        description="Appends at the same time; they share their syncs to the disk.",
    )

    @model_validator(mode="after")
    def _keys_are_apart(self) -> DecisionsSettings:
        if self.key_database is not None and self.key_database == self.database:
            raise ValueError("key_database another database than database: backups would hold both")
        return self


class AuthoritySettings(ServiceSettings):
    """The authority."""

    address: Address = Field(default="127.0.0.1:7405", description="Where the others reach it: host:port.")
    metrics: Address | Literal["off"] = _metrics(9405)
    enrol_address: Address = Field(
        default="127.0.0.1:7406",
        description="Where kiosks without a certificate reach it, with the secret of an invitation: host:port.",
    )
    enrol_listen: Address | None = Field(
        default=None, description="Where it listens for them, if that is not its address."
    )
    key: Path | None = Field(
        default=None,
        description="The key that certificates are signed with (ECDSA, PEM). Default: ca.key beside the certificates; "
        "made on first use in development.",
    )
    certificate_hours: float = Field(
        default=24.0, gt=0, le=8784, description="How long certificates hold that it issues."
    )
    invitation_hours: float = Field(
        default=24.0, gt=0, le=720, description="How long an invitation holds that wasn't used."
    )


class GatewaySettings(ServiceSettings):
    """The gateway."""

    address: Address = Field(default="127.0.0.1:7400", description="Where the kiosks reach it: host:port.")
    metrics: Address | Literal["off"] = _metrics(9400)
    policy: Path | None = Field(
        default=None, description="The policy, a TOML file. Default: the one that comes with it."
    )
    screening_seconds: float = Field(
        default=10.0,
        gt=0.5,
        le=60,
        description="Longest time for a screening, if the kiosk's own deadline isn't shorter.",
    )
    screenings: int = Field(
        default=16,
        ge=1,
        le=1000,
        description="Screenings at once, at most. The gateway finds out by itself how many of them end in good time, "
        "and lets no more in.",
    )
    waiting: int = Field(
        default=32,
        ge=0,
        le=10_000,
        description="Screenings that may wait a moment to be let in; more are RESOURCE_EXHAUSTED, with the time after "
        "which to try again.",
    )
    commit_seconds: float = Field(
        default=1.0,
        gt=0.05,
        le=10,
        description="Part of a screening's time that is kept for writing the decision down.",
    )

    spool_keys: Path | None = Field(
        default=None,
        description="The keys that kiosks without a connection encrypt their captures to (X25519, PEM, several in one "
        "file; the last one is given out). Several gateways of one installation share it. Default: gateway-spool.key "
        "beside the certificates; made on first use in development.",
    )

    @model_validator(mode="after")
    def _leaves_time_to_look(self) -> GatewaySettings:
        if self.commit_seconds > self.screening_seconds / 2:
            raise ValueError("commit_seconds at most half of screening_seconds, or no time is left to look")
        return self


class ConsoleSettings(_Section):
    """The web pages of officers, auditors and administrators."""

    url: Annotated[
        str,
        StringConstraints(pattern=r"^https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?$"),
        AfterValidator(_safe_origin),
    ] = Field(
        default="http://127.0.0.1:7490",
        description="Where browsers reach it. https, but on this machine alone.",
    )
    listen: Address = Field(default="127.0.0.1:7490", description="Where it listens: host:port.")
    certificate: Path | None = Field(
        default=None,
        description="Its certificate for browsers (PEM, with those between it and the authority). Default: none; TLS "
        "then ends before it, on the same machine.",
    )
    key: Path | None = Field(default=None, description="That certificate's key (PEM).")
    client_id: str = Field(
        default="borderpost",
        min_length=1,
        description="Its name at the identity provider (OAuth 2.0 client_id).",
    )
    client_secret: Path | None = Field(
        default=None,
        description="The file with its secret there. Default: none; it is then a public client, with PKCE alone.",
    )
    token: Literal["access_token", "id_token"] = Field(
        default="access_token",
        description="Which of the provider's tokens the services get: the one that is made for people.audience.",
    )
    scope: str = Field(
        default="openid",
        pattern=r"^openid( [!#-\[\]-~]+)*$",
        description="What it asks the provider for (OAuth 2.0 scope). Some give tokens that can be renewed only if "
        "offline_access is among it.",
    )
    idle_seconds: float = Field(
        default=900.0, ge=60, le=43_200, description="A session without a request ends after this time."
    )
    fresh_seconds: float = Field(
        default=3600.0,
        ge=60,
        le=43_200,
        description="Findings, exports, approvals and erasures need a login not older than this.",
    )

    @model_validator(mode="after")
    def _certificate_and_key(self) -> ConsoleSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key both, or neither")
        return self


class TracingSettings(_Section):
    """Traces."""

    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.\-]+:[0-9]{1,5}$")] | None = (
        Field(
            default=None,
            description="The collector that spans are sent to (OTLP over gRPC): https://host:port, or http:// on this "
            "machine or in a network of the operators. Default: none, and nothing is sent.",
        )
    )
    ca: Path | None = Field(
        default=None,
        description="The certificates of the authorities that a collector with https is known by (PEM). Default: the "
        "system's.",
    )
    ratio: float = Field(
        default=0.1, ge=0, le=1, description="The share of calls that is traced, drawn by the gateway."
    )


DEVELOPMENT_ISSUER: Final = "https://login.borderpost.invalid"
"""The issuer of the development login's tokens: a name that can never be anybody's (RFC 2606)."""


class PeopleSettings(_Section):
    """Who vouches for people."""

    issuer: str | None = Field(
        default=None,
        pattern=r"^https://[^\s]{1,190}$",
        description="The identity provider (OpenID Connect), as its tokens name it. Default: in development the "
        "development login; in production nobody gets in without one.",
    )
    audience: str = Field(default="borderpost", min_length=1, description="Whom its tokens are made for.")
    keys: Path | None = Field(
        default=None,
        description="The provider's public keys, a file (JWK Set). Default: they are fetched from the provider "
        "(OpenID Connect Discovery).",
    )
    roles_claim: str = Field(
        default="roles", min_length=1, description="The claim that lists a person's roles."
    )
    scopes_claim: str = Field(
        default="borderpost_scopes",
        min_length=1,
        description="The claim that lists what the roles are limited to: crossing:NAME, list:ID.",
    )
    most_age_seconds: float = Field(
        default=43_200.0,
        gt=0,
        le=604_800,
        description="A login is good for this long, whatever its token says.",
    )
    token: Path | None = Field(
        default=None,
        description="For the command: the file with the token of the person who uses it. Default: in development a "
        "development login for each command.",
    )


class Settings(BaseSettings):
    """All settings of one installation; every service reads the same file."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    mode: Literal["development", "production"] = Field(
        default="development",
        description="In development certificates and their authority are made on first use; in production never.",
    )
    state_dir: Path = Field(
        default_factory=lambda: (
            Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "borderpost"
        ),
        description="Where databases, logs and development certificates are kept. Default: ~/.local/state/borderpost.",
    )
    tls_dir: Path | None = Field(
        default=None,
        description="Where the certificates are: ca.pem, NAME.pem, NAME.key. Default: tls/ in state_dir.",
    )
    trust_domain: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.\-]+$")] = Field(
        default="borderpost.local", description="The trust domain in the names of the certificates (SPIFFE)."
    )
    revocations: Path | None = Field(
        default=None,
        description="The list of revoked certificates (X.509 CRL, PEM), read again when it was changed. Default: "
        "crl.pem beside the certificates.",
    )
    follow_authority: bool = Field(
        default=False,
        description="Fetch the list of revoked certificates from the authority every few seconds, and renew the own "
        "certificate there. For services on hosts of their own, where the authority comes with Borderpost.",
    )
    key_encryption_keys: Path | None = Field(
        default=None,
        description="The key-encryption keys, a file (docs/keys.md): the keys of payloads and of watchlist entries "
        "are stored encrypted by the last of them. Default: key-encryption.keys beside the certificates; made on "
        "first use in development.",
    )
    calibrations: Path | None = Field(
        default=None,
        description="A folder of calibrations of your own, MODEL_ID.json each, read by faces and watchlist. They go "
        "before those that ship.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )

    tracing: TracingSettings = TracingSettings()
    people: PeopleSettings = PeopleSettings()
    documents: DocumentsSettings = DocumentsSettings()
    faces: FacesSettings = FacesSettings()
    watchlist: WatchlistSettings = WatchlistSettings()
    decisions: DecisionsSettings = DecisionsSettings()
    authority: AuthoritySettings = AuthoritySettings()
    gateway: GatewaySettings = GatewaySettings()
    console: ConsoleSettings = ConsoleSettings()

    def service(self, name: ServiceName) -> ServiceSettings:
        """Return the section of one service."""
        section: ServiceSettings = getattr(self, name)
        return section

    @model_validator(mode="after")
    def _no_development_login_in_production(self) -> Settings:
        if self.mode == "production" and self.people.issuer == DEVELOPMENT_ISSUER:
            raise ValueError(
                "people.issuer of an identity provider: the development login vouches for nobody"
            )
        return self

    @property
    def certificates(self) -> Path:
        """The folder of the certificates."""
        return self.tls_dir or self.state_dir / "tls"

    @property
    def revocations_file(self) -> Path:
        """The file of the list of revoked certificates."""
        return self.revocations or self.certificates / "crl.pem"

    @property
    def key_encryption_file(self) -> Path:
        """The file of the key-encryption keys."""
        return self.key_encryption_keys or self.certificates / "key-encryption.keys"

    @property
    def capture_key(self) -> Path:
        """The file of the key that capture tokens are signed with."""
        return self.faces.capture_key or self.certificates / "faces-capture.key"

    @property
    def spool_keys(self) -> Path:
        """The file of the keys that kept captures are encrypted to."""
        return self.gateway.spool_keys or self.certificates / "gateway-spool.key"

    @property
    def challenge_key(self) -> Path:
        """The file of the key that challenges for chips are signed with."""
        return self.documents.challenge_key or self.certificates / "documents-challenge.key"

    @property
    def log_key(self) -> Path:
        """The file of the key that checkpoints of the log are signed with."""
        return self.decisions.log_key or self.certificates / "decisions-log.key"

    @property
    def log_name(self) -> str:
        """The log's name in its checkpoints."""
        return self.decisions.log_name or f"{self.trust_domain}/decisions"

    @property
    def decisions_keys(self) -> Path:
        """The folder of the keys of payloads, where no database holds them."""
        return self.decisions.key_dir or self.state_dir / "keys"

    @property
    def watchlist_keys(self) -> Path:
        """The folder of the keys of watchlist entries, where no database holds them."""
        return self.watchlist.key_dir or self.state_dir / "keys" / "watchlist"

    @property
    def bundle_identity(self) -> Path:
        """The file of the age identity that bundles from partners are opened with."""
        return self.watchlist.bundle_identity or self.certificates / "watchlist-age.key"

    @property
    def bundle_key(self) -> Path:
        """The file of the key that bundles for partners are signed with."""
        return self.watchlist.bundle_key or self.certificates / "watchlist-bundle.key"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file, which `load_settings` passes as initial values."""
        return env_settings, init_settings


def load_settings() -> Settings:
    """Read the TOML file that BORDERPOST_CONFIG names, if any, and the environment. Raises SettingsError."""
    path = os.environ.get(CONFIG_VARIABLE)
    from_file = _read_file(Path(path)) if path else {}
    unknown = sorted(_unknown_variables(os.environ))
    if unknown:
        raise SettingsError(
            f"environment: got {', '.join(unknown)}, want the name of a setting (`borderpost settings` lists them)"
        )
    try:
        return Settings(**from_file)
    except ValidationError as error:
        lines = [_explain(detail, from_file) for detail in error.errors()]
        raise SettingsError("\n".join(lines)) from None
    except UnreadableVariableError:
        sections = sorted(variable for variable in os.environ if _names_section(variable))
        raise SettingsError(
            f"environment: got {', '.join(sections)} with no JSON object, want one setting a variable, "
            f"such as {ENV_PREFIX}GATEWAY__ADDRESS"
        ) from None


def describe_settings() -> Iterator[tuple[str, str, str]]:
    """Yield every setting: its path, its default, its meaning."""
    yield from _describe(Settings, "")


def _describe(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from _describe(section, f"{name}.")
        else:
            default = "" if field.default_factory or field.default is None else str(field.default)
            yield f"{prefix}{name}", default, field.description or ""


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{CONFIG_VARIABLE}: can't read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from None


def _unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    for variable in environment:
        if variable.startswith(ENV_PREFIX) and variable not in NOT_SETTINGS:
            top = variable.removeprefix(ENV_PREFIX).split("__")[0].lower()
            if top not in Settings.model_fields:
                yield variable


def _names_section(variable: str) -> bool:
    return variable.startswith(ENV_PREFIX) and variable.removeprefix(ENV_PREFIX).lower() in SERVICES


def _explain(detail: ErrorDetails, from_file: Mapping[str, Any]) -> str:
    path = [str(part) for part in detail["loc"]]
    variable = ENV_PREFIX + "__".join(path).upper()
    source = variable if variable in os.environ or not from_file else f"{os.environ.get(CONFIG_VARIABLE)}"
    if detail["type"] == "extra_forbidden":
        return f"{'.'.join(path)} ({source}): got a setting that doesn't exist (`borderpost settings` lists them)"
    return f"{'.'.join(path)} ({source}): {_got(detail)}want {_wanted(detail)}"


def _got(detail: ErrorDetails) -> str:
    return "" if isinstance(detail["input"], dict | BaseModel) else f"got {detail['input']!r}, "


def _wanted(detail: ErrorDetails) -> str:
    if detail["type"] == "string_pattern_mismatch" and detail["loc"][-1] in ("address", "listen"):
        return "host:port, such as 127.0.0.1:7402"
    return detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
