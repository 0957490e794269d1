"""What the API does with bundles: take one, show what was taken, show and settle conflicts."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from issuer.domain.bundle import ConflictId
from issuer.domain.rights import Actor
from issuer.services.bundle_ports import BundleRecord, Conflict
from issuer.services.import_bundle import BundleImport, ImportReport
from issuer.services.register_ports import Register
from issuer.services.settle_conflicts import ConflictChoice, ConflictDesk, Settled

__all__ = ["ExchangeDesk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeDesk:
    """Bundles over HTTP; ``importing`` opens the use case, with the workers that make portraits anew."""

    register: Register
    importing: Callable[[], AbstractContextManager[BundleImport]]
    conflicts: ConflictDesk

    def take(self, content: bytes, *, actor: Actor) -> ImportReport:
        """See ``BundleImport.take``."""
        with self.importing() as importing:
            return importing.take(content, actor=actor)

    def newest(self, *, limit: int) -> tuple[BundleRecord, ...]:
        """The newest bundles, made and taken; counts and digests, nobody's data."""
        with self.register.reading() as transaction:
            return transaction.exchange.records(None, limit=limit)

    def waiting(self, *, actor: Actor, limit: int) -> tuple[Conflict, ...]:
        """See ``ConflictDesk.waiting``."""
        return self.conflicts.waiting(actor=actor, limit=limit)

    def settle(
        self, conflict_id: ConflictId, choice: ConflictChoice, *, reason: str, actor: Actor
    ) -> Settled:
        """See ``ConflictDesk.settle``."""
        return self.conflicts.settle(conflict_id, choice, reason=reason, actor=actor)
