"""What papers say became of a card of a batch, in both languages."""

from typing import Final

from issuer.domain.card import CardState
from issuer.domain.card_validity import EndReason
from issuer.services.batch_ports import BatchLine

__all__ = ["fate_of"]

_REASONS: Final = {
    EndReason.LOST: "mất · lost",
    EndReason.STOLEN: "bị trộm · stolen",
    EndReason.DAMAGED: "hỏng · damaged",
    EndReason.RETURNED: "trả lại · returned",
    EndReason.MEMBER_DECEASED: "đảng viên từ trần · deceased",
    EndReason.MEMBER_EXPELLED: "khai trừ · expelled",
    EndReason.MEMBER_STRUCK_OFF: "xóa tên · struck off",
    EndReason.SIGNER_COMPROMISED: "khóa ký bị lộ · signing key compromised",
    EndReason.REPLACED: "đã thay thẻ khác · replaced",
    EndReason.EXPIRED: "hết hạn · expired",
    EndReason.CONDEMNED: "bị loại · condemned",
    EndReason.RECORD_DELETED: "đã xóa hồ sơ · record deleted",
}


def fate_of(line: BatchLine) -> str:
    """What became of a card that was put into a box; nothing of one that goes its way.

    What ended or is reported comes first: such a card is given to nobody, wherever it lies.
    """
    if line.state is CardState.CONDEMNED:
        return _REASONS[EndReason.CONDEMNED]
    if line.ended_for is not None:
        return _REASONS[line.ended_for]
    if line.report is not None:
        return f"đã báo: {_REASONS[line.report]} (reported)"
    if line.handed_over_at is not None:
        return f"đã trao · handed over {line.handed_over_at:%d/%m/%Y}"
    if line.received_at is not None:
        return f"đã nhận · received {line.received_at:%d/%m/%Y}"
    return ""
