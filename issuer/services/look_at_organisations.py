"""Use case: look at the tree of organisations, within one's own part of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.rights import Actor, Right
from issuer.domain.vietnamese_text import fold
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.browse_ports import Browsing, OrganisationLines
from issuer.services.places import place_of
from issuer.services.register_ports import Register

__all__ = ["LookingAtOrganisations"]

_MOST_WORDS: Final = 8
"""More words make nothing clearer, and each is looked for in every name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookingAtOrganisations:
    """Pages of organisations, and the way up from one."""

    register: Register
    browsing: Browsing

    def page(
        self,
        *,
        actor: Actor,
        above: OrganisationCode | None,
        limit: int,
        behind: OrganisationCode | None = None,
    ) -> OrganisationLines:
        """The organisations directly below one, or those at which the actor's part begins.

        Raises:
            IssuerRefusedError: ``right.missing``.
            IssuerDataError: there is no such organisation in the actor's part (``organisation.unknown``).
        """
        if not actor.may_somewhere(Right.READ_ORGANISATIONS):
            raise IssuerRefusedError(
                f"account {actor.account} has no right {Right.READ_ORGANISATIONS}",
                code="right.missing",
            )
        if above is not None:
            self.path(above, actor=actor)
        return self.browsing.organisations(
            above=above,
            roots=actor.roots(Right.READ_ORGANISATIONS),
            limit=limit,
            behind=behind,
        )

    def find(self, text: str, *, actor: Actor, limit: int) -> tuple[tuple[Organisation, ...], ...]:
        """The organisations that are called so, each behind those above it as far as the actor's part reaches up.

        Beginnings of words of the name are enough, in any order, and marks and capitals do not count; or the beginning
        of the code.

        Raises:
            IssuerRefusedError: ``right.missing``.
        """
        if not actor.may_somewhere(Right.READ_ORGANISATIONS):
            raise IssuerRefusedError(
                f"account {actor.account} has no right {Right.READ_ORGANISATIONS}",
                code="right.missing",
            )
        words = fold(text).split()[:_MOST_WORDS]
        code = text.strip()
        if not words and not code:
            return ()
        roots = actor.roots(Right.READ_ORGANISATIONS)
        codes = self.browsing.find_organisations(words, code=code, roots=roots, limit=limit)
        with self.register.reading() as transaction:
            tree = transaction.organisations.around(set(codes))
        found: list[tuple[Organisation, ...]] = []
        for each in codes:
            place = tree.place(each)
            first = next(
                number
                for number in range(len(place))
                if roots is None or not roots.isdisjoint(place[: number + 1])
            )
            found.append(tuple(tree.get(step) for step in place[first:]))
        return tuple(found)

    def names(self, codes: Collection[OrganisationCode]) -> Mapping[OrganisationCode, str]:
        """What these organisations are called; for whoever was shown their codes already."""
        wanted = set(codes)
        with self.register.reading() as transaction:
            tree = transaction.organisations.around(wanted)
            return {
                # Those that were closed are in no tree of today.
                code: (tree if code in tree else transaction.organisations).get(code).name
                for code in wanted
            }

    def path(self, code: OrganisationCode, *, actor: Actor) -> tuple[Organisation, ...]:
        """An organisation and those above it, the top-most first, as far as the actor's part reaches up.

        Raises:
            IssuerDataError: there is no such organisation in the actor's part (``organisation.unknown``).
        """
        with self.register.reading() as transaction:
            tree = transaction.organisations.around([code])
            # One that was closed is in no tree of today.
            is_open = code in tree
            place = tree.place(code) if is_open else place_of(transaction.organisations, code)
            if not actor.may(Right.READ_ORGANISATIONS, place=place):
                raise IssuerDataError(
                    f"organisation {code} is not in the register", code="organisation.unknown"
                )
            first = next(
                number
                for number in range(len(place))
                if actor.may(Right.READ_ORGANISATIONS, place=place[: number + 1])
            )
            known = tree if is_open else transaction.organisations
            return tuple(known.get(each) for each in place[first:])
