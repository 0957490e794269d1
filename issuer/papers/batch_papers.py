"""The papers of a batch: proof sheet, packing list, minutes of a hand-over."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final

from issuer.domain.batch_proof import ProofLine
from issuer.domain.card_number import CardNumber
from issuer.domain.member import PortraitDigest
from issuer.papers.card_fates import fate_of
from issuer.papers.sheet import PersonEntry, Sheet
from issuer.services.batch_ports import BatchLine
from issuer.services.write_batch_papers import Minutes, PackingList, ProofSheet

__all__ = ["minutes_pdf", "packing_list_pdf", "proof_sheet_pdf"]

_PROOF_TITLE: Final = "Bản kiểm tra lô thẻ · Proof sheet of a batch"
_PACKING_TITLE: Final = "Phiếu đóng gói · Packing list"
_MINUTES_TITLE: Final = "Biên bản bàn giao thẻ · Minutes of the hand-over of cards"
_ACKNOWLEDGEMENT_TITLE: Final = "Danh sách ký nhận thẻ · Members' acknowledgement of cards"
_BATCH: Final = "Lô thẻ · Batch"
_RECEIVER: Final = "Nơi nhận · Receiver"
_DECISION: Final = "Quyết định · Decision"
_DELETED: Final = "(đã xóa hồ sơ · record deleted)"


def proof_sheet_pdf(
    sheet: ProofSheet,
    *,
    portrait_of: Callable[[PortraitDigest], bytes],
    display: Callable[[CardNumber], str],
) -> bytes:
    """Every card as it is going to be, with the digest that both people compare on every page."""
    digits = sheet.proof.hex()
    grouped = " ".join(digits[start : start + 4] for start in range(0, 16, 4)).upper()
    paper = Sheet(_PROOF_TITLE, foot=f"Mã kiểm tra · Proof: {grouped}")
    paper.pair(_BATCH, sheet.batch.short_name)
    paper.pair(_RECEIVER, f"{sheet.receiver_name} ({sheet.batch.receiver})")
    paper.pair(_DECISION, sheet.decision_number)
    paper.pair("Mã kiểm tra · Proof", digits)
    paper.pair("Thẻ · Cards", f"{sheet.first}-{sheet.first + len(sheet.lines) - 1} / {sheet.cards}")
    paper.heading("Nội dung thẻ · What the cards will show")
    paper.people(
        PersonEntry(portrait=portrait_of(line.portrait), lines=_lines(number, line, display))
        for number, line in enumerate(sheet.lines, start=sheet.first)
    )
    paper.signatures(("Người đề nghị · Proposed by", "Người xác nhận · Confirmed by"))
    return paper.content()


def packing_list_pdf(packing: PackingList, *, display: Callable[[CardNumber], str]) -> bytes:
    """What lies in each box, by number and chip; it names nobody."""
    paper = Sheet(_PACKING_TITLE, foot=f"{_BATCH} {packing.batch.short_name}")
    paper.pair(_BATCH, packing.batch.short_name)
    paper.pair(_RECEIVER, f"{packing.receiver_name} ({packing.batch.receiver})")
    paper.pair(_DECISION, packing.decision_number)
    paper.pair("Thẻ · Cards", str(len(packing.lines)))
    for box, lines in groupby(packing.lines, key=lambda line: line.box):
        inside = list(lines)
        paper.heading(f"Hộp · Box {box}: {len(inside)} thẻ · cards")
        paper.table(
            (
                "Số thứ tự · No.",
                "Số thẻ · Card number",
                "Chip",
                "Tổ chức · Organisation",
                "Tình trạng · What became of it",
            ),
            [
                (
                    str(number),
                    display(line.card_number),
                    "" if line.serial is None else line.serial.hex().upper(),
                    line.organisation,
                    fate_of(line),
                )
                for number, line in enumerate(inside, start=1)
            ],
            shares=(1, 2, 3, 2, 3),
        )
    paper.signatures(
        ("Người đóng gói · Packed by", "Người vận chuyển · Carried by", "Người nhận · Received by")
    )
    return paper.content()


def minutes_pdf(minutes: Minutes, *, display: Callable[[CardNumber], str]) -> bytes:
    """Who gives which cards to whom; the last level is the members, each of whom signs."""
    title = _ACKNOWLEDGEMENT_TITLE if minutes.is_to_members else _MINUTES_TITLE
    paper = Sheet(title, foot=f"{_BATCH} {minutes.batch.short_name}")
    paper.pair(_BATCH, minutes.batch.short_name)
    paper.pair("Bên giao · Given by", minutes.giver_name)
    paper.pair("Bên nhận · Taken by", minutes.taker_name)
    paper.pair(_DECISION, minutes.decision_number)
    paper.pair("Thẻ · Cards", str(len(minutes.lines)))
    head = (
        "Ký nhận · Signature"
        if minutes.is_to_members
        else "Tổ chức, tình trạng · Organisation, what became of it"
    )
    paper.table(
        ("Số thứ tự · No.", "Số thẻ · Card number", "Họ và tên · Full name", head),
        [
            (
                str(number),
                display(line.line.card_number),
                line.full_name or _DELETED,
                _last_column(line.line, is_to_members=minutes.is_to_members),
            )
            for number, line in enumerate(minutes.lines, start=1)
        ],
        shares=(1, 2, 4, 3),
    )
    paper.signatures(("Bên giao · Given by", "Bên nhận · Taken by"))
    return paper.content()


def _last_column(line: BatchLine, *, is_to_members: bool) -> str:
    """Room for a signature, where the member may get the card; else what became of it."""
    fate = fate_of(line)
    if is_to_members:
        return "" if line.may_be_handed_over else fate
    return ": ".join(each for each in (line.organisation, fate) if each)


def _lines(number: int, line: ProofLine, display: Callable[[CardNumber], str]) -> Sequence[str]:
    person = line.person
    recognised = person.recognition_date
    return (
        f"{number}. {person.full_name}",
        f"Số thẻ · No.: {display(line.card_number)} ({line.kind}, {line.ordinal})",
        f"Số lý lịch · Record: {person.record_number}",
        f"Sinh · Born: {person.birth_date:%d/%m/%Y}, {person.sex}, {person.place_of_birth}",
        f"Quê · Home: {person.home_town}; {person.ethnic_group}",
        f"Kết nạp · Admitted: {person.admission_date:%d/%m/%Y}",
        "Chính thức · Official: " + ("-" if recognised is None else f"{recognised:%d/%m/%Y}"),
        f"Sinh hoạt · In: {line.organisation_name}",
        f"Cấp bởi · By: {line.issuing_committee}",
    )
