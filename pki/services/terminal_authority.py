"""The CVCA and its document verifiers: their keys, their certificates, and the links from key to key."""

from card_layout.curves import NamedCurve
from pki.card_verifiable.authorisation import FileRights, Role
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.issue import check_grant, compose_below, compose_root, validity_from
from pki.card_verifiable.public_key import CvPublicKey
from pki.errors import PkiRefusedError
from pki.services.cv_issuer import CvIssuer

__all__ = ["TerminalAuthorityService"]


class TerminalAuthorityService:
    """One CVCA and its document verifiers."""

    def __init__(self, issuer: CvIssuer) -> None:
        self._issuer = issuer

    def create_authority(
        self, *, country: str, mnemonic: str, curve: NamedCurve, files: FileRights
    ) -> CvCertificate:
        """Make the CVCA's first key and its self-signed certificate.

        Raises:
            PkiRefusedError: ``cvca.exists``, ``terminal-request.holder-invalid``.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        existing = self._issuer.state.issued(role=Role.CVCA)
        if existing:
            raise PkiRefusedError(
                f"there is a CVCA {existing[-1].holder_reference.text} already",
                code="cvca.exists",
                hint="membercard-pki terminal cvca link makes its next key",
            )
        reference = self._issuer.next_reference(country=country, mnemonic=mnemonic, role=Role.CVCA)
        signer = self._issuer.create_key(reference, curve=curve)
        root = self._issuer.sign(
            compose_root(
                reference=reference,
                public_key=CvPublicKey.of(signer, explicit=True),
                files=files,
                validity=validity_from(self._issuer.today, Role.CVCA),
            ),
            issuer=None,
        )
        self._issuer.publish(root)
        return root

    def create_link(self) -> tuple[CvCertificate, CvCertificate]:
        """Make the CVCA's next key; give back the link that the key before signed, and the new root.

        Raises:
            PkiRefusedError: ``cvca.missing``, ``cv-certificate.expired``, ``cv-certificate.sequence-exhausted``.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        earlier = self._issuer.judge_newest_authority()
        body = earlier.certificate.body
        reference = self._issuer.next_reference(
            country=body.holder_reference.country,
            mnemonic=body.holder_reference.mnemonic,
            role=Role.CVCA,
        )
        signer = self._issuer.create_key(reference, curve=earlier.public_key.curve)
        public_key = CvPublicKey.of(signer, explicit=True)
        validity = validity_from(self._issuer.today, Role.CVCA)
        # The link is made first: a CVCA that exists without one would cut the chips off that trust the key before.
        link = self._issuer.sign(
            compose_below(
                earlier,
                role=Role.CVCA,
                reference=reference,
                public_key=public_key,
                files=body.file_rights,
                access_bits=body.authorisation.access_bits,
                validity=validity,
            ),
            issuer=earlier,
        )
        root = self._issuer.sign(
            compose_root(
                reference=reference,
                public_key=public_key,
                files=body.file_rights,
                access_bits=body.authorisation.access_bits,
                terminal_type=body.authorisation.terminal_type,
                validity=validity,
            ),
            issuer=None,
        )
        self._issuer.publish(link)
        self._issuer.publish(root)
        return link, root

    def create_document_verifier(self, *, mnemonic: str, files: FileRights) -> CvCertificate:
        """Make a document verifier's first or next key and its certificate.

        Raises:
            PkiRefusedError: ``cvca.missing``, ``cv-certificate.rights-exceeded``, ``cv-certificate.expired``,
                ``terminal-request.holder-invalid``, ``terminal-request.holder-taken``.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        authority = self._issuer.judge_newest_authority()
        # Refused before a key is made that nothing would certify.
        check_grant(authority, files=files)
        reference = self._issuer.next_reference(
            country=authority.holder_reference.country,
            mnemonic=mnemonic,
            role=Role.DOCUMENT_VERIFIER,
        )
        signer = self._issuer.create_key(reference, curve=authority.public_key.curve)
        certificate = self._issuer.sign(
            compose_below(
                authority,
                role=Role.DOCUMENT_VERIFIER,
                reference=reference,
                public_key=CvPublicKey.of(signer, explicit=False),
                files=files,
                validity=validity_from(
                    self._issuer.today,
                    Role.DOCUMENT_VERIFIER,
                    not_after=authority.certificate.body.expiration_date,
                ),
            ),
            issuer=authority,
        )
        self._issuer.publish(certificate)
        return certificate
