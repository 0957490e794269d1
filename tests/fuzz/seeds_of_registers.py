"""Seeds of registers, stations and the signer: lists, backups, and what machines tell each other."""

import hashlib
import io
import json
import secrets
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import xlsxwriter
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from card_layout.curves import EcPublicKey
from issuer.backup.manifest import BackupManifest, DatabaseKind
from issuer.domain.bundle import (
    Bundle,
    BundleDecision,
    BundleEvent,
    BundleIndexSet,
    BundleMember,
    BundleNumberBlock,
    BundleRequest,
)
from issuer.domain.card import Card, CardState
from issuer.domain.card_job import CardJob
from issuer.domain.card_secrets import CardSecrets
from issuer.domain.chip import SERIAL_BYTES, Chip, ChipState, Serial
from issuer.domain.decisions import DecisionId, DocumentSignature
from issuer.domain.instance_report import InstanceReport, InstanceReportLine
from issuer.domain.instances import InstanceName
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.production_events import (
    JournalHead,
    ProductionEvent,
    ProductionEventKind,
    StationName,
)
from issuer.domain.report import Measures
from issuer.domain.requests import RequestEventKind, RequestId, RequestKind
from issuer.domain.rights import AccountName
from issuer.domain.status_allotment import LIST_ID_BYTES, StatusIndex
from issuer.exchange.bundle_file import bundle_to_bytes, request_to_bytes
from issuer.imports.workbook_worker import write_rows
from issuer.services.production_ports import ChipRecord
from issuer.services.station_ports import (
    ClaimedChip,
    DayRecord,
    HandInReceipt,
    RejectedEvent,
    StationPresence,
)
from issuer.stations.job_codec import job_to_bytes
from issuer.stations.messages import Refusal, StationOrder, StationReport
from pki.backup.manifest import Manifest, Member
from pki.keys.algorithms import HashAlgorithm
from pki.keys.software import SoftwareSigner
from pki.record.journal import JournalHead as RecordHead
from pki.services.document_signer import SigningRequest
from pki.signed.sealed_message import MessagePurpose, sign_and_seal
from pki.signed.security_object import StatusReference
from pki.signer_service.frames import frame
from pki.signer_service.protocol import (
    AuthorisedAnswer,
    AuthoriseRequest,
    RenewRequest,
    SignRequest,
    write_noted,
    write_renewed,
    write_signed,
    write_wrapped,
)
from pki.signer_service.status_protocol import write_issued_status
from tests.fuzz.targets_of_registers import COLUMNS, REFERENCE, SHEET_PARTS, receiver_key

__all__ = ["seeds_of_registers"]

_ROWS = (("Nguyễn Văn An", date(1970, 1, 31)), ("'-Trần, Thị B", date(1981, 2, 28)))
_MAPPING = """\
format = 1
header_row = 2
other_columns = "ignore"

[columns]
full_name = ["Họ", "Tên"]
birth_date = "Ngày sinh"

[dates]
birth_date = "D/M/YYYY"

[values.full_name]
"x" = "y"
"""
_SERIAL = Serial(bytes(SERIAL_BYTES))
_ACCOUNT = AccountName("lan.tran")


def seeds_of_registers(*, now: datetime) -> Iterator[tuple[str, bytes]]:
    """Each with the name of its target."""
    yield from _lists()
    yield from _backups(now)
    yield from _bundles(now)
    yield from _stations(now)
    yield from _signer(now)
    yield from _sealed(now)


def _lists() -> Iterator[tuple[str, bytes]]:
    lines = [",".join(COLUMNS), *(f'"{name}",{born.isoformat()}' for name, born in _ROWS)]
    yield "member-list", "\r\n".join(lines).encode()
    yield "member-list", "\n".join(lines).replace(",", ";").encode("utf-8-sig")
    objects = [dict(zip(COLUMNS, (name, str(born)), strict=True)) for name, born in _ROWS]
    yield "member-list", json.dumps(objects, ensure_ascii=False).encode()
    yield "list-mapping", _MAPPING.encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.xlsx"
        book = xlsxwriter.Workbook(path)
        sheet = book.add_worksheet()
        as_date = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, COLUMNS)
        for number, (name, born) in enumerate(_ROWS, start=1):
            sheet.write_string(number, 0, name)
            sheet.write_datetime(number, 1, datetime.combine(born, datetime.min.time()), as_date)
        book.close()
        content = path.read_bytes()
    yield "workbook", content
    output = io.StringIO()
    write_rows(io.BytesIO(content), output)
    yield "workbook-rows", output.getvalue().encode()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = [archive.read(name) for name in SHEET_PARTS]
    yield "workbook-parts", b"\x00\x00".join(parts)


def _backups(now: datetime) -> Iterator[tuple[str, bytes]]:
    for kind in DatabaseKind:
        yield (
            "register-backup",
            BackupManifest(
                created=now,
                database=kind,
                revision="0026_instance_reports",
                trail_id=bytes(16),
                sequence=7,
                digest=bytes(32),
            ).to_bytes(),
        )
    members = [("keys/root/key.pem", 0o600), ("journal/1.jsonl", 0o644)]
    yield (
        "authority-backup",
        Manifest(
            created=now,
            head=RecordHead(sequence=7, hash=bytes(32)),
            leaves=3,
            root=bytes(32),
            root_keystore="keys/root",
            members=tuple(
                Member(path=path, size=40, digest=bytes(32), mode=mode) for path, mode in members
            ),
        ).to_bytes(),
    )


def _bundles(now: datetime) -> Iterator[tuple[str, bytes]]:
    commune = InstanceName("xa-mau")

    def event(kind: RequestEventKind, account: str) -> BundleEvent:
        return BundleEvent(at=now, instance=commune, account=account, kind=kind, remark="đủ")

    picture, document = b"a picture", b"a document"
    member = MemberId(uuid.UUID(int=1))
    decision = DecisionId(uuid.UUID(int=3))
    request = BundleRequest(
        request_id=RequestId(uuid.UUID(int=2)),
        member_id=member,
        organisation_code=OrganisationCode("P-01"),
        kind=RequestKind.NEW_ISSUE,
        reason=None,
        ordinal=1,
        created_at=now,
        card_number="00000123",
        decision_id=decision,
        is_handed_over=True,
        events=(
            event(RequestEventKind.PROPOSED, "lan.tran"),
            event(RequestEventKind.ENDORSED, "binh.le"),
        ),
    )
    yield "kept-request", request_to_bytes(request)
    bundle = Bundle(
        sender=commune,
        receiver=InstanceName("tinh-uy"),
        sequence=3,
        created_at=now,
        received=1,
        members=(
            BundleMember(
                member_id=member,
                version=1,
                cells={"full_name": "Nguyễn Văn An"},
                portrait=hashlib.sha256(picture).digest(),
                portrait_source=bytes(32),
            ),
        ),
        requests=(request,),
        decisions=(
            BundleDecision(
                decision_id=decision,
                number="12-QĐ/TU",
                decided_on=now.date(),
                committee=OrganisationCode("P"),
                document=hashlib.sha256(document).digest(),
                signature=next(iter(DocumentSignature)),
                requests=1,
                prepared=event(RequestEventKind.TABLED, "lan.tran"),
                confirmed=event(RequestEventKind.DECIDED, "binh.le"),
            ),
        ),
        blocks=(
            BundleNumberBlock(
                block_id=uuid.UUID(int=4),
                committee=OrganisationCode("P-01"),
                first="00000100",
                last="00000199",
            ),
        ),
        index_sets=(
            BundleIndexSet(
                set_id=uuid.UUID(int=5), list_id=bytes(8), size=100, indices=(3, 14, 15)
            ),
        ),
        reports=(
            InstanceReport(
                instance=commune,
                organisation=OrganisationCode("P-01"),
                place=(OrganisationCode("P"), OrganisationCode("P-01")),
                counted_at=now,
                lines=(
                    InstanceReportLine(
                        code=OrganisationCode("P-01"),
                        name="Xã Mẫu",
                        above=None,
                        measures=Measures(members=10, incomplete=1),
                    ),
                ),
            ),
        ),
        attachments={hashlib.sha256(each).digest(): each for each in (picture, document)},
    )
    yield "instance-bundle", bundle_to_bytes(bundle)


def _stations(now: datetime) -> Iterator[tuple[str, bytes]]:
    key = EcPublicKey.from_cryptography(ec.derive_private_key(9, ec.SECP256R1()).public_key())
    station = StationName("hanoi-1")
    made = ProductionEvent(
        sequence=1,
        at=now,
        kind=ProductionEventKind.KEY_RECORDED,
        account=_ACCOUNT,
        serial=_SERIAL,
        public_key=key,
    )
    begun = ProductionEvent(
        sequence=2,
        at=now,
        kind=ProductionEventKind.PERSONALISATION_BEGUN,
        account=_ACCOUNT,
        serial=_SERIAL,
        reference=REFERENCE,
    )
    head = JournalHead(sequence=2, chain=bytes(32))
    day = DayRecord(
        head=head, at=now, closed_by=_ACCOUNT, issued=1, condemned=0, destroyed=(REFERENCE,)
    )
    yield "station-report", StationReport(station=station, at=now).to_bytes()
    presence = StationPresence(readers=("ACS ACR39U 00 00",), is_suspended=True)
    yield "station-report", StationReport(station=station, at=now, presence=presence).to_bytes()
    yield (
        "station-report",
        StationReport(
            station=station, at=now, events=(made, begun), head=head, wanted=_SERIAL, days=(day,)
        ).to_bytes(),
    )
    card = Card(
        reference=REFERENCE,
        member_id=MemberId(uuid.UUID(int=1)),
        request_id=RequestId(uuid.UUID(int=2)),
        serial=_SERIAL,
        state=next(iter(CardState)),
        ordinal=1,
        status=StatusIndex(list_id=bytes(LIST_ID_BYTES), index=77),
        profile="membercard-1",
        bound_at=now,
    )
    chip = Chip(serial=_SERIAL, state=next(iter(ChipState)), public_key=key)
    yield (
        "station-order",
        StationOrder(
            station=station,
            at=now,
            number=3,
            answers=bytes(32),
            receipt=HandInReceipt(
                through=2, rejected=(RejectedEvent(sequence=1, serial=_SERIAL, code="chip.held"),)
            ),
            chips=(
                ClaimedChip(
                    record=ChipRecord(chip=chip, card=card), is_claimed=True, sealed_job=b"sealed"
                ),
            ),
            refusal=Refusal(code="chip.claimed", text="another station has it"),
            left=7,
        ).to_bytes(),
    )
    yield (
        "card-job",
        job_to_bytes(
            CardJob(
                reference=REFERENCE,
                serial=_SERIAL,
                profile="membercard-1",
                secrets=CardSecrets(can="123456", document_number="ABCDEFGH1", salt=bytes(16)),
                mrz_information="ABCDEFGH1070010173112313",
                contents={"EF.DG1": b"\x61\x00", "EF.SOD": b"\x77\x00"},
                chip_key=key,
            )
        ),
    )


def _signer(now: datetime) -> Iterator[tuple[str, bytes]]:
    card = SigningRequest(
        reference=bytes(16),
        file_hashes={1: bytes(32), 2: bytes(32)},
        status_reference=StatusReference(list_id=bytes(8), index=77),
        signing_time=now,
    )
    for request in (
        SignRequest(batch=bytes(16), cards=[card]),
        AuthoriseRequest(authorisation=b"membercard-batch-authorisation 1\n"),
        RenewRequest(request=bytes(40)),
    ):
        yield "signer-request", frame(request.to_bytes())
    answers = (
        AuthorisedAnswer(
            batch=bytes(16),
            signer_id="ds-1",
            cards=10,
            signed=0,
            hash_algorithm=HashAlgorithm.SHA256,
            certificate=bytes(40),
        ).to_bytes(),
        write_renewed(bytes(40)),
        write_noted(b"a proof"),
        write_wrapped(bytes(40)),
        write_issued_status(bytes(40)),
        write_signed([bytes(40)]),
    )
    for number, answer in enumerate(answers):
        yield "signer-answer", bytes((number,)) + answer


def _sealed(now: datetime) -> Iterator[tuple[str, bytes]]:
    key = receiver_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "TEST receiver")])
    receiver = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=365))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    yield "base:receiver", receiver
    yield (
        "sealed-message",
        sign_and_seal(
            b"content",
            purpose=MessagePurpose.INSTANCE_BUNDLE,
            signer=SoftwareSigner(ec.derive_private_key(9, ec.SECP256R1())),
            signer_certificate=_signer_certificate(now),
            receiver_certificate=receiver,
            signing_time=now,
            random_bytes=secrets.token_bytes,
        ),
    )


def _signer_certificate(now: datetime) -> bytes:
    key = ec.derive_private_key(9, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "TEST sender")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(9)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=365))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
