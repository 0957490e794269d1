"""The issuance cycle: everything that the authority's keys sign goes this one way.

1. reserve the number, durably: it is never given again;
2. prepare: everything but the signature;
3. lint a draft of it, signed with a throw-away key;
4. record durably what will be signed;
5. sign, once;
6. compare what was signed with what was linted;
7. record what came out;
8. publish (the caller).

A crash anywhere leaves a record of what may exist, and nothing is signed twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pki.certificates.authority_certificate import Authority
from pki.certificates.certificate import load_certificate_list
from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.prepared import Prepared
from pki.certificates.profile import ProfileKind, ProfileVariant
from pki.certificates.service_certificates import (
    check_service_authority,
    check_service_certificate,
)
from pki.certificates.trust import DocumentSignerCertificate
from pki.errors import KeystoreError, PkiError, PkiRefusedError
from pki.keys.algorithms import HashAlgorithm, PublicKey
from pki.keys.keystore import RSA_PUBLIC_EXPONENT
from pki.keys.signer import Signer
from pki.keys.software import SoftwareSigner
from pki.services.recorder import Recorder
from pki.services.state import EntryKind
from pki.signed.master_list import MasterList
from pki.signed.status_list import StatusList
from pki.signed.stop_list import StopList
from pki.signed.token_status_list import TokenStatusList
from pki.signed.trust_bundle import TrustBundle

__all__ = ["Draft", "DraftKind", "IssuanceCycle", "Linter", "StrictProfileLinter"]

_SERIAL_NUMBER_BYTES = 16


class DraftKind(Enum):
    """What is about to be signed."""

    AUTHORITY = "authority"
    LINK = "link"
    SIGNER = "signer"
    SERVICE_AUTHORITY = "service-authority"
    SERVICE = "service"
    CRL = "crl"
    STOP_LIST = "stop-list"
    MASTER_LIST = "master-list"
    STATUS_LIST = "status-list"
    STATUS_JWT = "status-jwt"
    TRUST_BUNDLE = "trust-bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A whole certificate, CRL or list under the signature of a throw-away key.

    ``profile`` is the kind of a certificate's profile and ``variant`` how its authority names curves, ``issuer`` the DER
    certificate of the real key that will sign; none is there for what has none.
    """

    kind: DraftKind
    der: bytes = field(repr=False)
    profile: ProfileKind | None = None
    variant: ProfileVariant | None = None
    issuer: bytes | None = field(default=None, repr=False)


class Linter(Protocol):
    """Looks at what is about to be signed."""

    def findings(self, draft: Draft) -> Sequence[str]:
        """Why it must not be signed, a sentence for each reason; none if it may."""


class StrictProfileLinter:
    """The checks that our own readers make: nothing is signed that we would not believe."""

    def findings(self, draft: Draft) -> Sequence[str]:
        """See ``Linter``."""
        try:
            _read(draft)
        except PkiError as error:
            return [f"{error} [{error.code}]"]
        return []


class IssuanceCycle:
    """Steps 1 and 3 to 7, for whoever prepares something and publishes it."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        random_bytes: Callable[[int], bytes],
        linter: Linter | None = None,
    ) -> None:
        self._recorder = recorder
        self._random_bytes = random_bytes
        self._linter = linter if linter is not None else StrictProfileLinter()

    def reserve_serial_number(self) -> int:
        """Positive, 127 bits, mostly random, never used before (Doc 9303-12, 7.1.1; RFC 5280, 4.1.2.2).

        Raises:
            RecordError: it is not reserved.
        """
        while True:
            drawn = int.from_bytes(self._random_bytes(_SERIAL_NUMBER_BYTES), "big")
            # The top bits are fixed, so that the number is positive and always equally long.
            serial_number = drawn & (2**126 - 1) | 2**126
            if serial_number not in self._recorder.state.serial_numbers:
                break
        self._recorder.record(EntryKind.SERIAL_RESERVED, serial=f"{serial_number:x}")
        return serial_number

    def reserve_list_number(self, series: str) -> int:
        """The next number of a series of lists.

        Raises:
            RecordError: it is not reserved.
        """
        state = self._recorder.state
        number = max(state.list_numbers.get(series, 0), state.restores.list_number) + 1
        self._recorder.record(EntryKind.NUMBER_RESERVED, series=series, number=number)
        return number

    def sign(
        self,
        prepared: Prepared,
        *,
        signer: Signer,
        kind: DraftKind,
        intent: tuple[EntryKind, dict[str, str | int | None]],
        profile: ProfileKind | None = None,
        variant: ProfileVariant | None = None,
        issuer: bytes | None = None,
    ) -> bytes:
        """Lint, record, sign once, compare; the caller records what came out and publishes it.

        Raises:
            PkiRefusedError: ``issuance.lint-failed``: nothing was signed, and what was reserved stays used;
                ``signing.redeemed``, ``signing.key-mismatch``.
            RecordError: nothing was signed.
            KeystoreError: the key failed; the record says what may exist. ``issuance.differs``: what was signed is
                not what was linted, and is not given out.
        """
        draft = prepared.draft(_throw_away_signer(_kind_of_key(signer.public_key)))
        findings = self._linter.findings(
            Draft(kind=kind, der=draft, profile=profile, variant=variant, issuer=issuer)
        )
        if findings:
            self._recorder.record(
                EntryKind.LINT_REFUSED,
                draft=kind.value,
                digest=_digest(prepared.to_be_signed),
                finding=findings[0][:500],
            )
            raise PkiRefusedError(
                f"{kind.value} has {len(findings)} lint findings, the first: {findings[0]}",
                code="issuance.lint-failed",
            )
        entry_kind, fields = intent
        self._recorder.record(entry_kind, **fields, digest=_digest(prepared.to_be_signed))
        signed = prepared.sign(signer)
        if prepared.frame(signed) != prepared.frame(draft):
            raise KeystoreError(
                f"the {kind.value} that was signed is not the one that was linted",
                code="issuance.differs",
                hint="stop signing: the journal says what may exist",
            )
        return signed


def _read(draft: Draft) -> None:
    if draft.kind is DraftKind.CRL:
        load_certificate_list(draft.der)
    elif draft.kind in {DraftKind.AUTHORITY, DraftKind.LINK}:
        Authority.read_unproven(draft.der)
    elif draft.kind is DraftKind.SERVICE_AUTHORITY:
        check_service_authority(draft.der)
    elif draft.kind in _READERS:
        _READERS[draft.kind](draft.der)
    elif draft.profile is None:
        raise PkiRefusedError(
            "an end entity without a kind of profile", code="certificate.request-invalid"
        )
    elif draft.kind is DraftKind.SERVICE:
        check_service_certificate(draft.der, kind=draft.profile)
    elif draft.profile is ProfileKind.DOCUMENT_SIGNER:
        DocumentSignerCertificate.from_bytes(draft.der)
    else:
        ListSignerCertificate.from_bytes(draft.der, kind=draft.profile)


_READERS: Mapping[DraftKind, Callable[[bytes], object]] = {
    DraftKind.STOP_LIST: StopList.read_unproven,
    DraftKind.MASTER_LIST: MasterList.read_unproven,
    DraftKind.STATUS_LIST: StatusList.read_unproven,
    DraftKind.STATUS_JWT: TokenStatusList.read_unproven,
    DraftKind.TRUST_BUNDLE: TrustBundle.read_unproven,
}
"""The lists that have no certificate's profile; their signature is a throw-away key's."""


def _kind_of_key(public_key: PublicKey) -> str:
    if isinstance(public_key, rsa.RSAPublicKey):
        return f"rsa{public_key.key_size}"
    return public_key.curve.name


@lru_cache(maxsize=8)
def _throw_away_signer(kind: str) -> SoftwareSigner:
    """A key that signs drafts in this process and is never seen outside it."""
    if kind.startswith("rsa"):
        bits = int(kind.removeprefix("rsa"))
        return SoftwareSigner(rsa.generate_private_key(RSA_PUBLIC_EXPONENT, bits))
    return SoftwareSigner(ec.generate_private_key(_CURVES[kind]()))


_CURVES: dict[str, type[ec.EllipticCurve]] = {
    curve.name: curve
    for curve in (
        ec.SECP256R1,
        ec.SECP384R1,
        ec.SECP521R1,
        ec.BrainpoolP256R1,
        ec.BrainpoolP384R1,
        ec.BrainpoolP512R1,
    )
}


def _digest(to_be_signed: bytes) -> str:
    return HashAlgorithm.SHA256.digest(to_be_signed).hex()
