"""``cards print-data``: what the card printer needs, which opens the chips of those cards."""

import csv
import hashlib
import io
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, TextIO

import typer

from card_layout.files.data_group_1 import DataGroup1
from issuer.bootstrap_production import ProductionHome
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    standard_output,
)
from issuer.cli_production_home import opened_production
from issuer.cli_rights import needs
from issuer.domain.audit import AuditDetail, AuditRecord, AuditSubject
from issuer.domain.batch import BatchId, parse_batch_id
from issuer.domain.card import CardState
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.private_files import private_text_file
from issuer.services.production_ports import CardLine
from pki.bounded_files import read_bounded
from pki.certificates.profile import ProfileKind
from pki.certificates.service_certificates import check_service_certificate
from pki.durable import replace_file
from pki.signed.sealed_envelope import sealed_to

__all__ = ["print_data_app"]

_COLUMNS: Final = ("classification", "serial", "card_number", "can", "mrz")
_CLASSIFICATION: Final = "SECRET"
_PRINTABLE_STATES: Final = tuple(
    state
    for state in CardState
    if state not in (CardState.BOUND, CardState.CONDEMNED, CardState.HANDED_OVER)
)
_MAX_CERTIFICATE_BYTES: Final = 16 * 1024
_MOST_SEALED: Final = 100_000
"""So many lines fit into one sealed file, several times over."""

print_data_app = typer.Typer(rich_markup_mode=None)


@print_data_app.command(
    "print-data",
    epilog="""\b
Examples:
  membercard-issuer --home office cards print-data print.csv
  membercard-issuer --home office cards print-data print.p7m --batch BATCH --to printer.cer
""",
)
@needs(Right.PRODUCE_CARDS, by_use_case=True)
def print_data_command(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The csv file to write.")],
    *,
    batch: Annotated[str | None, typer.Option(help="Only the cards of this batch.")] = None,
    to: Annotated[
        Path | None,
        typer.Option(help="Seal the file to this certificate (DER): only its owner opens it."),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write what the card printer needs of every signed card of one's own part of the tree: serial, CAN, MRZ.

    The file is SECRET until the cards are handed over: with it anybody can open the chips.
    It can be read by its owner only; destroy it when the cards are printed. Sealed with --to, the
    printer alone opens it. It asks for the second factor: log in again, or
    `step-up`, where that is over.
    """
    actor = command_context(context).actor
    # Whoever makes cards has the right to export what their printing takes, in the same part of the tree.
    actor.demand_somewhere(Right.EXPORT_CARDS, now=datetime.now(UTC))
    certificate = None if to is None else read_bounded(to, _MAX_CERTIFICATE_BYTES)
    if certificate is not None:
        check_service_certificate(certificate, kind=ProfileKind.STATION)
    chosen = None if batch is None else parse_batch_id(batch)
    with opened_production(context) as home:
        lines = _lines(home, actor, chosen)
        if certificate is not None and len(lines) > _MOST_SEALED:
            raise IssuerRefusedError(
                f"{len(lines)} cards, expected at most {_MOST_SEALED} in a sealed file",
                code="print-data.too-large",
                hint="write it batch by batch: --batch",
            )
        # Said before the first secret leaves: whatever breaks from here on, it stands in the trail that it may have.
        _record(home, actor, len(lines), chosen, certificate)
        try:
            if certificate is None:
                with private_text_file(out) as file:
                    _write(file, _rows(home, lines))
            else:
                replace_file(out, _sealed(home, lines, certificate))
        except IssuerUnavailableError as error:
            if error.code != "file.unavailable":
                raise
            raise IssuerUnavailableError(str(error), code="print-data.unavailable") from error
        except OSError as error:
            raise IssuerUnavailableError(
                f"{out} cannot be written: {error.strerror}", code="print-data.unavailable"
            ) from error
    if output_format is OutputFormat.JSON:
        print_json({"cards": len(lines), "file": str(out)})
    else:
        kind = "SECRET" if certificate is None else f"sealed to {to}"
        standard_output().print(
            f"{len(lines)} cards written to {out}, which is {kind}.", markup=False
        )


def _lines(home: ProductionHome, actor: Actor, batch: BatchId | None) -> Sequence[CardLine]:
    if batch is not None:
        with home.opened.register.reading() as transaction:
            transaction.batches.get(batch)
    return home.cards.lines(
        states=_PRINTABLE_STATES,
        below=actor.roots(Right.PRODUCE_CARDS),
        batch_id=batch,
        with_secrets=True,
    )


def _record(
    home: ProductionHome, actor: Actor, cards: int, batch: BatchId | None, certificate: bytes | None
) -> None:
    details: dict[str, AuditDetail] = {"cards": cards}
    if batch is not None:
        details["batch"] = batch.hex
    if certificate is not None:
        details["sealed-to"] = hashlib.sha256(certificate).hexdigest()
    with home.opened.register.writing() as transaction:
        transaction.audit.append(
            AuditRecord(
                at=datetime.now(UTC),
                account=actor.account,
                action="card.secrets-shown",
                subject=AuditSubject.SERVICE,
                subject_id="print-data",
                details=details,
            )
        )


def _rows(home: ProductionHome, lines: Sequence[CardLine]) -> Iterable[tuple[str, ...]]:
    for line in lines:
        job = home.cards.job(line.card.reference)
        mrz = DataGroup1.from_bytes(job.contents["EF.DG1"]).mrz
        yield (
            _CLASSIFICATION,
            line.card.serial.hex().upper(),
            home.opened.scheme.display(line.card_number),
            job.secrets.can,
            mrz.to_text(),
        )


def _write(file: TextIO, rows: Iterable[tuple[str, ...]]) -> None:
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow(row)


def _sealed(home: ProductionHome, lines: Sequence[CardLine], certificate: bytes) -> bytes:
    text = io.StringIO(newline="")
    _write(text, _rows(home, lines))
    return sealed_to(certificate, text.getvalue().encode(), random_bytes=os.urandom)
