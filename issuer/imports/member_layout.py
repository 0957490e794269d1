"""How a member list is laid out: as the template is, or as a mapping file says."""

from pathlib import Path

from issuer.domain.member_list import MemberColumn
from issuer.imports.column_guide import CORRECTION_COLUMNS, DATE_COLUMNS, OPTIONAL_COLUMNS
from issuer.imports.mapping import ListMapping, load_mapping
from issuer.imports.table import Layout, TemplateLayout

__all__ = ["load_member_mapping", "member_layout"]


def member_layout(mapping: Path | None) -> Layout:
    """The template, in which a correction file comes back too, or what a mapping file says.

    Raises:
        IssuerUnavailableError: the mapping cannot be read (``file.unavailable``).
        IssuerDataError: it is none (``mapping.*``).
    """
    if mapping is None:
        return TemplateLayout(columns=tuple(MemberColumn), passed_over=CORRECTION_COLUMNS)
    return load_member_mapping(mapping)


def load_member_mapping(path: Path) -> ListMapping:
    """A mapping file for member lists.

    Raises:
        IssuerUnavailableError, IssuerDataError: as ``member_layout``.
    """
    return load_mapping(
        path,
        tuple(MemberColumn),
        optional=OPTIONAL_COLUMNS,
        date_columns=DATE_COLUMNS,
        passed_over=CORRECTION_COLUMNS,
    )
