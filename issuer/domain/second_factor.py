"""Second factors: security keys and platform authenticators by WebAuthn (W3C Web Authentication, level 2)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from issuer.domain.account import AccountId
from issuer.errors import IssuerDataError
from pki.keys.webauthn_keys import CoseAlgorithm

__all__ = [
    "CHALLENGE_BYTES",
    "CHALLENGE_LIFETIME",
    "MAX_SECOND_FACTORS",
    "Challenge",
    "OperatorKey",
    "SecondFactor",
    "check_label",
]

CHALLENGE_BYTES: Final = 32
CHALLENGE_LIFETIME: Final = timedelta(minutes=5)
MAX_SECOND_FACTORS: Final = 8
"""How many an account may have; two are wise, one of them in a safe."""

_MAX_LABEL_CHARACTERS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorKey:
    """That a credential signs for the PKI as well, by the name of one of its operators.

    Attributes:
        operator: for whom the PKI made the challenge that it answers.
        registration: what the browser said, for the PKI to enrol (JSON).
        certificate: the operator's (DER), once the PKI has issued it; whose it is the signer judges.
    """

    operator: str
    registration: bytes = field(repr=False)
    certificate: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactor:
    """One credential of an account.

    Attributes:
        credential_id: what the authenticator calls it.
        account_id: whose it is.
        label: what its owner calls it.
        algorithm: what it signs with.
        public_key: DER SubjectPublicKeyInfo.
        counter: the highest count that it said; 0 where it does not count.
        created_at: when it was registered (aware UTC).
        operator_key: what makes it one of the PKI's, too; ``None`` where it is not.
    """

    credential_id: bytes
    account_id: AccountId
    label: str
    algorithm: CoseAlgorithm
    public_key: bytes = field(repr=False)
    counter: int
    created_at: datetime
    operator_key: OperatorKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a session's authenticator is to sign next: once, and soon."""

    value: bytes
    expires_at: datetime


def check_label(text: str) -> str:
    """What somebody calls their second factor.

    Raises:
        IssuerDataError: ``second-factor.label-malformed``.
    """
    if not (1 <= len(text) <= _MAX_LABEL_CHARACTERS and text.isprintable()):
        raise IssuerDataError(
            f"a label of {len(text)} characters, expected 1 to {_MAX_LABEL_CHARACTERS} that can be shown",
            code="second-factor.label-malformed",
        )
    return text
