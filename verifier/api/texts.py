"""What the page says, in Vietnamese and English: every text of the templates by its name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from verifier.inspection.messages import Language, Text
from verifier.services.terminal_state import HolderAnswer, ReadingStep

__all__ = ["ANSWERS", "FIELDS", "KINDS", "NOTICES", "STEPS", "TEXTS", "texts_in"]

TEXTS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "title": Text("Kiểm tra thẻ đảng viên", "Member card inspection"),
        "purpose": Text("Mục đích", "Purpose"),
        "reader": Text("Đầu đọc", "Reader"),
        "sound_on": Text("Âm thanh: bật", "Sound: on"),
        "sound_off": Text("Âm thanh: tắt", "Sound: off"),
        "sound_waits": Text("Âm thanh chờ phím đầu tiên", "Sound waits for the first key"),
        "camera_on": Text("Máy ảnh: bật", "Camera: on"),
        "camera_off": Text("Máy ảnh: tắt", "Camera: off"),
        "camera_none": Text("Không có máy ảnh", "No camera"),
        "disconnected": Text(
            "Mất kết nối với máy đọc thẻ. Khởi động lại, rồi mở địa chỉ mà `membercard-verifier terminal page` in ra.",
            "The connection to the terminal is lost. Start it again, then open the address that `membercard-verifier terminal page` prints.",
        ),
        "connecting": Text("Đang nối với máy đọc thẻ …", "Connecting to the terminal …"),
        "reader_gone": Text("Không thấy đầu đọc thẻ", "The card reader is not there"),
        "reader_gone_hint": Text(
            "Cắm lại đầu đọc. Máy tự tiếp tục.", "Plug the reader in again. It goes on by itself."
        ),
        "insert": Text("Đặt thẻ vào đầu đọc", "Put the card in the reader"),
        "insert_hint": Text(
            "Có thể nhập hoặc quét số CAN trước.", "You may type or scan the CAN first."
        ),
        "password_waits": Text(
            "Đã nhận số. Đặt thẻ vào đầu đọc.", "Number taken. Put the card in the reader."
        ),
        "forget": Text("Xóa số đã nhập", "Forget the number"),
        "can": Text("Số CAN in trên thẻ", "The CAN printed on the card"),
        "can_hint": Text(
            "Sáu chữ số; hoặc quét mã in, hoặc ba dòng MRZ ở mặt sau.",
            "Six digits; or scan the printed code, or the three MRZ lines on the back.",
        ),
        "read": Text("Đọc thẻ", "Read the card"),
        "wait": Text("Chờ", "Wait"),
        "seconds": Text("giây", "s"),
        "reading": Text("Đang đọc thẻ. Giữ yên thẻ.", "Reading. Leave the card where it is."),
        "files": Text("tệp", "files"),
        "remove": Text("Lấy thẻ ra", "Take the card out"),
        "remove_clears": Text(
            "Lấy thẻ ra thì màn hình tự xóa.", "Taking the card out clears the screen."
        ),
        "again": Text("Đọc lại thẻ này", "Read this card again"),
        "clear_screen": Text("Xóa màn hình (Esc)", "Clear the screen (Esc)"),
        "accepted": Text("CHẤP NHẬN", "ACCEPTED"),
        "refused": Text("TỪ CHỐI", "REFUSED"),
        "unreadable": Text("KHÔNG ĐỌC ĐƯỢC", "UNREADABLE"),
        "accepted_means": Text(
            "Thẻ đạt mọi bước kiểm tra bắt buộc.", "The card passed every required check."
        ),
        "refused_means": Text("Không chấp nhận thẻ này.", "Do not accept this card."),
        "unreadable_means": Text(
            "Chưa nói gì về thẻ: hãy thử lại.", "This says nothing about the card: try again."
        ),
        "portrait_chip": Text("Ảnh trong chip", "Portrait in the chip"),
        "portrait_live": Text("Người trước máy ảnh", "In front of the camera"),
        "portrait_none": Text(
            "Chip không đưa ra ảnh: so với ảnh in trên thẻ.",
            "The chip gave no portrait: compare with the printed one.",
        ),
        "question": Text("Có đúng là người này không?", "Is this the person?"),
        "question_note": Text(
            "Máy không trả lời câu này; chỉ người kiểm tra trả lời.",
            "The machine never answers this; only you do.",
        ),
        "answered": Text("Đã ghi", "Recorded"),
        "holder": Text("Người có tên trên thẻ", "Whom the card names"),
        "why": Text("Vì sao", "Why"),
        "to_do": Text("Việc cần làm", "What to do"),
        "notes": Text("Ghi chú", "Notes"),
        "not_checked": Text("Chưa kiểm tra", "Not checked"),
        "checked": Text("Đã kiểm tra", "Checked"),
        "step": Text("Bước", "Step"),
        "result": Text("Kết quả", "Result"),
        "required": Text("bắt buộc", "required"),
        "optional": Text("không bắt buộc", "not required"),
        "nothing_left_out": Text("Không bỏ qua bước nào.", "Nothing was left out."),
        "record": Text("Số trong nhật ký", "Number in the journal"),
        "took": Text("Thời gian", "Took"),
        "no_script": Text(
            "Trang này cần JavaScript của chính nó.", "This page needs its own JavaScript."
        ),
    }
)

STEPS: Final[Mapping[ReadingStep, Text]] = MappingProxyType(
    {
        ReadingStep.CONNECT: Text("Nối với chip", "Connect"),
        ReadingStep.ACCESS: Text("Mở chip bằng số CAN hoặc MRZ", "Open the chip"),
        ReadingStep.CHIP: Text("Chip chứng minh là bản gốc", "The chip proves itself"),
        ReadingStep.FILES: Text("Đọc dữ liệu", "Read the data"),
        ReadingStep.JUDGE: Text("Kiểm tra chữ ký và kết luận", "Check signatures and judge"),
    }
)

ANSWERS: Final[Mapping[HolderAnswer, Text]] = MappingProxyType(
    {
        HolderAnswer.COMPARED_YES: Text("Đúng người", "Yes, compared"),
        HolderAnswer.NO: Text("Không phải", "No"),
        HolderAnswer.NOT_DONE: Text("Không so", "Not done"),
    }
)

FIELDS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "full_name": Text("Họ và tên", "Name"),
        "birth_date": Text("Ngày sinh", "Born"),
        "sex": Text("Giới tính", "Sex"),
        "card_number": Text("Số thẻ đảng viên", "Card number"),
        "organisation_name": Text("Tổ chức đảng", "Organisation"),
        "admission_date": Text("Ngày vào Đảng", "Admitted"),
        "recognition_date": Text("Ngày chính thức", "Recognised"),
        "kind": Text("Loại thẻ", "Kind of card"),
        "ordinal": Text("Thẻ thứ", "Card no. of member"),
        "home_town": Text("Quê quán", "Home town"),
        "place_of_birth": Text("Nơi sinh", "Place of birth"),
        "ethnic_group": Text("Dân tộc", "Ethnic group"),
        "citizen_number": Text("Số định danh cá nhân", "Citizen number"),
        "record_number": Text("Số lý lịch đảng viên", "Record number"),
        "organisation_code": Text("Mã tổ chức", "Organisation code"),
        "document_number": Text("Số của chip", "Document number"),
        "issuing_committee": Text("Cấp ủy cấp thẻ", "Issued by"),
        "date_of_issue": Text("Ngày cấp", "Issued on"),
        "valid_from": Text("Có giá trị từ", "Valid from"),
        "valid_until": Text("Có giá trị đến", "Valid until"),
    }
)
"""The fields of a holder that the page shows, in its order."""

KINDS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "first-issue": Text("Cấp lần đầu", "first issue"),
        "exchange": Text("Đổi thẻ", "exchange"),
        "re-issue": Text("Cấp lại", "re-issue"),
    }
)

NOTICES: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "access.wrong-password": Text(
            "Số này không phải của thẻ này. Đọc lại sáu chữ số trên thẻ; nhập sai không khóa thẻ.",
            "That number is not this card's. Read the six digits again; a wrong one never locks the card.",
        ),
        "terminal.card-removed-early": Text(
            "Thẻ bị lấy ra trước khi đọc xong. Đặt lại và giữ yên.",
            "The card was taken out too early. Put it in again and leave it there.",
        ),
        "transport.no-pcsc": Text(
            "Dịch vụ PC/SC (pcscd) không chạy trên máy tính này.",
            "The PC/SC service (pcscd) does not run on this computer.",
        ),
        "transport.no-reader": Text("Chưa cắm đầu đọc.", "No such reader is plugged in."),
        "transport.lost": Text("Đầu đọc vừa bị rút.", "The reader was unplugged."),
        "journal.unavailable": Text(
            "Không ghi được nhật ký (đĩa đầy?), nên không hiển thị gì về thẻ.",
            "The journal cannot be written (disk full?), so nothing is shown of the card.",
        ),
        "input.malformed": Text(
            "Không phải sáu chữ số, cũng không phải mã in hay ba dòng MRZ.",
            "Neither six digits, nor a printed code, nor the three MRZ lines.",
        ),
        "terminal.wait": Text(
            "Nhiều số sai liên tiếp: hãy chờ rồi nhập lại.",
            "Several wrong numbers in a row: wait, then try again.",
        ),
        "terminal.bad-state": Text(
            "Lúc này máy không chờ điều ấy.", "The terminal does not wait for that now."
        ),
    }
)
"""What people are told by a notice's code; other codes are told in the words of docs/codes.md."""


def texts_in(language: Language) -> Mapping[str, str]:
    """All texts of the templates in one language."""
    return {name: text.within(language) for name, text in TEXTS.items()}
