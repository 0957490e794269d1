"""The issuer's settings: ``settings.toml`` in its home directory, overridden by ``MEMBERCARD_ISSUER_*`` variables.

``MEMBERCARD_ISSUER_DATABASE_URL`` sets ``database_url``; a setting of a table is reached by two underscores:
``MEMBERCARD_ISSUER_KEYSTORE__PIN_FILE``.
"""

import json
import os
import secrets
import tomllib
from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from issuer.errors import IssuerUnavailableError

__all__ = [
    "SETTINGS_FILE",
    "ExchangeSettings",
    "IssuerSettings",
    "KeystoreSettings",
    "OidcSettings",
    "PeopleSettings",
    "RateSettings",
    "SigningSettings",
    "StationSettings",
    "StatusSettings",
    "load_settings",
    "portable_settings",
    "remember",
]

SETTINGS_FILE = "settings.toml"
"""The name of the settings file within the home directory."""


class KeystoreSettings(BaseModel):
    """Where the personalisation master key lives."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["pkcs11", "file"] | None = None
    pin_file: Path | None = None
    module: Path | None = None
    token_label: str | None = None


class PeopleSettings(BaseModel):
    """Passwords, sessions and failed log-ins; the floors are those below which none of it would protect anybody."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # RFC 9106, 4, second choice; the floor is the least that OWASP's cheat sheet on password storage names.
    argon2_memory_kib: Annotated[int, Field(ge=19_456, le=4_194_304)] = 65_536
    argon2_passes: Annotated[int, Field(ge=2, le=100)] = 3
    argon2_lanes: Annotated[int, Field(ge=1, le=64)] = 4
    argon2_at_once: Annotated[int, Field(ge=1, le=256)] = 4
    session_hours: Annotated[int, Field(ge=1, le=24)] = 12
    session_idle_minutes: Annotated[int, Field(ge=1, le=480)] = 30
    command_line_idle_minutes: Annotated[int, Field(ge=1, le=720)] = 240
    free_attempts_by_account: Annotated[int, Field(ge=1, le=20)] = 5
    free_attempts_by_address: Annotated[int, Field(ge=1, le=1000)] = 50
    longest_delay_minutes: Annotated[int, Field(ge=1, le=1440)] = 15
    command_line_password_steps_up: bool = True
    # Where browsers find the console, as they write it: https://HOST or https://HOST:PORT.
    console_origin: str | None = None
    console_rp_id: str | None = None


class RequestSettings(BaseModel):
    """Who decides on cards, whose hands are kept apart, and which numbers cards keep (docs/requests.md)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    deciding_level: Annotated[int, Field(ge=0, le=15)] = 0
    hands: Literal["every-level", "decision", "four-eyes"] = "every-level"
    exchange_number: Literal["keep", "new"] = "keep"
    re_issue_number: Literal["keep", "new"] = "keep"
    document_signature: Literal["noted", "required"] = "noted"


class ExchangeSettings(BaseModel):
    """How other instances know this one (docs/bundles.md); ``instances request`` sets both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = None
    organisation: str | None = None


class OidcSettings(BaseModel):
    """Another service that says who somebody is (OpenID Connect); none unless all four are set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str | None = None
    client_id: str | None = None
    client_secret_file: Path | None = None
    redirect_uri: str | None = None
    account_claim: Annotated[str, Field(min_length=1, max_length=100)] = "preferred_username"

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        given = (self.issuer, self.client_id, self.client_secret_file, self.redirect_uri)
        if len({each is None for each in given}) > 1:
            raise ValueError(
                "some of issuer, client_id, client_secret_file, redirect_uri are missing"
            )
        return self


class RateSettings(BaseModel):
    """How many requests a minute the API answers, to each network address and to each session, in one process."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_address: Annotated[int, Field(ge=1, le=1_000_000)] = 1200
    per_session: Annotated[int, Field(ge=1, le=1_000_000)] = 600


class ReportSettings(BaseModel):
    """What production is measured against (docs/reports.md)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Until when every member has the new card, as YYYY-MM-DD.
    deadline: date | None = None


class AuditSettings(BaseModel):
    """How often `serve` looks through what came into the audit trail, and who notes its end (docs/audit-trail.md)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Unset, people check.
    check_minutes: Annotated[int, Field(ge=1, le=10_080)] | None = 60
    signer_socket: Path | None = None


class StatusSettings(BaseModel):
    """Who signs status lists, where terminals get them, and for how long each is current."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    signer_socket: Path | None = None
    trust_directory: Path | None = None
    days: Annotated[int, Field(ge=1, le=90)] = 7
    # How old the published list may be before `serve` publishes what changed since; unset, people publish.
    publish_minutes: Annotated[int, Field(ge=1, le=10_080)] | None = None

    @model_validator(mode="after")
    def _publishing_with_signer(self) -> Self:
        if self.publish_minutes is not None and self.signer_socket is None:
            raise ValueError("publish_minutes belongs to signer_socket")
        return self


class SigningSettings(BaseModel):
    """Who signs cards; where nothing is set, whoever signs status lists does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    signer_socket: Path | None = None


class StationSettings(BaseModel):
    """What the station of this home is called, and how it reaches production (docs/stations.md)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=40)] = "local"
    # The database of this home, the centre's HTTPS API, or files that are carried.
    link: Literal["process", "api", "bundle"] = "process"
    api_url: str | None = None
    api_authorities: Path | None = None
    # A station elsewhere works with the sealed keys of its chips alone; a trial without a signer may derive them from
    # master keys of its own.
    own_master_keys: bool = False
    # Where jobs of finished cards go, each sealed to this certificate; both paths are looked for from the home.
    print_folder: Path | None = None
    printer_certificate: Path | None = None

    @model_validator(mode="after")
    def _printer_with_certificate(self) -> Self:
        if (self.print_folder is None) != (self.printer_certificate is None):
            raise ValueError("print_folder and printer_certificate belong together")
        return self

    @model_validator(mode="after")
    def _address_of_api(self) -> Self:
        if (self.link == "api") != (self.api_url is not None):
            raise ValueError("api_url belongs to link api, and only to it")
        return self


class IssuerSettings(BaseSettings):
    """Everything that can be set; unknown names are refused, because a mistyped one would do nothing."""

    model_config = SettingsConfigDict(
        env_prefix="MEMBERCARD_ISSUER_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    database_url: str | None = None
    portraits_directory: Path | None = None
    evidence_directory: Path | None = None
    documents_directory: Path | None = None
    number_mark_directory: Path | None = None
    card_number_scheme: str = "NN.NNNNNN"
    organisation_code_scheme: str = "printable"
    card_profile: str = "membercard-1"
    card_validity_years: Annotated[int, Field(ge=1, le=30)] = 10
    personalisation_system: Annotated[str, Field(min_length=1, max_length=128)] = "membercard"
    import_chunk_rows: Annotated[int, Field(ge=1, le=20_000)] = 8_000
    keystore: KeystoreSettings = KeystoreSettings()
    people: PeopleSettings = PeopleSettings()
    requests: RequestSettings = RequestSettings()
    oidc: OidcSettings = OidcSettings()
    rates: RateSettings = RateSettings()
    reports: ReportSettings = ReportSettings()
    signing: SigningSettings = SigningSettings()
    status: StatusSettings = StatusSettings()
    audit: AuditSettings = AuditSettings()
    exchange: ExchangeSettings = ExchangeSettings()
    station: StationSettings = StationSettings()

    @property
    def card_signer_socket(self) -> Path | None:
        """The socket of the signer process that signs cards; ``None`` where none is set."""
        return self.signing.signer_socket or self.status.signer_socket

    @property
    def audit_signer_socket(self) -> Path | None:
        """The socket of the process whose log notes the trail's end; ``None`` where none is set."""
        return self.audit.signer_socket or self.card_signer_socket

    def database_url_in(self, home: Path) -> str:
        """The URL that is set, else that of ``issuer.sqlite`` in the home directory."""
        return self.database_url or f"sqlite:///{home.absolute() / 'issuer.sqlite'}"

    def portraits_in(self, home: Path) -> Path:
        """The folder of the portrait store."""
        return home / (self.portraits_directory or Path("portraits"))

    def evidence_in(self, home: Path) -> Path:
        """The folder of the documents that changes rest on."""
        return home / (self.evidence_directory or Path("evidence"))

    def documents_in(self, home: Path) -> Path:
        """The folder of the documents of decisions."""
        return home / (self.documents_directory or Path("documents"))

    def number_mark_in(self, home: Path) -> Path:
        """The folder of the mark of card numbers; every process that confirms decisions uses the same one."""
        return home / (self.number_mark_directory or Path("numbers"))

    def status_marks_in(self, home: Path) -> Path:
        """The folder of the marks of status indices, beside the mark of card numbers and for the same processes."""
        return self.number_mark_in(home) / "status-indices"

    def exchange_in(self, home: Path) -> Path:
        """The folder of our certificates for bundles, and of the sealed bundles that were made here."""
        return home / "exchange"


def load_settings(home: Path) -> IssuerSettings:
    """The settings of a home directory; without a file all have their defaults.

    Raises:
        IssuerUnavailableError: the file cannot be read or is not as expected (``settings.malformed``).
    """
    path = home / SETTINGS_FILE

    class SettingsOfHome(IssuerSettings):
        """The same settings, with this file as their second source."""

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del init_settings, dotenv_settings, file_secret_settings
            return env_settings, TomlConfigSettingsSource(settings_cls, toml_file=path)

    try:
        return SettingsOfHome()
    except ValidationError as error:
        # The library's own text would quote values, and a URL may hold a password.
        names = ", ".join(
            f"{'.'.join(str(part) for part in each['loc'])} ({each['type']})"
            for each in error.errors(include_input=False, include_url=False)
        )
        raise IssuerUnavailableError(
            f"settings are not as expected: {names}", code="settings.malformed"
        ) from error
    except (OSError, ValueError) as error:
        raise IssuerUnavailableError(
            f"{path} is not a settings file", code="settings.malformed"
        ) from error


def remember(home: Path, changes: Mapping[str, Any]) -> IssuerSettings:
    """Change settings in the file, leaving the others as they are.

    Args:
        home: the home directory; it is made, for its owner only, where there is none.
        changes: new values by name; a mapping changes within a table; ``None`` takes a setting out.

    Raises:
        IssuerUnavailableError: the file cannot be read or written, or would not be one afterwards
            (``settings.malformed``, ``settings.unavailable``).
    """
    path = home / SETTINGS_FILE
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be read: {error.strerror}", code="settings.unavailable"
        ) from error
    except ValueError as error:
        raise IssuerUnavailableError(
            f"{path} is not a settings file", code="settings.malformed"
        ) from error
    merged = _merged(known, changes)
    temporary = path.with_name(f".{SETTINGS_FILE}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(_to_toml(merged))
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be written: {error.strerror}", code="settings.unavailable"
        ) from error
    return load_settings(home)


def portable_settings(home: Path, *, without: Collection[str]) -> bytes | None:
    """The settings file as another home may have it: without these settings; ``None`` where there is no file.

    Raises:
        IssuerUnavailableError: it cannot be read (``settings.unavailable``) or is none (``settings.malformed``).
    """
    path = home / SETTINGS_FILE
    try:
        known = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be read: {error.strerror}", code="settings.unavailable"
        ) from error
    except ValueError as error:
        raise IssuerUnavailableError(
            f"{path} is not a settings file", code="settings.malformed"
        ) from error
    return _to_toml({name: value for name, value in known.items() if name not in without}).encode()


def _merged(known: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(known)
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            inner = merged.get(name)
            merged[name] = _merged(inner if isinstance(inner, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged


def _to_toml(settings: Mapping[str, Any]) -> str:
    """Plain values first, then one level of tables: all that the settings have."""
    lines = [
        f"{name} = {_toml_value(value)}"
        for name, value in settings.items()
        if not isinstance(value, Mapping)
    ]
    for name, value in settings.items():
        if isinstance(value, Mapping):
            lines += ["", f"[{name}]"]
            lines += [f"{inner} = {_toml_value(each)}" for inner, each in value.items()]
    return "\n".join(lines) + "\n"


def _toml_value(value: object) -> str:
    """A JSON string is a TOML string too, once the one character is escaped that only JSON lets stand."""
    plain = value if isinstance(value, (bool, int, float)) else str(value)
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")
