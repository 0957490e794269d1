"""Use case: a list of organisations comes in over HTTP, and is taken as a whole or refused as a whole."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from issuer.domain.list_row import Finding, ListRow
from issuer.domain.organisation_code import OrganisationCodeScheme
from issuer.domain.rights import Actor
from issuer.errors import IssuerDataError
from issuer.services.import_organisations import import_organisations
from issuer.services.import_outcome import ImportSummary, RowResult
from issuer.services.register_ports import Register
from issuer.services.upload_ports import UploadId, Uploads

__all__ = [
    "MOST_AT_ONCE",
    "BringingOfOrganisations",
    "OpenedList",
    "OrganisationListSource",
    "RefusedListError",
]

MOST_AT_ONCE: Final = 20_000
"""So many organisations come in one request: nobody else writes meanwhile, and the answer is waited for."""


class OpenedList(Protocol):
    """A list that was judged as a file."""

    def rows(self) -> Iterator[ListRow]:
        """Its rows, in order."""


OrganisationListSource = Callable[[Path], AbstractContextManager[OpenedList]]
"""Opens a file as a list with the columns of organisations."""


class RefusedListError(IssuerDataError):
    """Rows of a list are refused, and nothing of it was taken."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        first = findings[0]
        super().__init__(
            f"nothing was taken: {len(findings)} things are wrong, the first in row {first.row}, "
            f"{first.column or 'the row'}: {first.sentence} ({first.code})",
            code="organisation.list-refused",
        )
        self.findings = findings


@dataclass(frozen=True, slots=True, kw_only=True)
class BringingOfOrganisations:
    """Everything that it needs from the world.

    Attributes:
        register: where organisations go.
        uploads: where the file waits.
        open_list: reads it.
        scheme: how codes of new organisations are built.
        clock: gives aware UTC.
    """

    register: Register
    uploads: Uploads
    open_list: OrganisationListSource
    scheme: OrganisationCodeScheme
    clock: Callable[[], datetime]

    def bring(self, upload_id: UploadId, *, actor: Actor) -> ImportSummary:
        """Take every organisation of the list that is not in the register yet.

        Raises:
            RefusedListError: rows are refused (``organisation.list-refused``).
            IssuerDataError: the file is refused as a whole (``file.*``); it has too many rows
                (``file.too-many-rows``).
            IssuerRefusedError: no right where a new organisation hangs (``right.missing``); ``upload.lost``.
        """
        with self.uploads.open(upload_id) as stored, self.open_list(stored.list_file) as opened:
            outcomes = import_organisations(
                _bounded(opened.rows()),
                register=self.register,
                actor=actor,
                now=self.clock(),
                scheme=self.scheme,
            )
        findings = tuple(
            finding
            for each in outcomes
            if each.result is RowResult.REFUSED
            for finding in each.findings
        )
        if findings:
            raise RefusedListError(findings)
        return ImportSummary().with_results([each.result for each in outcomes])


def _bounded(rows: Iterable[ListRow]) -> Iterator[ListRow]:
    for count, row in enumerate(rows, start=1):
        if count > MOST_AT_ONCE:
            raise IssuerDataError(
                f"the list has more than {MOST_AT_ONCE} rows",
                code="file.too-many-rows",
                hint="bring it in parts, from the top of the tree downwards, or with organisations import",
            )
        yield row
