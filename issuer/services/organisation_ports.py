"""Port of the organisations: the tree of today, that of any day before, and how it changes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from issuer.domain.member_change import EvidenceDigest
from issuer.domain.organisation import Organisation, OrganisationCode, OrganisationTree
from issuer.domain.organisation_history import OrganisationAct, OrganisationVersion

__all__ = ["OrganisationPage", "OrganisationRepository"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationPage:
    """One page by code; ``end`` is the code behind which the next one begins, ``None`` on the last one."""

    organisations: tuple[Organisation, ...]
    end: OrganisationCode | None


class OrganisationRepository(Protocol):
    """The organisations of the register, within one transaction."""

    def tree(self, *, as_of: date | None = None) -> OrganisationTree:
        """All that are open: today, or on a day."""

    def get(self, code: OrganisationCode) -> Organisation:
        """One organisation, open or closed, as it is or was last.

        Raises:
            IssuerDataError: there is none (``organisation.unknown``).
        """

    def around(self, codes: Collection[OrganisationCode]) -> OrganisationTree:
        """Those of these organisations that are open, with all above them: enough for their ways up."""

    def part(
        self,
        *,
        up_from: OrganisationCode,
        down_from: Collection[OrganisationCode],
        as_of: date,
    ) -> OrganisationTree:
        """Of the tree of a day: one organisation with all above it, and these with all below them, as far as they were open."""

    def below(self, codes: Collection[OrganisationCode]) -> frozenset[OrganisationCode]:
        """Those of these organisations that are open, with all open ones below them."""

    def issuing_committee(self, code: OrganisationCode) -> Organisation:
        """The top-most organisation above this one, or itself.

        Raises:
            IssuerDataError: there is none (``organisation.unknown``).
        """

    def all(self) -> tuple[Organisation, ...]:
        """All that are open, by code."""

    def closed(self, codes: Collection[OrganisationCode]) -> frozenset[OrganisationCode]:
        """Those of these codes whose organisation was closed: a code is never given to another one."""

    def page(
        self,
        *,
        limit: int,
        behind: OrganisationCode | None = None,
        under: OrganisationCode | None = None,
    ) -> OrganisationPage:
        """Open organisations by code; with ``under``, those directly below it."""

    def add(
        self,
        organisations: Sequence[Organisation],
        *,
        valid_from: Mapping[OrganisationCode, date] | None = None,
        act: OrganisationAct | None = None,
    ) -> None:
        """Store new organisations, parents before their children, each with its first version.

        ``valid_from`` says since when, as far as that is known.

        Raises:
            ConflictError: a code is already there, or a parent is not.
        """

    def current(self, code: OrganisationCode) -> OrganisationVersion:
        """The last version of an organisation, open or closed.

        Raises:
            IssuerDataError: there is no such organisation (``organisation.unknown``).
        """

    def history(
        self, code: OrganisationCode, *, limit: int, behind: int | None = None
    ) -> tuple[OrganisationVersion, ...]:
        """Versions, the newest first; ``behind`` is the number of the last one that was seen."""

    def rests_on(self, code: OrganisationCode, evidence: EvidenceDigest) -> bool:
        """Whether a version of this organisation rests on this document."""

    def change(self, version: OrganisationVersion) -> None:
        """Let another version begin: the one before it ends on the day on which this one begins.

        Raises:
            ConflictError: somebody else changed the organisation first (``organisation.changed``), or the one
                above or the successor is not there.
        """

    def days_of_change(self, *, since: date) -> tuple[date, ...]:
        """The days behind ``since`` on which the tree changed, in order; another name or level changes no tree."""
