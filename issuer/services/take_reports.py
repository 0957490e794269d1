"""Reports that come up with a bundle: the sender speaks for its part of the tree, and for nothing else."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from issuer.domain.bundle import Bundle
from issuer.domain.instance_report import InstanceReport
from issuer.domain.instances import Instance, Side
from issuer.domain.organisation import OrganisationCode
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.bundle_ports import OwnInstance
from issuer.services.places import Places
from issuer.services.register_ports import RegisterTransaction

__all__ = ["take_reports"]


def take_reports(
    transaction: RegisterTransaction,
    bundle: Bundle,
    *,
    instance: Instance,
    own: OwnInstance,
    now: datetime,
) -> Mapping[str, int]:
    """Keep the reports of a bundle; gives back how many were new, and how many no newer than what is known.

    Raises:
        IssuerRefusedError: the sender may not speak for what they tell of (``bundle.not-theirs``).
    """
    if not bundle.reports:
        return {}
    if instance.side is not Side.BELOW:
        raise _not_theirs(instance, "is not below, and tells what it counted")
    places = Places(transaction.organisations)
    rebased = [_judged(each, places, instance, own) for each in bundle.reports]
    if len({each.organisation for each in rebased}) != len(rebased):
        raise _not_theirs(instance, "tells of two instances of one organisation")
    new = transaction.exchange.keep_reports(
        instance.name, rebased, sequence=bundle.sequence, at=now
    )
    return {"reports-new": new, "reports-unchanged": len(rebased) - new}


def _judged(
    stated: InstanceReport,
    places: Places,
    instance: Instance,
    own: OwnInstance,
) -> InstanceReport:
    """The report with its place as it is in our tree, once all of it is in the sender's part."""
    if stated.instance == own.name or instance.organisation not in stated.place:
        raise _not_theirs(instance, f"tells what {stated.instance} counted outside of its part")
    is_own = stated.instance == instance.name
    if is_own != (stated.organisation == instance.organisation):
        raise _not_theirs(instance, f"tells of {stated.instance} as another organisation's")
    codes = {*(each.code for each in stated.lines), stated.organisation}
    places.look_ahead(codes)
    for code in sorted(codes):
        known = _known_place(places, code)
        if known is not None and instance.organisation not in known:
            raise _not_theirs(instance, f"counts {code}, which is not in its part")
    inner = stated.place[stated.place.index(instance.organisation) + 1 :]
    return replace(stated, place=(*places.of(instance.organisation), *inner))


def _known_place(places: Places, code: OrganisationCode) -> tuple[OrganisationCode, ...] | None:
    """Where an organisation is in our tree; ``None`` where we do not know it."""
    try:
        return places.of(code)
    except IssuerDataError:
        return None


def _not_theirs(instance: Instance, what: str) -> IssuerRefusedError:
    return IssuerRefusedError(f"instance {instance.name} {what}", code="bundle.not-theirs")
