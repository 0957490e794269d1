"""Organisations: the tree of committees in which members are recorded."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NewType

from issuer.errors import IssuerDataError

__all__ = [
    "MAX_DEPTH",
    "Organisation",
    "OrganisationCode",
    "OrganisationTree",
    "parse_committee_number",
    "parse_organisation_code",
]

MAX_DEPTH = 16
"""The most levels of a tree; six are in use, from the cell to the committee under the Centre."""

OrganisationCode = NewType("OrganisationCode", str)
"""1 to 32 characters of PrintableString, as DG13 holds them (SPEC.md 3.10)."""

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9./-]{0,31}", re.ASCII)
_COMMITTEE_NUMBER = re.compile(r"[0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """One organisation.

    Attributes:
        code: its stable key.
        name: at most 320 bytes of NFC text (SPEC.md 3.10).
        parent_code: the organisation above it, ``None`` for a top-most one.
        committee_number: two digits that begin the card numbers of its members and of all below it;
            ``None`` where it follows the organisation above.
        level: what kind of organisation it is, such as chi bộ or đảng ủy cơ sở; levels are optional.
    """

    code: OrganisationCode
    name: str
    parent_code: OrganisationCode | None = None
    committee_number: str | None = None
    level: str | None = None


class OrganisationTree:
    """Organisations by code, and the way up from each of them."""

    def __init__(self, organisations: Iterable[Organisation]) -> None:
        """Keep the organisations; whether each has a way up is judged by :meth:`path`.

        Raises:
            IssuerDataError: a code stands twice (``organisation.repeated``).
        """
        self._by_code: dict[OrganisationCode, Organisation] = {}
        self._below: dict[OrganisationCode, list[Organisation]] | None = None
        for organisation in organisations:
            if organisation.code in self._by_code:
                raise IssuerDataError(
                    f"organisation {organisation.code} stands twice", code="organisation.repeated"
                )
            self._by_code[organisation.code] = organisation

    def __contains__(self, code: str) -> bool:
        return code in self._by_code

    def __len__(self) -> int:
        return len(self._by_code)

    def get(self, code: OrganisationCode) -> Organisation:
        """The organisation with this code.

        Raises:
            IssuerDataError: there is none (``organisation.unknown``).
        """
        try:
            return self._by_code[code]
        except KeyError as error:
            raise IssuerDataError(
                f"organisation {code} is not in the register", code="organisation.unknown"
            ) from error

    def path(self, code: OrganisationCode) -> tuple[Organisation, ...]:
        """The organisation and those above it, top-most last.

        Raises:
            IssuerDataError: ``organisation.unknown``; a parent is not known (``organisation.parent-unknown``);
                the chain of parents is a circle or longer than ``MAX_DEPTH`` (``organisation.circle``).
        """
        path = [self.get(code)]
        while (parent_code := path[-1].parent_code) is not None:
            if parent_code not in self._by_code:
                raise IssuerDataError(
                    f"parent {parent_code} of organisation {path[-1].code} is not known",
                    code="organisation.parent-unknown",
                )
            if len(path) == MAX_DEPTH:
                raise IssuerDataError(
                    f"organisation {code} has {MAX_DEPTH} or more above it, or is above itself",
                    code="organisation.circle",
                )
            path.append(self._by_code[parent_code])
        return tuple(path)

    def place(self, code: OrganisationCode) -> tuple[OrganisationCode, ...]:
        """The codes from the top-most organisation down to this one: where its matters are, for rights.

        Raises:
            IssuerDataError: as ``path``.
        """
        return tuple(each.code for each in reversed(self.path(code)))

    def below(self, code: OrganisationCode) -> dict[OrganisationCode, int]:
        """The organisation and all below it, each with how many levels it is below.

        Raises:
            IssuerDataError: ``organisation.unknown``.
        """
        depths = {self.get(code).code: 0}
        front = [code]
        while front:
            front = [
                each.code
                for above in front
                for each in self._children().get(above, ())
                if each.code not in depths
            ]
            depths.update(dict.fromkeys(front, max(depths.values()) + 1))
        return depths

    def children(self, code: OrganisationCode) -> tuple[Organisation, ...]:
        """The organisations directly below, by code."""
        return tuple(sorted(self._children().get(code, ()), key=lambda each: each.code))

    def _children(self) -> dict[OrganisationCode, list[Organisation]]:
        if self._below is None:
            self._below = {}
            for each in self._by_code.values():
                if each.parent_code is not None:
                    self._below.setdefault(each.parent_code, []).append(each)
        return self._below

    def issuing_committee(self, code: OrganisationCode) -> Organisation:
        """The committee that a card names as its issuer: the top-most organisation."""
        return self.path(code)[-1]

    def committee_number(self, code: OrganisationCode) -> str | None:
        """The first two digits of the members' card numbers: the nearest one given, looking upwards."""
        return next(
            (
                each.committee_number
                for each in self.path(code)
                if each.committee_number is not None
            ),
            None,
        )


def parse_organisation_code(text: str) -> OrganisationCode:
    """A code as people and files write it.

    Raises:
        IssuerDataError: ``organisation.code-malformed``.
    """
    if not _CODE.fullmatch(text):
        raise IssuerDataError(
            f"organisation code of {len(text)} characters, expected 1 to 32 of A-Z a-z 0-9 . / -, "
            "a letter or digit first",
            code="organisation.code-malformed",
        )
    return OrganisationCode(text)


def parse_committee_number(text: str) -> str:
    """Two digits.

    Raises:
        IssuerDataError: ``organisation.committee-number-malformed``.
    """
    if not _COMMITTEE_NUMBER.fullmatch(text):
        raise IssuerDataError(
            f"committee number of {len(text)} characters, expected two digits",
            code="organisation.committee-number-malformed",
        )
    return text
