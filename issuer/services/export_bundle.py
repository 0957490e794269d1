"""Use case: make the next bundle for another instance.

In one transaction what goes into the bundle is handed over, and the bundle gets its number and digest. The sealed file
is in the store before that, the mark outside the database is written after it, and only then is the file given out:

* what was given out is known to the database and to the mark; a database that is behind the mark was restored, and
  makes no bundle until somebody has looked into it (``InstanceOffice.recover``);
* a file can be lost as often as one likes: the same bytes are given out again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from issuer.domain.audit_reads import members_listed
from issuer.domain.instances import Instance, InstanceName, Side
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.exchange.bundle_file import bundle_to_bytes, reports_digest
from issuer.services.bundle_ports import (
    BundleRecord,
    BundleStore,
    Direction,
    ExchangeKeys,
    OwnInstance,
    SequenceMark,
    SequenceMarkStore,
)
from issuer.services.collect_bundle import (
    BundleContents,
    BundleMaterial,
    collect_bundle,
    counts_of,
)
from issuer.services.enrol_instances import instance_record, known_instance
from issuer.services.places import Places
from issuer.services.register_ports import Register, RegisterTransaction
from issuer.services.state_reports import ReportStating

__all__ = ["BundleExport", "ExportedBundle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedBundle:
    """The file, and what is kept of it; ``has_more`` tells that not all went into it."""

    record: BundleRecord
    content: bytes = field(repr=False)
    has_more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleExport:
    """Makes bundles; ``clock`` gives aware UTC."""

    register: Register
    material: BundleMaterial
    keys: ExchangeKeys
    files: BundleStore
    marks: SequenceMarkStore
    reports: ReportStating
    clock: Callable[[], datetime]

    @property
    def own(self) -> OwnInstance:
        """Who sends."""
        return self.material.own

    def export(self, name: InstanceName, *, actor: Actor) -> ExportedBundle | None:
        """The next bundle; ``None`` where there is nothing to tell.

        Raises:
            IssuerDataError: ``instance.unknown``.
            IssuerRefusedError: ``right.missing``, ``instance.not-enrolled``; the database was restored from a
                backup (``bundle.restored``).
            PkiError: our keys or their certificates cannot be used.
        """
        now = self.clock().replace(microsecond=0)
        # Read before anything is locked: figures stay as they were counted.
        reports = self.reports.stated(name, self.own)
        with self.register.writing() as transaction:
            instance = known_instance(transaction, name, lock=True)
            instance.require_enrolled()
            if instance.side is Side.SOURCE:
                raise IssuerRefusedError(
                    f"instance {name} is a member database, which is told nothing",
                    code="instance.wrong-place",
                )
            place = Places(transaction.organisations).of(
                instance.organisation if instance.side is Side.BELOW else self.own.organisation
            )
            actor.demand(Right.EXCHANGE_BUNDLES, place=place, now=now)
            self._require_not_restored(instance)
            digest = reports_digest(reports) if reports else None
            if digest is None or digest == transaction.exchange.told_reports(name):
                reports, digest = (), None
            collected = collect_bundle(self.material, transaction, instance, now, reports=reports)
            if collected.bundle.is_empty and instance.lost_since is None:
                return None
            sealed = self.keys.seal(
                bundle_to_bytes(collected.bundle),
                receiver_certificate=instance.certificates.receiver,
                at=now,
            )
            record = BundleRecord(
                instance=name,
                direction=Direction.OUT,
                sequence=collected.bundle.sequence,
                digest=self.files.put(sealed),
                at=now,
                account=actor.account,
                counts=counts_of(collected.bundle),
            )
            self._keep(transaction, instance, collected, record, actor)
            if digest is not None:
                transaction.exchange.tell_reports(name, digest)
        self._mark(name, record.sequence)
        return ExportedBundle(record=record, content=sealed, has_more=collected.has_more)

    def again(self, name: InstanceName, sequence: int, *, actor: Actor) -> ExportedBundle:
        """The same file once more, because it was lost on its way.

        Raises:
            IssuerDataError: ``instance.unknown``.
            IssuerRefusedError: ``right.missing``; there was no such bundle (``bundle.unknown``), or its file is
                lost (``bundle.lost``).
        """
        now = self.clock()
        with self.register.writing() as transaction:
            instance = known_instance(transaction, name)
            instance.require_enrolled()
            place = Places(transaction.organisations).of(
                instance.organisation if instance.side is Side.BELOW else self.own.organisation
            )
            actor.demand(Right.EXCHANGE_BUNDLES, place=place, now=now)
            record = transaction.exchange.find_record(name, Direction.OUT, sequence)
            if record is None:
                raise IssuerRefusedError(
                    f"there was no bundle {sequence} to {name}, the last one is {instance.sent}",
                    code="bundle.unknown",
                )
            content = self.files.get(record.digest)
            transaction.audit.append(
                instance_record(instance, "bundle-repeated", actor, now, sequence=sequence)
            )
        self._mark(name, sequence)
        return ExportedBundle(record=record, content=content)

    def _keep(
        self,
        transaction: RegisterTransaction,
        instance: Instance,
        collected: BundleContents,
        record: BundleRecord,
        actor: Actor,
    ) -> None:
        exchange = transaction.exchange
        exchange.hand_over(collected.handed_over, instance.name)
        exchange.report_requests(instance.name, collected.versions)
        exchange.refusals_told(collected.refusals)
        exchange.told(
            [each.block_id for each in collected.bundle.blocks]
            + [each.set_id for each in collected.bundle.index_sets]
        )
        exchange.store_instance(
            replace(instance, sent=record.sequence, lost_since=None, version=instance.version + 1)
        )
        exchange.add_record(record)
        transaction.audit.append(
            instance_record(
                instance, "bundle-made", actor, record.at,
                sequence=record.sequence, digest=record.digest.hex(), **record.counts,
            )
        )  # fmt: skip
        for each in members_listed(
            collected.member_ids,
            account=actor.account,
            organisation=instance.organisation,
            at=record.at,
            bundle=record.digest.hex(),
        ):
            transaction.audit.append(each)

    def _require_not_restored(self, instance: Instance) -> None:
        reached = self.marks.read().sent.get(instance.name, 0)
        if reached > instance.sent:
            raise IssuerRefusedError(
                f"bundle {reached} to {instance.name} has left the house, and the register knows {instance.sent}: "
                "it was restored from a backup",
                code="bundle.restored",
                hint=f"membercard-issuer instances recover {instance.name}",
            )

    def _mark(self, name: InstanceName, sequence: int) -> None:
        mark = self.marks.read()
        if mark.sent.get(name, 0) < sequence:
            self.marks.write(SequenceMark(sent={**mark.sent, name: sequence}))
