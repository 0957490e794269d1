"""A trust-bundle signer under a test authority, and the files of a terminal, for the tests of this package."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from pki.keys.software import SoftwareSigner
from pki.signed.trust_bundle import prepare_trust_bundle
from simulators.authority import TestAuthority
from tests.unit.verifier.status_office import STATUS_POLICY, StatusOffice

__all__ = ["BundleOffice", "layout_files"]


def layout_files(
    authority: TestAuthority, *, now: datetime, policy: str = STATUS_POLICY, status: bytes = b""
) -> dict[str, bytes]:
    """What a terminal needs of an authority."""
    files = {
        "csca/csca-1.cer": authority.root.certificate,
        "crl/csca-1.crl": authority.revocation_list(now=now),
        "policy.toml": policy.encode(),
    }
    return {**files, "status/csca-1.status": status} if status else files


class BundleOffice(StatusOffice):
    """Signs bundles of whatever files, at whatever time."""

    def __init__(self, authority: TestAuthority) -> None:
        super().__init__(authority=authority, profile="trust-bundle-signer")

    def bundle(
        self,
        files: Mapping[str, bytes],
        *,
        at: datetime,
        number: int = 1,
        lifetime: timedelta = timedelta(days=30),
    ) -> bytes:
        """A bundle that was made at this time."""
        return prepare_trust_bundle(
            signer_certificate=self.certificate,
            public_key=self.key.public_key(),
            number=number,
            this_update=at,
            next_update=at + lifetime,
            files=files,
        ).sign(SoftwareSigner(self.key))
