"""A test authority: a CSCA with three document signers, for tests and for forged cards; never for real ones.

Its keys lie in clear in memory and on disk. Every certificate is marked as a test's (SPEC.md, 7.5).
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from pki.certificates.certificate import load_certificate
from pki.certificates.crl import issue_crl
from pki.certificates.issue import issue_authority_certificate, issue_signer_certificate
from pki.certificates.names import DistinguishedName
from pki.certificates.profile import (
    CertificateProfile,
    ProfileVariant,
    add_months,
    load_certificate_profile,
)
from pki.certificates.profile_checks import is_test_certificate
from pki.errors import PkiError
from pki.keys.keystore import RSA_PUBLIC_EXPONENT
from pki.keys.software import PrivateKey, SoftwareSigner
from simulators.errors import SimulatorError

__all__ = ["CertifiedKey", "SignerKind", "TestAuthority"]

_COUNTRY = "VN"
_ORGANISATION = "TEST membercard simulator"
_AUTHORITY_AGE_MONTHS = 12
_CURRENT_SIGNER_AGE = timedelta(days=30)
_EXPIRED_SIGNER_AGE_MONTHS = 11
_EXPIRED_SIGNER_VALIDITY_MONTHS = 3
_CRL_LIFETIME = timedelta(days=89)
_REVOKED_BEFORE = timedelta(days=7)
_MAX_FILE_BYTES = 16384


class SignerKind(StrEnum):
    """The document signers that every test authority has."""

    CURRENT = "current"
    """May sign at the authority's ``created_at``."""

    EXPIRED = "expired"
    """Its certificate ended eight months before ``created_at``."""

    REVOKED = "revoked"
    """As the current one, but every CRL lists it."""


@dataclass(frozen=True, kw_only=True)
class CertifiedKey:
    """A private key in clear, and the DER certificate over its public half."""

    private_key: PrivateKey = field(repr=False)
    certificate: bytes = field(repr=False)

    @property
    def signer(self) -> SoftwareSigner:
        """The key, ready to sign."""
        return SoftwareSigner(self.private_key)


@dataclass(frozen=True, kw_only=True)
class TestAuthority:
    """A CSCA (P-384 unless told otherwise) with its document signers (P-256).

    Attributes:
        created_at: when it was made; cards that it issues are signed at this time unless told otherwise, so
            that an authority kept on disk goes on making the same cards.
        root: key and self-signed certificate of the CSCA.
        signers: one of each kind.

    Raises:
        SimulatorError: ``authority.not-for-tests``: the root is not marked as a test's, so its cards might count.
    """

    # Keeps pytest from taking a class of this name for a collection of tests.
    __test__: ClassVar[bool] = False

    created_at: datetime
    root: CertifiedKey
    signers: Mapping[SignerKind, CertifiedKey]

    def __post_init__(self) -> None:
        if not is_test_certificate(load_certificate(self.root.certificate)):
            raise SimulatorError(
                f"authority {self.name!r} is not marked as a test's, expected TEST in its name or its policy",
                code="authority.not-for-tests",
                hint="simulated cards are made under test authorities only",
            )

    @classmethod
    def create(
        cls,
        *,
        now: datetime,
        name: str = "TEST CSCA of the simulator",
        variant: ProfileVariant = ProfileVariant.PRIVATE,
        root_key_label: str = "secp384r1",
        signer_key_label: str = "secp256r1",
    ) -> Self:
        """Make keys and certificates.

        Args:
            now: aware; whole seconds are kept.
            name: common name of the CSCA; it holds the word TEST.
            variant: whether domain parameters are written out in the certificates.
            root_key_label: the CSCA's kind of key: a curve, ``rsa3072`` or ``rsa4096``.
            signer_key_label: the document signers' kind of key.
        """
        created_at = now.replace(microsecond=0)
        root_profile = load_certificate_profile("csca").with_key(root_key_label)
        root_key = _draw_key(root_profile)
        certificate = issue_authority_certificate(
            signer=SoftwareSigner(root_key),
            profile=root_profile.in_variant(variant),
            name=_name(name),
            serial_number=_serial_number(),
            not_before=add_months(created_at, -_AUTHORITY_AGE_MONTHS),
            is_test=True,
        )
        root = CertifiedKey(private_key=root_key, certificate=certificate)
        profile = (
            load_certificate_profile("document-signer")
            .with_key(signer_key_label)
            .in_variant(variant)
        )
        recently = created_at - _CURRENT_SIGNER_AGE
        long_ago = add_months(created_at, -_EXPIRED_SIGNER_AGE_MONTHS)
        return cls(
            created_at=created_at,
            root=root,
            signers={
                SignerKind.CURRENT: _issue(root, profile, SignerKind.CURRENT, recently),
                SignerKind.EXPIRED: _issue(
                    root, _short_lived(profile), SignerKind.EXPIRED, long_ago
                ),
                SignerKind.REVOKED: _issue(root, profile, SignerKind.REVOKED, recently),
            },
        )

    @property
    def name(self) -> str:
        """Common name of the CSCA."""
        subject = x509.load_der_x509_certificate(self.root.certificate).subject
        return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)

    def revocation_list(self, *, now: datetime) -> bytes:
        """A DER CRL that is current at ``now`` and lists the revoked signer."""
        revoked = load_certificate(self.signers[SignerKind.REVOKED].certificate)
        return issue_crl(
            signer=self.root.signer,
            authority_certificate=self.root.certificate,
            # Numbers rise with time, whoever issues the lists.
            number=int(now.timestamp()),
            this_update=now,
            next_update=now + _CRL_LIFETIME,
            revoked={revoked.serial_number: self.created_at - _REVOKED_BEFORE},
        )

    def save(self, directory: Path) -> None:
        """Write keys (in clear, for their owner only) and certificates into a folder.

        Raises:
            SimulatorError: ``authority.not-written``.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            for stem, item in self._items().items():
                _write_private(directory / f"{stem}.key", _encode_key(item.private_key))
                (directory / f"{stem}.cer").write_bytes(item.certificate)
        except OSError as error:
            raise SimulatorError(
                f"test authority {directory} cannot be written: {error.strerror}",
                code="authority.not-written",
            ) from error

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what ``save`` wrote.

        Raises:
            SimulatorError: ``authority.not-found``; ``authority.malformed``: files that do not belong together;
                ``authority.not-for-tests``.
        """
        if not (directory / "csca.cer").is_file():
            raise SimulatorError(
                f"there is no test authority in {directory}",
                code="authority.not-found",
                hint="membercard-simulator image forge KIND --authority makes one",
            )
        signers = {kind: _read(directory, f"signer-{kind}") for kind in SignerKind}
        current = load_certificate(signers[SignerKind.CURRENT].certificate)
        return cls(
            created_at=current.not_before + _CURRENT_SIGNER_AGE,
            root=_read(directory, "csca"),
            signers=signers,
        )

    @classmethod
    def load_or_create(cls, directory: Path, *, now: datetime, name: str) -> Self:
        """The authority of the folder; a new one, saved there, where the folder holds none.

        Raises:
            SimulatorError: as ``load`` and ``save``.
        """
        if (directory / "csca.cer").exists():
            return cls.load(directory)
        authority = cls.create(now=now, name=name)
        authority.save(directory)
        return authority

    def _items(self) -> dict[str, CertifiedKey]:
        # The root comes last: its certificate tells that the folder is complete.
        return {f"signer-{kind}": key for kind, key in self.signers.items()} | {"csca": self.root}


def _issue(
    root: CertifiedKey, profile: CertificateProfile, kind: SignerKind, not_before: datetime
) -> CertifiedKey:
    private_key = _draw_key(profile)
    certificate = issue_signer_certificate(
        authority_signer=root.signer,
        authority_certificate=root.certificate,
        public_key=private_key.public_key(),
        profile=profile,
        name=_name(f"TEST document signer, {kind}"),
        serial_number=_serial_number(),
        not_before=not_before,
    )
    return CertifiedKey(private_key=private_key, certificate=certificate)


def _draw_key(profile: CertificateProfile) -> PrivateKey:
    if profile.curve is not None:
        return ec.generate_private_key(profile.curve.to_cryptography())
    return rsa.generate_private_key(RSA_PUBLIC_EXPONENT, profile.rsa_bits or 0)


def _short_lived(profile: CertificateProfile) -> CertificateProfile:
    return replace(
        profile,
        validity_months=_EXPIRED_SIGNER_VALIDITY_MONTHS,
        private_key_use_months=_EXPIRED_SIGNER_VALIDITY_MONTHS - 1,
        card_validity_months=1,
    )


def _name(common_name: str) -> DistinguishedName:
    return DistinguishedName(country=_COUNTRY, organisation=_ORGANISATION, common_name=common_name)


def _serial_number() -> int:
    """127 random bits under a leading one."""
    return 1 << 127 | secrets.randbits(127)


def _encode_key(private_key: PrivateKey) -> bytes:
    return private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write_private(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def _read(directory: Path, stem: str) -> CertifiedKey:
    try:
        certificate = _read_file(directory / f"{stem}.cer")
        private_key = load_pem_private_key(_read_file(directory / f"{stem}.key"), password=None)
        public_key = load_certificate(certificate).public_key
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm, PkiError) as error:
        raise SimulatorError(
            f"{stem} of test authority {directory} cannot be read", code="authority.malformed"
        ) from error
    if (
        not isinstance(private_key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
        or private_key.public_key() != public_key
    ):
        raise SimulatorError(
            f"key and certificate of {stem} in {directory} do not belong together",
            code="authority.malformed",
        )
    return CertifiedKey(private_key=private_key, certificate=certificate)


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_FILE_BYTES)
