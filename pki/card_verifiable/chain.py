"""Judging a chain of CV certificates from a trusted CVCA to a terminal (TR-03110-3, 2.3 to 2.5).

1. The chain begins under a CVCA that is trusted, of which the self-signature is checked as well.
2. Each certificate names the one before as its authority, is of the same type of terminal, may be certified by
   its role, lies on the curve of its CVCA and carries the signature of the key before.
3. Every certificate, the trusted one included, is valid on the day that is asked about.
4. The rights are those that all of them grant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Self

from card_layout.curves import EcPublicKey
from pki.card_verifiable.authorisation import FileRights, Role, TerminalType
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.public_key import verify_plain_signature
from pki.card_verifiable.references import HolderReference
from pki.errors import PkiRefusedError

__all__ = ["EffectiveRights", "JudgedCertificate", "judge_chain"]

MAX_CHAIN_CERTIFICATES: Final = 8
"""Enough for five changes of the CVCA's key between the trusted one and a document verifier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveRights:
    """What a whole chain grants: type of terminal, access bits, readable files."""

    terminal_type: TerminalType
    access_bits: int
    files: FileRights

    @classmethod
    def granted_by(cls, certificate: CvCertificate) -> Self:
        """What one certificate grants by itself."""
        return cls(
            terminal_type=certificate.body.authorisation.terminal_type,
            access_bits=certificate.body.authorisation.access_bits,
            files=certificate.body.file_rights,
        )

    def restricted_to(self, other: Self) -> Self:
        """What both grant."""
        return type(self)(
            terminal_type=self.terminal_type,
            access_bits=self.access_bits & other.access_bits,
            files=self.files & other.files,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCertificate:
    """A certificate that has been followed to a trusted CVCA: its key on its curve, its rights so far."""

    certificate: CvCertificate
    public_key: EcPublicKey
    rights: EffectiveRights

    @property
    def holder_reference(self) -> HolderReference:
        """Whose it is."""
        return self.certificate.body.holder_reference

    @classmethod
    def trusted(cls, certificate: CvCertificate, *, on: date | None) -> Self:
        """A self-signed CVCA certificate that somebody has decided to trust, for as long as it is valid.

        Without a day nothing is said about validity.

        Raises:
            PkiRefusedError: ``cv-certificate.role-not-allowed``: not self-signed;
                ``cv-certificate.not-yet-valid``, ``cv-certificate.expired``.
            PkiDataError: ``cv-certificate.signature-invalid``.
        """
        body = certificate.body
        if not body.is_self_signed:
            raise PkiRefusedError(
                f"certificate {body.holder_reference.text} is signed by {body.authority_reference.text}, "
                "expected a self-signed one of a CVCA",
                code="cv-certificate.role-not-allowed",
            )
        key = body.explicit_key
        _verify(certificate, key=key, issuer=certificate)
        _check_validity(certificate, on=on)
        return cls(
            certificate=certificate,
            public_key=key,
            rights=EffectiveRights.granted_by(certificate),
        )

    def follow(self, certificate: CvCertificate, *, on: date | None) -> Self:
        """Judge the next certificate of the chain: one that this one's key is to have signed.

        Without a day nothing is said about validity.

        Raises:
            PkiRefusedError: ``cv-certificate.issuer-unknown``, ``cv-certificate.role-not-allowed``,
                ``cv-certificate.terminal-type-differs``, ``cv-certificate.holder-differs``,
                ``cv-certificate.not-yet-valid``, ``cv-certificate.expired``.
            PkiDataError: ``cv-certificate.malformed``: a key that is not on the curve;
                ``cv-certificate.signature-invalid``.
        """
        body = certificate.body
        if body.authority_reference != self.holder_reference:
            raise PkiRefusedError(
                f"certificate {body.holder_reference.text} is signed by {body.authority_reference.text}, "
                f"expected {self.holder_reference.text}",
                code="cv-certificate.issuer-unknown",
            )
        _check_may_certify(self.certificate, certificate)
        # TR-03110-3, A.6.4.1: only a CVCA's certificate may bring domain parameters of its own.
        key = body.public_key.on(body.public_key.curve or self.public_key.curve)
        _verify(certificate, key=self.public_key, issuer=self.certificate)
        _check_validity(certificate, on=on)
        return type(self)(
            certificate=certificate,
            public_key=key,
            rights=self.rights.restricted_to(EffectiveRights.granted_by(certificate)),
        )


def judge_chain(
    chain: Sequence[CvCertificate], *, anchors: Sequence[CvCertificate], on: date
) -> JudgedCertificate:
    """Follow a chain (links, document verifier, terminal) from one of the trusted CVCAs; give back its last.

    Args:
        chain: the certificates in the order of signing, without the trusted one, ending with a terminal's.
        anchors: the self-signed certificates of the CVCAs that are trusted.
        on: the day (UTC) on which all of them must be valid.

    Raises:
        PkiRefusedError: as ``JudgedCertificate``; ``cv-certificate.chain-incomplete``: it does not end with a
            terminal; ``cv-certificate.chain-too-long``.
        PkiDataError: a signature or a key is wrong.
    """
    if len(chain) > MAX_CHAIN_CERTIFICATES:
        raise PkiRefusedError(
            f"chain has {len(chain)} certificates, expected at most {MAX_CHAIN_CERTIFICATES}",
            code="cv-certificate.chain-too-long",
        )
    if not chain or chain[-1].body.authorisation.role is not Role.TERMINAL:
        raise PkiRefusedError(
            "chain does not end with a terminal's certificate",
            code="cv-certificate.chain-incomplete",
        )
    first = chain[0].body.authority_reference
    anchor = next((item for item in anchors if item.body.holder_reference == first), None)
    if anchor is None:
        raise PkiRefusedError(
            f"chain begins under {first.text}, which is no trusted CVCA",
            code="cv-certificate.issuer-unknown",
        )
    judged = JudgedCertificate.trusted(anchor, on=on)
    for certificate in chain:
        judged = judged.follow(certificate, on=on)
    return judged


def _check_may_certify(issuer: CvCertificate, certificate: CvCertificate) -> None:
    above, below = issuer.body.authorisation, certificate.body.authorisation
    if not above.role.may_certify(below.role):
        raise PkiRefusedError(
            f"a {above.role.label} ({issuer.body.holder_reference.text}) signed a certificate of a "
            f"{below.role.label} ({certificate.body.holder_reference.text}), which it may not",
            code="cv-certificate.role-not-allowed",
        )
    if below.terminal_type is not above.terminal_type:
        raise PkiRefusedError(
            f"certificate {certificate.body.holder_reference.text} is of type {below.terminal_type.label}, "
            f"expected {above.terminal_type.label}",
            code="cv-certificate.terminal-type-differs",
        )
    if below.role is Role.CVCA and (
        certificate.body.holder_reference.holder != issuer.body.holder_reference.holder
        or certificate.body.is_self_signed
    ):
        raise PkiRefusedError(
            f"link certificate leads from {issuer.body.holder_reference.text} to "
            f"{certificate.body.holder_reference.text}, expected another key of the same holder",
            code="cv-certificate.holder-differs",
        )


def _verify(certificate: CvCertificate, *, key: EcPublicKey, issuer: CvCertificate) -> None:
    verify_plain_signature(
        key,
        issuer.body.public_key.algorithm,
        signature=certificate.signature,
        message=certificate.body.to_bytes(),
        name=f"certificate {certificate.body.holder_reference.text}",
    )


def _check_validity(certificate: CvCertificate, *, on: date | None) -> None:
    if on is None:
        return
    body = certificate.body
    if on < body.effective_date:
        raise PkiRefusedError(
            f"certificate {body.holder_reference.text} is valid from {body.effective_date}, not on {on}",
            code="cv-certificate.not-yet-valid",
        )
    if on > body.expiration_date:
        raise PkiRefusedError(
            f"certificate {body.holder_reference.text} was valid until {body.expiration_date}, not on {on}",
            code="cv-certificate.expired",
        )
