"""Issuing trust bundles: numbers only grow, and every bundle is recorded before it is signed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from pki.certificates.profile import ProfileKind
from pki.errors import PkiRefusedError
from pki.keys.algorithms import HashAlgorithm
from pki.services.authority import AUTHORITY_KEY_ID, AuthorityService
from pki.services.issuance import DraftKind
from pki.services.list_signers import newest_signer
from pki.services.state import TRUST_BUNDLE_SERIES, EntryKind
from pki.signed.trust_bundle import TrustBundle, prepare_trust_bundle
from pki.signed.trust_bundle_delta import TrustBundleDelta

__all__ = ["DEFAULT_BUNDLE_LIFETIME", "IssuedTrustBundle", "TrustBundleService", "TrustBundleShelf"]

DEFAULT_BUNDLE_LIFETIME: Final = timedelta(days=30)


class TrustBundleShelf(Protocol):
    """Where trust bundles are published: the journal holds their digests, because they are longer than its entries."""

    def published_trust_bundle(self, name: str) -> bytes | None:
        """The bundle that is published under a plain name."""

    def publish_trust_bundle(self, name: str, der: bytes) -> None:
        """Publish a bundle under a plain name, over the one before."""

    def publish_trust_delta(self, name: str, number: int, data: bytes) -> None:
        """Publish what leads from the bundle before to the bundle of this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedTrustBundle:
    """A bundle that was issued, and what leads to it from the one before, where that is still here."""

    bundle: TrustBundle
    delta: TrustBundleDelta | None


class TrustBundleService:
    """What terminals are brought in one file, on top of the authority that certified its signer."""

    def __init__(self, authority: AuthorityService, shelf: TrustBundleShelf) -> None:
        self._authority = authority
        self._recorder = authority.recorder
        self._shelf = shelf

    def issue(
        self, files: Mapping[str, bytes], *, lifetime: timedelta = DEFAULT_BUNDLE_LIFETIME
    ) -> IssuedTrustBundle:
        """Sign, record and publish the bundle with the next number, and the delta from the one before.

        Raises:
            PkiRefusedError: ``trust-bundle.no-signer``, ``trust-bundle.request-invalid``, ``issuance.lint-failed``.
            PkiDataError: ``trust-bundle.path``.
            KeystoreError, RecordError: it is unfinished, or not begun; its number stays used.
        """
        moment = self._recorder.now().replace(microsecond=0)
        found = newest_signer(self._authority.state, ProfileKind.TRUST_BUNDLE_SIGNER, moment)
        if found is None:
            raise PkiRefusedError(
                "there is no trust-bundle signer that may sign now",
                code="trust-bundle.no-signer",
                hint="membercard-pki signer create --id bundles-1 --profile trust-bundle-signer",
            )
        record, certificate = found
        before = self._before()
        signer = self._authority.keys.signer(record.signer_id, certificate.certificate.public_key)
        number = self._authority.cycle.reserve_list_number(TRUST_BUNDLE_SERIES)
        der = self._authority.cycle.sign(
            prepare_trust_bundle(
                signer_certificate=certificate.der,
                public_key=signer.public_key,
                number=number,
                this_update=moment,
                next_update=moment + lifetime,
                files=files,
            ),
            signer=signer,
            kind=DraftKind.TRUST_BUNDLE,
            issuer=certificate.der,
            intent=(
                EntryKind.TRUST_BUNDLE_INTENDED,
                {"number": number, "signer": record.signer_id},
            ),
        )
        issued = TrustBundle.from_bytes(der)
        self._recorder.record(
            EntryKind.TRUST_BUNDLE_ISSUED, number=number, sha256=issued.fingerprint
        )
        delta = None if before is None else TrustBundleDelta.between(before, issued)
        if delta is not None:
            self._shelf.publish_trust_delta(AUTHORITY_KEY_ID, number, delta.to_bytes())
        self._shelf.publish_trust_bundle(AUTHORITY_KEY_ID, der)
        return IssuedTrustBundle(bundle=issued, delta=delta)

    def _before(self) -> TrustBundle | None:
        """The bundle that terminals have; without it they fetch the next one whole."""
        last = self._authority.state.trust_bundle
        der = self._shelf.published_trust_bundle(AUTHORITY_KEY_ID)
        if last is None or der is None or HashAlgorithm.SHA256.digest(der).hex() != last.sha256:
            return None
        return TrustBundle.from_bytes(der)
