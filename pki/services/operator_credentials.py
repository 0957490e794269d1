"""Operators' WebAuthn credentials: challenges for new ones, enrolment with the operator's certificate, revocation."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from pki.errors import PkiRefusedError
from pki.keys.algorithms import HashAlgorithm
from pki.keys.webauthn_keys import CoseAlgorithm
from pki.services.credential_state import ChallengeRecord, CredentialRecord
from pki.services.operator_page import OperatorPage
from pki.services.operators import check_operator_name
from pki.services.recorder import Recorder
from pki.services.state import EntryKind
from pki.signed.credential_challenge import CHALLENGE_BYTES, CredentialChallenge

__all__ = [
    "CHALLENGE_LIFETIME",
    "MAX_CREDENTIALS",
    "NewCredential",
    "OperatorCredentials",
    "RegistrationJudge",
]

CHALLENGE_LIFETIME: Final = timedelta(hours=1)
MAX_CREDENTIALS: Final = 8
"""How many credentials an operator may have; two are wise, one of them in a safe."""

_USER_BYTES: Final = 16
_MAX_REASON_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredential:
    """What a registration that holds says; ``attestation`` is the format in which the authenticator spoke of its make."""

    credential_id: bytes
    algorithm: CoseAlgorithm
    public_key: bytes = field(repr=False)
    counter: int
    attestation: str


class RegistrationJudge(Protocol):
    """Whatever reads registrations (``pki.services.registration_judging``)."""

    def challenge_of(self, registration: bytes) -> bytes:
        """The challenge that a registration answers.

        Raises:
            WebauthnError: ``webauthn.malformed``.
        """

    def judge(self, registration: bytes, challenge: ChallengeRecord) -> NewCredential:
        """The credential, once the registration is known to hold.

        Raises:
            WebauthnError, PkiRefusedError: it does not.
        """


class OperatorCredentials:
    """Makes challenges, and enrols and revokes credentials."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        judge: RegistrationJudge,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._recorder = recorder
        self._judge = judge
        self._random_bytes = random_bytes

    def challenge(self, operator: str, page: OperatorPage) -> CredentialChallenge:
        """A new challenge, on record: it holds once, for an hour, for this operator, who need not be enrolled yet.

        Raises:
            PkiRefusedError: ``operator.name-invalid``, ``operator.revoked``, ``webauthn.credentials-too-many``.
            RecordError: it is not recorded.
        """
        check_operator_name(operator)
        state = self._recorder.state.authorisations
        self._check_standing(operator)
        known = state.credentials.of(operator)
        challenge = CredentialChallenge(
            operator=operator,
            challenge=self._random_bytes(CHALLENGE_BYTES),
            user=self._random_bytes(_USER_BYTES),
            origin=page.origin,
            rp_id=page.rp_id,
            expires=(self._recorder.now() + CHALLENGE_LIFETIME).replace(microsecond=0),
            algorithms=tuple(CoseAlgorithm),
            exclude=tuple(each.credential_id for each in known),
        )
        self._recorder.record(
            EntryKind.CREDENTIAL_CHALLENGED,
            operator=operator,
            challenge=challenge.challenge.hex(),
            origin=page.origin,
            rp_id=page.rp_id,
            expires=challenge.expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        return challenge

    def check(self, operator: str, registration: bytes) -> NewCredential:
        """Judge a registration; nothing is recorded, so that a certificate can be made in between.

        Raises:
            WebauthnError: ``webauthn.malformed``.
            PkiRefusedError: ``webauthn.challenge-unknown``, ``webauthn.challenge-used``,
                ``webauthn.challenge-expired``, ``webauthn.credential-exists``, ``webauthn.credentials-too-many``,
                ``operator.revoked``, and as the judge says.
        """
        return self._checked(operator, registration)[1]

    def enrol(self, operator: str, registration: bytes) -> CredentialRecord:
        """Enrol a credential with the operator's certificate.

        Raises:
            WebauthnError, PkiRefusedError: as ``check``; ``operator.unknown``, ``operator.unfinished``.
            RecordError: it is not recorded.
        """
        challenge, new = self._checked(operator, registration)
        state = self._recorder.state.authorisations
        record = state.operators.get(operator)
        if record is None:
            raise PkiRefusedError(
                f"there is no operator {operator[:80]!r}", code="operator.unknown"
            )
        if record.certificate is None:
            raise PkiRefusedError(
                f"whether operator {operator} has a certificate is unknown",
                code="operator.unfinished",
            )
        self._recorder.record(
            EntryKind.CREDENTIAL_ENROLLED,
            operator=operator,
            certificate_digest=HashAlgorithm.SHA256.digest(record.certificate).hex(),
            challenge=challenge.challenge.hex(),
            credential=new.credential_id.hex(),
            algorithm=new.algorithm.name,
            public_key=new.public_key.hex(),
            counter=new.counter,
            attestation=new.attestation,
            origin=challenge.origin,
            rp_id=challenge.rp_id,
        )
        return state.credentials.credentials[new.credential_id]

    def revoke(self, operator: str, credential_id: bytes, *, reason: str) -> CredentialRecord:
        """A credential signs nothing any more; what was accepted with it stays, as long as the operator does.

        Raises:
            PkiRefusedError: ``webauthn.credential-unknown``, ``webauthn.credential-revoked``,
                ``signing.request-invalid``.
            RecordError: it is not recorded.
        """
        record = self._recorder.state.authorisations.credentials.credentials.get(credential_id)
        if record is None or record.operator != operator:
            raise PkiRefusedError(
                f"operator {operator[:80]!r} has no credential {credential_id[:16].hex()}",
                code="webauthn.credential-unknown",
            )
        if record.revoked_at is not None:
            raise PkiRefusedError(
                f"the credential was revoked at {record.revoked_at:%Y-%m-%d %H:%M:%S}Z",
                code="webauthn.credential-revoked",
            )
        if not (1 <= len(reason) <= _MAX_REASON_CHARACTERS and reason.isprintable()):
            raise PkiRefusedError(
                f"reason has {len(reason)} characters, expected 1 to {_MAX_REASON_CHARACTERS} printable ones",
                code="signing.request-invalid",
            )
        self._recorder.record(
            EntryKind.CREDENTIAL_REVOKED,
            operator=operator,
            credential=credential_id.hex(),
            reason=reason,
        )
        return record

    def _checked(self, operator: str, registration: bytes) -> tuple[ChallengeRecord, NewCredential]:
        self._check_standing(operator)
        state = self._recorder.state.authorisations.credentials
        challenge = state.challenges.get(self._judge.challenge_of(registration))
        if challenge is None or challenge.operator != operator:
            raise PkiRefusedError(
                f"the registration answers no challenge that was made for {operator[:80]!r}",
                code="webauthn.challenge-unknown",
                hint="membercard-pki operator credential challenge NAME --out FILE",
            )
        if challenge.is_used:
            raise PkiRefusedError(
                "a credential was enrolled with this challenge already",
                code="webauthn.challenge-used",
            )
        now = self._recorder.now()
        if now > challenge.expires:
            raise PkiRefusedError(
                f"the challenge ended at {challenge.expires:%Y-%m-%d %H:%M:%S}Z, "
                f"got {now:%Y-%m-%d %H:%M:%S}Z",
                code="webauthn.challenge-expired",
            )
        new = self._judge.judge(registration, challenge)
        is_known = new.credential_id in state.credentials or any(
            each.public_key == new.public_key for each in state.credentials.values()
        )
        if is_known:
            raise PkiRefusedError(
                "the credential is enrolled already, for this operator or another",
                code="webauthn.credential-exists",
            )
        return challenge, new

    def _check_standing(self, operator: str) -> None:
        state = self._recorder.state.authorisations
        record = state.operators.get(operator)
        if record is not None and record.revoked_at is not None:
            raise PkiRefusedError(f"operator {operator} is revoked", code="operator.revoked")
        count = len(state.credentials.of(operator))
        if count >= MAX_CREDENTIALS:
            raise PkiRefusedError(
                f"operator {operator} has {count} credentials, expected less than {MAX_CREDENTIALS}",
                code="webauthn.credentials-too-many",
                hint="membercard-pki operator credential revoke NAME",
            )
