"""The facts behind the steps about the card's status: where it stands, and what the newest status list says."""

from collections.abc import Iterator

from pki.certificates.trust import find_authority
from verifier.inspection.explained_material import Fact, Material
from verifier.inspection.holder import Holder
from verifier.inspection.messages import FactName
from verifier.inspection.status_checks import newest_status_list

__all__ = ["card_status_facts", "status_reference_facts"]


def status_reference_facts(material: Material, _: Holder | None) -> Iterator[Fact]:
    """Which index of which list speaks for the card."""
    yield Fact(name=FactName.FILE, value="EF.SOD")
    reference = material.security_object().status_reference
    if reference is not None:
        yield Fact(name=FactName.STATUS_LIST, value=f"{reference.list_id.hex()}, {reference.index}")


def card_status_facts(material: Material, _: Holder | None) -> Iterator[Fact]:
    """The list that was looked into, and what it says."""
    yield Fact(name=FactName.JUDGED_AT, value=f"{material.now:%Y-%m-%d %H:%M:%S} UTC")
    security_object = material.security_object()
    authority = find_authority(security_object.signer_certificate, material.trust)
    found = newest_status_list(material.trust, authority)
    reference = security_object.status_reference
    if found is None or reference is None:
        return
    state = found.find(reference.list_id, reference.index)
    yield Fact(name=FactName.LIST_NUMBER, value=str(found.number))
    yield Fact(
        name=FactName.CARD_STATUS, value="unknown" if state is None else f"card-{state.label}"
    )
    yield Fact(name=FactName.SIGNED_AT, value=f"{found.this_update:%Y-%m-%d %H:%M:%S} UTC")
