"""Use case: say whose bundles are believed. One person proposes an instance, another one confirms it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from issuer.domain.audit import AuditDetail, AuditRecord, AuditSubject
from issuer.domain.instances import ExchangeCertificates, Instance, InstanceName, Side
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.bundle_ports import ExchangeKeys, OwnInstance, SequenceMarkStore
from issuer.services.places import Places
from issuer.services.register_ports import Register, RegisterTransaction

__all__ = ["InstanceOffice", "instance_record", "known_instance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceOffice:
    """Enrols instances, and takes their rights away; ``clock`` gives aware UTC."""

    register: Register
    own: OwnInstance
    keys: ExchangeKeys
    marks: SequenceMarkStore
    clock: Callable[[], datetime]

    def propose(
        self,
        name: InstanceName,
        *,
        side: Side,
        organisation: OrganisationCode,
        certificates: ExchangeCertificates,
        actor: Actor,
    ) -> Instance:
        """Propose an instance, or new certificates for one; another person confirms it.

        Raises:
            IssuerRefusedError: ``right.missing``; it is ourselves, or stands on the other side
                (``instance.wrong-place``).
            PkiRefusedError: the certificates are not its own (``exchange.certificate``).
            IssuerDataError: ``organisation.unknown``.
        """
        now = self.clock()
        self.keys.judge(certificates.signer, receiver=certificates.receiver, name=name, now=now)
        with self.register.writing() as transaction:
            places = Places(transaction.organisations)
            actor.demand(Right.OPERATE_SERVICE, place=places.of(organisation), now=now)
            self._require_place(places, name, side, organisation)
            known = transaction.exchange.find_instance(name, lock=True)
            if known is None:
                instance = Instance(
                    name=name,
                    side=side,
                    organisation=organisation,
                    certificates=certificates,
                    proposed_by=actor.account,
                    proposed_at=now,
                    sent=self.marks.read().sent.get(name, 0),
                )
                transaction.exchange.add_instance(instance)
            else:
                if (known.side, known.organisation) != (side, organisation):
                    raise IssuerRefusedError(
                        f"instance {name} is known {known.side} for organisation {known.organisation}",
                        code="instance.wrong-place",
                    )
                instance = known.proposed_again(certificates, actor.account, now)
                transaction.exchange.store_instance(instance)
            transaction.audit.append(instance_record(instance, "proposed", actor, now))
        return instance

    def confirm(self, name: InstanceName, *, actor: Actor) -> Instance:
        """Enrol an instance that another person proposed.

        Raises:
            IssuerRefusedError: ``right.missing``, ``instance.unknown``, ``instance.wrong-state``,
                ``right.same-person``.
            PkiRefusedError: as ``propose``.
        """
        return self._change(name, "confirmed", actor, lambda known: known.confirmed(actor.account))

    def suspend(self, name: InstanceName, *, actor: Actor) -> Instance:
        """Take and send nothing any more; one person is enough.

        Raises:
            IssuerRefusedError: ``right.missing``, ``instance.unknown``.
        """
        return self._change(name, "suspended", actor, lambda known: known.suspended(actor.account))

    def recover(self, name: InstanceName, *, sent: int | None = None, actor: Actor) -> Instance:
        """Go on after our own database was restored from a backup: bundles that left the house are never numbered again.

        Args:
            name: with whom.
            sent: the last bundle that they have of ours, where the mark is lost, too.
            actor: who looked into it.

        Raises:
            IssuerRefusedError: ``right.missing``, ``instance.unknown``; nothing was lost
                (``bundle.nothing-lost``).
        """
        reached = max(self.marks.read().sent.get(name, 0), sent or 0)

        def recovered(known: Instance) -> Instance:
            if reached <= known.sent:
                raise IssuerRefusedError(
                    f"the register knows {known.sent} bundles to {name}, and no more than {reached} left the house",
                    code="bundle.nothing-lost",
                )
            since = known.sent if known.lost_since is None else known.lost_since
            return replace(
                known, sent=reached, lost_since=since, has_lost=True, version=known.version + 1
            )

        return self._change(name, "recovered", actor, recovered)

    def _change(
        self,
        name: InstanceName,
        action: str,
        actor: Actor,
        change: Callable[[Instance], Instance],
    ) -> Instance:
        now = self.clock()
        with self.register.writing() as transaction:
            known = known_instance(transaction, name, lock=True)
            place = Places(transaction.organisations).of(known.organisation)
            actor.demand(Right.OPERATE_SERVICE, place=place, now=now)
            instance = change(known)
            transaction.exchange.store_instance(instance)
            transaction.audit.append(instance_record(instance, action, actor, now))
        return instance

    def _require_place(
        self, places: Places, name: InstanceName, side: Side, organisation: OrganisationCode
    ) -> None:
        own, theirs = places.of(self.own.organisation), places.of(organisation)
        is_below = self.own.organisation in theirs and organisation != self.own.organisation
        fits = {
            Side.BELOW: is_below,
            Side.ABOVE: organisation in own and organisation != self.own.organisation,
            Side.SOURCE: self.own.organisation in theirs,
        }
        if name == self.own.name or not fits[side]:
            raise IssuerRefusedError(
                f"instance {name} of {organisation} is not {side} ours, {self.own.name} of {self.own.organisation}",
                code="instance.wrong-place",
            )


def known_instance(
    transaction: RegisterTransaction, name: InstanceName, *, lock: bool = False
) -> Instance:
    """One instance.

    Raises:
        IssuerDataError: there is none (``instance.unknown``).
    """
    found = transaction.exchange.find_instance(name, lock=lock)
    if found is None:
        raise IssuerDataError(
            f"instance {name} is not known here",
            code="instance.unknown",
            hint="membercard-issuer instances propose",
        )
    return found


def instance_record(
    instance: Instance, action: str, actor: Actor, now: datetime, **details: AuditDetail
) -> AuditRecord:
    """What was done with an instance or a bundle, in the audit trail."""
    return AuditRecord(
        at=now,
        account=actor.account,
        action=f"instance.{action}",
        subject=AuditSubject.BUNDLE,
        subject_id=instance.name,
        organisation=instance.organisation,
        details={"version": instance.version, "sent": instance.sent, **details},
    )
