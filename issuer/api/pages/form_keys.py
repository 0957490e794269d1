"""What forms of the console carry so that what they ask for is done once, and how their refusals are told."""

import re
from collections.abc import Mapping

from issuer.api.once import KEY_PATTERN
from issuer.api.pages import words
from issuer.api.problems import ApiError, ProductError, status_of
from issuer.api.remedies import remedy_of

__all__ = ["form_key", "problem_words"]


def form_key(fields: Mapping[str, str]) -> str:
    """The key that a form carries.

    Raises:
        ApiError: it has none (``api.request-invalid``).
    """
    key = fields.get("once", "")
    if not re.fullmatch(KEY_PATTERN, key):
        raise ApiError("the form has no key of its own", code="api.request-invalid")
    return key


def problem_words(error: ProductError | None) -> dict[str, str]:
    """What ``form_problem.html`` shows: nothing without an error."""
    if error is None:
        return {}
    remedy = words.REFUSALS.get(error.code) or remedy_of(error.code, int(status_of(error)))
    return {"code": error.code, "remedy": remedy}
