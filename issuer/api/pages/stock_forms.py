"""What forms of the stock bring: serials as a scanner types them, and numbers as people count."""

import re
from collections.abc import Mapping
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from issuer.api.pages import stock_words
from issuer.api.pages.form_keys import problem_words
from issuer.api.problems import ProductError
from issuer.domain.chip import parse_serial
from issuer.errors import IssuerDataError

__all__ = ["ASKED_AGAIN", "body_of", "number_of", "serials_of", "told"]

ASKED_AGAIN: Final = frozenset({"right.step-up-needed", "session.ended", "right.missing"})
"""Refusals that lead to another page than the form's."""

_SEPARATORS = re.compile(r"[\s,;]+")
_MAX_DIGITS: Final = 9
_Body = TypeVar("_Body", bound=BaseModel)


def serials_of(fields: Mapping[str, str], name: str = "serials") -> list[str]:
    """Serials separated by spaces, lines, commas or semicolons.

    Raises:
        IssuerDataError: ``chip.serial-malformed``.
    """
    words = [each for each in _SEPARATORS.split(fields.get(name, "")) if each]
    return [parse_serial(each).hex().upper() for each in words]


def number_of(fields: Mapping[str, str], name: str) -> int:
    """A number as it was typed; nothing is none.

    Raises:
        IssuerDataError: ``stock.count-malformed``.
    """
    text = fields.get(name, "").strip() or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise IssuerDataError(f"{name} is no number", code="stock.count-malformed")
    return int(text)


def body_of(shape: type[_Body], /, **values: object) -> _Body:
    """What the form asks for, in the shape of the API.

    Raises:
        IssuerDataError: ``stock.serials-malformed``, ``stock.remark-malformed``, ``stock.site-malformed``: by the
            first field that is wrong.
    """
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        raise IssuerDataError(
            f"field {field} of the form is wrong",
            code=_FIELD_CODES.get(field, "stock.remark-malformed"),
        ) from error


_FIELD_CODES: Final = {
    "serials": "stock.serials-malformed",
    "scanned": "stock.serials-malformed",
    "to": "stock.site-unknown",
    "site": "stock.site-unknown",
    "code": "stock.site-malformed",
    "name": "stock.site-malformed",
    "kind": "stock.site-malformed",
    "organisation": "organisation.unknown",
}


def told(error: ProductError | None) -> dict[str, str]:
    """What ``form_problem.html`` shows."""
    words = problem_words(error)
    if error is not None and error.code in stock_words.REFUSALS:
        words["remedy"] = stock_words.REFUSALS[error.code]
    return words
