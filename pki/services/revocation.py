"""When a signer's key is stolen, or at its end: stop list at once, a staged CRL, destroyed keys, the cards concerned."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.profile import ProfileKind
from pki.certificates.trust import DocumentSignerCertificate
from pki.errors import PkiRefusedError
from pki.record.journal import JournalEntry
from pki.services.authority import (
    AUTHORITY_KEY_ID,
    AuthorityService,
    check_reason,
    require_signer,
)
from pki.services.document_signer import SigningLimits
from pki.services.issuance import DraftKind
from pki.services.state import STOP_LIST_SERIES, EntryKind, SignerRecord
from pki.signed.list_period import MAX_LIST_LIFETIME
from pki.signed.stop_list import prepare_stop_list

__all__ = ["CRL_DUE_AFTER", "RevocationService", "SignedReference", "references_signed_by"]

CRL_DUE_AFTER: Final = timedelta(hours=48)
"""Within this time the root's quorum signs the CRL that was staged by a compromise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReference:
    """One security object that a signer signed, or may have: the card's reference is the issuer's to resolve."""

    reference: str
    signing_time: str
    digest: str


class RevocationService:
    """What ends a signer, on top of the authority that made it."""

    def __init__(self, authority: AuthorityService) -> None:
        self._authority = authority
        self._recorder = authority.recorder

    def compromise(
        self, signer_id: str, *, reason: str, since: datetime | None = None
    ) -> SignerRecord:
        """Record that a signer's key is in other hands, and tell it on the stop list at once; its CRL is staged.

        Doing it again makes the next stop list, so that a crash between the two does no harm. ``since`` is the first
        moment at which the key may have been in other hands (aware, not in the future): it may be stated later, and
        only ever be moved back, because terminals may believe what witnesses saw before (SPEC.md, 9.25).

        Raises:
            PkiRefusedError: ``signer.unknown``, ``signing.request-invalid``: nothing was done;
                ``stop-list.no-signer``: recorded and staged, and nobody can sign the stop list.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        record = require_signer(self._authority.state, signer_id)
        check_reason(reason)
        stated = self._check_since(record, since)
        fields: dict[str, str | int | None] = {"signer": signer_id, "reason": reason}
        if stated is not None:
            fields["since"] = stated.isoformat()
        if record.compromised_at is None:
            due = (self._recorder.now() + CRL_DUE_AFTER).replace(microsecond=0)
            self._recorder.record_many(
                [
                    (EntryKind.SIGNER_COMPROMISED, fields),
                    (EntryKind.CRL_STAGED, {"signer": signer_id, "due": due.isoformat()}),
                ]
            )
        elif stated not in (None, record.compromised_since):
            self._recorder.record_many([(EntryKind.SIGNER_COMPROMISED, fields)])
        self.issue_stop_list()
        return self._authority.state.signers[signer_id]

    def revoke(self, signer_id: str, *, reason: str) -> SignerRecord:
        """Revoke a signer; the CRL that lists it is issued at once, or staged where a quorum must sign it.

        Raises:
            PkiRefusedError: ``signer.unknown``, ``signer.revoked``, ``signing.request-invalid``.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        record = self._authority.revoke_signer(signer_id, reason=reason)
        if self._authority.state.ceremonies.quorum is None:
            self._authority.issue_crl()
        else:
            due = (self._recorder.now() + CRL_DUE_AFTER).replace(microsecond=0)
            self._recorder.record(EntryKind.CRL_STAGED, signer=signer_id, due=due.isoformat())
        return record

    def issue_stop_list(self, *, lifetime: timedelta = MAX_LIST_LIFETIME) -> bytes:
        """Sign and publish a stop list with the next number; give back its DER.

        Raises:
            PkiRefusedError: ``stop-list.no-signer``, ``stop-list.request-invalid``.
            KeystoreError, RecordError: it is unfinished, or not begun; its number stays used.
        """
        state = self._authority.state
        moment = self._recorder.now().replace(microsecond=0)
        certificate = self._stop_list_signer(moment)
        signer = self._authority.keys.signer(
            self._id_of(certificate), certificate.certificate.public_key
        )
        number = self._authority.cycle.reserve_list_number(STOP_LIST_SERIES)
        prepared = prepare_stop_list(
            signer_certificate=certificate.der,
            public_key=signer.public_key,
            number=number,
            this_update=moment,
            next_update=moment + lifetime,
            stopped={
                record.serial_number: record.compromised_at
                for record in state.signers.values()
                if record.compromised_at is not None
            },
            compromised_since={
                record.serial_number: record.compromised_since
                for record in state.signers.values()
                if record.compromised_since is not None
            },
        )
        stop_list = self._authority.cycle.sign(
            prepared,
            signer=signer,
            kind=DraftKind.STOP_LIST,
            issuer=certificate.der,
            intent=(
                EntryKind.STOP_LIST_INTENDED,
                {"number": number, "signer": self._id_of(certificate)},
            ),
        )
        self._recorder.record(EntryKind.STOP_LIST_ISSUED, number=number, list=stop_list.hex())
        self._authority.publication.publish_stop_list(AUTHORITY_KEY_ID, stop_list)
        return stop_list

    def destroy_key(self, key_id: str, *, is_early: bool = False) -> None:
        """Destroy the key of a signer, or of an authority that another one followed, at the end of its use.

        The end is the end of its period, its limit of security objects, its revocation, or the roll-over;
        ``is_early`` does it before.

        Raises:
            PkiRefusedError: ``signer.unknown``, ``signer.destroyed``, ``signer.in-use``.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        state = self._authority.state
        record = state.authorities.get(key_id) or require_signer(state, key_id)
        if record.destroyed_at is not None:
            raise PkiRefusedError(
                f"key {key_id} was destroyed at {record.destroyed_at:%Y-%m-%d %H:%M:%S}Z",
                code="signer.destroyed",
            )
        if isinstance(record, SignerRecord):
            is_done = self._is_at_its_end(record)
        else:
            # A closed keystore of the root's is refused before anything is recorded.
            self._authority.require_root()
            # The key in use is never destroyed: nobody could revoke anything any more.
            is_done, is_early = key_id != state.authority_id, False
        if not (is_done or is_early):
            raise PkiRefusedError(
                f"key {key_id} is not at the end of its use", code="signer.in-use"
            )
        self._authority.keys.destroy(key_id)

    def _check_since(self, record: SignerRecord, since: datetime | None) -> datetime | None:
        """The time in whole seconds, never in the future and never later than what was said before."""
        if since is None:
            return None
        limits = (record.compromised_since, record.compromised_at, self._recorder.now())
        latest = min(limit for limit in limits if limit is not None)
        # A list tells whole seconds: rounding may only make the trusted time shorter.
        stated = since.astimezone(UTC).replace(microsecond=0)
        if stated > latest:
            raise PkiRefusedError(
                f"the key would be compromised since {stated:%Y-%m-%d %H:%M:%S}Z, "
                f"expected {latest:%Y-%m-%d %H:%M:%S}Z or before",
                code="signing.request-invalid",
            )
        return stated

    def _is_at_its_end(self, record: SignerRecord) -> bool:
        if record.certificate is None or record.revoked_at is not None:
            return True
        if record.objects_signed >= SigningLimits().max_objects:
            return True
        return self._recorder.now() > _key_use_end(record.certificate, record.kind)

    def _stop_list_signer(self, moment: datetime) -> ListSignerCertificate:
        """The newest signer of stop lists that may sign now."""
        usable = []
        for record in self._authority.state.signers.values():
            if (
                record.kind is ProfileKind.STOP_LIST_SIGNER
                and record.certificate is not None
                and record.revoked_at is None
                and record.destroyed_at is None
            ):
                found = ListSignerCertificate.from_bytes(record.certificate, kind=record.kind)
                if found.key_use_not_before <= moment <= found.key_use_not_after:
                    usable.append(found)
        if not usable:
            raise PkiRefusedError(
                "there is no stop-list signer that may sign now",
                code="stop-list.no-signer",
                hint="membercard-pki signer create --id stop-1 --profile stop-list-signer, "
                "then the same command again",
            )
        return max(usable, key=lambda item: item.key_use_not_before)

    def _id_of(self, certificate: ListSignerCertificate) -> str:
        return next(
            record.signer_id
            for record in self._authority.state.signers.values()
            if record.serial_number == certificate.serial_number
        )


def references_signed_by(
    entries: Iterable[JournalEntry], signer_id: str
) -> Iterator[SignedReference]:
    """The security objects that a signer signed, or may have, in the order of the signing record."""
    for entry in entries:
        if (
            entry.kind == EntryKind.SECURITY_OBJECT_SIGNED.value
            and entry.text("signer") == signer_id
        ):
            yield SignedReference(
                reference=entry.text("reference"),
                signing_time=entry.text("signing_time"),
                digest=entry.text("digest"),
            )


def _key_use_end(certificate: bytes, kind: ProfileKind) -> datetime:
    if kind is ProfileKind.DOCUMENT_SIGNER:
        return DocumentSignerCertificate.from_bytes(certificate).key_use_not_after
    return ListSignerCertificate.from_bytes(certificate, kind=kind).key_use_not_after
