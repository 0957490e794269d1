"""Signing CV certificates under record: what the CVCA, the document verifiers and their services share.

Every signature goes the way of ``pki.services.authority``: recorded as intended, signed once, recorded as issued,
published. A reference is used from the moment it is recorded, so that a crash never makes a second certificate
for it; the work is then done again under the next sequence number.
"""

import re
from datetime import UTC, date
from typing import Final, Protocol

from card_layout.curves import NamedCurve
from pki.card_verifiable.authorisation import Role
from pki.card_verifiable.certificate import CertificateBody, CvCertificate
from pki.card_verifiable.chain import JudgedCertificate
from pki.card_verifiable.issue import sign_certificate
from pki.card_verifiable.references import HolderReference
from pki.errors import KeystoreError, PkiRefusedError
from pki.keys.algorithms import HashAlgorithm
from pki.keys.keystore import Keystore
from pki.keys.signer import Signer
from pki.services.card_verifiable_state import CardVerifiableState, CvRecord
from pki.services.key_room import KeyRoom, SigningKeys
from pki.services.recorder import Recorder
from pki.services.state import EntryKind

__all__ = ["CvIssuer", "CvPublication", "cv_key_id", "next_reference", "publish_all"]

_PLAIN_MNEMONIC: Final = re.compile(r"[A-Z0-9]{1,9}")
_FIRST_SEQUENCE: Final = "00001"


class CvPublication(Protocol):
    """Where CV certificates are put for others to fetch; publishing the same thing twice is harmless."""

    def publish_cv_certificate(self, name: str, content: bytes) -> None:
        """Publish a certificate under a plain name."""


class CvIssuer:
    """Keystore, records and publication, and the certificates that may sign now.

    ``keystore`` is ``None`` in a process that makes no keys; ``signing_keys`` are those that it may use.
    """

    def __init__(
        self,
        *,
        keystore: Keystore | None,
        recorder: Recorder,
        publication: CvPublication,
        signing_keys: SigningKeys | None = None,
    ) -> None:
        self._keystore = keystore
        self._signing_keys = signing_keys if signing_keys is not None else keystore
        self.recorder = recorder
        self._publication = publication

    @property
    def state(self) -> CardVerifiableState:
        """What was done so far."""
        return self.recorder.state.card_verifiable

    @property
    def today(self) -> date:
        """The day, in UTC."""
        return self.recorder.now().astimezone(UTC).date()

    def judge_newest_authority(self) -> JudgedCertificate:
        """The CVCA's newest key, which is the one that signs.

        Raises:
            PkiRefusedError: ``cvca.missing``, ``cv-certificate.expired``.
        """
        roots = self.state.issued(role=Role.CVCA)
        if not roots:
            raise PkiRefusedError(
                "there is no CVCA yet",
                code="cvca.missing",
                hint="membercard-pki terminal cvca create",
            )
        return self.judge(roots[-1])

    def judge_verifier(
        self, reference: HolderReference | None, *, holder: str | None = None
    ) -> JudgedCertificate:
        """The document verifier's key with that reference; without one the newest, of that holder where one is named.

        Raises:
            PkiRefusedError: ``document-verifier.unknown``, ``cv-certificate.expired``.
        """
        for record in reversed(self.state.issued(role=Role.DOCUMENT_VERIFIER)):
            if reference is not None:
                is_meant = record.holder_reference == reference
            else:
                is_meant = holder is None or record.holder_reference.holder == holder
            if is_meant:
                return self.judge(record)
        name = reference.text if reference is not None else holder
        raise PkiRefusedError(
            f"there is no document verifier {name or 'yet'}",
            code="document-verifier.unknown",
            hint="membercard-pki terminal dv create",
        )

    def next_reference(self, *, country: str, mnemonic: str, role: Role) -> HolderReference:
        """The reference of a holder's first or next key.

        Raises:
            PkiRefusedError: ``terminal-request.holder-invalid``, ``terminal-request.holder-taken``,
                ``cv-certificate.sequence-exhausted``, ``cv-certificate.too-soon``.
            PkiDataError: ``cv-certificate.malformed``.
        """
        reference = next_reference(self.recorder, country=country, mnemonic=mnemonic)
        self.check_holder(reference, role)
        return reference

    def check_holder(self, reference: HolderReference, role: Role) -> None:
        """Whether this may be a holder of that role: a plain mnemonic that no other role uses.

        Raises:
            PkiRefusedError: ``terminal-request.holder-invalid``, ``terminal-request.holder-taken``.
        """
        check_mnemonic(reference.mnemonic)
        for record in self.state.records:
            if record.holder_reference.holder == reference.holder and record.role is not role:
                raise PkiRefusedError(
                    f"{reference.holder} is a {record.role.label}, expected a holder of its own",
                    code="terminal-request.holder-taken",
                )

    def create_key(self, reference: HolderReference, *, curve: NamedCurve) -> Signer:
        """Make the key that a certificate will be asked or made for.

        Raises:
            KeystoreError: ``keystore.read-only``: this process makes no keys; or it is unfinished, or not begun.
        """
        if self._keystore is None:
            raise KeystoreError("this process makes no keys", code="keystore.read-only")
        keys = KeyRoom(keystore=self._keystore, recorder=self.recorder)
        return keys.create(cv_key_id(reference), curve=curve)

    def sign(self, body: CertificateBody, *, issuer: JudgedCertificate | None) -> CvCertificate:
        """Record, sign once, record; ``issuer`` is ``None`` for a self-signed certificate.

        Raises:
            PkiRefusedError: ``signing.key-mismatch``.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        if self._signing_keys is None:
            raise KeystoreError("this process has no keys to sign with", code="keystore.read-only")
        signer = self._signing_keys.signer(cv_key_id(body.authority_reference))
        public_key = body.public_key if issuer is None else issuer.certificate.body.public_key
        key = body.explicit_key if issuer is None else issuer.public_key
        self.recorder.record(
            EntryKind.CV_CERTIFICATE_INTENDED,
            holder=body.holder_reference.text,
            authority=body.authority_reference.text,
            role=body.authorisation.role.name,
            point=body.public_key.point.hex(),
            digest=HashAlgorithm.SHA256.digest(body.to_bytes()).hex(),
        )
        certificate = sign_certificate(body, signer=signer, key=key, algorithm=public_key.algorithm)
        self.recorder.record(
            EntryKind.CV_CERTIFICATE_ISSUED, certificate=certificate.to_bytes().hex()
        )
        return certificate

    def publish(self, certificate: CvCertificate) -> None:
        """Put a certificate where others fetch it."""
        self._publication.publish_cv_certificate(certificate.body.file_name, certificate.to_bytes())

    def judge(self, record: CvRecord) -> JudgedCertificate:
        """Follow an issued certificate of ours to its root, as a chip would today.

        Raises:
            PkiRefusedError: ``cv-certificate.expired``, ``cv-certificate.issuer-unknown``.
        """
        certificate = record.issued
        if certificate.body.is_self_signed:
            return JudgedCertificate.trusted(certificate, on=self.today)
        authority = self.state.find(record.authority_reference)
        if authority is None:
            raise PkiRefusedError(
                f"there is no certificate of {record.authority_reference.text}",
                code="cv-certificate.issuer-unknown",
            )
        return self.judge(authority).follow(certificate, on=self.today)


def publish_all(state: CardVerifiableState, publication: CvPublication) -> None:
    """Publish what a crash kept from being published; a link goes out only with the root that it leads to."""
    for record in state.records:
        certificate = record.certificate
        if certificate is None:
            continue
        if record.role is Role.CVCA and state.find(record.holder_reference) is None:
            continue
        publication.publish_cv_certificate(certificate.body.file_name, certificate.to_bytes())


def next_reference(recorder: Recorder, *, country: str, mnemonic: str) -> HolderReference:
    """The reference of a holder's first or next key, after all that may have been used.

    Raises:
        PkiRefusedError: ``terminal-request.holder-invalid``, ``cv-certificate.sequence-exhausted``,
            ``cv-certificate.too-soon``.
        PkiDataError: ``cv-certificate.malformed``.
    """
    check_mnemonic(mnemonic)
    first = HolderReference(country=country, mnemonic=mnemonic, sequence_number=_FIRST_SEQUENCE)
    used = recorder.state.card_verifiable.used_references(first.holder)
    latest = max(used, key=lambda item: item.sequence_number, default=None)
    return recorder.state.restores.reference_after(latest, first, now=recorder.now())


def check_mnemonic(mnemonic: str) -> None:
    """Whether a mnemonic is one that we certify: it becomes the name of keys and files.

    Raises:
        PkiRefusedError: ``terminal-request.holder-invalid``.
    """
    if not _PLAIN_MNEMONIC.fullmatch(mnemonic):
        raise PkiRefusedError(
            f"mnemonic is {mnemonic[:20]!r}, expected 1 to 9 digits or capital letters",
            code="terminal-request.holder-invalid",
        )


def cv_key_id(reference: HolderReference) -> str:
    """The name of a key in the keystore."""
    return f"cv-{reference.text.lower()}"
