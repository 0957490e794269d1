"""What an explanation says, in every language that it is told in: a catalogue of sentences, as data.

English is the language of the procedure and of its codes (`verifier.inspection.codes`); what stands here is the rest,
and `verifier.inspection.vietnamese` holds the codes in Vietnamese. Names, codes, file names and numbers are never
translated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, unique
from types import MappingProxyType
from typing import Final, Self

from verifier.inspection.checks import CheckName, CheckState
from verifier.inspection.codes import CODES
from verifier.inspection.vietnamese import CODES_IN_VIETNAMESE

__all__ = [
    "HEADINGS",
    "JUDGED",
    "STATES",
    "VERDICTS",
    "WORDS",
    "FactName",
    "Heading",
    "Language",
    "Text",
    "code_texts",
    "word",
]


@unique
class Language(StrEnum):
    """The languages that an explanation is told in, by their ISO 639-1 codes."""

    VIETNAMESE = "vi"
    ENGLISH = "en"

    @classmethod
    def of_locale(cls, name: str | None) -> "Language":
        """That of a POSIX locale as ``LANG`` holds it (``vi_VN.UTF-8``); English for every other one."""
        return cls.VIETNAMESE if (name or "").lower().startswith("vi") else cls.ENGLISH


@dataclass(frozen=True, slots=True)
class Text:
    """One text in both languages."""

    vi: str
    en: str

    def within(self, language: Language) -> str:
        """The text in one language."""
        return self.vi if language is Language.VIETNAMESE else self.en


@unique
class Heading(Enum):
    """What stands between the parts of an explanation."""

    ACCESS = "access"
    PROCEDURE = "procedure"
    COMMANDS = "commands"
    REQUIRED = "required"
    NOT_REQUIRED = "not-required"
    REMEDY = "remedy"
    JUDGED = "judged"
    BESIDE = "beside"


HEADINGS: Final[Mapping[Heading, Text]] = MappingProxyType(
    {
        Heading.ACCESS: Text("Mở thẻ: không để bị hạ thấp", "The way in: not to be talked down"),
        Heading.PROCEDURE: Text("Quy trình (SPEC.md, điều 9)", "The procedure (SPEC.md, clause 9)"),
        Heading.COMMANDS: Text("lệnh gửi tới thẻ", "commands sent to the card"),
        Heading.REQUIRED: Text("bắt buộc", "required"),
        Heading.NOT_REQUIRED: Text("không bắt buộc", "not required"),
        Heading.REMEDY: Text("Việc cần làm", "What to do"),
        Heading.JUDGED: Text("Xét", "Judged"),
        Heading.BESIDE: Text("Ngoài các bước", "Beside the steps"),
    }
)

VERDICTS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "accepted": Text("✓ CHẤP NHẬN", "✓ ACCEPTED"),
        "refused": Text("✗ TỪ CHỐI", "✗ REFUSED"),
        "unreadable": Text("? KHÔNG ĐỌC ĐƯỢC", "? UNREADABLE"),
        "none": Text("Không gì được chứng minh.", "Nothing is proven."),
        "data": Text(
            "Dữ liệu là thật; chip chưa được chứng minh.",
            "The data is genuine; the chip is not proven.",
        ),
        "data-and-chip": Text(
            "Dữ liệu là thật, và chip cũng vậy.", "The data is genuine, and so is the chip."
        ),
    }
)
"""Verdicts and assurances of a report."""

STATES: Final[Mapping[CheckState, Text]] = MappingProxyType(
    {
        CheckState.PASSED: Text("đạt", "passed"),
        CheckState.FAILED: Text("KHÔNG ĐẠT", "FAILED"),
        CheckState.NOT_PERFORMED: Text("chưa thực hiện", "not performed"),
    }
)

JUDGED: Final[Mapping[CheckName, Text]] = MappingProxyType(
    {
        CheckName.LIFE_CYCLE: Text(
            "Chip đang ở trạng thái hoạt động.", "The chip is in the state operational."
        ),
        CheckName.PACE: Text(
            "Chip đề nghị PACE mà chính sách cho phép, và PACE thành công.",
            "The chip offers PACE in a form that the policy allows, and PACE succeeds.",
        ),
        CheckName.SECURITY_OBJECT_SYNTAX: Text(
            "EF.SOD là một đối tượng bảo mật đúng đặc tả, với thuật toán được phép.",
            "EF.SOD is a security object as specified, with allowed algorithms.",
        ),
        CheckName.SECURITY_OBJECT_SIGNATURE: Text(
            "Chữ ký của đối tượng bảo mật là của chứng thư trên thẻ.",
            "The security object's signature is that of the certificate on the card.",
        ),
        CheckName.SECURITY_OBJECT_SIGNING_TIME: Text(
            "Có thời điểm ký, và thời điểm ấy không ở tương lai.",
            "The signing time is there and not in the future.",
        ),
        CheckName.SIGNER_CERTIFICATE: Text(
            "Chứng thư trên thẻ là của người ký giấy tờ, cho loại giấy tờ này.",
            "The certificate is a document signer's, for this type of document.",
        ),
        CheckName.SIGNER_PATH: Text(
            "Một cơ quan được tin cậy cho loại giấy tờ này đã cấp chứng thư ấy.",
            "An authority that is trusted for such documents issued that certificate.",
        ),
        CheckName.SIGNER_VALIDITY: Text(
            "Người ký và cơ quan còn hiệu lực lúc ký; người ký còn hiệu lực bây giờ.",
            "Signer and authority were valid at signing, and the signer is now.",
        ),
        CheckName.SIGNER_REVOCATION: Text(
            "Không danh sách thu hồi hay danh sách dừng nào nêu tên người ký.",
            "No current revocation list and no stop list names the signer.",
        ),
        CheckName.DATA_GROUPS_INTEGRITY: Text(
            "Giá trị băm của mỗi tệp đã đọc bằng giá trị đã ký.",
            "The hash of each file read equals the signed one.",
        ),
        CheckName.DATA_GROUPS_COVERAGE: Text(
            "Mọi tệp trên thẻ đều được ký, và mọi tệp đã ký đều được đọc.",
            "Every file on the card is signed, and every signed file was read.",
        ),
        CheckName.COMMON_DATA_CONSISTENCY: Text(
            "EF.COM nêu đúng các nhóm dữ liệu và phiên bản đã ký.",
            "EF.COM names the signed data groups and versions.",
        ),
        CheckName.ACCESS_PARAMETERS_SIGNED: Text(
            "Tham số PACE đã công bố chính là tham số đã ký và đã dùng.",
            "The PACE parameters announced are those that were signed and used.",
        ),
        CheckName.DATA_GROUPS_CONTENT: Text(
            "Mọi tệp đều giải mã được; số kiểm tra của vùng MRZ đúng.",
            "Every file decodes; the check digits of the MRZ are right.",
        ),
        CheckName.HOLDER_CONSISTENCY: Text(
            "MRZ, thông tin cá nhân và hồ sơ đảng viên nói về cùng một người và một thẻ.",
            "MRZ, personal details and member record describe one person and card.",
        ),
        CheckName.CARD_VALIDITY: Text("Thẻ chưa hết hạn.", "The card has not expired."),
        CheckName.CHIP_AUTHENTICATION: Text(
            "Chip chứng minh rằng nó giữ khóa đã ký cho nó: nó là bản gốc.",
            "The chip proves that it holds the key signed for it: it is the original.",
        ),
        CheckName.STATUS_REFERENCE: Text(
            "Có tham chiếu trạng thái đã ký, đúng khuôn dạng.",
            "The signed status reference is there and well-formed.",
        ),
        CheckName.CARD_STATUS: Text(
            "Danh sách trạng thái còn đủ mới và không nói gì chống lại thẻ.",
            "The status list is young enough and says nothing against the card.",
        ),
        CheckName.TERMINAL_AUTHENTICATION: Text(
            "Chip để cho máy đọc vào theo quyền mà máy đã chứng minh.",
            "The chip lets the terminal in by the right that it showed.",
        ),
        CheckName.PORTRAIT: Text("Ảnh giải mã được.", "The picture decodes."),
        CheckName.PROTECTED_DATA_GROUPS: Text(
            "Mọi tệp được bảo vệ đã ký đều được đọc.",
            "Every protected file that is signed was read.",
        ),
    }
)


class FactName(Enum):
    """What a fact is called: its stable name, and its label in both languages."""

    ABSENT = ("absent", "không có trên thẻ", "not on the card")
    ACTIVE_AUTHENTICATION = ("active-authentication", "xác thực chủ động", "active authentication")
    ALLOWED = ("allowed", "chính sách cho phép", "the policy allows")
    ALLOWED_CODES = ("allowed-codes", "loại giấy tờ được phép", "document codes allowed")
    ALLOWED_STATES = ("allowed-states", "quốc gia được phép", "states allowed")
    ANNOUNCED = ("announced", "EF.CardAccess công bố", "EF.CardAccess announces")
    ATR = ("atr", "ATR", "ATR")
    BASIC_ACCESS_CONTROL = ("basic-access-control", "BAC", "basic access control")
    BORN = ("born", "ngày sinh", "born")
    CERTIFICATE = ("certificate", "số hiệu chứng thư", "certificate serial number")
    CERTIFICATE_PERIOD = ("certificate-period", "hiệu lực chứng thư", "certificate valid")
    CHAIN = ("chain", "chuỗi đã trình", "chain shown")
    CHIPS_TRUST_POINTS = ("chips-trust-points", "chip tin cậy", "the chip trusts")
    CHOSEN = ("chosen", "đã chọn", "chosen")
    CURVE = ("curve", "đường cong", "curve")
    DIFFERENT = ("different", "khác giá trị đã ký", "differ from what was signed")
    DIGEST = ("digest", "hàm băm", "digest")
    DOCUMENT_CODES = ("document-codes", "loại giấy tờ được ký", "document codes of the signer")
    EQUAL = ("equal", "bằng giá trị đã ký", "equal what was signed")
    EXPECTED = ("expected", "mong đợi", "expected")
    FILE = ("file", "tệp", "file")
    FOUND = ("found", "thấy", "found")
    GRANTED = ("granted", "được cấp quyền", "granted")
    ISSUER = ("issuer", "bên cấp", "issuer")
    CARD_STATUS = ("card-status", "trạng thái của thẻ", "status of the card")
    JUDGED_AT = ("judged-at", "thời điểm xét", "judged at")
    KEY_NUMBER = ("key-number", "số của khóa", "key number")
    KEY_PERIOD = ("key-period", "thời hạn dùng khóa", "key may sign")
    LENGTHS = ("lengths", "độ dài lệnh và trả lời tối đa", "longest command and answer")
    LIST_NUMBER = ("list-number", "số của danh sách", "number of the list")
    LISTED = ("listed", "EF.SOD liệt kê", "EF.SOD lists")
    MALFORMED = ("malformed", "hỏng", "malformed")
    NAME = ("name", "họ tên", "name")
    NAMED = ("named", "EF.COM nêu", "EF.COM names")
    NOT_REQUESTED = ("not-requested", "không hỏi", "not asked for")
    OFFERED = ("offered", "chip đề nghị", "the chip offers")
    OUTCOME = ("outcome", "kết quả", "outcome")
    PASSWORD = ("password", "mở bằng", "opened by")
    READ = ("read", "đã đọc", "read")
    REASON = ("reason", "vì sao", "why")
    REFUSED = ("refused", "chip từ chối", "refused by the chip")
    REVOCATION_LIST = ("revocation-list", "danh sách thu hồi", "revocation list")
    SIGNATURE_ALGORITHM = ("signature-algorithm", "thuật toán ký", "signature algorithm")
    SIGNED = ("signed", "EF.DG14 đã ký", "EF.DG14, signed")
    SIGNED_AT = ("signed-at", "ký lúc", "signed at")
    SIGNED_VERSIONS = ("signed-versions", "phiên bản đã ký", "versions, signed")
    SIGNERS_STATE = ("signers-state", "quốc gia của người ký", "the signer's state")
    STATE = ("state", "quốc gia trong MRZ", "state in the MRZ")
    STATUS_LIST = ("status-list", "danh sách trạng thái, vị trí", "status list, index")
    STOP_LIST = ("stop-list", "danh sách dừng", "stop list")
    SUBJECT = ("subject", "chủ thể", "subject")
    TRUSTED = ("trusted", "được tin cậy", "trusted")
    TRUST_POINT = ("trust-point", "bắt đầu từ", "begins under")
    USED = ("used", "đã dùng", "used")
    VALID_UNTIL = ("valid-until", "có giá trị đến", "valid until")
    VERSIONS = ("versions", "phiên bản", "versions")
    ZONE_GIVEN = ("zone-given", "MRZ đã nhập so với EF.DG1", "the MRZ given and EF.DG1")

    def __new__(cls, name: str, vi: str, en: str) -> Self:
        """The member's value is its stable name."""
        member = object.__new__(cls)
        member._value_ = name
        member.text = Text(vi, en)
        return member

    text: Text


WORDS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "bac": Text("BAC với MRZ", "basic access control with the MRZ"),
        "bac-named": Text(
            "chip không có EF.CardAccess, và chính sách nêu BAC",
            "the chip has no EF.CardAccess, and the policy names basic access control",
        ),
        "broken-off": Text("đứt giữa chừng", "broken off"),
        "card-data-stale": Text("dữ liệu đã cũ", "data stale"),
        "card-lost": Text("mất", "lost"),
        "card-not-handed-over": Text("chưa trao", "not handed over"),
        "card-replaced": Text("đã thay", "replaced"),
        "card-revoked": Text("thu hồi", "revoked"),
        "card-suspended": Text("tạm dừng", "suspended"),
        "card-valid": Text("có giá trị", "valid"),
        "different": Text("khác nhau", "different"),
        "equal": Text("bằng nhau", "equal"),
        "failed": Text("thất bại", "failed"),
        "file-absent": Text("không có EF.CardAccess", "no EF.CardAccess"),
        "file-malformed": Text("EF.CardAccess hỏng", "a malformed EF.CardAccess"),
        "file-not-requested": Text("không hỏi EF.CardAccess", "EF.CardAccess was not asked for"),
        "file-read": Text(
            "EF.CardAccess không giải mã được", "an EF.CardAccess that does not decode"
        ),
        "file-refused": Text("chip từ chối EF.CardAccess", "EF.CardAccess, refused"),
        "first-usable": Text(
            "đề nghị đầu tiên của chip mà chính sách cho phép; định trước khi nói với chip",
            "the first offer of the chip that the policy allows, as decided before it was asked",
        ),
        "named-by-policy": Text("chính sách cho phép", "named by the policy"),
        "no-pace": Text("không có PACE", "no PACE"),
        "not-announced": Text("chip không công bố", "the chip announces none"),
        "none": Text("không gì cả", "nothing"),
        "not-attempted": Text("chưa thử", "not attempted"),
        "not-named-by-policy": Text(
            "chính sách không nêu: không bao giờ thử", "not named by the policy: never tried"
        ),
        "not-signed": Text("chip không ký", "the chip did not sign"),
        "nothing-offered": Text(
            "chip không đề nghị gì, và không cách nào khác được thử",
            "the chip offered nothing, and no other way is tried",
        ),
        "nothing-usable": Text(
            "chính sách không cho phép đề nghị nào của chip, và không cách nào khác được thử",
            "the policy allows none of the chip's offers, and no other way is tried",
        ),
        "only-offer": Text(
            "đề nghị duy nhất của chip, và chính sách cho phép",
            "the chip's only offer, which the policy allows",
        ),
        "operational": Text("hoạt động", "operational"),
        "pace-can": Text("PACE với số CAN", "PACE with the CAN"),
        "pace-mrz": Text("PACE với MRZ", "PACE with the MRZ"),
        "proven": Text("đã chứng minh", "proven"),
        "refused-by-chip": Text("chip từ chối", "refused by the chip"),
        "signed": Text("chip đã ký", "the chip signed"),
        "succeeded": Text("thành công", "succeeded"),
        "unknown": Text("không rõ", "unknown"),
        "wrong-password": Text("sai mật khẩu", "wrong password"),
    }
)
"""Values of facts that are words; every other value is a name or a number."""


def word(value: str, language: Language) -> str:
    """A fact's value for people."""
    text = WORDS.get(value)
    return value if text is None else text.within(language)


def code_texts(code: str, language: Language) -> tuple[str, str]:
    """What a code means, and what to do about it.

    Raises:
        KeyError: there is no such code.
    """
    if language is Language.VIETNAMESE and code in CODES_IN_VIETNAMESE:
        return CODES_IN_VIETNAMESE[code]
    entry = CODES[code]
    return entry.cause, entry.remedy
