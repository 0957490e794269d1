"""What the console calls acts with a member's record, their fields and refusals, and how it shows values."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from issuer.api.languages import message
from issuer.api.member_acts import MemberActName
from issuer.api.pages import words
from issuer.domain.card_number import CardNumber, CardNumberScheme
from issuer.domain.member_acts import Wanted
from issuer.domain.member_rules import MemberColumn

__all__ = [
    "CHOICES",
    "DATES",
    "DONE",
    "EVENTS",
    "EVENT_COLUMNS",
    "FIELD_GROUPS",
    "FIELD_NOTES",
    "LINKS",
    "NOTES",
    "PLACES",
    "REFUSALS",
    "REQUIRED",
    "STORE",
    "TITLES",
    "WEIGHTY_STANDINGS",
    "WRONG_FIELDS",
    "shown_fields",
    "shown_text",
]

_Column = MemberColumn
_Act = MemberActName

LINKS: Final = {
    _Act.CORRECTION.value: message("Correct the record"),
    _Act.STANDING.value: message("Change the standing"),
    _Act.TRANSFER.value: message("Transfer"),
    _Act.SERVING.value: message("Served elsewhere"),
    "portrait": message("Another portrait"),
}
PLACES: Final = {**{each.value: f"change/{each}" for each in _Act}, "portrait": "portrait/new"}
"""Where each act stands below the member's page."""

TITLES: Final = {
    _Act.CORRECTION.value: message("Correct the record of %(name)s"),
    _Act.STANDING.value: message("Another standing of %(name)s"),
    _Act.TRANSFER.value: message("Transfer %(name)s to another organisation"),
    _Act.SERVING.value: message("Where %(name)s is served"),
    "portrait": message("Another portrait of %(name)s"),
}
NOTES: Final = {
    _Act.CORRECTION.value: message("For what was recorded wrongly. What happened to the member, such as a transfer or another standing, is recorded with its day instead."),
    _Act.STANDING.value: message("Something happened on a day: the member was suspended, reinstated, died, was struck off or expelled."),
    _Act.TRANSFER.value: message("The new organisation keeps the record from that day on. You need the right to change members in both."),
    _Act.SERVING.value: message("A temporary resident stays recorded in the home organisation and takes part in activities elsewhere."),
    "portrait": message("The picture is made as the card holds it: 3:4, upright, without hidden data. You see it before it is stored."),
}  # fmt: skip
STORE: Final = {
    _Act.CORRECTION.value: message("Store the correction"),
    _Act.STANDING.value: message("Store the standing"),
    _Act.TRANSFER.value: message("Store the transfer"),
    _Act.SERVING.value: message("Store it"),
    "portrait": message("Store the portrait"),
}
DONE: Final = {
    _Act.CORRECTION.value: message("The record was corrected."),
    _Act.STANDING.value: message("The standing was changed."),
    _Act.TRANSFER.value: message("The member was transferred."),
    _Act.SERVING.value: message("It is recorded where the member is served."),
    "portrait": message("The portrait was replaced."),
    "recorded": message("The member was recorded."),
    "checked": message("It is noted that you found everything right."),
}
EVENTS: Final = {
    "since": message("From this day on"),
    "on": message("Day of the transfer"),
    "to": message("New organisation"),
    "organisation": message("Served in"),
    "standing": message("New standing"),
}
WEIGHTY_STANDINGS: Final = frozenset({"deceased", "struck-off", "expelled"})
"""After these nothing follows but the correction of a mistake: their button is red."""

FIELD_GROUPS: Final = (
    (
        message("Name"),
        (_Column.FULL_NAME, _Column.PRIMARY_NAME, _Column.SECONDARY_NAME),
    ),
    (
        message("Person"),
        (
            _Column.BIRTH_DATE,
            _Column.SEX,
            _Column.PLACE_OF_BIRTH,
            _Column.HOME_TOWN,
            _Column.ETHNIC_GROUP,
            _Column.RESIDENCE,
            _Column.PHONE,
        ),
    ),
    (
        message("Numbers and dates"),
        (
            _Column.CITIZEN_NUMBER,
            _Column.RECORD_NUMBER,
            _Column.EARLIER_CARD_NUMBER,
            _Column.ADMISSION_DATE,
            _Column.RECOGNITION_DATE,
        ),
    ),
)
"""The fields of the form, as it orders them; the last group stands apart and is folded."""

EVENT_COLUMNS: Final = (
    _Column.ORGANISATION_CODE,
    _Column.SERVED_IN,
    _Column.STANDING,
    _Column.STANDING_SINCE,
)
"""Fields that are corrected only where they were recorded wrongly from the beginning."""

FIELD_NOTES: Final = {
    "full_name": message("The whole name in its own order."),
    "primary_name": message("The family name; empty where the parts are not known."),
    "secondary_name": message("Middle and given names, where the family name is stated."),
    "citizen_number": message("12 digits."),
    "record_number": message("6 digits and 1 to 3 letters."),
    "recognition_date": message("Empty while the member is on probation."),
}
REQUIRED: Final = frozenset(
    {
        "full_name", "birth_date", "sex", "place_of_birth", "home_town", "ethnic_group", "citizen_number",
        "record_number", "admission_date", "organisation_code", "standing",
    }
)  # fmt: skip
DATES: Final = frozenset(
    {_Column.BIRTH_DATE, _Column.ADMISSION_DATE, _Column.RECOGNITION_DATE, _Column.STANDING_SINCE}
)
REFUSALS: Final = {
    "member.changed": message("Somebody else changed this record while you were at it. Nothing you typed is lost: look at what is different now, and send it again."),
    "member.unchanged": message("Nothing would change: the record says exactly this already."),
    "member.field-unknown": message("The form has a field that members have not."),
    "member.field-fixed": message("This field is not changed in this way."),
    "change.reason": message("Say why in one line of at most 800 bytes; it is kept in the history."),
    "change.future": message("The day lies ahead: record it when it has happened."),
    "standing.final": message("The member died, was struck off or expelled: nothing happens after that. Where it was a mistake, correct the record."),
    "standing.order": message("The day lies before the one on which the present standing began: check it."),
    "standing.unknown": message("Choose a standing."),
    "evidence.kind": message("Bring the document as PDF, JPEG or PNG."),
    "evidence.too-large": message("The document has more than 10 MiB: scan it anew, a little coarser."),
    "right.missing": message("You may not change members of that organisation: whoever has the right in both does this."),
    "record-number.taken": message("Another member of the register has this record number."),
    "citizen-number.taken": message("Another member of the register has this citizen number."),
    "earlier-card-number.taken": message("Another member of the register has this card number."),
    "organisation.unknown": message("There is no such organisation: find it by a part of its name."),
    "organisation.code-malformed": message("Choose an organisation from those that are offered, or type its code."),
    "organisation.no-committee-number": message("Neither this organisation nor any above it has a committee number yet."),
    "check.nobody": message("Nobody is recorded in this organisation itself."),
    "check.too-many": message("Too many members to have been looked at in one go: bring their list again instead."),
    "portrait.gone": message("The picture waited for more than an hour: bring it again."),
    "portrait.doubtful": message("Look at what is doubtful, and say that you take the picture nevertheless; or bring another one."),
    "served-in.same": message("That is the organisation of the record: leave it empty where the member is served at home."),
}  # fmt: skip

WRONG_FIELDS: Final = message("Look at the fields that are marked.")


def shown_text(column: MemberColumn, text: str | None, scheme: CardNumberScheme) -> str:
    """A field's text as people write it: dates as day/month/year, card numbers with their dot."""
    if text is None:
        return ""
    if column in DATES:
        return f"{date.fromisoformat(text):%d/%m/%Y}"
    if column is _Column.EARLIER_CARD_NUMBER:
        return scheme.display(CardNumber(text))
    return text


def shown_fields(values: Wanted, scheme: CardNumberScheme) -> Mapping[str, str]:
    """The fields of the form; a family name that nobody knows stays empty."""
    shown = {
        column.value: shown_text(column, values.get(column), scheme)
        for column in (
            *(each for _, columns in FIELD_GROUPS for each in columns),
            *EVENT_COLUMNS,
        )
    }
    if shown["primary_name"] == shown["full_name"]:
        shown["primary_name"] = ""
    return shown


CHOICES: Final = {"sex": words.SEXES, "standing": words.STANDINGS}
"""Fields with few values, and what they are called."""
