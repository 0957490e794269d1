"""The authority's own work: its certificates and their roll-over, signers, revocations and CRLs.

Every signature goes through the issuance cycle (pki.services.issuance): a crash anywhere leaves a record of what
may exist, and nothing is signed twice.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pki.certificates.crl import MAX_CRL_LIFETIME, prepare_crl
from pki.certificates.issue import (
    LOCATIONS,
    check_period,
    prepare_authority_certificate,
    prepare_link_certificate,
    prepare_signer_certificate,
)
from pki.certificates.names import TEST_WORD, DistinguishedName
from pki.certificates.profile import CertificateProfile, ProfileKind, ProfileVariant
from pki.certificates.trust import Authority
from pki.errors import PkiRefusedError
from pki.keys.keystore import Keystore, check_key_id
from pki.keys.signer import Signer
from pki.services.issuance import DraftKind, IssuanceCycle, Linter
from pki.services.key_room import LOG_KEY_ID, KeyRoom
from pki.services.publication import Publication
from pki.services.reasons import check_reason
from pki.services.recorder import Recorder
from pki.services.state import CRL_SERIES, AuthorityRecord, EntryKind, PkiState, SignerRecord

__all__ = [
    "AUTHORITY_KEY_ID",
    "AuthorityRequest",
    "AuthorityService",
    "check_reason",
    "distinguished_name",
    "link_name",
    "require_signer",
]

AUTHORITY_KEY_ID = "csca-1"
"""The first CSCA's key, after which its one CRL and its one stop list are called; a roll-over makes the next key."""

_KEPT_IDS = re.compile(rf"csca-[0-9]+(-link)?|service-root-[0-9]+|operators-[0-9]+|{LOG_KEY_ID}")
_MAX_URI_CHARACTERS = 200
_AUTHORITY_PART = "CSCA"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityRequest:
    """What a new authority is to be; ``name`` without TEST, which a test authority's names get."""

    name: str
    country: str
    is_test: bool
    distribution_point: str
    variant: ProfileVariant = ProfileVariant.PRIVATE

    def check(self, profile: CertificateProfile) -> None:
        """Whether all this can stand in a certificate of the profile, before anything is made.

        Raises:
            PkiRefusedError: ``certificate.name-invalid``, ``certificate.request-invalid``.
        """
        if profile.kind is not ProfileKind.AUTHORITY or self.country not in LOCATIONS:
            raise PkiRefusedError(
                f"profile is for {profile.kind.value} and country {self.country!r}, "
                f"expected an authority's and one of {sorted(LOCATIONS)}",
                code="certificate.request-invalid",
            )
        distinguished_name(self.name, _AUTHORITY_PART, self.country, is_test=self.is_test)
        uri = self.distribution_point
        if not (uri.isascii() and uri.isprintable() and 8 <= len(uri) <= _MAX_URI_CHARACTERS):
            raise PkiRefusedError(
                f"address of the CRL has {len(uri)} characters, expected 8 to {_MAX_URI_CHARACTERS} of ASCII",
                code="certificate.request-invalid",
            )


class AuthorityService:
    """One authority with its keystore, its records and its publication."""

    def __init__(
        self,
        *,
        keystore: Keystore,
        recorder: Recorder,
        publication: Publication,
        random_bytes: Callable[[int], bytes],
        linter: Linter | None = None,
    ) -> None:
        self._recorder = recorder
        self._publication = publication
        self._keys = KeyRoom(keystore=keystore, recorder=recorder)
        self._cycle = IssuanceCycle(recorder=recorder, random_bytes=random_bytes, linter=linter)

    @property
    def recorder(self) -> Recorder:
        """Journal, state and clock, for the other services of the same authority."""
        return self._recorder

    @property
    def keys(self) -> KeyRoom:
        """The keys, for the same."""
        return self._keys

    @property
    def cycle(self) -> IssuanceCycle:
        """The one way to sign, for the same."""
        return self._cycle

    @property
    def publication(self) -> Publication:
        """Where things are published, for the same."""
        return self._publication

    @property
    def state(self) -> PkiState:
        """What was done so far."""
        return self._recorder.state

    def create_authority(self, request: AuthorityRequest, *, profile: CertificateProfile) -> bytes:
        """Make the CSCA's key and its self-signed certificate; give back its DER.

        Raises:
            PkiRefusedError: ``authority.exists``, ``authority.unfinished``, ``certificate.request-invalid``.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        if self.state.authority_id is not None:
            self._require_authority()
            raise PkiRefusedError(
                f"there is an authority {self.state.authority_name!r} already",
                code="authority.exists",
            )
        request.check(profile)
        return self._issue_root(
            AuthorityRecord(
                key_id=f"csca-{len(self.state.authorities) + 1}",
                name=request.name,
                distribution_point=request.distribution_point,
                variant=request.variant,
            ),
            country=request.country,
            is_test=request.is_test,
            profile=profile,
        )

    def roll_over(self, *, profile: CertificateProfile) -> AuthorityRecord:
        """Make the CSCA's next key, its self-signed certificate, and the link certificate of the key before.

        A roll-over that broke off is taken up where that is safe; otherwise its key is destroyed, and its name is
        not given again. The earlier key signs nothing any more: destroy it when the new one is backed up.

        Raises:
            PkiRefusedError: ``authority.missing``, ``authority.unfinished``, ``authority.key-usage-period``: the
                key in use can vouch for no other any more; ``certificate.request-invalid``.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        authority = self._require_authority()
        record = self._require_record()
        self._authority_signer(authority)
        now = self._recorder.now()
        check_period(authority.certificate, start=now, end=now)
        successor = list(self.state.authorities.values())[-1]
        if successor is record or successor.certificate is None:
            if successor is not record and successor.destroyed_at is None:
                self._keys.destroy(successor.key_id)
            successor = AuthorityRecord(
                key_id=f"csca-{len(self.state.authorities) + 1}",
                name=record.name,
                distribution_point=record.distribution_point,
                variant=record.variant,
            )
            self._issue_root(
                successor, country=authority.country, is_test=authority.is_test, profile=profile
            )
            successor = self.state.authorities[successor.key_id]
        self._issue_link(authority, record.key_id, successor, profile)
        return self.state.authorities[successor.key_id]

    def require_root(self) -> None:
        """Refuse (``ceremony.required``) unless the current CSCA's key can be used."""
        self._authority_signer(self._require_authority())

    def create_signer(self, signer_id: str, *, profile: CertificateProfile) -> SignerRecord:
        """Make the key and the certificate of a signer of documents, lists, bundles or journals.

        Raises:
            PkiRefusedError: ``authority.missing``, ``signer.exists``, ``signer.name-after-restore``,
                ``authority.key-usage-period``, ``authority.expired``, ``certificate.request-invalid``.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        authority = self._require_authority()
        if _KEPT_IDS.fullmatch(check_key_id(signer_id)) or signer_id in self.state.signers:
            raise PkiRefusedError(
                f"there is, or may be, a certificate for {signer_id} already, or the name is kept for authorities",
                code="signer.exists",
                hint="choose the next identifier: a signer's name is given once",
            )
        self.state.restores.check_new_name(signer_id)
        record = self._require_record()
        issuer = self._authority_signer(authority)
        profile = profile.in_variant(record.variant)
        name = distinguished_name(
            record.name, signer_id, authority.country, is_test=authority.is_test
        )
        signer = self._keys.create(signer_id, curve=profile.curve, rsa_bits=profile.rsa_bits)
        serial_number = self._cycle.reserve_serial_number()
        prepared = prepare_signer_certificate(
            authority_certificate=authority.der,
            public_key=signer.public_key,
            profile=profile,
            name=name,
            serial_number=serial_number,
            not_before=self._recorder.now(),
            distribution_point=record.distribution_point,
        )
        certificate = self._cycle.sign(
            prepared,
            signer=issuer,
            kind=DraftKind.SIGNER,
            profile=profile.kind,
            variant=record.variant,
            issuer=authority.der,
            intent=(
                EntryKind.SIGNER_INTENDED,
                {
                    "signer": signer_id,
                    "serial": f"{serial_number:x}",
                    "profile": profile.kind.value,
                    "authority": record.key_id,
                },
            ),
        )
        self._recorder.record(
            EntryKind.SIGNER_ISSUED, signer=signer_id, certificate=certificate.hex()
        )
        self._publication.publish_certificate(signer_id, certificate)
        return self.state.signers[signer_id]

    def revoke_signer(self, signer_id: str, *, reason: str) -> SignerRecord:
        """Revoke a document signer; the next CRL lists it. A signer left unfinished can be revoked as well.

        Raises:
            PkiRefusedError: ``signer.unknown``, ``signer.revoked``, ``signing.request-invalid``.
            RecordError: it is not recorded.
        """
        record = require_signer(self.state, signer_id)
        if record.revoked_at is not None:
            raise PkiRefusedError(
                f"signer {signer_id} was revoked at {record.revoked_at:%Y-%m-%d %H:%M:%S}Z",
                code="signer.revoked",
            )
        check_reason(reason)
        self._recorder.record(EntryKind.SIGNER_REVOKED, signer=signer_id, reason=reason)
        return record

    def issue_crl(self, *, lifetime: timedelta = MAX_CRL_LIFETIME) -> bytes:
        """Sign and publish a CRL with the next number; give back its DER.

        Raises:
            PkiRefusedError: ``authority.missing``, ``crl.request-invalid``.
            KeystoreError, RecordError: it is unfinished, or not begun; its number stays used.
        """
        authority = self._require_authority()
        issuer = self._authority_signer(authority)
        number = self._cycle.reserve_list_number(CRL_SERIES)
        this_update = self._recorder.now().replace(microsecond=0)
        # The current key's CRL covers the signers of earlier keys, too (Doc 9303-12, 4.2).
        revoked: dict[int, datetime] = {
            record.serial_number: record.revoked_at
            for record in self.state.signers.values()
            if record.revoked_at is not None
        }
        prepared = prepare_crl(
            authority_certificate=authority.der,
            number=number,
            this_update=this_update,
            next_update=this_update + lifetime,
            revoked=revoked,
        )
        crl = self._cycle.sign(
            prepared,
            signer=issuer,
            kind=DraftKind.CRL,
            issuer=authority.der,
            intent=(EntryKind.CRL_INTENDED, {"number": number}),
        )
        self._recorder.record(EntryKind.CRL_ISSUED, number=number, crl=crl.hex())
        self._publication.publish_crl(AUTHORITY_KEY_ID, crl)
        return crl

    def _issue_root(
        self, record: AuthorityRecord, *, country: str, is_test: bool, profile: CertificateProfile
    ) -> bytes:
        profile = profile.in_variant(record.variant)
        name = distinguished_name(record.name, _AUTHORITY_PART, country, is_test=is_test)
        if profile.kind is not ProfileKind.AUTHORITY:
            raise PkiRefusedError(
                f"profile is for {profile.kind.value}, expected an authority's",
                code="certificate.request-invalid",
            )
        signer = self._keys.create(record.key_id, curve=profile.curve, rsa_bits=profile.rsa_bits)
        serial_number = self._cycle.reserve_serial_number()
        prepared = prepare_authority_certificate(
            public_key=signer.public_key,
            profile=profile,
            name=name,
            serial_number=serial_number,
            not_before=self._recorder.now(),
            is_test=is_test,
            distribution_point=record.distribution_point,
        )
        certificate = self._cycle.sign(
            prepared,
            signer=signer,
            kind=DraftKind.AUTHORITY,
            profile=profile.kind,
            variant=record.variant,
            intent=(
                EntryKind.AUTHORITY_INTENDED,
                {
                    "key": record.key_id,
                    "name": record.name,
                    "serial": f"{serial_number:x}",
                    "distribution_point": record.distribution_point,
                    "variant": record.variant.value,
                },
            ),
        )
        Authority.from_bytes(certificate)
        self._recorder.record(
            EntryKind.AUTHORITY_ISSUED, key=record.key_id, certificate=certificate.hex()
        )
        self._publication.publish_certificate(record.key_id, certificate)
        return certificate

    def _issue_link(
        self,
        authority: Authority,
        authority_id: str,
        successor: AuthorityRecord,
        profile: CertificateProfile,
    ) -> None:
        serial_number = self._cycle.reserve_serial_number()
        prepared = prepare_link_certificate(
            authority_certificate=authority.der,
            successor_certificate=successor.certificate or b"",
            profile=profile.in_variant(successor.variant),
            serial_number=serial_number,
            not_before=self._recorder.now(),
        )
        link = self._cycle.sign(
            prepared,
            signer=self._authority_signer(authority),
            kind=DraftKind.LINK,
            profile=profile.kind,
            variant=successor.variant,
            issuer=authority.der,
            intent=(
                EntryKind.LINK_INTENDED,
                {"key": successor.key_id, "by": authority_id, "serial": f"{serial_number:x}"},
            ),
        )
        self._recorder.record(EntryKind.LINK_ISSUED, key=successor.key_id, certificate=link.hex())
        self._publication.publish_certificate(link_name(successor.key_id), link)

    def _require_record(self) -> AuthorityRecord:
        record = self.state.authority
        if record is None:
            raise PkiRefusedError("there is no authority yet", code="authority.missing")
        return record

    def _require_authority(self) -> Authority:
        if self.state.authority_id is None:
            raise PkiRefusedError(
                "there is no authority yet",
                code="authority.missing",
                hint="membercard-pki authority create",
            )
        if self.state.authority_certificate is None:
            raise PkiRefusedError(
                "the authority's certificate was about to be signed when the work broke off: "
                "whether it exists is unknown",
                code="authority.unfinished",
                hint="begin anew in another home",
            )
        return Authority.from_bytes(self.state.authority_certificate)

    def _authority_signer(self, authority: Authority) -> Signer:
        return self._keys.signer(self._require_record().key_id, authority.certificate.public_key)


def link_name(key_id: str) -> str:
    """What the link certificate of an authority's key is called."""
    return f"{key_id}-link"


def require_signer(state: PkiState, signer_id: str) -> SignerRecord:
    """The record of a signer.

    Raises:
        PkiRefusedError: ``signer.unknown``.
    """
    record = state.signers.get(signer_id)
    if record is None:
        raise PkiRefusedError(
            f"there is no signer {signer_id[:80]!r}, only {sorted(state.signers)}",
            code="signer.unknown",
        )
    return record


def distinguished_name(name: str, part: str, country: str, *, is_test: bool) -> DistinguishedName:
    """The name of one certificate of the authority.

    Raises:
        PkiRefusedError: ``certificate.name-invalid``.
    """
    prefix = f"{TEST_WORD} " if is_test else ""
    return DistinguishedName(country=country, common_name=f"{prefix}{name} {part}")
