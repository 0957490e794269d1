"""What the console calls instances, bundles and conflicts, and how it colours them."""

from typing import Final

from issuer.api.languages import message

__all__ = [
    "CHOICES",
    "CONFLICTS",
    "COUNTS",
    "KINDS",
    "PILLS",
    "REFUSALS",
    "SIDES",
    "STATES",
    "WAYS",
]

SIDES: Final = {
    "above": message("Above us"),
    "below": message("Below us"),
    "source": message("Member database"),
}
STATES: Final = {
    "proposed": message("Waits for a second person"),
    "enrolled": message("Enrolled"),
    "suspended": message("Suspended"),
}
PILLS: Final = {"proposed": "care", "enrolled": "good", "suspended": "bad"}
WAYS: Final = {"out": message("Made here"), "in": message("Taken here")}
KINDS: Final = {
    "member": message("A member"),
    "request": message("A request"),
    "decision": message("A decision"),
}
COUNTS: Final = {
    "members": message("Members"),
    "members-new": message("Members recorded"),
    "members-changed": message("Members changed"),
    "members-unchanged": message("Members as they were"),
    "members-conflict": message("Members that wait for a person"),
    "members-gone": message("Members who are not there any more"),
    "requests": message("Requests"),
    "requests-new": message("Requests taken"),
    "requests-changed": message("Requests that went on"),
    "requests-unchanged": message("Requests as they were"),
    "requests-conflict": message("Requests that wait for a person"),
    "decisions": message("Decisions"),
    "decisions-taken": message("Decisions taken"),
    "blocks": message("Blocks of card numbers"),
    "blocks-new": message("Blocks of card numbers taken"),
    "blocks-unchanged": message("Blocks of card numbers as they were"),
    "index-sets": message("Sets of status indices"),
    "index-sets-new": message("Sets of status indices taken"),
    "index-sets-unchanged": message("Sets of status indices as they were"),
    "reports": message("Reports"),
    "reports-new": message("Reports taken"),
    "reports-unchanged": message("Reports as they were"),
    "conflicts": message("Conflicts"),
}
"""How much a bundle carried, and what became of it; what is not named here is not shown."""

CONFLICTS: Final = {
    "bundle.both-changed": message("The member was changed here and there since the last bundle."),
    "bundle.records-differ": message("The member is known here, and the two records differ."),
    "bundle.number-held": message("A number of the member is somebody else's here."),
    "bundle.likely-duplicate": message("Somebody here has the same name and date of birth, and other numbers."),
    "bundle.recorded-elsewhere": message("The member is recorded here in an organisation that is not the sender's."),
    "bundle.gone": message("They state all their members, and this member is none of them."),
    "bundle.no-portrait": message("The member is not known here, and came without a picture."),
    "bundle.member-unsettled": message("The request waits until it is settled who its member is."),
    "bundle.member-has-another": message("The member has an open request here already."),
    "bundle.both-moved": message("The request went on here and there."),
    "bundle.held-here": message("The request is in our hands, and they went on with it."),
    "bundle.held-elsewhere": message("The request is in another office's hands."),
    "bundle.wrong-state": message("The request is not as far as it has to be."),
    "request.same-hands": message("Too few people took the steps of the request."),
    "number.retired": message("A number belongs to somebody whose record was deleted."),
}  # fmt: skip
"""Why something of a bundle waits for a person."""

CHOICES: Final = {
    ("member", "theirs"): message("Theirs is true: take it"),
    ("member", "ours"): message("Ours is true: the same person, our record stays"),
    ("member", "neither"): message("Neither: take nothing, link nothing"),
    ("request", "theirs"): message("Take the request"),
    ("request", "ours"): message("Send the request back"),
}
"""What a person can say of a conflict, by its kind."""

REFUSALS: Final = {
    "bundle.gap": message("A bundle before this one is missing: ask them to write it again, and take it first."),
    "bundle.sequence-reused": message("Another bundle of this number was taken: their register was restored, or somebody else has their key. Suspend it where nobody can explain it."),
    "bundle.unknown-sender": message("It is signed by nobody who is enrolled here."),
    "bundle.other-receiver": message("The bundle is not for us."),
    "bundle.from-the-future": message("It tells of times to come: set the clocks, theirs and ours."),
    "bundle.not-theirs": message("It states what its sender may not speak for: ask them, and suspend the instance where nobody can explain it."),
    "bundle.malformed": message("The file is no bundle: have it written again."),
    "sealed-message.malformed": message("The file is no bundle: have it written again."),
    "sealed-message.other-receiver": message("The bundle is not for us."),
    "sealed-message.receiver-key": message("The bundle is sealed to another key than ours."),
    "sealed-message.seal-broken": message("The file was changed on its way: have it written again."),
    "exchange.not-installed": message("This register has no name among instances yet, or no certificates."),
    "exchange.certificate": message("The certificates are not of the trusted root, or bear another name."),
    "exchange.certificate-expired": message("A certificate is out of its time: have new ones made."),
    "instance.other-fingerprint": message("That is another fingerprint: ask the other office again before you confirm anything."),
    "instance.wrong-state": message("It was confirmed or suspended meanwhile: look at it again."),
    "instance.wrong-place": message("Its organisation does not stand on that side of ours."),
    "instance.not-enrolled": message("It has to be proposed and confirmed by two people first."),
    "instance.name-malformed": message("A name has 3 to 40 of a-z, 0-9 and hyphens, a letter first."),
    "instance.unknown": message("There is no such instance in your part of the tree."),
    "bundle.restored": message("This register was restored from a backup: somebody has to look into it and go on by hand."),
    "bundle.nothing-lost": message("Nothing was lost: bundles can be made as always."),
    "bundle.unknown": message("There was no such bundle."),
    "bundle.lost": message("The file is not in the store any more."),
    "numbers.block-spent": message("Some of these numbers may have been given out already."),
    "numbers.block-overlaps": message("Some of these numbers are in another block."),
    "numbers.other-committee": message("The numbers begin with another committee's number."),
    "numbers.range": message("The block ends before it begins."),
    "card-number.malformed": message("Write card numbers as they are printed on cards."),
    "status.set-size": message("Give 1 to 100,000 indices at a time."),
    "conflict.choice": message("It cannot be settled in this way: choose another one."),
    "conflict.settled": message("A colleague settled it meanwhile."),
    "conflict.unknown": message("There is no such conflict in your part of the tree."),
    "bundle.member-unsettled": message("Settle first who the member is: that is another conflict of the list."),
}  # fmt: skip
"""What to do about a refusal."""
