"""Roles and rights: who may do what, and in which part of the tree. This table is the only one.

A right is asked for at a place: the organisation that the matter belongs to. An assignment gives a role for one
organisation and all below it. What no role gives, nobody may do.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NewType

from issuer.domain.organisation import OrganisationCode
from issuer.errors import IssuerRefusedError

__all__ = [
    "FOUR_EYES_ROLES",
    "ROLE_RIGHTS",
    "STEP_UP_RIGHTS",
    "STEP_UP_TIME",
    "AccountName",
    "Actor",
    "Assignment",
    "Place",
    "Right",
    "Role",
    "same_person",
    "two_different_people",
]

AccountName = NewType("AccountName", str)
"""The name of an account: what records say of who did something. It is never given to another person."""

Place = Sequence[OrganisationCode]
"""An organisation with all above it, from the root down; empty for what belongs to no organisation."""

STEP_UP_TIME: Final = timedelta(minutes=5)
"""How long a second factor that was shown anew counts for the rights that demand it."""


class Role(enum.StrEnum):
    """What a person works as."""

    CLERK = "clerk"
    ENDORSER = "endorser"
    DECIDER = "decider"
    PRODUCTION_OPERATOR = "production-operator"
    QUALITY_CONTROLLER = "quality-controller"
    STOREKEEPER = "storekeeper"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Right(enum.StrEnum):
    """What a route or a command may ask for."""

    READ_MEMBERS = "members.read"
    WRITE_MEMBERS = "members.write"
    IMPORT_MEMBERS = "members.import"
    EXPORT_MEMBERS = "members.export"
    SERVE_DATA_SUBJECTS = "members.serve-data-subjects"
    DELETE_MEMBERS = "members.delete"
    """To confirm that a record is destroyed, which somebody else proposed; its cards end with it."""

    READ_ORGANISATIONS = "organisations.read"
    WRITE_ORGANISATIONS = "organisations.write"
    READ_REQUESTS = "requests.read"
    PROPOSE = "requests.propose"
    ENDORSE = "requests.endorse"
    COMPILE = "requests.compile"
    DECIDE = "requests.decide"
    ALLOT_NUMBERS = "numbers.allot"
    READ_CARDS = "cards.read"
    FREEZE_BATCHES = "batches.freeze"
    SIGN_BATCHES = "batches.sign"
    HAVE_BATCHES_SIGNED = "batches.have-signed"
    """To ask the signer for what two people authorised; ``SIGN_BATCHES`` is to authorise it."""

    PRODUCE_CARDS = "cards.produce"
    CONTROL_QUALITY = "cards.control-quality"
    EXPORT_CARDS = "cards.export"
    """To take what production knows of the people and secrets of many cards out of the register, as a file."""

    HAND_OVER_CARDS = "cards.hand-over"
    REPORT_CARDS = "cards.report"
    REVOKE_CARDS = "cards.revoke"
    DESTROY_CARDS = "cards.destroy"
    READ_STOCK = "stock.read"
    WRITE_STOCK = "stock.write"
    CLOSE_DAYS = "stock.close-days"
    EXCHANGE_BUNDLES = "bundles.exchange"
    READ_REPORTS = "reports.read"
    READ_AUDIT = "audit.read"
    MANAGE_PEOPLE = "people.manage"
    OPERATE_SERVICE = "service.operate"


STEP_UP_RIGHTS: Final = frozenset(
    {
        Right.DECIDE,
        Right.SIGN_BATCHES,
        Right.REVOKE_CARDS,
        Right.EXPORT_MEMBERS,
        Right.EXPORT_CARDS,
        Right.DELETE_MEMBERS,
        Right.DESTROY_CARDS,
        Right.MANAGE_PEOPLE,
    }
)
"""Rights that are used only within ``STEP_UP_TIME`` of a second factor."""

_LOOKING: Final = frozenset(
    {Right.READ_MEMBERS, Right.READ_ORGANISATIONS, Right.READ_REQUESTS, Right.READ_REPORTS}
)

ROLE_RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    Role.CLERK: _LOOKING
    | {
        Right.WRITE_MEMBERS,
        Right.IMPORT_MEMBERS,
        Right.EXPORT_MEMBERS,
        Right.SERVE_DATA_SUBJECTS,
        Right.PROPOSE,
        Right.READ_CARDS,
        Right.HAND_OVER_CARDS,
        Right.REPORT_CARDS,
        Right.EXCHANGE_BUNDLES,
    },
    Role.ENDORSER: _LOOKING | {Right.ENDORSE, Right.COMPILE, Right.READ_CARDS, Right.REPORT_CARDS},
    Role.DECIDER: _LOOKING
    | {
        Right.DELETE_MEMBERS,
        Right.DECIDE,
        Right.SIGN_BATCHES,
        Right.HAVE_BATCHES_SIGNED,
        Right.READ_CARDS,
        Right.REPORT_CARDS,
        Right.REVOKE_CARDS,
    },
    Role.PRODUCTION_OPERATOR: frozenset(
        {
            Right.READ_ORGANISATIONS,
            Right.READ_CARDS,
            Right.READ_STOCK,
            Right.READ_REPORTS,
            Right.FREEZE_BATCHES,
            Right.HAVE_BATCHES_SIGNED,
            Right.PRODUCE_CARDS,
            Right.EXPORT_CARDS,
        }
    ),
    Role.QUALITY_CONTROLLER: frozenset(
        {
            Right.READ_ORGANISATIONS,
            Right.READ_CARDS,
            Right.READ_STOCK,
            Right.READ_REPORTS,
            Right.FREEZE_BATCHES,
            Right.CONTROL_QUALITY,
            Right.EXPORT_CARDS,
            Right.CLOSE_DAYS,
            Right.DESTROY_CARDS,
        }
    ),
    Role.STOREKEEPER: frozenset(
        {
            Right.READ_ORGANISATIONS,
            Right.READ_CARDS,
            Right.READ_STOCK,
            Right.READ_REPORTS,
            Right.WRITE_STOCK,
            Right.CLOSE_DAYS,
            Right.DESTROY_CARDS,
            Right.HAND_OVER_CARDS,
            Right.REPORT_CARDS,
        }
    ),
    # An auditor sees that something was done, by whom, to what: the trail holds digests, not names.
    Role.AUDITOR: frozenset({Right.READ_AUDIT, Right.READ_ORGANISATIONS, Right.READ_REPORTS}),
    # Whoever gives out roles takes no part in making a card.
    Role.ADMINISTRATOR: frozenset(
        {
            Right.MANAGE_PEOPLE,
            Right.OPERATE_SERVICE,
            Right.WRITE_ORGANISATIONS,
            Right.READ_ORGANISATIONS,
            Right.ALLOT_NUMBERS,
        }
    ),
}
"""Which rights a role gives."""

_OF_TWO_PEOPLE: Final = frozenset(
    {
        Right.DECIDE,
        Right.SIGN_BATCHES,
        Right.FREEZE_BATCHES,
        Right.CONTROL_QUALITY,
        Right.REVOKE_CARDS,
        Right.DESTROY_CARDS,
        Right.CLOSE_DAYS,
        Right.DELETE_MEMBERS,
        Right.OPERATE_SERVICE,
        Right.MANAGE_PEOPLE,
    }
)

FOUR_EYES_ROLES: Final = frozenset(
    role for role, rights in ROLE_RIGHTS.items() if rights & _OF_TWO_PEOPLE
)
"""Roles whose word completes what takes two people: no administrator gives one of them alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One role for one organisation and all below it; for the whole register where ``organisation`` is ``None``."""

    role: Role
    organisation: OrganisationCode | None = None

    def reaches(self, place: Place) -> bool:
        """Whether the matter of this place is within the assignment."""
        return self.organisation is None or self.organisation in place


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Whoever asks, as far as the rules need to know them.

    Attributes:
        account: what records will say.
        assignments: the roles, each with its part of the tree.
        stepped_up_at: when a second factor was last shown for this session (aware UTC).
    """

    account: AccountName
    assignments: tuple[Assignment, ...] = ()
    stepped_up_at: datetime | None = None

    def may(self, right: Right, *, place: Place) -> bool:
        """Whether some role of theirs gives the right at this place; says nothing about the second factor."""
        return any(
            right in ROLE_RIGHTS[each.role] and each.reaches(place) for each in self.assignments
        )

    def may_somewhere(self, right: Right) -> bool:
        """Whether they have the right in any part of the tree."""
        return any(right in ROLE_RIGHTS[each.role] for each in self.assignments)

    def roots(self, right: Right) -> frozenset[OrganisationCode] | None:
        """The organisations at and below which they have the right; ``None`` where that is the whole register."""
        given = [each for each in self.assignments if right in ROLE_RIGHTS[each.role]]
        if any(each.organisation is None for each in given):
            return None
        return frozenset(each.organisation for each in given if each.organisation is not None)

    def demand(self, right: Right, *, place: Place, now: datetime) -> None:
        """Let pass who has the right here, and has shown the second factor lately where the right asks for one.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``.
        """
        if not self.may(right, place=place):
            where = place[-1] if place else "the whole register"
            raise IssuerRefusedError(
                f"account {self.account} has no right {right} for {where}", code="right.missing"
            )
        self._demand_step_up(right, now)

    def demand_somewhere(self, right: Right, *, now: datetime) -> None:
        """The same for what lies in no one part of the tree: let pass who has the right in any.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``.
        """
        if not self.may_somewhere(right):
            raise IssuerRefusedError(
                f"account {self.account} has no right {right}", code="right.missing"
            )
        self._demand_step_up(right, now)

    def _demand_step_up(self, right: Right, now: datetime) -> None:
        if right in STEP_UP_RIGHTS and not self._has_stepped_up(now):
            raise IssuerRefusedError(
                f"right {right} needs the second factor of account {self.account} again",
                code="right.step-up-needed",
                hint="on the command line: membercard-issuer login, or step-up with a security key",
            )

    def _has_stepped_up(self, now: datetime) -> bool:
        # A time ahead of now is a clock that was set back: it counts for nothing.
        return (
            self.stepped_up_at is not None
            and timedelta(0) <= now - self.stepped_up_at <= STEP_UP_TIME
        )


def same_person(first: AccountName, second: AccountName) -> bool:
    """Whether two accounts may be one person's: an account of another instance ends in the same name.

    Two people may have the same name in two offices; then a third one takes the step, which is the safe side.
    """
    return first.rpartition(":")[2] == second.rpartition(":")[2]


def two_different_people(first: AccountName, second: AccountName, *, act: str) -> None:
    """Four eyes.

    Raises:
        IssuerRefusedError: ``right.same-person``.
    """
    if same_person(first, second):
        raise IssuerRefusedError(
            f"{act} takes two people, got {first} twice", code="right.same-person"
        )
