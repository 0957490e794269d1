"""A status-list signer under a test authority, for the tests of this package."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.files.security_object_file import SecurityObjectFile
from pki.certificates.issue import issue_signer_certificate
from pki.certificates.names import DistinguishedName
from pki.certificates.profile import load_certificate_profile
from pki.keys.software import SoftwareSigner
from pki.signed.card_states import CardState, CardStates
from pki.signed.security_object import SecurityObject, StatusReference
from pki.signed.status_list import prepare_status_list
from simulators.authority import TestAuthority
from simulators.trust_directory import TEST_POLICY
from verifier.inspection.snapshot import CardSnapshot

__all__ = ["STATUS_POLICY", "StatusOffice", "reference_of", "signed_policy"]


def signed_policy(text: str = "") -> str:
    """The policy of tests that also requires the card's status; ``text`` stands before its tables."""
    return TEST_POLICY.replace('"status.reference",', '"status.reference", "status.card",').replace(
        "[states]", f"{text}\n[states]", 1
    )


STATUS_POLICY = signed_policy()


def reference_of(snapshot: CardSnapshot) -> StatusReference:
    """The status reference that a card bears."""
    file = SecurityObjectFile.from_bytes(snapshot.content("EF.SOD") or b"")
    found = SecurityObject.from_bytes(file.content_info).status_reference
    if found is None:
        raise AssertionError("the card has no status reference")
    return found


@dataclass(kw_only=True)
class StatusOffice:
    """Signs status lists of one card, whatever their time."""

    authority: TestAuthority
    profile: str = "status-list-signer"
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def __post_init__(self) -> None:
        self.certificate = issue_signer_certificate(
            authority_signer=self.authority.root.signer,
            authority_certificate=self.authority.root.certificate,
            public_key=self.key.public_key(),
            profile=load_certificate_profile(self.profile),
            name=DistinguishedName(country="VN", common_name="TEST status"),
            serial_number=2**125,
            not_before=self.authority.created_at - timedelta(days=90),
        )

    def states(self, reference: StatusReference | None, state: CardState | None) -> CardStates:
        """Tables in which this card has this state; without one, no table knows it."""
        if reference is None or state is None:
            return CardStates(positions=8, tables={b"another.": bytes(8)})
        size = 1 << max(3, reference.index.bit_length())
        table = bytearray(size)
        table[reference.index] = state
        return CardStates(positions=size, tables={reference.list_id: bytes(table)})

    def sign(
        self,
        reference: StatusReference | None,
        state: CardState | None,
        *,
        at: datetime,
        number: int = 1,
        lifetime: timedelta = timedelta(days=14),
    ) -> bytes:
        """A list that was made at this time."""
        prepared = prepare_status_list(
            signer_certificate=self.certificate,
            public_key=self.key.public_key(),
            number=number,
            this_update=at,
            next_update=at + lifetime,
            states=self.states(reference, state),
        )
        return prepared.sign(SoftwareSigner(self.key))
