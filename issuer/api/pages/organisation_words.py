"""What the console calls acts with the tree of organisations, their fields and refusals."""

from typing import Final

from issuer.api.languages import message
from issuer.api.organisation_acts import OrganisationActName
from issuer.api.pages import member_words

__all__ = [
    "CHANGES",
    "DONE",
    "FIELDS",
    "LINKS",
    "NEW_NOTES",
    "NOTES",
    "REFUSALS",
    "STORE",
    "TITLES",
    "WEIGHTY",
]

_Act = OrganisationActName

LINKS: Final = {
    _Act.RENAMING.value: message("Name or level"),
    _Act.MOVE.value: message("Move"),
    _Act.MERGER.value: message("Merge"),
    _Act.CLOSURE.value: message("Close down"),
}
TITLES: Final = {
    _Act.RENAMING.value: message("Another name of %(name)s"),
    _Act.MOVE.value: message("Move %(name)s under another organisation"),
    _Act.MERGER.value: message("Merge %(name)s into another organisation"),
    _Act.CLOSURE.value: message("Close down %(name)s"),
}
NOTES: Final = {
    _Act.RENAMING.value: message("From the day that the decision names. The tree of every day before keeps the old name."),
    _Act.MOVE.value: message("With everything below it. You need the right to change the tree in both places."),
    _Act.MERGER.value: message("Its members and the organisations directly below it go there on the same day; it is no more. You need the right to change the tree in both places."),
    _Act.CLOSURE.value: message("Only where nobody is recorded or served in it and nothing is open below it."),
}  # fmt: skip
STORE: Final = {
    _Act.RENAMING.value: message("Store the new name"),
    _Act.MOVE.value: message("Store the move"),
    _Act.MERGER.value: message("Merge it"),
    _Act.CLOSURE.value: message("Close it down for ever"),
}
DONE: Final = {
    _Act.RENAMING.value: message("The new name is recorded."),
    _Act.MOVE.value: message("The organisation was moved."),
    _Act.MERGER.value: message("The organisation was merged."),
    _Act.CLOSURE.value: message("The organisation was closed."),
    "added": message("The organisation was recorded."),
}
WEIGHTY: Final = frozenset({_Act.MERGER.value, _Act.CLOSURE.value})
"""After these nothing follows: their button is red."""

FIELDS: Final = {
    "name": message("Name"),
    "level": message("Level"),
    "on": message("From this day on"),
    "under": message("The organisation above it"),
    "into": message("The organisation that takes over"),
    "code": message("Code"),
    "parent_code": message("The organisation above it"),
    "committee_number": message("Committee number"),
    "valid_from": message("First day"),
    "is_open": message("Works"),
}
NEW_NOTES: Final = {
    "code": message("It stays its own for ever: not even that of a closed organisation is given again."),
    "parent_code": message("Empty: it stands at the top of the tree."),
    "committee_number": message("Two digits that begin the card numbers of its members; empty: those of the organisation above."),
    "level": message("Such as chi bộ or đảng ủy cơ sở; it may stay empty."),
    "valid_from": message("Of the decision that founded it; empty: not known, which counts as always."),
}  # fmt: skip
CHANGES: Final = {
    "recorded": message("Recorded"),
    "renamed": message("Another name or level"),
    "moved": message("Moved"),
    "merged": message("Merged into another one"),
    "closed": message("Closed down"),
}
REFUSALS: Final = {
    **{
        code: member_words.REFUSALS[code]
        for code in (
            "change.reason", "evidence.kind", "evidence.too-large", "organisation.code-malformed",
            "organisation.unknown",
        )
    },
    "organisation.changed": message("Somebody else changed this organisation while you were at it. Nothing you typed is lost: look at what is different now, and send it again."),
    "organisation.unchanged": message("Nothing would change: the register says exactly this already."),
    "organisation.closed": message("It is closed: nothing happens to it any more, and its code is not used again."),
    "organisation.not-empty": message("Somebody is recorded or served in it, or something is open below it: merge it into another one instead."),
    "organisation.too-large": message("More than 100,000 members at once: transfer them in parts first."),
    "organisation.future": message("The day lies ahead: record it when it has happened."),
    "organisation.order": message("The day lies before the last change: check it."),
    "organisation.circle": message("It would stand above itself: choose another place."),
    "organisation.too-deep": message("The tree would have more than 16 levels: choose another place."),
    "organisation.repeated": message("The register has an organisation of this code already."),
    "organisation.committee-number-malformed": message("The committee number has two digits."),
    "organisation.list-refused": message("Nothing was taken. Put right what is listed below, and bring the list again."),
    "file.too-many-rows": message("Bring the list in parts of at most 20,000 rows, from the top of the tree downwards."),
    "right.missing": message("You may not change the tree there: whoever has the right in both places does this."),
    "text.empty": message("The name is missing."),
    "text.too-long": message("The name is too long for a card."),
}  # fmt: skip
