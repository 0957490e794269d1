"""Looking up what the journal's projection holds: views for people and programs, and the port to whatever holds them."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

__all__ = [
    "CertificateFilter",
    "CertificateView",
    "CheckpointView",
    "CredentialView",
    "ListView",
    "LogView",
    "LookUp",
    "TerminalAuthorityView",
    "TerminalView",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFilter:
    """Which certificates are sought; ``None`` is any. The serial number is hexadecimal in lower case."""

    kind: str | None = None
    serial_number: str | None = None
    subject: str | None = None
    is_revoked: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateView:
    """One certificate and what became of it; ``position`` orders them, ``digest`` is the SHA-256 of the DER."""

    position: int
    digest: bytes
    kind: str
    name: str
    serial_number: str
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    recorded_at: datetime
    revoked_at: datetime | None
    reason: str | None
    is_compromised: bool
    der: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalView:
    """One terminal with its newest certificate, and whether it may renew it."""

    position: int
    holder: str
    reference: str
    digest: bytes
    expires: date
    is_in_good_standing: bool
    blocked_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalAuthorityView:
    """A certificate above those of terminals: a CVCA's, a link, or a document verifier's."""

    reference: str
    authority: str
    digest: bytes
    effective: date
    expires: date


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialView:
    """An operator's WebAuthn credential that counts, and the page that it is for."""

    credential_id: bytes
    origin: str
    rp_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListView:
    """One signed list."""

    series: str
    number: int
    digest: bytes
    issued_at: datetime
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogView:
    """The transparency log's name and key (DER SubjectPublicKeyInfo)."""

    origin: str
    public_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointView:
    """A checkpoint that was announced."""

    position: int
    size: int
    recorded_at: datetime


class LookUp(Protocol):
    """What can be looked up; lists come newest first, ``after`` is the order's value of the last one that was seen."""

    def certificates(
        self, wanted: CertificateFilter, *, after: int | None, limit: int
    ) -> list[CertificateView]:
        """Certificates, by position."""

    def certificate(self, digest: bytes) -> CertificateView | None:
        """The certificate with that digest."""

    def newest_certificate(self, kind: str) -> CertificateView | None:
        """The newest certificate of a kind."""

    def credentials(self, operator: str) -> list[CredentialView]:
        """An operator's credentials that are not revoked, oldest first."""

    def cv_certificate(self, digest: bytes) -> bytes | None:
        """The CV certificate with that digest."""

    def terminals(self, *, after: int | None, limit: int, today: date) -> list[TerminalView]:
        """Terminals with their newest certificates, by position."""

    def terminal_authorities(self, *, today: date, limit: int) -> list[TerminalAuthorityView]:
        """The CVCA's certificates and links, and the document verifiers' that have not ended; newest first."""

    def newest_list(self, series: str) -> ListView | None:
        """The newest list of a series."""

    def lists(self, series: str, *, after: int | None, limit: int) -> list[ListView]:
        """The lists of a series, by number."""

    def list_by_digest(self, digest: bytes) -> ListView | None:
        """The list with that digest."""

    def log(self) -> LogView | None:
        """The transparency log, once there is one."""

    def checkpoints(self, *, after: int | None, limit: int) -> list[CheckpointView]:
        """Checkpoints, by position."""
