"""Instances: other offices' registers with which bundles are exchanged, and who may be believed for which organisation.

    proposed ──> enrolled ──> suspended
        └──────────────────────^

An instance below is believed for its organisation and all below that, for nothing else; the one above for what was
handed to it. One person proposes an instance, another one confirms it: whose bundles are believed makes cards.
"""

import enum
import hashlib
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NewType

from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, Place, two_different_people
from issuer.errors import IssuerDataError, IssuerRefusedError

__all__ = [
    "MAX_SEQUENCE",
    "ExchangeCertificates",
    "Instance",
    "InstanceName",
    "InstanceState",
    "Side",
    "foreign_account",
    "parse_instance_name",
    "plain_account",
]

InstanceName = NewType("InstanceName", str)
"""A word that one register in the country has; certificates bear it as their common name."""

MAX_SEQUENCE: Final = (1 << 53) - 1

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{1,38}[a-z0-9]", re.ASCII)
_MARK: Final = ":"
"""Stands between an instance and an account; no name of an account holds it."""


class Side(enum.StrEnum):
    """Where an instance stands, seen from here."""

    ABOVE = "above"
    BELOW = "below"
    SOURCE = "source"
    """A member database with which the register is kept in step: it states members, and is told nothing."""


class InstanceState(enum.StrEnum):
    """Whether its bundles are taken."""

    PROPOSED = "proposed"
    ENROLLED = "enrolled"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeCertificates:
    """The certificates of one instance (DER): by which it signs, and to which others seal."""

    signer: bytes = field(repr=False)
    receiver: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over both, in hexadecimal, which two people compare."""
        return hashlib.sha256(self.signer + self.receiver).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """Another instance.

    Attributes:
        name: its name.
        side: above or below us.
        organisation: the organisation that it is the register of.
        certificates: what it signs with and is sealed to.
        state: whether its bundles are taken.
        proposed_by, confirmed_by, suspended_by: who did.
        sent: the sequence of the last bundle to it, 0 where there was none.
        received: the sequence of the last bundle from it.
        acknowledged: the last of ours that it says it has.
        lost_since: we were restored from a backup, and know nothing of what we sent behind this sequence.
        has_lost: our register was restored once, so it believes the one above about steps that were taken here.
        version: counts its changes from 1.
    """

    name: InstanceName
    side: Side
    organisation: OrganisationCode
    certificates: ExchangeCertificates
    state: InstanceState = InstanceState.PROPOSED
    proposed_by: AccountName
    proposed_at: datetime
    confirmed_by: AccountName | None = None
    suspended_by: AccountName | None = None
    sent: int = 0
    received: int = 0
    acknowledged: int = 0
    lost_since: int | None = None
    has_lost: bool = False
    version: int = 1

    def confirmed(self, account: AccountName) -> "Instance":
        """The instance enrolled, by somebody else than whoever proposed it.

        Raises:
            IssuerRefusedError: ``instance.wrong-state``, ``right.same-person``.
        """
        if self.state is not InstanceState.PROPOSED:
            raise IssuerRefusedError(
                f"instance {self.name} is {self.state}, so it cannot be confirmed",
                code="instance.wrong-state",
            )
        two_different_people(self.proposed_by, account, act="to enrol an instance")
        return replace(
            self, state=InstanceState.ENROLLED, confirmed_by=account, version=self.version + 1
        )

    def proposed_again(
        self, certificates: ExchangeCertificates, account: AccountName, at: datetime
    ) -> "Instance":
        """The instance with other certificates, which another person has to confirm."""
        return replace(
            self,
            certificates=certificates,
            state=InstanceState.PROPOSED,
            proposed_by=account,
            proposed_at=at,
            confirmed_by=None,
            suspended_by=None,
            version=self.version + 1,
        )

    def suspended(self, account: AccountName) -> "Instance":
        """The instance from which nothing is taken any more, until it is proposed and confirmed again."""
        return replace(
            self, state=InstanceState.SUSPENDED, suspended_by=account, version=self.version + 1
        )

    def require_enrolled(self) -> None:
        """Refuse an instance that is not, or no more.

        Raises:
            IssuerRefusedError: ``instance.not-enrolled``.
        """
        if self.state is not InstanceState.ENROLLED:
            raise IssuerRefusedError(
                f"instance {self.name} is {self.state}, expected enrolled",
                code="instance.not-enrolled",
                hint="membercard-issuer instances confirm NAME",
            )

    def is_believed_for(self, place: Place) -> bool:
        """Whether the matter of this place is the instance's own."""
        return self.organisation in place


def parse_instance_name(text: str) -> InstanceName:
    """A name as people and files write it.

    Raises:
        IssuerDataError: ``instance.name-malformed``.
    """
    if not _NAME.fullmatch(text):
        raise IssuerDataError(
            f"instance name of {len(text)} characters, expected 3 to 40 of a-z 0-9 -, a letter first",
            code="instance.name-malformed",
        )
    return InstanceName(text)


def foreign_account(instance: InstanceName, account: str) -> AccountName:
    """How records here call somebody of another instance."""
    return AccountName(f"{instance}{_MARK}{account}")


def plain_account(account: AccountName) -> tuple[InstanceName | None, str]:
    """The instance (``None``: here) and the name of the account there."""
    instance, mark, name = account.partition(_MARK)
    return (InstanceName(instance), name) if mark else (None, account)
