"""What the console calls states of the stock, and how it colours them."""

from typing import Final

from issuer.api.languages import message

__all__ = [
    "COUNT_PILLS",
    "COUNT_STATES",
    "DESTRUCTION_PILLS",
    "DESTRUCTION_STATES",
    "MOVEMENTS",
    "REFUSALS",
    "SITE_KINDS",
    "STOP_PILLS",
    "STOP_REASONS",
    "STOP_STATES",
]

SITE_KINDS: Final = {"store": message("Store"), "station": message("Station")}
MOVEMENTS: Final = {
    "delivered": message("Delivered"),
    "issued": message("Issued"),
    "returned": message("Returned"),
    "stolen": message("Stolen or missing"),
}
COUNT_STATES: Final = {
    "differs": message("Differs"),
    "counted": message("Waits for a second person"),
    "closed": message("Closed"),
}
COUNT_PILLS: Final = {"differs": "bad", "counted": "care", "closed": "good"}
DESTRUCTION_STATES: Final = {
    "witnessed": message("Waits for the second witness"),
    "destroyed": message("Destroyed"),
    "withdrawn": message("Withdrawn"),
}
DESTRUCTION_PILLS: Final = {"witnessed": "care", "destroyed": "good", "withdrawn": "quiet"}
STOP_REASONS: Final = {"stolen": message("Stolen"), "missing": message("Missing")}
STOP_STATES: Final = {
    "reported": message("Reported: waits for a second person"),
    "confirmed": message("Gone for good"),
    "lifted": message("Found"),
}
STOP_PILLS: Final = {"reported": "care", "confirmed": "bad", "lifted": "quiet"}
REFUSALS: Final = {
    "chip.serial-malformed": message("A serial has 20 digits, 0 to 9 and A to F"),
    "chip.not-in-stock": message("One of the chips was never received"),
    "chip.stolen": message("One of the chips is on the stop list: keep it apart and say so"),
    "stock.serials-malformed": message("Name at least one chip, and each only once"),
    "stock.elsewhere": message("One of the chips is in another site's books"),
    "stock.not-in-hand": message("One of the chips lies at no site any more"),
    "stock.not-blank": message("Only blanks are given out, and only blanks without a card are samples"),
    "stock.way": message("Chips are issued out of a store, and returned from a station to a store"),
    "stock.day-not-closed": message("The site owes the close of an earlier day: count it first"),
    "stock.count-differs": message("The count differs from the records: look for what is missing, and count again"),
    "stock.moved-since-count": message("Something moved since it was counted: let the stations rest, and count again"),
    "stock.out-of-balance": message("Movements and records disagree: tell whoever runs this service"),
    "stock.day-closed": message("Somebody has closed it already"),
    "stock.not-spoiled": message("Only spoiled chips and samples are destroyed: condemn the chip first"),
    "stock.destruction-open": message("One of the chips waits for the second witness of a destruction"),
    "stock.destruction-concluded": message("The destruction is over already"),
    "stock.destruction-differs": message("The first witness named another number of chips"),
    "stock.site-exists": message("There is a site of this code already"),
    "stock.site-malformed": message("A site's code begins with a lower-case letter; letters, digits and hyphens follow"),
    "stock.site-unknown": message("There is no such site"),
    "stock.remark-malformed": message("Write one line of at most 200 characters"),
    "stop.repeated": message("One of the chips is on the stop list already"),
    "stop.unknown": message("One of the chips is not on the stop list"),
    "stop.concluded": message("Two people have settled it already"),
    "stop.not-in-hand": message("The chip was destroyed, or is in its member's hand: report the loss of the card"),
    "card.may-be-operational": message("The card may work already: put it into a station, or destroy it before two witnesses"),
    "delivery.malformed": message("The list is csv in UTF-8 with a column serial"),
    "delivery.repeated": message("A serial stands twice in the list"),
}  # fmt: skip
"""What a refused act is told as; others get the word of their status."""
