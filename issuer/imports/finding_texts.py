"""What is wrong with a row, in Vietnamese, by code: for the correction file that goes back to a committee."""

from collections.abc import Mapping
from typing import Final

__all__ = ["ORGANISATIONS", "VIETNAMESE", "in_vietnamese"]

_REPEATED = "Trùng với một dòng ở trên trong cùng danh sách."
_TAKEN = "Đã thuộc về một đảng viên khác trong hệ thống."
_FUTURE = "Ngày ở trong tương lai."
_LOOK_ALIKE = "Có ký tự giống chữ Đ nhưng không phải chữ Đ."
_OLD_FONT = "Chữ gõ bằng phông cũ (TCVN3); hãy chuyển danh sách sang Unicode."
_TEXT_TOO_LONG = "Dài quá giới hạn cho phép."
_TEXT_CHARACTER = "Có ký tự không được dùng ở đây."

VIETNAMESE: Final[Mapping[str, str]] = {
    "admission-date.age": "Chưa đủ 18 tuổi vào ngày vào Đảng.",
    "admission-date.future": _FUTURE,
    "birth-date.age": "Tuổi hiện nay không trong khoảng 18 đến 120.",
    "card-number.malformed": "Số thẻ không đúng dạng NN.NNNNNN.",
    "card-number.other-committee": "Hai chữ số đầu không phải mã của cấp ủy quản lý tổ chức này.",
    "card-number.repeated": _REPEATED,
    "card-number.taken": _TAKEN,
    "cell.empty": "Ô còn trống.",
    "cell.not-text": "Ô phải là kiểu văn bản (ô số hoặc ô ngày làm mất số 0 ở đầu).",
    "citizen-number.malformed": "Số định danh phải có đúng 12 chữ số.",
    "citizen-number.repeated": _REPEATED,
    "citizen-number.taken": _TAKEN,
    "date.impossible": "Không có ngày này trong lịch.",
    "date.malformed": "Ngày không viết theo dạng quy định (ngày/tháng/năm).",
    "date.order-doubtful": "Trong danh sách có ngày viết tháng trước, ngày sau; ngày này cũng có thể viết như vậy.",
    "earlier-card-number.repeated": _REPEATED,
    "earlier-card-number.taken": _TAKEN,
    "member.alike": "Hệ thống đã có người cùng họ tên (không kể dấu) và cùng ngày sinh: có thể trùng người.",
    "member.alike-in-list": "Một dòng ở trên có cùng họ tên (không kể dấu) và cùng ngày sinh: có thể trùng người.",
    "member.differs": "Hệ thống đã có đảng viên này nhưng thông tin khác.",
    "name.character": _TEXT_CHARACTER,
    "name.empty": "Họ tên còn trống.",
    "name.foreign-letter": "Có chữ cái không thuộc tiếng Việt; có thể do phông cũ.",
    "name.look-alike": _LOOK_ALIKE,
    "name.look-alike-read": "Ký tự giống chữ Đ đã được đọc là chữ Đ; hãy xác nhận.",
    "name.malformed": "Có ký tự điều khiển hoặc không in được.",
    "name.not-transliterable": "Họ tên không ghi được vào vùng máy đọc.",
    "name.old-font": _OLD_FONT,
    "name.parts-differ": "Họ và chữ đệm, tên không khớp với họ và tên đầy đủ.",
    "name.primary-empty": "Có chữ đệm và tên mà thiếu họ.",
    "name.tone-marks": "Hệ thống đã có đảng viên này với dấu thanh đặt ở chữ khác (Hoà, Hòa).",
    "name.too-long": _TEXT_TOO_LONG,
    "number.retired": "Số này từng thuộc về người đã được xóa hồ sơ; không dùng lại.",
    "organisation.code-malformed": "Mã tổ chức không đúng dạng.",
    "organisation.no-committee-number": "Tổ chức này và cấp trên chưa có mã cấp ủy.",
    "organisation.not-yours": "Tổ chức nằm ngoài phạm vi được phép nhập.",
    "organisation.unknown": "Mã tổ chức chưa có trong hệ thống.",
    "phone.malformed": "Số điện thoại phải có 8 đến 15 chữ số.",
    "portrait.background": "Nền ảnh không trơn.",
    "portrait.blurred": "Ảnh không rõ nét.",
    "portrait.missing": "Không có tệp ảnh này trong thư mục ảnh.",
    "portrait.name": "Tên tệp ảnh không hợp lệ.",
    "portrait.no-face": "Không tìm thấy khuôn mặt trong ảnh.",
    "portrait.several-faces": "Trong ảnh có hơn một khuôn mặt.",
    "portrait.small": "Ảnh nhỏ hơn 480 x 640 điểm ảnh.",
    "portrait.time-limit": "Ảnh mất quá nhiều thời gian để đọc.",
    "portrait.too-large": "Tệp ảnh lớn hơn 5 MiB.",
    "portrait.too-little-detail": "Ảnh quá ít chi tiết.",
    "portrait.too-many-pixels": "Ảnh có quá nhiều điểm ảnh.",
    "portrait.too-much-detail": "Ảnh quá nhiều chi tiết, không nén được.",
    "portrait.too-small": "Ảnh nhỏ hơn 240 x 320 điểm ảnh.",
    "portrait.unreadable": "Tệp ảnh hỏng hoặc không phải JPEG, PNG.",
    "recognition-date.future": _FUTURE,
    "recognition-date.missing": "Đảng viên chính thức phải có ngày công nhận chính thức.",
    "recognition-date.on-probation": "Đảng viên dự bị không có ngày công nhận chính thức.",
    "recognition-date.order": "Ngày chính thức ở trước ngày vào Đảng.",
    "record-number.malformed": "Số lý lịch phải gồm 6 chữ số và 1 đến 3 chữ cái A-Z.",
    "record-number.repeated": _REPEATED,
    "record-number.taken": _TAKEN,
    "row.refused-before": "Dòng này đã bị từ chối khi gửi lần trước.",
    "row.surplus-cells": "Có ô thừa sau cột cuối.",
    "served-in.same": "Nơi sinh hoạt tạm thời trùng với nơi quản lý; hãy để trống.",
    "sex.unknown": "Giới tính phải là nam hoặc nữ.",
    "standing-since.future": _FUTURE,
    "standing.unknown": "Tình trạng không thuộc các giá trị cho phép.",
    "text.character": _TEXT_CHARACTER,
    "text.empty": "Ô còn trống.",
    "text.foreign-letter": "Có chữ cái không thuộc tiếng Việt; có thể do phông cũ.",
    "text.look-alike": _LOOK_ALIKE,
    "text.look-alike-read": "Ký tự giống chữ Đ đã được đọc là chữ Đ; hãy xác nhận.",
    "text.malformed": "Có ký tự điều khiển hoặc không in được.",
    "text.old-font": _OLD_FONT,
    "text.too-long": _TEXT_TOO_LONG,
}
"""Every code that a row of a member list can end with; a test compares it with docs/member-list.md."""

ORGANISATIONS: Final[Mapping[str, str]] = {
    "organisation.circle": "Tổ chức thành cấp trên của chính mình, hoặc cây có hơn 16 cấp.",
    "organisation.closed": "Tổ chức mang mã này đã giải thể; mã không dùng lại.",
    "organisation.committee-number-malformed": "Mã cấp ủy gồm hai chữ số.",
    "organisation.differs": "Hệ thống đã có tổ chức này nhưng tên, cấp trên, mã cấp ủy hoặc cấp khác.",
    "organisation.parent-unknown": "Tổ chức cấp trên chưa có trong sổ và không có trong danh sách.",
    "organisation.repeated": _REPEATED,
}
"""Those that only a row of a list of organisations can end with; a test compares it with the same page."""


def in_vietnamese(code: str) -> str:
    """The sentence; the code itself where there is none."""
    return VIETNAMESE.get(code) or ORGANISATIONS.get(code, code)
