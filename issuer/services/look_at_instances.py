"""Use case: see the other registers with which bundles are exchanged, how far that has come, and what they were given."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from issuer.domain.instances import Instance, InstanceName, Side
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import Actor, Place, Right
from issuer.errors import IssuerDataError
from issuer.services.bundle_ports import (
    BundlePosition,
    BundleRecord,
    HandedBlock,
    HandedSet,
    OwnInstance,
    SequenceMarkStore,
)
from issuer.services.places import Places
from issuer.services.register_ports import Register, RegisterTransaction

__all__ = ["BundlePage", "InstancePage", "InstanceView", "LookingAtInstances"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstancePage:
    """Instances by their names; ``end`` is the last one where there are more."""

    instances: tuple[Instance, ...]
    end: InstanceName | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BundlePage:
    """Bundles, the newest first; ``end`` is where the page ends if there are more."""

    bundles: tuple[BundleRecord, ...]
    end: BundlePosition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """One instance with what it was given.

    Attributes:
        instance: the instance.
        place: whose matter it is: what rights are asked for at.
        blocks, sets: card numbers and status indices that it alone gives out.
        conflicts: how much of what it stated waits for a person.
        left_house: the last bundle to it that may have left the house; above ``instance.sent`` where this register
            was restored from a backup.
    """

    instance: Instance
    place: Place
    blocks: tuple[HandedBlock, ...]
    sets: tuple[HandedSet, ...]
    conflicts: int
    left_house: int

    @property
    def is_restored(self) -> bool:
        """Whether no bundle is made for it until somebody has looked into it."""
        return self.left_house > self.instance.sent


@dataclass(frozen=True, slots=True, kw_only=True)
class LookingAtInstances:
    """Looks at instances; whose organisation is not in the actor's part of the tree is not there."""

    register: Register
    own: OwnInstance
    marks: SequenceMarkStore

    def page(self, *, actor: Actor, limit: int, behind: InstanceName | None = None) -> InstancePage:
        """Instances by their names."""
        with self.register.reading() as transaction:
            found = [
                each
                for each in self._visible(transaction, actor, Right.READ_ORGANISATIONS)
                if behind is None or each.name > behind
            ]
        shown = tuple(found[:limit])
        return InstancePage(
            instances=shown, end=shown[-1].name if shown and len(found) > limit else None
        )

    def show(self, name: InstanceName, *, actor: Actor) -> InstanceView:
        """One instance.

        Raises:
            IssuerDataError: there is none in the actor's part of the tree (``instance.unknown``).
            IssuerUnavailableError: ``bundle.mark-unavailable``.
        """
        with self.register.reading() as transaction:
            instance = transaction.exchange.find_instance(name)
            place = (
                None
                if instance is None
                else self._place(Places(transaction.organisations), instance)
            )
            if instance is None or not actor.may(Right.READ_ORGANISATIONS, place=place or ()):
                # Whoever may not see it does not learn that it is there.
                raise IssuerDataError(f"instance {name} is not known here", code="instance.unknown")
            return InstanceView(
                instance=instance,
                place=place or (),
                blocks=transaction.exchange.blocks_of(name),
                sets=transaction.exchange.sets_of(name),
                conflicts=len(transaction.exchange.conflicts_with(name)),
                left_house=self.marks.read().sent.get(name, 0),
            )

    def bundles(
        self,
        *,
        actor: Actor,
        limit: int,
        behind: BundlePosition | None = None,
        name: InstanceName | None = None,
    ) -> BundlePage:
        """Bundles that were made and taken; counts and digests, nobody's data."""
        with self.register.reading() as transaction:
            names = [
                each.name
                for each in self._visible(transaction, actor, Right.READ_ORGANISATIONS)
                if name in {None, each.name}
            ]
            found = transaction.exchange.records(names, limit=limit + 1, behind=behind)
        shown = found[:limit]
        return BundlePage(
            bundles=shown,
            end=BundlePosition.of(shown[-1]) if len(found) > limit else None,
        )

    def _visible(
        self, transaction: RegisterTransaction, actor: Actor, right: Right
    ) -> Iterator[Instance]:
        found = transaction.exchange.instances()
        places = Places(transaction.organisations)
        places.look_ahead(_codes(found, self.own))
        return (each for each in found if actor.may(right, place=self._place(places, each)))

    def _place(self, places: Places, instance: Instance) -> Place:
        """The one above is our own matter."""
        is_above = instance.side is Side.ABOVE
        return places.of(self.own.organisation if is_above else instance.organisation)


def _codes(instances: Collection[Instance], own: OwnInstance) -> set[OrganisationCode]:
    return {own.organisation, *(each.organisation for each in instances)}
