"""The checks that the card's data is of one piece and still holds: SPEC.md, 9.15, 9.16 and 9.23."""

from datetime import date

from card_layout.files.data_group_1 import DataGroup1
from card_layout.files.data_group_2 import Portrait
from card_layout.files.data_group_11 import PersonalDetails
from card_layout.files.data_group_13 import MemberRecord
from card_layout.mrz import MachineReadableZone
from card_layout.names import mrz_name, to_nfc
from pki.certificates.trust import load_signer
from verifier.inspection.checks import CheckFailedError, CheckName, CheckNotPerformedError
from verifier.inspection.examination import Examination, group_name
from verifier.inspection.portrait_evidence import PortraitOutcome
from verifier.inspection.snapshot import AccessPath

__all__ = ["check_card_validity", "check_holder", "check_portrait"]

_MRZ_NAME_WIDTH = 30
"""Characters of the name field of a TD1 document (ICAO 9303-5)."""


def check_holder(examination: Examination) -> str:
    """9.15: MRZ, personal details and member record agree; so do the states; the MRZ given is the card's."""
    mrz = examination.decoded(group_name(1), DataGroup1).mrz
    details = examination.decoded(group_name(11), PersonalDetails)
    record = _record(examination)
    differences = _differences(mrz, details, record)
    if differences:
        raise CheckFailedError(
            "holder.inconsistent", f"These do not agree: {'; '.join(differences)}."
        )
    _check_password(examination)
    _check_states(examination, mrz.issuing_state)
    if record is None:
        return "Machine-readable zone, personal details and certificates agree; the member record was left out."
    return "Machine-readable zone, personal details, member record and certificates agree."


def check_card_validity(examination: Examination) -> str:
    """9.16: the date of expiry is not past; a card is valid to the end of that day (UTC)."""
    record = _record(examination)
    if record is not None:
        valid_until = record.valid_until
    else:
        # Cards are issued from 2026 on and for at most 30 years, so two digits tell the year.
        text = examination.decoded(group_name(1), DataGroup1).mrz.expiry_date
        try:
            valid_until = date.fromisoformat(f"20{text}")
        except ValueError as error:
            raise CheckNotPerformedError(
                "data-group.malformed", "The date of expiry in the MRZ is no day."
            ) from error
    if valid_until < examination.now.date():
        raise CheckFailedError("card.expired", f"The card expired on {valid_until}.")
    return f"The card is valid until {valid_until}."


def check_portrait(examination: Examination) -> str:
    """9.23: the picture in EF.DG2 was decoded within its bounds, by a process that does nothing else."""
    examination.decoded(group_name(2), Portrait)
    outcome = examination.snapshot.portrait
    if outcome is PortraitOutcome.UNDECODABLE:
        raise CheckFailedError(
            "data-group.portrait-undecodable",
            "The picture in EF.DG2 cannot be decoded within its bounds.",
        )
    if outcome is not PortraitOutcome.DECODED:
        raise CheckNotPerformedError(
            "portrait.not-decoded", "Nobody tried to decode the picture in EF.DG2."
        )
    return "The picture in EF.DG2 can be decoded."


def _record(examination: Examination) -> MemberRecord | None:
    """The member record, ``None`` where the terminal did not ask for it; 9.11 says whether it was free to."""
    if examination.was_left_out(13):
        return None
    return examination.decoded(group_name(13), MemberRecord)


def _differences(
    mrz: MachineReadableZone, details: PersonalDetails, record: MemberRecord | None
) -> list[str]:
    """What disagrees, by the names of the fields: values stay out of reports."""
    name = (details.primary_name, details.secondary_name or "")
    has_own_name = details.primary_name is None or _is_name(mrz, details.primary_name, name[1])
    differences: list[str] = []
    if not _may_be(mrz.birth_date, details.birth_date):
        differences.append("birth date (EF.DG1, EF.DG11)")
    if not has_own_name:
        differences.append("name (EF.DG1, EF.DG11)")
    if record is None:
        return differences
    if mrz.expiry_date != _six_digits(record.valid_until):
        differences.append("date of expiry (EF.DG1, EF.DG13)")
    if (record.primary_name, record.secondary_name) == name:
        # The very same name: what was said of the one holds for the other.
        if not has_own_name:
            differences.append("name (EF.DG1, EF.DG13)")
        return differences
    if not _is_name(mrz, record.primary_name, record.secondary_name):
        differences.append("name (EF.DG1, EF.DG13)")
    if details.primary_name is not None and (to_nfc(details.primary_name), to_nfc(name[1])) != (
        to_nfc(record.primary_name),
        to_nfc(record.secondary_name),
    ):
        differences.append("name (EF.DG11, EF.DG13)")
    return differences


def _is_name(mrz: MachineReadableZone, primary_name: str, secondary_name: str) -> bool:
    return mrz.name == mrz_name(primary_name, secondary_name, _MRZ_NAME_WIDTH)


def _may_be(birth_date: str, day: date) -> bool:
    """Whether what the MRZ knows of a birth date is of this day; unknown parts stand as fillers (9303-3, 4.7)."""
    digits = _six_digits(day)
    return birth_date == digits or all(
        known in ("<", digit) for known, digit in zip(birth_date, digits, strict=True)
    )


def _six_digits(day: date) -> str:
    """``YYMMDD``."""
    return day.isoformat().replace("-", "")[2:]


def _check_password(examination: Examination) -> None:
    access = examination.snapshot.access
    if access.path not in (AccessPath.PACE_MRZ, AccessPath.BAC):
        return
    if access.is_password_of_data is None:
        raise CheckNotPerformedError(
            "evidence.missing", "The snapshot does not say whether the MRZ given is the card's own."
        )
    if not access.is_password_of_data:
        raise CheckFailedError(
            "holder.inconsistent",
            "The machine-readable zone that opened the chip is not the one in EF.DG1.",
        )


def _check_states(examination: Examination, state: str) -> None:
    code = "holder.state-mismatch"
    country = examination.policy.states.get(state)
    if country is None:
        raise CheckFailedError(code, "The policy does not know the state in the MRZ.")
    examination.require(CheckName.SIGNER_CERTIFICATE, CheckName.SIGNER_PATH)
    signer = load_signer(examination.security_object.signer_certificate)
    if (signer.country, examination.authority.country) != (country, country):
        raise CheckFailedError(
            code, "The state in the MRZ is not that of the signer's or the authority's certificate."
        )
