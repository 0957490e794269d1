"""Port of what is known outside the database of the status indices that were drawn."""

from collections.abc import Collection
from typing import Protocol

from issuer.domain.status_allotment import StatusIndex

__all__ = ["StatusMarkStore"]


class StatusMarkStore(Protocol):
    """Which indices of each status list may have been given out, kept where no backup of the database reaches.

    An index is marked, and the mark on disk, before anybody may see it. A list without a mark is one whose indices
    nobody can vouch for (its database was restored): no index is drawn from it any more.
    """

    def begin(self, list_id: bytes, *, size: int) -> None:
        """Begin a list of ``size`` positions that was never used.

        Raises:
            IssuerUnavailableError: it cannot be kept (``status.mark-unavailable``).
        """

    def drawn(self, list_id: bytes, *, size: int) -> frozenset[int] | None:
        """The indices of a list that may have been given out; ``None`` where the list has no mark.

        Raises:
            IssuerUnavailableError: it cannot be read (``status.mark-unavailable``).
            IssuerDataError: it is of another length (``status.mark-malformed``).
        """

    def mark(self, indices: Collection[StatusIndex], *, size: int) -> None:
        """Say of these indices that they may be given out from now on.

        Raises:
            IssuerRefusedError: a list has no mark (``status.mark-missing``).
            IssuerUnavailableError, IssuerDataError: as ``drawn``.
        """
