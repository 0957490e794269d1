"""Ports of people: accounts, second factors, sessions and failed log-ins, within one transaction of the register."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from issuer.domain.account import Account, AccountId
from issuer.domain.account_proposal import AccountAct, AccountProposal, ProposalNumber
from issuer.domain.login_attempts import AttemptKey, FailedAttempts
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, Assignment
from issuer.domain.second_factor import Challenge, SecondFactor
from issuer.domain.session import Face, Session

__all__ = [
    "AccountProposalRepository",
    "AccountRepository",
    "PasswordHasher",
    "SessionRepository",
    "SessionWithAccount",
]


class PasswordHasher(Protocol):
    """Makes and compares hashes of passwords; slow on purpose."""

    def hash(self, password: str) -> str:
        """A new hash, with its salt and parameters in it."""

    def matches(self, encoded: str, password: str) -> bool:
        """Whether the hash is the password's; a hash that cannot be read is nobody's."""

    def matches_nothing(self, password: str) -> None:
        """Take as long as ``matches`` does, for an account that has no password or does not exist."""

    def is_outdated(self, encoded: str) -> bool:
        """Whether the hash was made with other parameters than are set now."""


class AccountRepository(Protocol):
    """The accounts, within one transaction."""

    def lock(self) -> None:
        """No other transaction changes accounts until this one ends: for rules that look at all of them."""

    def is_empty(self) -> bool:
        """Whether there is no account at all."""

    def find(self, name: AccountName) -> Account | None:
        """The account of this name."""

    def get(self, name: AccountName) -> Account:
        """The account of this name.

        Raises:
            IssuerRefusedError: there is none (``account.unknown``).
        """

    def page(
        self,
        *,
        limit: int,
        behind: AccountName | None = None,
        within: Collection[OrganisationCode] | None = None,
    ) -> tuple[Account, ...]:
        """Accounts by name, those behind this one; where parts of the tree are named, those with all their roles there."""

    def count_administrators(self) -> int:
        """How many active accounts may manage every account."""

    def add(self, account: Account) -> None:
        """Store a new account.

        Raises:
            ConflictError: the name was given already.
        """

    def second_factors(self, account_id: AccountId) -> tuple[SecondFactor, ...]:
        """The second factors of an account, the oldest first."""

    def has_credential(self, credential_id: bytes) -> bool:
        """Whether the credential is registered, for whatever account."""

    def add_second_factor(self, factor: SecondFactor) -> None:
        """Store a new second factor.

        Raises:
            ConflictError: the credential is registered already.
        """

    def count_second_factor(self, credential_id: bytes, *, counter: int) -> None:
        """Store how far an authenticator has counted."""

    def certify_second_factor(self, credential_id: bytes, *, certificate: bytes) -> None:
        """Keep the certificate (DER) of the operator by whose name the PKI enrolled this credential."""

    def remove_second_factor(self, account_id: AccountId, credential_id: bytes) -> bool:
        """Forget a second factor; ``False`` where the account has none such."""

    def replace(self, account: Account) -> None:
        """Store an account's state, password and assignments anew.

        Raises:
            IssuerRefusedError: there is none (``account.unknown``).
        """


class AccountProposalRepository(Protocol):
    """What waits for another administrator, within one transaction."""

    def add(
        self,
        account: Account,
        act: AccountAct,
        *,
        assignment: Assignment | None,
        by: AccountName,
        at: datetime,
    ) -> AccountProposal:
        """Keep a proposal, in place of the same one that was there."""

    def all(self) -> tuple[AccountProposal, ...]:
        """Every proposal, the oldest first; those that are over among them."""

    def get(self, number: ProposalNumber) -> AccountProposal:
        """One proposal.

        Raises:
            IssuerRefusedError: there is none (``account.proposal-unknown``).
        """

    def remove(self, number: ProposalNumber) -> None:
        """Forget a proposal."""

    def remove_of(self, account_id: AccountId) -> None:
        """Forget whatever is proposed for an account."""

    def remove_before(self, moment: datetime) -> None:
        """Forget what was proposed before this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionWithAccount:
    """A session and whose it is."""

    session: Session
    account: Account


class SessionRepository(Protocol):
    """Sessions and failed log-ins, within one transaction."""

    def find(self, token_digest: bytes) -> SessionWithAccount | None:
        """The session of a token, alive or not."""

    def of_account(self, account_id: AccountId) -> tuple[Session, ...]:
        """Every session of an account, the newest first."""

    def add(self, session: Session) -> None:
        """Store a new session."""

    def replace(self, token_digest: bytes, session: Session) -> bool:
        """Store the session of a token anew, maybe with another token; ``False`` where it has ended meanwhile."""

    def touch(self, token_digest: bytes, seen_at: datetime) -> None:
        """Store when the session of a token was last used; nothing else of it changes."""

    def challenge(self, token_digest: bytes, challenge: Challenge) -> None:
        """Store what the session's authenticator is to sign next, in place of what was there."""

    def take_challenge(self, token_digest: bytes) -> Challenge | None:
        """What it is to sign, which is forgotten with this: two who take it at once do not both get it."""

    def step_up_by_challenge(
        self, account_id: AccountId, value: bytes, *, face: Face, now: datetime
    ) -> Session | None:
        """The session of an account whose challenge this is, stepped up; ``None`` where there is none that holds.

        The challenge is forgotten with this: it holds once.
        """

    def end(self, token_digest: bytes) -> bool:
        """Forget one session; ``False`` where there was none."""

    def end_all(self, account_id: AccountId) -> int:
        """Forget every session of an account; how many they were."""

    def end_expired(self, now: datetime, *, unused_since: datetime) -> int:
        """Forget sessions that are over; how many they were."""

    def attempts(self, key: AttemptKey) -> FailedAttempts | None:
        """What is remembered of a key; nobody else counts for this key until the transaction ends."""

    def remember_attempts(self, key: AttemptKey, attempts: FailedAttempts) -> None:
        """Remember it."""

    def forget_attempts(self, key: AttemptKey) -> None:
        """Forget a key."""

    def forget_attempts_before(self, moment: datetime) -> int:
        """Forget the keys with no attempt since then; how many they were."""
