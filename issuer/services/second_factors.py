"""Second factors: registering a security key, showing it, and signing the digest of something with it.

A challenge is made by the server, stands in the session, holds once and for five minutes. Whoever has shown their second
factor gets another session token, and may use the rights that ask for it for ``STEP_UP_TIME``.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from issuer.domain.account import Account
from issuer.domain.rights import STEP_UP_TIME, AccountName
from issuer.domain.second_factor import (
    CHALLENGE_BYTES,
    CHALLENGE_LIFETIME,
    MAX_SECOND_FACTORS,
    Challenge,
    OperatorKey,
    SecondFactor,
    check_label,
)
from issuer.domain.session import SESSION_TOKEN_BYTES, Face, Restriction, Session, SessionToken
from issuer.errors import IssuerRefusedError
from issuer.services.account_records import record_act_on
from issuer.services.log_in import LogIn, OpenedSession
from issuer.services.operator_keys import check_asked_for_us, check_operator, operator_of
from issuer.services.register_ports import Register
from issuer.services.second_factor_ports import AssertionParts, RelyingParty, WebauthnJudge
from pki.keys.webauthn_keys import CoseAlgorithm
from pki.signed.credential_challenge import CredentialChallenge

__all__ = [
    "AssertionOptions",
    "RegistrationOptions",
    "SecondFactors",
    "SignedDigest",
]

_DIGEST_BYTES: Final = 32
_FOR_DIGEST: Final = b"digest:"
_FOR_PKI: Final = b"registration:"
"""A challenge that somebody else chose is kept with what it is for: an old answer to it opens nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationOptions:
    """What the page asks the authenticator for (``navigator.credentials.create``)."""

    challenge: bytes
    relying_party: RelyingParty
    user: bytes
    name: str
    algorithms: tuple[CoseAlgorithm, ...]
    exclude: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionOptions:
    """What the page asks the authenticator for (``navigator.credentials.get``)."""

    challenge: bytes
    relying_party: RelyingParty
    allow: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDigest:
    """A digest that somebody signed with their second factor, for whoever verifies it again.

    With the operator's certificate, ``assertion`` is what a batch authorisation takes
    (``pki.signed.authorisation.OperatorAssertion``), where the credential is enrolled with the PKI as well.
    """

    digest: bytes
    account: AccountName
    assertion: AssertionParts
    opened: OpenedSession = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactors:
    """The use cases of second factors."""

    register: Register
    log_in: LogIn
    judge: WebauthnJudge
    clock: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]

    def begin_registration(
        self, token: SessionToken, *, challenge_of_pki: CredentialChallenge | None = None
    ) -> RegistrationOptions:
        """A challenge for a new credential of one's own.

        Args:
            token: the session's.
            challenge_of_pki: what the PKI asks, so that it enrols the same credential for one of its operators.

        Raises:
            IssuerRefusedError: ``session.ended``, ``session.restricted``, ``second-factor.too-many``; there is one
                already and it was not shown lately (``right.step-up-needed``), or there is none and the log-in lies
                too far back (``second-factor.log-in-again``); the PKI's challenge is for another page
                (``webauthn.origin-differs``) or too old (``webauthn.challenge-expired``).
        """
        session, account = self._present(token)
        now = self.clock()
        asked = challenge_of_pki
        if asked is not None:
            check_asked_for_us(asked, self.judge.relying_party, now)
        with self.register.writing() as transaction:
            factors = transaction.people.second_factors(account.account_id)
            _check_addition(session, factors, now)
            challenge = self.random_bytes(CHALLENGE_BYTES) if asked is None else asked.challenge
            purpose = b"" if asked is None else _FOR_PKI
            transaction.sessions.challenge(token.digest, _kept(purpose + challenge, now))
        return RegistrationOptions(
            challenge=challenge,
            relying_party=self.judge.relying_party,
            user=account.account_id.bytes if asked is None else asked.user,
            name=account.name if asked is None else asked.operator,
            algorithms=tuple(CoseAlgorithm),
            exclude=(
                *(each.credential_id for each in factors),
                *(() if asked is None else asked.exclude),
            ),
        )

    def finish_registration(
        self,
        token: SessionToken,
        response: bytes,
        *,
        label: str,
        operator: str | None = None,
    ) -> SecondFactor:
        """Keep the credential that answers the session's challenge.

        Args:
            token: the session's.
            response: what the browser said.
            label: what its owner calls it.
            operator: for whom the PKI made the challenge; the response is then kept for the PKI to enrol.

        Raises:
            IssuerRefusedError: as ``begin_registration``; ``webauthn.challenge-missing``,
                ``webauthn.credential-exists``, and as the judge says.
            IssuerDataError: ``second-factor.label-malformed``, ``webauthn.malformed``.
        """
        label = check_label(label)
        key = None
        if operator is not None:
            key = OperatorKey(operator=check_operator(operator), registration=response)
        session, account = self._present(token)
        challenge = self._take_challenge(token, b"" if operator is None else _FOR_PKI)
        found = self.judge.judge_registration(response, challenge=challenge)
        now = self.clock()
        factor = SecondFactor(
            credential_id=found.credential_id,
            account_id=account.account_id,
            label=label,
            algorithm=found.algorithm,
            public_key=found.public_key,
            counter=found.counter,
            created_at=now,
            operator_key=key,
        )
        with self.register.writing() as transaction:
            transaction.people.lock()
            factors = transaction.people.second_factors(account.account_id)
            _check_addition(session, factors, now)
            if transaction.people.has_credential(factor.credential_id):
                raise IssuerRefusedError(
                    "the security key is registered already, for this account or another",
                    code="webauthn.credential-exists",
                )
            transaction.people.add_second_factor(factor)
            record_act_on(
                account, "second-factor.registered", transaction=transaction, by=account.name, at=now,
                credential=_said(factor.credential_id), factors=len(factors) + 1,
            )  # fmt: skip
        return factor

    def begin_assertion(
        self, token: SessionToken, *, digest: bytes | None = None
    ) -> AssertionOptions:
        """A challenge for one of one's own credentials: random, or the digest (32 bytes) of what is to be signed.

        Raises:
            IssuerRefusedError: ``session.ended``, ``session.restricted``, ``second-factor.missing``.
        """
        session, account = self._present(token, may_be_due=True)
        del session
        now = self.clock()
        with self.register.writing() as transaction:
            factors = transaction.people.second_factors(account.account_id)
            if not factors:
                raise IssuerRefusedError(
                    f"account {account.name} has no second factor", code="second-factor.missing"
                )
            challenge = (
                self.random_bytes(CHALLENGE_BYTES) if digest is None else _checked_digest(digest)
            )
            purpose = b"" if digest is None else _FOR_DIGEST
            transaction.sessions.challenge(token.digest, _kept(purpose + challenge, now))
        return AssertionOptions(
            challenge=challenge,
            relying_party=self.judge.relying_party,
            allow=tuple(each.credential_id for each in factors),
        )

    def step_up(self, token: SessionToken, response: bytes) -> OpenedSession:
        """The session under another token, once the second factor was shown.

        Raises:
            IssuerRefusedError: ``session.ended``, ``session.restricted``, ``webauthn.challenge-missing``,
                ``webauthn.credential-unknown``, and as the judge says.
            IssuerDataError: ``webauthn.malformed``.
        """
        return self._show(token, response, digest=None)[1]

    def sign_digest(self, token: SessionToken, response: bytes, *, digest: bytes) -> SignedDigest:
        """The assertion over a digest that ``begin_assertion`` was asked for; it steps up, too.

        Raises:
            IssuerRefusedError, IssuerDataError: as ``step_up``.
        """
        assertion, opened = self._show(token, response, digest=digest)
        return SignedDigest(
            digest=digest, account=opened.account, assertion=assertion, opened=opened
        )

    def list(self, token: SessionToken) -> tuple[SecondFactor, ...]:
        """One's own second factors, the oldest first.

        Raises:
            IssuerRefusedError: ``session.ended``, ``session.restricted``.
        """
        _, account = self._present(token)
        with self.register.reading() as transaction:
            return transaction.people.second_factors(account.account_id)

    def remove(self, token: SessionToken, credential_id: bytes) -> None:
        """Forget one of one's own second factors.

        Raises:
            IssuerRefusedError: ``session.ended``, ``session.restricted``, ``right.step-up-needed``,
                ``webauthn.credential-unknown``.
        """
        session, account = self._present(token)
        now = self.clock()
        with self.register.writing() as transaction:
            _check_stepped_up(session, now)
            if not transaction.people.remove_second_factor(account.account_id, credential_id):
                raise _unknown_credential()
            record_act_on(
                account,
                "second-factor.removed",
                transaction=transaction,
                by=account.name,
                at=now,
                credential=_said(credential_id),
            )

    def certify(self, token: SessionToken, certificate: bytes) -> SecondFactor:
        """Keep the operator's certificate with the credentials of one's own that were registered for this operator.

        Raises:
            IssuerRefusedError: ``session.ended``, ``session.restricted``, ``right.step-up-needed``; none of one's
                credentials was registered for the operator whom it names (``second-factor.no-such-operator``).
            IssuerDataError: it is no operator's certificate (``operator.certificate-invalid``).
        """
        operator = operator_of(certificate)
        session, account = self._present(token)
        now = self.clock()
        with self.register.writing() as transaction:
            _check_stepped_up(session, now)
            factors = transaction.people.second_factors(account.account_id)
            wanted = [
                each
                for each in factors
                if each.operator_key is not None and each.operator_key.operator == operator
            ]
            if not wanted:
                raise IssuerRefusedError(
                    f"account {account.name} has no security key that was registered for operator {operator}",
                    code="second-factor.no-such-operator",
                )
            for each in wanted:
                transaction.people.certify_second_factor(
                    each.credential_id, certificate=certificate
                )
            record_act_on(
                account, "second-factor.certified", transaction=transaction, by=account.name, at=now,
                operator=operator, certificate=hashlib.sha256(certificate).hexdigest(),
            )  # fmt: skip
        return wanted[0]

    def _present(self, token: SessionToken, *, may_be_due: bool = False) -> tuple[Session, Account]:
        present = self.log_in.authenticate(token, face=Face.CONSOLE)
        allowed = {None, Restriction.SECOND_FACTOR_DUE} if may_be_due else {None}
        if present.restriction not in allowed:
            raise IssuerRefusedError(
                f"something must be done first: {present.restriction}", code="session.restricted"
            )
        with self.register.reading() as transaction:
            return present.session, transaction.people.get(present.actor.account)

    def _take_challenge(self, token: SessionToken, purpose: bytes) -> bytes:
        # It is forgotten in a transaction of its own: a response that fails has used it up as well.
        with self.register.writing() as transaction:
            challenge = transaction.sessions.take_challenge(token.digest)
        if challenge is None or self.clock() > challenge.expires_at:
            raise IssuerRefusedError(
                "the session has no challenge that holds: ask for a new one",
                code="webauthn.challenge-missing",
            )
        value = challenge.value[len(purpose) :]
        if not challenge.value.startswith(purpose) or len(value) != CHALLENGE_BYTES:
            raise IssuerRefusedError(
                "the session's challenge was made for something else",
                code="webauthn.challenge-missing",
            )
        return value

    def _show(
        self, token: SessionToken, response: bytes, *, digest: bytes | None
    ) -> tuple[AssertionParts, OpenedSession]:
        _, account = self._present(token, may_be_due=True)
        challenge = self._take_challenge(token, b"" if digest is None else _FOR_DIGEST)
        if digest is not None and challenge != digest:
            raise IssuerRefusedError(
                "the session's challenge is another one than what is to be signed",
                code="webauthn.challenge-missing",
            )
        assertion = self.judge.read_assertion(response)
        fresh = SessionToken(self.random_bytes(SESSION_TOKEN_BYTES))
        now = self.clock()
        with self.register.writing() as transaction:
            # One after another: of two assertions with the same counter only one holds.
            transaction.people.lock()
            factors = transaction.people.second_factors(account.account_id)
            factor = next(
                (each for each in factors if each.credential_id == assertion.credential_id), None
            )
            if factor is None:
                raise _unknown_credential()
            counter = self.judge.judge_assertion(assertion, challenge=challenge, factor=factor)
            transaction.people.count_second_factor(factor.credential_id, counter=counter)
            found = transaction.sessions.find(token.digest)
            if found is None:
                raise IssuerRefusedError("the session is over", code="session.ended")
            session = found.session.stepped_up(fresh, now)
            transaction.sessions.replace(token.digest, session)
            record_act_on(
                account, "session.stepped-up", transaction=transaction, by=account.name, at=now,
                credential=_said(factor.credential_id),
                session=str(session.session_id),
                digest=None if digest is None else digest.hex(),
            )  # fmt: skip
        return assertion, OpenedSession(token=fresh, session=session, account=account.name)


def _kept(value: bytes, now: datetime) -> Challenge:
    return Challenge(value=value, expires_at=now + CHALLENGE_LIFETIME)


def _checked_digest(digest: bytes) -> bytes:
    if len(digest) != _DIGEST_BYTES:
        raise ValueError(f"got a digest of {len(digest)} bytes, expected {_DIGEST_BYTES}")
    return digest


def _check_addition(session: Session, factors: tuple[SecondFactor, ...], now: datetime) -> None:
    if len(factors) >= MAX_SECOND_FACTORS:
        raise IssuerRefusedError(
            f"the account has {len(factors)} second factors, expected less than {MAX_SECOND_FACTORS}",
            code="second-factor.too-many",
        )
    if factors:
        _check_stepped_up(session, now)
    elif now - session.created_at > STEP_UP_TIME:
        # A page that was left open must not get a stranger's key.
        raise IssuerRefusedError(
            "the first second factor is registered right after logging in",
            code="second-factor.log-in-again",
            hint="log out, log in, and register it then",
        )


def _check_stepped_up(session: Session, now: datetime) -> None:
    shown = session.stepped_up_at
    if shown is None or now - shown > STEP_UP_TIME:
        raise IssuerRefusedError("this needs the second factor again", code="right.step-up-needed")


def _said(credential_id: bytes) -> str:
    """What records say of a credential, whose id may be a long ciphertext of the authenticator's."""
    return hashlib.sha256(credential_id).hexdigest()


def _unknown_credential() -> IssuerRefusedError:
    return IssuerRefusedError(
        "the account has no such security key", code="webauthn.credential-unknown"
    )
