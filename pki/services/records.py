"""What is known of one key of the CSCA, of one signer, of one service (pki.services.state)."""

from dataclasses import dataclass, field
from datetime import datetime

from pki.certificates.profile import ProfileKind, ProfileVariant

__all__ = ["AuthorityRecord", "KeptFile", "ServiceRecord", "SignerRecord"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """The newest file of a series that is too long for the journal: its number, and the SHA-256 of its bytes in hex."""

    number: int
    sha256: str


@dataclass(slots=True, kw_only=True)
class AuthorityRecord:
    """One key of the CSCA; its certificates are ``None`` where a crash left it unknown whether they exist.

    ``link`` is the certificate with which the key before vouches for this one; the first key has none.
    """

    key_id: str
    name: str
    distribution_point: str
    variant: ProfileVariant
    certificate: bytes | None = field(default=None, repr=False)
    link: bytes | None = field(default=None, repr=False)
    destroyed_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class SignerRecord:
    """One signer under the CSCA; ``certificate`` is ``None`` where a crash left it unknown whether one exists.

    ``revoked_at`` is set for a compromised signer, too; ``compromised_since`` is from when on its key may have been in
    other hands, where that is stated; ``retired_at`` for a document signer whose count is unknown, because the home was
    restored from a backup.
    """

    signer_id: str
    serial_number: int
    kind: ProfileKind = ProfileKind.DOCUMENT_SIGNER
    certificate: bytes | None = field(default=None, repr=False)
    revoked_at: datetime | None = None
    compromised_at: datetime | None = None
    compromised_since: datetime | None = None
    destroyed_at: datetime | None = None
    retired_at: datetime | None = None
    reason: str | None = None
    objects_signed: int = 0


@dataclass(slots=True, kw_only=True)
class ServiceRecord:
    """One certificate of a service or an operator."""

    service_id: str
    serial_number: int
    kind: ProfileKind
    certificate: bytes | None = field(default=None, repr=False)
    revoked_at: datetime | None = None
    reason: str | None = None
