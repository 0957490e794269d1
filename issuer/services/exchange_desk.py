"""What the API and the console do with bundles and instances: make, look at conflicts, enrol and give out."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from issuer.domain.bundle import ConflictId
from issuer.domain.instances import Instance, InstanceName
from issuer.domain.rights import Actor
from issuer.errors import IssuerDataError, IssuerRefusedError, IssuerUnavailableError
from issuer.services.bundle_ports import Conflict, ConflictPosition, OwnInstance
from issuer.services.enrol_instances import InstanceOffice
from issuer.services.export_bundle import BundleExport, ExportedBundle
from issuer.services.hand_down import HandingDown
from issuer.services.look_at_conflicts import ConflictLooking
from issuer.services.look_at_instances import LookingAtInstances
from issuer.services.settle_conflicts import ConflictChoice, ConflictDesk, Settled
from pki.errors import PkiDataError, PkiError, PkiRefusedError

__all__ = ["ConflictPage", "ExchangeDesk", "told_as_ours"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictPage:
    """Open conflicts, the oldest first; ``end`` is where the page ends if there are more."""

    conflicts: tuple[Conflict, ...]
    end: ConflictPosition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeDesk:
    """Bundles over HTTP, but for taking one, which is an operation (``issuer.services.bundle_operations``).

    ``own_fingerprint`` is what other offices are told when they ask for it.
    """

    own: OwnInstance
    own_fingerprint: str
    exporting: BundleExport
    conflicts: ConflictDesk
    weighing: ConflictLooking
    looking: LookingAtInstances
    instances: InstanceOffice
    handing: HandingDown

    def export(self, name: InstanceName, *, actor: Actor) -> ExportedBundle | None:
        """See ``BundleExport.export``.

        Raises:
            IssuerError: no bundle was made; the code says why.
        """
        with told_as_ours():
            return self.exporting.export(name, actor=actor)

    def confirm(self, name: InstanceName, fingerprint: str, *, actor: Actor) -> Instance:
        """Enrol an instance that another person proposed, whose fingerprint the other office has told.

        Raises:
            IssuerDataError: ``instance.unknown``.
            IssuerRefusedError: ``right.missing``, ``right.same-person``, ``instance.wrong-state``; it is another
                fingerprint (``instance.other-fingerprint``).
        """
        found = self.looking.show(name, actor=actor).instance.certificates.fingerprint
        if found != "".join(fingerprint.split()).lower():
            raise IssuerRefusedError(
                f"the certificates of {name} have another fingerprint than the one that was typed",
                code="instance.other-fingerprint",
            )
        with told_as_ours():
            return self.instances.confirm(name, actor=actor)

    def waiting(
        self, *, actor: Actor, limit: int, behind: ConflictPosition | None = None
    ) -> ConflictPage:
        """See ``ConflictDesk.waiting``."""
        found = self.conflicts.waiting(actor=actor, limit=limit + 1, behind=behind)
        shown = found[:limit]
        last = shown[-1] if len(found) > limit else None
        return ConflictPage(
            conflicts=shown,
            end=None
            if last is None
            else ConflictPosition(found_at=last.found_at, conflict_id=last.conflict_id),
        )

    def settle(
        self, conflict_id: ConflictId, choice: ConflictChoice, *, reason: str, actor: Actor
    ) -> Settled:
        """See ``ConflictDesk.settle``."""
        return self.conflicts.settle(conflict_id, choice, reason=reason, actor=actor)


@contextlib.contextmanager
def told_as_ours() -> Iterator[None]:
    """What the PKI refuses is refused here with the same code.

    Raises:
        IssuerDataError, IssuerRefusedError, IssuerUnavailableError: by what the caller can do.
    """
    try:
        yield
    except PkiDataError as error:
        raise IssuerDataError(str(error), code=error.code) from error
    except PkiRefusedError as error:
        raise IssuerRefusedError(str(error), code=error.code) from error
    except PkiError as error:
        raise IssuerUnavailableError(str(error), code=error.code) from error
