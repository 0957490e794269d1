"""Errors of card production beside those of ``issuer.errors``, split by what a station can do.

They are kinds of ``IssuerRefusedError``:

    TransitionError     the record is in a state in which this cannot happen: look at it, put in another chip
    CardRejectedError   this chip must never become a card: it is condemned, its member gets another
"""

from issuer.errors import IssuerRefusedError

__all__ = ["CardRejectedError", "TransitionError"]


class TransitionError(IssuerRefusedError):
    """The record's state forbids the step: it was done already, or something before it was not."""

    default_code = "production.wrong-state"


class CardRejectedError(IssuerRefusedError):
    """The chip failed quality control; the code is the reason for which it is condemned."""

    default_code = "quality-control.failed"
