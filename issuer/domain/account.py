"""Accounts: who may log in, as what; and what a password must be.

An account is never deleted and its name never given to another person, so that what records say of somebody stays true.
"""

import re
import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType, Self

from issuer.domain.rights import AccountName, Assignment, Role
from issuer.errors import IssuerDataError, IssuerRefusedError

__all__ = [
    "MAX_ASSIGNMENTS",
    "MAX_PASSWORD_BYTES",
    "MIN_PASSWORD_CHARACTERS",
    "Account",
    "AccountId",
    "AccountState",
    "PasswordHash",
    "check_assignments",
    "check_new_password",
    "is_account_name",
    "normalised_password",
    "parse_account_name",
]

AccountId = NewType("AccountId", uuid.UUID)

MIN_PASSWORD_CHARACTERS: Final = 12
MAX_PASSWORD_BYTES: Final = 256
"""A longer one is refused before it is hashed, which costs time and memory on purpose."""

MAX_ASSIGNMENTS: Final = 64
_LEAST_DIFFERENT_CHARACTERS: Final = 5
_NAME: Final = re.compile(r"[a-z][a-z0-9._@-]{1,63}", re.ASCII)
_RESERVED: Final = frozenset({"system"})
"""Names with which records speak of programs."""


class AccountState(StrEnum):
    """Whether somebody may log in."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordHash:
    """What is kept of a password.

    Attributes:
        encoded: salt, parameters and digest in one text (PHC string format).
        set_at: since when it holds (aware UTC).
        is_provisional: another person set it; it opens nothing but the way to a password of one's own.
    """

    encoded: str = field(repr=False)
    set_at: datetime
    is_provisional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who may log in; ``password`` is ``None`` where somebody else's service says who they are."""

    account_id: AccountId
    name: AccountName
    state: AccountState = AccountState.ACTIVE
    assignments: tuple[Assignment, ...] = ()
    password: PasswordHash | None = None
    created_at: datetime

    @property
    def is_active(self) -> bool:
        """Whether they may log in."""
        return self.state is AccountState.ACTIVE

    @property
    def is_administrator_of_all(self) -> bool:
        """Whether they may manage every account: one such account must stay."""
        return self.is_active and Assignment(role=Role.ADMINISTRATOR) in self.assignments

    def given(self, assignment: Assignment) -> Self:
        """The same account with one more assignment.

        Raises:
            IssuerRefusedError: as ``check_assignments``.
        """
        if assignment in self.assignments:
            return self
        assignments = (*self.assignments, assignment)
        check_assignments(assignments)
        return replace(self, assignments=assignments)

    def without(self, assignment: Assignment) -> Self:
        """The same account without this assignment.

        Raises:
            IssuerRefusedError: it has none such (``account.not-assigned``).
        """
        if assignment not in self.assignments:
            where = assignment.organisation or "the whole register"
            raise IssuerRefusedError(
                f"account {self.name} is no {assignment.role} for {where}",
                code="account.not-assigned",
            )
        kept = tuple(each for each in self.assignments if each != assignment)
        return replace(self, assignments=kept)


def check_assignments(assignments: Sequence[Assignment]) -> None:
    """Whoever gives out roles has no other one; and there are not too many.

    Raises:
        IssuerRefusedError: ``account.administrator-alone``, ``account.assignments-too-many``.
    """
    roles = {each.role for each in assignments}
    if Role.ADMINISTRATOR in roles and len(roles) > 1:
        raise IssuerRefusedError(
            "an administrator has no other role: whoever gives out roles takes no part in the work",
            code="account.administrator-alone",
        )
    if len(assignments) > MAX_ASSIGNMENTS:
        raise IssuerRefusedError(
            f"got {len(assignments)} assignments for one account, expected at most {MAX_ASSIGNMENTS}",
            code="account.assignments-too-many",
        )


def is_account_name(text: str) -> bool:
    """Whether an account could have this name."""
    return _NAME.fullmatch(text) is not None and text not in _RESERVED


def parse_account_name(text: str) -> AccountName:
    """An account's name as people write it.

    Raises:
        IssuerDataError: ``account.name-malformed``.
    """
    if not is_account_name(text):
        raise IssuerDataError(
            f"account name of {len(text)} characters, expected 2 to 64 of a-z 0-9 . _ @ -, "
            "a letter first, and not a name that programs have",
            code="account.name-malformed",
        )
    return AccountName(text)


def normalised_password(text: str) -> str:
    """A password as it is hashed: the same keys must give the same bytes on every machine (RFC 8265, 4.2).

    Raises:
        IssuerDataError: it is longer than any that is taken (``password.too-long``).
    """
    if len(text) <= MAX_PASSWORD_BYTES:
        password = unicodedata.normalize("NFC", text)
        if len(password.encode("utf-8", "surrogatepass")) <= MAX_PASSWORD_BYTES:
            return password
    raise IssuerDataError(
        f"a password has more than {MAX_PASSWORD_BYTES} bytes", code="password.too-long"
    )


def check_new_password(text: str, *, account: AccountName) -> str:
    """A password that may be set, normalised.

    Raises:
        IssuerDataError: ``password.too-long``, ``password.too-short``, ``password.unprintable``,
            ``password.holds-name``, ``password.monotonous``.
    """
    password = normalised_password(text)
    if len(password) < MIN_PASSWORD_CHARACTERS:
        raise IssuerDataError(
            f"a password of {len(password)} characters, expected at least {MIN_PASSWORD_CHARACTERS}",
            code="password.too-short",
        )
    if not password.isprintable():
        raise IssuerDataError(
            "a password holds a character that cannot be shown", code="password.unprintable"
        )
    if account in password.lower():
        raise IssuerDataError("the password holds the account's name", code="password.holds-name")
    if len(set(password)) < _LEAST_DIFFERENT_CHARACTERS:
        raise IssuerDataError(
            f"a password of {len(set(password))} different characters, "
            f"expected at least {_LEAST_DIFFERENT_CHARACTERS}",
            code="password.monotonous",
        )
    return password
