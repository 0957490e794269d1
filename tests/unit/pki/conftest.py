"""A small authority in memory for the tests of this package."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pki.certificates.crl import issue_crl
from pki.certificates.issue import issue_authority_certificate, issue_signer_certificate
from pki.certificates.names import DistinguishedName
from pki.certificates.profile import load_certificate_profile
from pki.keys.software import SoftwareSigner

FIXED_NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
FIRST_SERIAL = 2**100


@dataclass(kw_only=True)
class MemoryAuthority:
    """A CSCA with its key, made at ``start``."""

    common_name: str = "TEST authority"
    start: datetime = FIXED_NOW - timedelta(days=30)
    is_test: bool = True
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP384R1())
    )

    def __post_init__(self) -> None:
        self.signer = SoftwareSigner(self.key)
        self.certificate = issue_authority_certificate(
            signer=self.signer,
            profile=load_certificate_profile("csca"),
            name=DistinguishedName(country="VN", common_name=self.common_name),
            serial_number=FIRST_SERIAL,
            not_before=self.start,
            is_test=self.is_test,
            distribution_point="http://pki.example/csca.crl",
        )

    def issue(
        self,
        *,
        key: ec.EllipticCurvePrivateKey | None = None,
        serial_number: int = FIRST_SERIAL + 1,
        start: datetime | None = None,
        common_name: str | None = None,
    ) -> bytes:
        """A document signer's certificate."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        common_name = common_name or ("TEST signer" if self.is_test else "Signer")
        return issue_signer_certificate(
            authority_signer=self.signer,
            authority_certificate=self.certificate,
            public_key=key.public_key(),
            profile=load_certificate_profile("document-signer"),
            name=DistinguishedName(country="VN", common_name=common_name),
            serial_number=serial_number,
            not_before=start or self.start,
            distribution_point="http://pki.example/csca.crl",
        )

    def crl(
        self,
        *revoked: int,
        number: int = 1,
        this_update: datetime = FIXED_NOW - timedelta(days=1),
        lifetime: timedelta = timedelta(days=30),
    ) -> bytes:
        """A CRL that lists these serial numbers."""
        return issue_crl(
            signer=self.signer,
            authority_certificate=self.certificate,
            number=number,
            this_update=this_update,
            next_update=this_update + lifetime,
            revoked=dict.fromkeys(revoked, this_update),
        )


@pytest.fixture(scope="session")
def make_authority() -> Callable[..., MemoryAuthority]:
    return MemoryAuthority


@pytest.fixture(scope="session")
def authority() -> MemoryAuthority:
    return MemoryAuthority()


@pytest.fixture(scope="session")
def fixed_now() -> datetime:
    return FIXED_NOW
