"""What was done with CV certificates, rebuilt from the journal: a part of ``pki.services.state.PkiState``."""

from dataclasses import dataclass, field
from datetime import datetime

from pki.card_verifiable.authorisation import Role
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.references import HolderReference
from pki.errors import RecordError
from pki.record.journal import JournalEntry

__all__ = ["Block", "CardVerifiableState", "CvRecord", "RequestRecord"]


@dataclass(slots=True, kw_only=True)
class CvRecord:
    """One certificate; ``certificate`` is ``None`` where a crash left it unknown whether it exists."""

    holder_reference: HolderReference
    authority_reference: HolderReference
    role: Role
    point: bytes = field(repr=False)
    certificate: CvCertificate | None = field(default=None, repr=False)

    @property
    def issued(self) -> CvCertificate:
        """The certificate of a record that ``CardVerifiableState`` gave out as issued.

        Raises:
            RecordError: ``record.broken``: it is unfinished.
        """
        if self.certificate is None:
            raise RecordError(f"certificate {self.holder_reference.text} is unfinished")
        return self.certificate

    @property
    def is_root(self) -> bool:
        """Whether it is a CVCA's self-signed certificate."""
        return self.authority_reference == self.holder_reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A holder that gets no more certificates."""

    blocked_at: datetime
    reason: str


@dataclass(slots=True, kw_only=True)
class RequestRecord:
    """A request that this home made for a key of its own; ``None`` where a crash left it unmade."""

    holder_reference: HolderReference
    request: bytes | None = field(default=None, repr=False)


class CardVerifiableState:
    """Certificates, blocked terminals and own requests; the methods take journal entries in their order."""

    def __init__(self) -> None:
        self.records: list[CvRecord] = []
        self.blocked: dict[str, Block] = {}
        self.requests: list[RequestRecord] = []

    def certificate_intended(self, entry: JournalEntry) -> None:
        """A certificate is about to be signed: its reference and its key are used from here on."""
        self.records.append(
            CvRecord(
                holder_reference=HolderReference.from_text(entry.text("holder")),
                authority_reference=HolderReference.from_text(entry.text("authority")),
                role=Role[entry.text("role")],
                point=bytes.fromhex(entry.text("point")),
            )
        )

    def certificate_issued(self, entry: JournalEntry) -> None:
        """The certificate that was intended last for this reference exists."""
        certificate = CvCertificate.from_bytes(bytes.fromhex(entry.text("certificate")))
        body = certificate.body
        for record in reversed(self.records):
            if (
                record.holder_reference == body.holder_reference
                and record.authority_reference == body.authority_reference
            ):
                record.certificate = certificate
                return
        raise KeyError(body.holder_reference.text)

    def terminal_blocked(self, entry: JournalEntry) -> None:
        """A holder lost its good standing."""
        self.blocked[entry.text("holder")] = Block(
            blocked_at=entry.time, reason=entry.text("reason")
        )

    def request_intended(self, entry: JournalEntry) -> None:
        """A request of our own is about to be signed."""
        reference = HolderReference.from_text(entry.text("holder"))
        self.requests.append(RequestRecord(holder_reference=reference))

    def request_made(self, entry: JournalEntry) -> None:
        """The request that was intended last exists."""
        self.requests[-1].request = bytes.fromhex(entry.text("request"))

    def find(self, reference: HolderReference, *, role: Role | None = None) -> CvRecord | None:
        """The issued certificate of a key that is no link; a CVCA's is its root."""
        for record in self.records:
            if (
                record.certificate is not None
                and record.holder_reference == reference
                and (role is None or record.role is role)
                and (record.role is not Role.CVCA or record.is_root)
            ):
                return record
        return None

    def issued(self, *, role: Role, holder: str | None = None) -> list[CvRecord]:
        """Issued certificates of a role in the order of their making, links left out."""
        return [
            record
            for record in self.records
            if record.certificate is not None
            and record.role is role
            and (role is not Role.CVCA or record.is_root)
            and (holder is None or record.holder_reference.holder == holder)
        ]

    def used_references(self, holder: str) -> list[HolderReference]:
        """Every reference of a holder that a certificate or a request may exist for."""
        used = [record.holder_reference for record in self.records]
        used += [request.holder_reference for request in self.requests]
        return [reference for reference in used if reference.holder == holder]
