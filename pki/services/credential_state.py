"""Operators' WebAuthn credentials and the challenges for new ones: built from journal entries."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from pki.keys.webauthn_keys import CoseAlgorithm
from pki.record.journal import JournalEntry

__all__ = ["ChallengeRecord", "CredentialRecord", "CredentialState", "read_uses", "write_uses"]

_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(slots=True, kw_only=True)
class ChallengeRecord:
    """A challenge for an operator's new credential; ``origin`` and ``rp_id`` are those of the page then."""

    challenge: bytes
    operator: str
    origin: str
    rp_id: str
    expires: datetime
    is_used: bool = False


@dataclass(slots=True, kw_only=True)
class CredentialRecord:
    """One credential: whose, with which certificate (SHA-256 of its DER), from which page; ``counter`` only grows.

    ``public_key`` is a DER SubjectPublicKeyInfo.
    """

    credential_id: bytes
    operator: str
    certificate_digest: bytes
    algorithm: CoseAlgorithm
    public_key: bytes = field(repr=False)
    origin: str
    rp_id: str
    counter: int
    enrolled_at: datetime
    revoked_at: datetime | None = None
    reason: str | None = None


class CredentialState:
    """Built from journal entries, by ``pki.services.state``."""

    def __init__(self) -> None:
        self.challenges: dict[bytes, ChallengeRecord] = {}
        self.credentials: dict[bytes, CredentialRecord] = {}

    def of(self, operator: str) -> list[CredentialRecord]:
        """An operator's credentials that still count."""
        return [
            each
            for each in self.credentials.values()
            if each.operator == operator and each.revoked_at is None
        ]

    def challenge_was_made(self, entry: JournalEntry) -> None:
        """An operator may enrol a credential."""
        challenge = bytes.fromhex(entry.text("challenge"))
        self.challenges[challenge] = ChallengeRecord(
            challenge=challenge,
            operator=entry.text("operator"),
            origin=entry.text("origin"),
            rp_id=entry.text("rp_id"),
            expires=datetime.strptime(entry.text("expires"), _TIME_FORMAT).replace(tzinfo=UTC),
        )

    def credential_was_enrolled(self, entry: JournalEntry) -> None:
        """An operator may sign with it."""
        challenge = self.challenges[bytes.fromhex(entry.text("challenge"))]
        challenge.is_used = True
        credential_id = bytes.fromhex(entry.text("credential"))
        self.credentials[credential_id] = CredentialRecord(
            credential_id=credential_id,
            operator=entry.text("operator"),
            certificate_digest=bytes.fromhex(entry.text("certificate_digest")),
            algorithm=CoseAlgorithm[entry.text("algorithm")],
            public_key=bytes.fromhex(entry.text("public_key")),
            origin=entry.text("origin"),
            rp_id=entry.text("rp_id"),
            counter=entry.number("counter"),
            enrolled_at=entry.time,
        )

    def credential_was_revoked(self, entry: JournalEntry) -> None:
        """Nobody signs with it any more."""
        credential = self.credentials[bytes.fromhex(entry.text("credential"))]
        credential.revoked_at = entry.time
        credential.reason = entry.text("reason")

    def were_used(self, uses: Mapping[bytes, int]) -> None:
        """Credentials signed with these counters."""
        for credential_id, counter in uses.items():
            credential = self.credentials[credential_id]
            credential.counter = max(credential.counter, counter)


def write_uses(uses: Iterable[tuple[bytes, int]]) -> str:
    """Credentials and counters as they stand in an entry."""
    return ",".join(f"{credential_id.hex()}:{counter}" for credential_id, counter in uses)


def read_uses(text: str) -> dict[bytes, int]:
    """What ``write_uses`` wrote.

    Raises:
        ValueError: it is something else.
    """
    found: dict[bytes, int] = {}
    for item in text.split(","):
        credential_id, counter = item.split(":")
        found[bytes.fromhex(credential_id)] = int(counter)
    return found
