"""The ceremonies as data: numbered steps, who is present, what is shown, typed and checked, in two languages.

``membercard-pki ceremony script`` prints them; the conductor carries them out in this order, and the transcript is held
against them. A step's identifier stands in transcripts and never changes its meaning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = ["CeremonyKind", "Role", "ScriptStep", "Text", "script_of"]


class CeremonyKind(Enum):
    """What a ceremony is for; the values stand in transcripts."""

    ROOT = "root"
    CRL = "crl"
    SIGNER = "signer"
    ROLLOVER = "rollover"
    DESTROY = "destroy"
    RESHARE = "reshare"


class Role(Enum):
    """Who takes part."""

    ADMINISTRATOR = "administrator"
    CUSTODIAN = "custodian"
    WITNESS = "witness"


@dataclass(frozen=True, slots=True)
class Text:
    """The same sentence in Vietnamese and English."""

    vi: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptStep:
    """One step; ``needs_root`` where the root's keystore must have been opened by the quorum in this run."""

    identifier: str
    title: Text
    present: tuple[Role, ...]
    shown: Text
    typed: Text
    checked: Text
    needs_root: bool = False


_ALL: Final = (Role.ADMINISTRATOR, Role.CUSTODIAN, Role.WITNESS)
_DESK: Final = (Role.ADMINISTRATOR, Role.WITNESS)

_SURROUNDINGS: Final = ScriptStep(
    identifier="surroundings",
    title=Text("Máy và phần mềm", "Machine and program"),
    present=_DESK,
    shown=Text(
        "giờ của máy, giao diện mạng, phiên bản công cụ, mã băm của chương trình",
        "the machine's time, its network interfaces, versions of tools, the hash of the program",
    ),
    typed=Text(
        "có, nếu giờ và mã băm đúng như đã công bố", "yes, if time and hash are those announced"
    ),
    checked=Text("không có mạng nào đang bật", "no network is up"),
)
_ATTENDANCE: Final = ScriptStep(
    identifier="attendance",
    title=Text("Điểm danh", "Attendance"),
    present=_ALL,
    shown=Text("tên và vai trò từng người", "each person's name and role"),
    typed=Text("từng người: có", "each person: yes"),
    checked=Text("mỗi vai trò một người khác nhau", "different people in different roles"),
)
_WISH: Final = ScriptStep(
    identifier="wish",
    title=Text("Việc sẽ làm", "What will be done"),
    present=_ALL,
    shown=Text("đúng những gì sẽ được ký hoặc làm", "exactly what will be signed or done"),
    typed=Text("người chứng kiến: có", "a witness: yes"),
    checked=Text("việc này làm được vào lúc này", "it can be done now"),
)
_SHARES: Final = ScriptStep(
    identifier="shares",
    title=Text("Rút bí mật và chia tờ", "Drawing and sharing the secret"),
    present=_DESK,
    shown=Text("số của bộ tờ", "the identifier of the set of sheets"),
    typed=Text("không gì", "nothing"),
    checked=Text(
        "256 bit từ nguồn ngẫu nhiên của hệ điều hành", "256 bits from the system's random source"
    ),
)
_ACTIVATION: Final = ScriptStep(
    identifier="activation",
    title=Text("Kích hoạt khoá gốc", "Activating the root"),
    present=_ALL,
    shown=Text("số tờ còn cần", "how many sheets are still needed"),
    typed=Text(
        "từng người giữ: số tờ và 33 từ", "each custodian: the sheet's number and its 33 words"
    ),
    checked=Text(
        "tổng kiểm của từng tờ, cùng một bộ, bí mật mở đúng kho khoá",
        "each sheet's checksum, one set, and that the secret opens the keystore",
    ),
)
_NEW_ACTIVATION: Final = ScriptStep(
    identifier="new-activation",
    title=Text("Thử bộ tờ mới", "Trying the new sheets"),
    present=_ALL,
    shown=_ACTIVATION.shown,
    typed=_ACTIVATION.typed,
    checked=Text("các tờ mới cho lại bí mật", "the new sheets give the secret back"),
)
_KEYSTORE: Final = ScriptStep(
    identifier="root-keystore",
    title=Text("Kho khoá gốc", "The root's keystore"),
    present=_ALL,
    shown=Text("loại kho khoá", "the kind of keystore"),
    typed=Text("không gì", "nothing"),
    checked=Text("kho mở được bằng bí mật của các tờ", "it opens with the sheets' secret"),
    needs_root=True,
)
_ROOT_KEY: Final = ScriptStep(
    identifier="root-key",
    title=Text("Khoá và chứng thư gốc", "The root's key and certificate"),
    present=_ALL,
    shown=Text("số sê-ri, hiệu lực, dấu vân tay", "serial number, validity, fingerprint"),
    typed=Text("không gì", "nothing"),
    checked=Text(
        "soát trước khi ký, tự ký đúng", "linted before it is signed, self-signature holds"
    ),
    needs_root=True,
)
_CRL: Final = ScriptStep(
    identifier="crl",
    title=Text("Danh sách thu hồi", "The revocation list"),
    present=_ALL,
    shown=Text(
        "số của danh sách, hạn dùng, số chứng thư", "its number, its end, how many it lists"
    ),
    typed=Text("không gì", "nothing"),
    checked=Text("đúng những gì đã cho xem", "exactly what was shown"),
    needs_root=True,
)
_JOURNAL_SIGNER: Final = ScriptStep(
    identifier="journal-signer",
    title=Text("Khoá ký biên bản", "The key that signs transcripts"),
    present=_ALL,
    shown=Text("tên của khoá", "its name"),
    typed=Text("không gì", "nothing"),
    checked=Text("còn được ký vào hôm nay", "it may sign today"),
    needs_root=True,
)
_COMPARE: Final = ScriptStep(
    identifier="compare",
    title=Text("So dấu vân tay", "Comparing the fingerprint"),
    present=_ALL,
    shown=Text("SHA-256 của chứng thư gốc", "the SHA-256 hash of the root's certificate"),
    typed=Text(
        "người chứng kiến: nhóm cuối cùng, đọc từ giấy đã chép",
        "a witness: the last group, read from the paper it was copied to",
    ),
    checked=Text("nhóm trên giấy đúng như chứng thư", "the group on paper is the certificate's"),
)
_CLOSE: Final = ScriptStep(
    identifier="close",
    title=Text("Kết thúc và ký biên bản", "Closing and signing the transcript"),
    present=_ALL,
    shown=Text(
        "mã của biên bản, để chép ra giấy", "the transcript's digest, to be copied to paper"
    ),
    typed=Text("không gì", "nothing"),
    checked=Text("chữ ký của biên bản", "the transcript's signature"),
)
_SIGNER: Final = ScriptStep(
    identifier="signer",
    title=Text("Khoá và chứng thư ký", "The signer's key and certificate"),
    present=_ALL,
    shown=Text("tên, số sê-ri, hiệu lực", "name, serial number, validity"),
    typed=Text("không gì", "nothing"),
    checked=Text("soát trước khi ký", "linted before it is signed"),
    needs_root=True,
)
_ROLLOVER: Final = ScriptStep(
    identifier="rollover",
    title=Text("Khoá gốc kế tiếp", "The root's next key"),
    present=_ALL,
    shown=Text("chứng thư gốc mới và chứng thư nối", "the new root and the link certificate"),
    typed=Text("không gì", "nothing"),
    checked=Text("khoá cũ chứng cho khoá mới", "the old key vouches for the new one"),
    needs_root=True,
)
_DESTROY: Final = ScriptStep(
    identifier="destroy",
    title=Text("Huỷ khoá gốc cũ", "Destroying an old root key"),
    present=_ALL,
    shown=Text("tên của khoá", "the key's name"),
    typed=Text("không gì", "nothing"),
    checked=Text("khoá không còn trong kho", "the key is not in the keystore any more"),
    needs_root=True,
)
_PIN_CHANGE: Final = ScriptStep(
    identifier="pin-change",
    title=Text("Đổi khoá của kho", "The keystore's new secret"),
    present=_ALL,
    shown=Text("bộ tờ nào còn dùng được", "which set of sheets opens the root from now on"),
    typed=Text("không gì", "nothing"),
    checked=Text("bộ mới mở, bộ cũ không mở", "the new set opens it, the old one does not"),
    needs_root=True,
)


def _sheet(number: int) -> ScriptStep:
    return ScriptStep(
        identifier=f"sheet-{number}",
        title=Text(f"Tờ thứ {number}", f"Sheet {number}"),
        present=(Role.ADMINISTRATOR, Role.CUSTODIAN),
        shown=Text("33 từ, chỉ cho người giữ tờ này", "33 words, to this sheet's custodian alone"),
        typed=Text(
            "người giữ: ba từ bất kỳ, đọc từ giấy",
            "the custodian: three random words, read from paper",
        ),
        checked=Text("ba từ đúng", "the three words are right"),
    )


def script_of(kind: CeremonyKind, *, custodians: Sequence[str]) -> tuple[ScriptStep, ...]:
    """The steps of a ceremony, in order; ``custodians`` are those who get sheets in it."""
    before = (_SURROUNDINGS, _ATTENDANCE, _WISH)
    sheets = (_SHARES, *(_sheet(number + 1) for number in range(len(custodians))))
    after = (_JOURNAL_SIGNER, _CLOSE)
    match kind:
        case CeremonyKind.ROOT:
            work = (*sheets, _ACTIVATION, _KEYSTORE, _ROOT_KEY, _CRL, _COMPARE)
        case CeremonyKind.CRL:
            work = (_ACTIVATION, _CRL)
        case CeremonyKind.SIGNER:
            work = (_ACTIVATION, _SIGNER)
        case CeremonyKind.ROLLOVER:
            work = (_ACTIVATION, _ROLLOVER, _CRL, _COMPARE)
        case CeremonyKind.DESTROY:
            work = (_ACTIVATION, _DESTROY)
        case CeremonyKind.RESHARE:
            work = (*sheets, _NEW_ACTIVATION, _ACTIVATION, _PIN_CHANGE)
    return (*before, *work, *after)
