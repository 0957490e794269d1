"""Port of WebAuthn: whatever reads what browsers and authenticators say."""

from dataclasses import dataclass, field
from typing import Protocol

from issuer.domain.second_factor import SecondFactor
from pki.keys.webauthn_keys import CoseAlgorithm

__all__ = ["AssertionParts", "RegisteredCredential", "RelyingParty", "WebauthnJudge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """For whom credentials hold: the page's origin (``https://register.example``), and the domain in it."""

    origin: str
    rp_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredCredential:
    """What a registration that holds says."""

    credential_id: bytes
    algorithm: CoseAlgorithm
    public_key: bytes = field(repr=False)
    counter: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionParts:
    """An assertion as anybody can verify it again, such as the signer of the PKI (W3C Web Authentication, 5.2.2)."""

    credential_id: bytes
    authenticator_data: bytes
    client_data: bytes
    signature: bytes


class WebauthnJudge(Protocol):
    """Reads and judges the JSON of ``PublicKeyCredential.toJSON()``; every refusal has a code ``webauthn.*``."""

    @property
    def relying_party(self) -> RelyingParty:
        """For whom it judges."""

    def judge_registration(self, response: bytes, *, challenge: bytes) -> RegisteredCredential:
        """The credential, once the registration is known to answer this challenge.

        Raises:
            IssuerDataError, IssuerRefusedError: it does not hold.
        """

    def read_assertion(self, response: bytes) -> AssertionParts:
        """The parts of an assertion, of which nothing is known yet.

        Raises:
            IssuerDataError: ``webauthn.malformed``.
        """

    def judge_assertion(
        self, assertion: AssertionParts, *, challenge: bytes, factor: SecondFactor
    ) -> int:
        """The counter of an assertion that is this credential's, over this challenge.

        Raises:
            IssuerDataError, IssuerRefusedError: it is not.
        """
