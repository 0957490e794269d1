"""What each column of the member list holds, in Vietnamese and English: the template's comments and its checks."""

from collections.abc import Mapping
from dataclasses import dataclass

from issuer.domain.member import Standing
from issuer.domain.member_list import MemberColumn

__all__ = ["CORRECTION_COLUMNS", "DATE_COLUMNS", "GUIDE", "OPTIONAL_COLUMNS", "ColumnGuide"]

CORRECTION_COLUMNS = ("correction_row", "correction_vi", "correction_en")
"""What a correction file has besides: the row in the list that was sent, and what is wrong in two languages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnGuide:
    """One column for people.

    Attributes:
        label: its Vietnamese name.
        vi: what to write, in Vietnamese.
        en: what to write, in English.
        choices: the values to choose from, where there are few.
        is_date: whether it holds a date.
        is_optional: whether it may be empty.
        width: how wide a sheet shows it, in characters.
    """

    label: str
    vi: str
    en: str
    choices: tuple[str, ...] = ()
    is_date: bool = False
    is_optional: bool = False
    width: int = 18


_DATE_VI = "Ngày/tháng/năm, ví dụ 03/02/1990, hoặc ô kiểu ngày."
_DATE_EN = "DD/MM/YYYY or YYYY-MM-DD, or a date cell."

GUIDE: Mapping[MemberColumn, ColumnGuide] = {
    MemberColumn.CARD_NUMBER: ColumnGuide(
        label="Số thẻ",
        vi="Dạng NN.NNNNNN (ô kiểu văn bản): hai chữ số của cấp ủy, dấu chấm, sáu chữ số.",
        en="NN.NNNNNN in a text cell: the committee's two digits, a point, six digits.",
    ),
    MemberColumn.RECORD_NUMBER: ColumnGuide(
        label="Số lý lịch",
        vi="Sáu chữ số và một đến ba chữ cái A-Z (ô kiểu văn bản).",
        en="Six digits and one to three letters A-Z, in a text cell.",
    ),
    MemberColumn.CITIZEN_NUMBER: ColumnGuide(
        label="Số định danh cá nhân",
        vi="Mười hai chữ số (ô kiểu văn bản, giữ số 0 ở đầu).",
        en="Twelve digits in a text cell, with leading zeros.",
    ),
    MemberColumn.FULL_NAME: ColumnGuide(
        label="Họ và tên",
        vi="Họ, chữ đệm và tên khai sinh, viết có dấu.",
        en="The whole name as it is written, with its marks.",
        width=30,
    ),
    MemberColumn.PRIMARY_NAME: ColumnGuide(
        label="Họ",
        vi="Có thể để trống cùng với cột sau; nếu ghi, hai cột phải gồm đúng các từ của họ và tên.",
        en="May be empty together with the next one; else both hold exactly the words of the name.",
        is_optional=True,
    ),
    MemberColumn.SECONDARY_NAME: ColumnGuide(
        label="Chữ đệm và tên",
        vi="Có thể để trống; xem cột trước.",
        en="May be empty; see the column before.",
        is_optional=True,
    ),
    MemberColumn.BIRTH_DATE: ColumnGuide(label="Ngày sinh", vi=_DATE_VI, en=_DATE_EN, is_date=True),
    MemberColumn.SEX: ColumnGuide(
        label="Giới tính",
        vi="nam hoặc nữ.",
        en="nam or M, nữ or F.",
        choices=("nam", "nữ"),
        width=8,
    ),
    MemberColumn.PLACE_OF_BIRTH: ColumnGuide(
        label="Nơi sinh", vi="Xã, tỉnh.", en="Commune, province.", width=30
    ),
    MemberColumn.HOME_TOWN: ColumnGuide(
        label="Quê quán", vi="Xã, tỉnh.", en="Commune, province.", width=30
    ),
    MemberColumn.ETHNIC_GROUP: ColumnGuide(
        label="Dân tộc", vi="Ví dụ Kinh, Tày, Ê Đê.", en="Such as Kinh, Tày, Ê Đê.", width=12
    ),
    MemberColumn.ADMISSION_DATE: ColumnGuide(
        label="Ngày vào Đảng", vi=_DATE_VI, en=_DATE_EN, is_date=True
    ),
    MemberColumn.RECOGNITION_DATE: ColumnGuide(
        label="Ngày chính thức", vi=_DATE_VI, en=_DATE_EN, is_date=True
    ),
    MemberColumn.ORGANISATION_CODE: ColumnGuide(
        label="Mã tổ chức đảng",
        vi="Mã của tổ chức đảng nơi sinh hoạt, đã có trong hệ thống.",
        en="The code of an organisation of the register.",
    ),
    MemberColumn.KIND: ColumnGuide(
        label="Loại cấp thẻ",
        vi="first-issue: cấp mới; exchange: đổi thẻ; re-issue: cấp lại.",
        en="first-issue, exchange or re-issue.",
        choices=("first-issue", "exchange", "re-issue"),
        width=12,
    ),
    MemberColumn.ORDINAL: ColumnGuide(
        label="Lần cấp",
        vi="Thẻ thứ mấy của đảng viên, 1 đến 99; cấp mới là 1.",
        en="Which card of this member it is, 1 to 99; a first issue has 1.",
        width=8,
    ),
    MemberColumn.PORTRAIT: ColumnGuide(
        label="Tệp ảnh",
        vi="Tên tệp ảnh (JPEG hoặc PNG) trong thư mục ảnh gửi kèm.",
        en="The name of the picture's file (JPEG or PNG) in the directory that comes with the list.",
    ),
    MemberColumn.EARLIER_CARD_NUMBER: ColumnGuide(
        label="Số thẻ cũ",
        vi="Số thẻ đang giữ, dạng NN.NNNNNN; để trống nếu chưa có thẻ.",
        en="The number of the card that the member holds; empty where there is none.",
        is_optional=True,
    ),
    MemberColumn.RESIDENCE: ColumnGuide(
        label="Nơi ở hiện nay",
        vi="Có thể để trống.",
        en="Where the member lives; may be empty.",
        is_optional=True,
        width=30,
    ),
    MemberColumn.PHONE: ColumnGuide(
        label="Số điện thoại",
        vi="8 đến 15 chữ số (ô kiểu văn bản); có thể để trống.",
        en="8 to 15 digits in a text cell; may be empty.",
        is_optional=True,
    ),
    MemberColumn.STANDING: ColumnGuide(
        label="Tình trạng",
        vi="chính thức, dự bị, miễn sinh hoạt, đình chỉ sinh hoạt, ...; để trống nghĩa là chính thức.",
        en="official, probationary, exempt, suspended, ...; empty means official.",
        choices=tuple(Standing),
        is_optional=True,
    ),
    MemberColumn.STANDING_SINCE: ColumnGuide(
        label="Từ ngày",
        vi="Ngày bắt đầu tình trạng đó; có thể để trống.",
        en="Since when the standing holds; may be empty.",
        is_date=True,
        is_optional=True,
    ),
    MemberColumn.SERVED_IN: ColumnGuide(
        label="Mã nơi sinh hoạt tạm thời",
        vi="Mã tổ chức nơi sinh hoạt tạm thời, nếu khác nơi quản lý hồ sơ.",
        en="The organisation that serves a temporary resident, where it is another one.",
        is_optional=True,
    ),
}
"""Every column of the template."""

OPTIONAL_COLUMNS = tuple(column for column, guide in GUIDE.items() if guide.is_optional)
"""Those that a mapping may leave out."""

DATE_COLUMNS = tuple(column for column, guide in GUIDE.items() if guide.is_date)
"""Those that hold dates."""
