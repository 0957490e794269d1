"""Lists of organisations as files, and the empty one that people fill in."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from issuer.domain.organisation_list import OPTIONAL_COLUMNS, REQUIRED_COLUMNS, OrganisationColumn
from issuer.imports.open_table import open_laid_out
from issuer.imports.table import Table, TemplateLayout
from issuer.imports.template import text_template

__all__ = ["open_organisations", "organisation_template"]


@contextlib.contextmanager
def open_organisations(path: Path) -> Iterator[Table]:
    """A list of organisations; ``-`` takes standard input.

    Raises:
        IssuerUnavailableError: the file cannot be opened (``file.unavailable``).
        IssuerDataError: the file is refused as a whole (``file.*``).
    """
    layout = TemplateLayout(columns=REQUIRED_COLUMNS, optional=OPTIONAL_COLUMNS)
    with open_laid_out(path, layout) as table:
        yield table


def organisation_template() -> bytes:
    """An empty list (csv in UTF-8) that spreadsheets open."""
    return text_template(tuple(OrganisationColumn))
