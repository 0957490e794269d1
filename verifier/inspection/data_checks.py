"""The checks of the files themselves: SPEC.md, 9.10 to 9.12 and 9.14."""

from card_layout import tlv
from card_layout.errors import CardDataError
from card_layout.files.data_groups import TAG_OF_GROUP
from card_layout.files.registry import FILE_TYPES
from verifier.inspection import shared_parts
from verifier.inspection.checks import CheckFailedError, CheckNotPerformedError
from verifier.inspection.examination import KNOWN_GROUPS, Examination, group_name
from verifier.inspection.snapshot import FileOutcome

__all__ = ["check_common_data", "check_content", "check_coverage", "check_integrity"]

_COMMON_DATA = "EF.COM"
_ATR_INFO = "EF.ATR/INFO"
_ATR_INFO_MALFORMED = "atr-info.malformed"
_REFUSED_DESPITE_RIGHT = "data-group.refused-despite-right"


def check_integrity(examination: Examination) -> str:
    """9.10: the hash of each file read is the listed one."""
    listed = examination.security_object.file_hashes
    judged = 0
    altered: list[str] = []
    for number, evidence in examination.data_groups:
        if number not in listed or evidence.content is None:
            continue
        judged += 1
        if not examination.is_as_listed(number, evidence.content):
            altered.append(evidence.name)
    if altered:
        raise CheckFailedError(
            "data-group.altered", f"{', '.join(altered)}: the content is not what was signed."
        )
    if not judged:
        examination.require_complete_reading()
        raise CheckNotPerformedError("evidence.missing", "No listed data group was read.")
    return f"The content of all {judged} data groups read is what was signed."


def check_coverage(examination: Examination) -> str:
    """9.11: every file on the card is listed, and every listed file was read that the terminal may ask for.

    A data group that this program knows, or that the security object or EF.COM names, counts as not there only where
    the card itself said so.
    """
    listed = examination.security_object.file_hashes
    unlisted = [
        evidence.name
        for number, evidence in examination.data_groups
        if number not in listed
        and evidence.outcome not in (FileOutcome.ABSENT, FileOutcome.NOT_REQUESTED)
    ]
    if unlisted:
        raise CheckFailedError(
            "data-group.not-covered",
            f"{', '.join(unlisted)}: on the card, and not listed in the security object.",
        )
    missing: list[str] = []
    codes: list[str | None] = []
    found = dict(examination.data_groups)
    for number in sorted({*listed, *KNOWN_GROUPS, *_named_groups(examination)}):
        evidence = found.get(number) or examination.evidence(group_name(number))
        if (
            number in listed
            and evidence.outcome is not FileOutcome.READ
            and not examination.was_left_out(number)
        ):
            missing.append(evidence.name)
            codes.append(evidence.code)
    if missing and set(codes) == {_REFUSED_DESPITE_RIGHT}:
        raise CheckFailedError(
            _REFUSED_DESPITE_RIGHT,
            f"{', '.join(missing)}: not given by the card to a terminal that may read it.",
        )
    if missing:
        raise CheckFailedError(
            "data-group.missing",
            f"{', '.join(missing)}: listed in the security object, and not given by the card.",
        )
    examination.require_complete_reading()
    return "The security object lists every data group on the card, and each that may be was read."


def check_common_data(examination: Examination) -> str:
    """9.12: EF.COM names the groups that the security object lists, and the versions that it states."""
    security_object = examination.security_object
    listed = security_object.file_hashes
    evidence = examination.evidence(_COMMON_DATA)
    if evidence.content is None:
        raise CheckFailedError(
            "common-data.malformed", f"EF.COM was not read: {evidence.outcome.value}."
        )
    common_data = shared_parts.common_data(evidence.content)
    if shared_parts.named_groups(evidence.content) != listed.keys():
        raise CheckFailedError(
            "common-data.inconsistent",
            "EF.COM does not name exactly the data groups that the security object lists.",
        )
    signed = security_object.lds_version.stated
    if signed is not None and signed != (common_data.lds_version, common_data.unicode_version):
        raise CheckFailedError(
            "common-data.inconsistent",
            f"EF.COM states LDS {common_data.lds_version} and Unicode {common_data.unicode_version}, "
            f"the security object {signed[0]} and {signed[1]}.",
        )
    return "EF.COM names the data groups that the security object lists, and its versions."


def check_content(examination: Examination) -> str:
    """9.14: every file decodes, the MRZ's check digits included."""
    _check_atr_info(examination)
    malformed: list[str] = []
    judged = 0
    for number, evidence in examination.data_groups:
        if evidence.outcome is FileOutcome.MALFORMED:
            malformed.append(evidence.name)
        elif evidence.content is not None:
            judged += 1
            try:
                _decode(examination, number, evidence.name, evidence.content)
            except CardDataError:
                malformed.append(evidence.name)
    if malformed:
        raise CheckFailedError(
            "data-group.malformed", f"{', '.join(malformed)}: cannot be decoded."
        )
    if not judged:
        examination.require_complete_reading()
        raise CheckNotPerformedError("evidence.missing", "No data group was read.")
    examination.require_complete_reading()
    return f"All {judged} data groups read can be decoded."


def _check_atr_info(examination: Examination) -> None:
    """EF.ATR/INFO, where the card has one: it is not signed, and says how long APDUs may be (SPEC.md, 3.3)."""
    evidence = examination.evidence(_ATR_INFO)
    if evidence.outcome is FileOutcome.MALFORMED:
        raise CheckFailedError(_ATR_INFO_MALFORMED, "EF.ATR/INFO is not a file that can be read.")
    if evidence.content is not None:
        try:
            shared_parts.atr_info(evidence.content)
        except CardDataError as error:
            raise CheckFailedError(_ATR_INFO_MALFORMED, "EF.ATR/INFO cannot be decoded.") from error


def _named_groups(examination: Examination) -> frozenset[int]:
    """What EF.COM names; one that is malformed names nothing, and check 9.12 says so."""
    content = examination.evidence(_COMMON_DATA).content
    if content is None:
        return frozenset()
    try:
        return shared_parts.named_groups(content)
    except CardDataError:
        return frozenset()


def _decode(examination: Examination, number: int, name: str, content: bytes) -> None:
    if name in FILE_TYPES:
        examination.decode(name, content)
    else:
        # A data group of ICAO Doc 9303 that member cards do not use: only its frame is ours to judge.
        tlv.parse(content, expected_tag=TAG_OF_GROUP[number])
