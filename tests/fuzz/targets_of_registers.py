"""Targets of registers, stations and the signer: lists that people hand in, backups, and what machines tell each other."""

import io
import zipfile
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from issuer.backup.manifest import BackupManifest
from issuer.domain.card import REFERENCE_BYTES, CardReference
from issuer.errors import IssuerDataError, IssuerError
from issuer.exchange.bundle_file import bundle_from_bytes, bundle_to_bytes, request_from_bytes
from issuer.imports.json_table import JsonSheet, is_json
from issuer.imports.mapping import parse_mapping
from issuer.imports.table import Sheet, Table, TemplateLayout
from issuer.imports.text_table import TextSheet
from issuer.imports.workbook import WorkbookSheet, judge_archive
from issuer.imports.workbook_worker import UNREADABLE, find_formula
from issuer.stations.job_codec import job_from_bytes
from issuer.stations.messages import StationOrder, StationReport
from pki.backup.manifest import Manifest
from pki.errors import PkiError
from pki.signed.sealed_message import MessagePurpose, open_sealed
from pki.signer_service.frames import LENGTH_BYTES, frame_length
from pki.signer_service.protocol import (
    MAX_REQUEST_BYTES,
    AuthorisedAnswer,
    read_noted,
    read_renewed,
    read_request,
    read_signed,
    read_wrapped,
)
from pki.signer_service.status_protocol import read_issued_status
from tests.fuzz.target import BASES, Target

__all__ = ["COLUMNS", "REFERENCE", "REGISTER_TARGETS", "SHEET_PARTS", "receiver_key"]

COLUMNS: Final = ("full_name", "birth_date")
REFERENCE: Final = CardReference(bytes(REFERENCE_BYTES))
SHEET_PARTS: Final = (
    "[Content_Types].xml",
    "_rels/.rels",
    "xl/workbook.xml",
    "xl/_rels/workbook.xml.rels",
    "xl/worksheets/sheet1.xml",
    "xl/sharedStrings.xml",
    "xl/styles.xml",
)
_BETWEEN: Final = b"\x00\x00"
_ANSWERS: Final = (
    AuthorisedAnswer.from_bytes,
    read_renewed,
    read_noted,
    read_wrapped,
    read_issued_status,
    lambda content: read_signed(content, expected=1),
)


def receiver_key() -> ec.EllipticCurvePrivateKey:
    """To whom the seeds of sealed files are sealed: no secret, so that fuzzing gets behind the seal."""
    return ec.derive_private_key(7, ec.SECP256R1())


@cache
def _receiver_certificate() -> bytes:
    return (BASES / "receiver").read_bytes()


def _read_table(sheet: Sheet) -> None:
    table = Table(sheet, TemplateLayout(columns=COLUMNS), digest=b"")
    for row in table.rows():
        if set(row.cells) != set(COLUMNS):
            raise AssertionError("a row has other columns than the list")
        for cell in row.cells.values():
            # What was read is shown on pages and written into correction files.
            str(cell).encode()


def _read_list(data: bytes) -> None:
    file = io.BytesIO(data)
    _read_table(JsonSheet(file) if is_json(data[:64]) else TextSheet(file))


def _read_workbook(data: bytes) -> None:
    """What we read of a workbook ourselves: its archive, which sheet is the first one, and whether it computes.

    The cells are read by a foreign library in a process of its own, which may break as it likes.
    """
    file = io.BytesIO(data)
    judge_archive(file)
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            find_formula(archive)
    except UNREADABLE as error:
        raise IssuerDataError("the workbook cannot be read", code="file.malformed") from error


def _read_rows(data: bytes) -> None:
    """What that process says."""
    _read_table(WorkbookSheet(io.BytesIO(data)))


def _read_parts_of_workbook(data: bytes) -> None:
    """The XML of a workbook, part by part, packed as it is: the fuzzer does not have to find checksums."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in zip(SHEET_PARTS, data.split(_BETWEEN), strict=False):
            archive.writestr(name, content)
    _read_workbook(packed.getvalue())


def _read_register_backup(data: bytes) -> None:
    if BackupManifest.from_bytes(data).to_bytes() != data:
        raise AssertionError("a manifest is not written back alike")


def _read_backup(data: bytes) -> None:
    if Manifest.from_bytes(data).to_bytes() != data:
        raise AssertionError("a manifest is not written back alike")


def _read_frame(data: bytes) -> None:
    """A frame as it comes through the socket, and a request in it."""
    length = frame_length(data[:LENGTH_BYTES].ljust(LENGTH_BYTES, b"\0"), maximum=MAX_REQUEST_BYTES)
    read_request(data[LENGTH_BYTES : LENGTH_BYTES + length])


def _read_signers_answer(data: bytes) -> None:
    """The first byte says what was asked."""
    _ANSWERS[data[0] % len(_ANSWERS) if data else 0](data[1:])


def _read_bundle(data: bytes) -> None:
    if bundle_to_bytes(bundle_from_bytes(data)) != data:
        raise AssertionError("a bundle is not written back alike")


def _open_sealed(data: bytes) -> None:
    open_sealed(
        data,
        purpose=MessagePurpose.INSTANCE_BUNDLE,
        own_certificate=_receiver_certificate(),
        agree=lambda public: receiver_key().exchange(ec.ECDH(), public),
    )


def _read_report(data: bytes) -> None:
    StationReport.from_bytes(data)


def _read_order(data: bytes) -> None:
    StationOrder.from_bytes(data)


def _read_job(data: bytes) -> None:
    job_from_bytes(data, reference=REFERENCE)


def _read_mapping(data: bytes) -> None:
    parse_mapping(data, COLUMNS, date_columns=("birth_date",))


_ISSUER: Final = (IssuerError,)
_PKI: Final = (PkiError,)

REGISTER_TARGETS: Final[dict[str, Target]] = {
    # Lists that people hand in.
    "member-list": Target(read=_read_list, refusals=_ISSUER),
    "list-mapping": Target(read=_read_mapping, refusals=_ISSUER),
    "workbook": Target(read=_read_workbook, refusals=_ISSUER, share=5),
    "workbook-parts": Target(read=_read_parts_of_workbook, refusals=_ISSUER, share=5),
    "workbook-rows": Target(read=_read_rows, refusals=_ISSUER),
    # Backups.
    "register-backup": Target(read=_read_register_backup, refusals=_ISSUER),
    "authority-backup": Target(read=_read_backup, refusals=_PKI),
    # What registers, stations and the signer tell each other.
    "sealed-message": Target(read=_open_sealed, refusals=_PKI),
    "instance-bundle": Target(read=_read_bundle, refusals=_ISSUER),
    "kept-request": Target(read=request_from_bytes, refusals=_ISSUER),
    "station-report": Target(read=_read_report, refusals=_ISSUER),
    "station-order": Target(read=_read_order, refusals=_ISSUER),
    "card-job": Target(read=_read_job, refusals=_ISSUER),
    "signer-request": Target(read=_read_frame, refusals=_PKI),
    "signer-answer": Target(read=_read_signers_answer, refusals=_PKI),
}
"""By their names."""
