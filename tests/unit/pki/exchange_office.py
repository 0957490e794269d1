"""A service authority in memory, and certificates of instances and stations under it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric import ec

from pki.certificates.names import DistinguishedName
from pki.certificates.profile import load_certificate_profile
from pki.certificates.service_certificates import (
    prepare_service_authority_certificate,
    prepare_service_certificate,
)
from pki.keys.software import SoftwareSigner

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@dataclass(kw_only=True)
class Party:
    """Somebody with a key to sign with and another one that is sealed to, and a certificate for each."""

    name: str
    signing_key: ec.EllipticCurvePrivateKey = field(repr=False)
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    signer_certificate: bytes = field(repr=False)
    certificate: bytes = field(repr=False)

    @cached_property
    def signer(self) -> SoftwareSigner:
        return SoftwareSigner(self.signing_key)

    def agree(self, public_key: ec.EllipticCurvePublicKey) -> bytes:
        return self.key.exchange(ec.ECDH(), public_key)


class ExchangeOffice:
    """The root of services, and what it issues."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._serial = 1 << 100
        self.root = prepare_service_authority_certificate(
            public_key=self._key.public_key(),
            profile=load_certificate_profile("service-authority").with_key("secp256r1"),
            name=DistinguishedName(country="VN", common_name="TEST service root"),
            serial_number=1 << 100,
            not_before=NOW,
            is_test=True,
        ).sign(SoftwareSigner(self._key))

    def certify(
        self, name: str, key: ec.EllipticCurvePublicKey, *, profile: str, not_before: datetime = NOW
    ) -> bytes:
        self._serial += 1
        return prepare_service_certificate(
            authority_certificate=self.root,
            public_key=key,
            profile=load_certificate_profile(profile),
            name=DistinguishedName(country="VN", common_name=f"TEST {name}"),
            serial_number=self._serial,
            not_before=not_before,
        ).sign(SoftwareSigner(self._key))

    def party(self, name: str, *, sealed_as: str = "instance") -> Party:
        signing_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        return Party(
            name=name,
            signing_key=signing_key,
            key=key,
            signer_certificate=self.certify(
                name, signing_key.public_key(), profile="instance-signer"
            ),
            certificate=self.certify(name, key.public_key(), profile=sealed_as),
        )
