"""What other instances state of people, sealed to the row where it lies."""

import json
from collections.abc import Mapping
from typing import Final

from issuer.db.sealing import Sealer
from issuer.domain.bundle import ConflictId
from issuer.domain.instances import InstanceName
from issuer.domain.member import MemberId
from issuer.errors import IssuerUnavailableError

__all__ = ["BundleSeals"]

_CELLS: Final = "linked_members.sealed"
_CONTENT: Final = "bundle_conflicts.sealed"


class BundleSeals:
    """Seals and opens single values; each opens only in the row that it was sealed for."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def seal_cells(
        self, instance: InstanceName, remote_id: MemberId, cells: Mapping[str, str]
    ) -> bytes:
        """What an instance told of a member last."""
        return self._sealer.seal(
            json.dumps(dict(cells), sort_keys=True).encode(),
            purpose=_CELLS,
            row=_row(instance, remote_id),
        )

    def open_cells(
        self, instance: InstanceName, remote_id: MemberId, sealed: bytes
    ) -> dict[str, str]:
        """The same; nothing where the member's record was deleted.

        Raises:
            IssuerUnavailableError: ``register.seal-broken``.
        """
        if not sealed:
            return {}
        plain = self._open(sealed, _CELLS, _row(instance, remote_id))
        return {str(column): str(text) for column, text in json.loads(plain).items()}

    def seal_content(self, conflict_id: ConflictId, content: bytes) -> bytes:
        """What they state where it conflicts."""
        return self._sealer.seal(content, purpose=_CONTENT, row=conflict_id.bytes)

    def open_content(self, conflict_id: ConflictId, sealed: bytes) -> bytes:
        """The same; nothing once the conflict is settled.

        Raises:
            IssuerUnavailableError: ``register.seal-broken``.
        """
        return self._open(sealed, _CONTENT, conflict_id.bytes) if sealed else b""

    def _open(self, sealed: bytes, purpose: str, row: bytes) -> bytes:
        try:
            return self._sealer.open(sealed, purpose=purpose, row=row)
        except IssuerUnavailableError as error:
            raise IssuerUnavailableError(
                f"{purpose} of row {row.hex()} cannot be opened with this keystore",
                code="register.seal-broken",
            ) from error


def _row(instance: InstanceName, remote_id: MemberId) -> bytes:
    return remote_id.bytes + instance.encode()
