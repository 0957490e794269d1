"""Where commands of reports write them: a file whose name says of which kind it is."""

from pathlib import Path

from issuer.errors import IssuerDataError, IssuerUnavailableError
from issuer.services.reports import ReportForm
from issuer.storage.durable import write_durably

__all__ = ["report_form", "write_report"]


def report_form(out: Path) -> ReportForm:
    """The kind of a report's file, by its name.

    Raises:
        IssuerDataError: it ends neither in .xlsx nor in .pdf (``report.form``).
    """
    forms = {f".{each.value}": each for each in ReportForm}
    try:
        return forms[out.suffix.lower()]
    except KeyError:
        raise IssuerDataError(
            f"the file's name ends in {out.suffix[:20]!r}, expected .xlsx or .pdf",
            code="report.form",
        ) from None


def write_report(out: Path, content: bytes) -> None:
    """A report, whole or not at all.

    Raises:
        IssuerUnavailableError: it cannot be written (``report.unwritable``).
    """
    try:
        write_durably(out, content)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{out} cannot be written: {error.strerror}", code="report.unwritable"
        ) from error
