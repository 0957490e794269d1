"""EF.DG1: the machine-readable zone, its fields and check digits; everything is signed as it stands."""

from collections.abc import Callable
from dataclasses import replace

from conformance_vectors.bench import CardDraft, Case, accepted, issued_files, refused
from conformance_vectors.data_group_drafts import (
    data_group_1,
    frame,
    information,
    issued_mrz,
    with_length,
)

from card_layout import tlv
from card_layout.files.data_group_11 import PersonalDetails
from card_layout.files.data_group_13 import MemberRecord
from card_layout.mrz import check_digit
from card_layout.names import mrz_name
from verifier.services.card_password import CardPassword

MALFORMED = "data-group.malformed"
MISSING = "data-group.missing"


def zone(**changes: str) -> Callable[[], CardDraft]:
    return lambda: CardDraft(files={"EF.DG1": data_group_1(**changes)})


def content(data: bytes, signed_as: bytes | None = None) -> Callable[[], CardDraft]:
    return lambda: CardDraft(
        files={"EF.DG1": data}, signed_as={"EF.DG1": data if signed_as is None else signed_as}
    )


def named(primary: str, secondary: str) -> Callable[[], CardDraft]:
    """A card of a holder of this name, everywhere on it."""

    def card() -> CardDraft:
        files = issued_files()
        details = PersonalDetails.from_bytes(files["EF.DG11"])
        record = MemberRecord.from_bytes(files["EF.DG13"])
        names = {"primary_name": primary, "secondary_name": secondary}
        return CardDraft(
            files={
                "EF.DG1": data_group_1(name=mrz_name(primary, secondary)),
                "EF.DG11": replace(details, **names).to_bytes(),
                "EF.DG13": replace(
                    record, full_name=f"{primary} {secondary}".strip(), **names
                ).to_bytes(),
            }
        )

    return card


def printed_otherwise() -> CardDraft:
    """The printed zone opens the card, and its document number is another than that of DG1."""
    printed = information(number="ABC123456")
    return CardDraft(
        image=lambda image: replace(image, secrets=replace(image.secrets, mrz_information=printed)),
        password=CardPassword.from_mrz(printed),
    )


def wrong(digit: str) -> str:
    return str((int(digit) + 1) % 10)


def digit_of(field: str) -> str:
    return wrong(check_digit(issued_mrz()[field]))


BIRTH = issued_mrz()["birth"]
RIGHT = data_group_1()

MACHINE_READABLE_ZONE_CASES: dict[str, Case] = {
    "LDS_B_01": accepted(
        zone(optional_1="A1B2C3", optional_2="Z9"), "the zone has optional data in both fields"
    ),
    "LDS_B_02": accepted(
        named("Nguyễn", "Thị Minh Khai Hoàng Phương Anh"),
        "the name is longer than its field, and its secondary identifier cut short",
    ),
    "LDS_B_03": accepted(named("Nguyễn Ái Quốc", ""), "the name has no secondary identifier"),
    "LDS_B_05": refused(content(b"\x62" + RIGHT[1:]), MALFORMED, reason="DG1 begins with tag 62"),
    "LDS_B_06": refused(
        content(with_length(RIGHT, -1), frame(with_length(RIGHT, -1))),
        MALFORMED,
        reason="the length of DG1 is one byte too small",
    ),
    "LDS_B_07": refused(
        content(with_length(RIGHT, 1)),
        MALFORMED,
        MISSING,
        reason="the length of DG1 is one byte too large",
    ),
    "LDS_B_08": refused(
        zone(document_code="CX"),
        "signer.document-type",
        reason="the document code is CX, which no policy knows",
    ),
    "LDS_B_09": refused(
        zone(state="V1M"), MALFORMED, reason="there is a digit in the issuing state"
    ),
    "LDS_B_10": refused(zone(name=""), MALFORMED, reason="the name is all fillers"),
    "LDS_B_11": refused(
        zone(name="TRAN<<VAN<BA"),
        "holder.inconsistent",
        reason="the name in the zone is not the holder's; what is printed is compared through the signed DG11 and DG13",
    ),
    "LDS_B_12": refused(
        printed_otherwise,
        "holder.inconsistent",
        reason="the printed zone that opened the chip has another document number than DG1",
    ),
    "LDS_B_13": refused(
        zone(number_digit=digit_of("number")),
        MALFORMED,
        reason="the check digit of the document number is wrong",
    ),
    "LDS_B_14": refused(
        zone(nationality="V<M"), MALFORMED, reason="there is a filler inside the nationality"
    ),
    "LDS_B_15": refused(
        zone(birth="8A" + BIRTH[2:]), MALFORMED, reason="there is a letter in the date of birth"
    ),
    "LDS_B_16": refused(
        zone(birth=BIRTH[:2] + "1301"),
        MALFORMED,
        reason="the date of birth is in a thirteenth month",
    ),
    "LDS_B_17": refused(
        zone(birth_digit=digit_of("birth")),
        MALFORMED,
        reason="the check digit of the date of birth is wrong",
    ),
    "LDS_B_18": refused(zone(sex="A"), MALFORMED, reason="the sex is A"),
    "LDS_B_19": refused(
        zone(expiry="3A0101"), MALFORMED, reason="there is a letter in the date of expiry"
    ),
    "LDS_B_20": refused(
        zone(expiry="360230"), MALFORMED, reason="the date of expiry is a thirtieth of February"
    ),
    "LDS_B_21": refused(
        zone(expiry_digit=digit_of("expiry")),
        MALFORMED,
        reason="the check digit of the date of expiry is wrong",
    ),
    "LDS_B_23": refused(
        zone(composite_digit=wrong(data_group_1()[-31:-30].decode())),
        MALFORMED,
        reason="the composite check digit is wrong",
    ),
    "LDS_B_24": refused(content(tlv.encode(0x61, b"")), MALFORMED, reason="DG1 holds no zone"),
    "LDS_B_25": accepted(
        zone(birth=BIRTH[:4] + "<<"), "the day of birth is unknown; what is known agrees with DG11"
    ),
    "LDS_B_26": accepted(
        zone(birth=BIRTH[:2] + "<<" + BIRTH[4:]),
        "the month of birth is unknown; the rest agrees with DG11",
    ),
    "LDS_B_27": accepted(
        zone(birth="<<" + BIRTH[2:]), "the year of birth is unknown; the rest agrees with DG11"
    ),
    "LDS_B_28": accepted(zone(birth="<<<<<<"), "nothing of the date of birth is known"),
}
