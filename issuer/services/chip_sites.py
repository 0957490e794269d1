"""Whose chips become the cards of a batch: those of its receiver's own unit, or of the sites that somebody names."""

from collections.abc import Sequence

from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import Actor, Right
from issuer.domain.stock_account import Site, SiteCode
from issuer.services.batch_desk import BatchDesk
from issuer.services.places import place_of
from issuer.services.register_ports import RegisterTransaction

__all__ = ["chosen_sites", "sites_to_choose_from"]


def chosen_sites(
    desk: BatchDesk,
    transaction: RegisterTransaction,
    receiver: OrganisationCode,
    named: Sequence[SiteCode],
    *,
    actor: Actor,
) -> tuple[SiteCode, ...]:
    """The sites out of which a batch takes its chips, by code.

    Where none is named they are those of the organisation next above the receiver, or the receiver itself, that has any;
    at last those of the whole register. A site above the receiver may be named by whoever freezes its batch, another one
    by whoever may freeze batches there, too.

    Raises:
        IssuerDataError: ``stock.site-unknown``.
        IssuerRefusedError: ``right.missing``, ``right.step-up-needed``.
    """
    above = place_of(transaction.organisations, receiver)
    if not named:
        return _nearest(transaction.stock.sites(), above)
    for site in (transaction.stock.site(code) for code in named):
        if not _serves(site, above):
            actor.demand(
                Right.FREEZE_BATCHES,
                place=place_of(transaction.organisations, site.organisation),
                now=desk.clock(),
            )
    return tuple(sorted(set(named)))


def sites_to_choose_from(
    transaction: RegisterTransaction, receiver: OrganisationCode, *, actor: Actor
) -> tuple[Site, ...]:
    """The sites that may be named for a batch of this receiver, by code."""
    above = place_of(transaction.organisations, receiver)
    return tuple(
        each
        for each in transaction.stock.sites()
        if _serves(each, above)
        or actor.may(
            Right.FREEZE_BATCHES, place=place_of(transaction.organisations, each.organisation)
        )
    )


def _nearest(sites: Sequence[Site], above: Sequence[OrganisationCode]) -> tuple[SiteCode, ...]:
    for organisation in (*reversed(above), None):
        found = tuple(each.code for each in sites if each.organisation == organisation)
        if found:
            return found
    return ()


def _serves(site: Site, above: Sequence[OrganisationCode]) -> bool:
    return site.organisation is None or site.organisation in above
