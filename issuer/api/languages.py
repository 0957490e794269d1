"""Languages of the console: texts in English in code and templates, Vietnamese in a catalogue beside them.

Catalogues are read as they are (gettext's .po); nothing is compiled beforehand.
"""

import enum
import functools
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from importlib import resources
from typing import Final

from babel.dates import format_date, format_datetime
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

__all__ = ["LANGUAGE_COOKIE", "Language", "Wording", "choose_language", "message", "wording"]

LANGUAGE_COOKIE: Final = "language"
_VIET_NAM: Final = timezone(timedelta(hours=7), "+07:00")
"""Viet Nam keeps one time and no summer time."""

_DATE: Final = "dd/MM/yyyy"
_TIME: Final = "HH:mm dd/MM/yyyy"


class Language(enum.StrEnum):
    """What the console speaks."""

    VIETNAMESE = "vi"
    ENGLISH = "en"


def message(text: str) -> str:
    """Mark a text for the catalogues where it is written down; it is translated where it is shown."""
    return text


class Wording:
    """Texts, dates and figures of one language."""

    def __init__(self, language: Language, texts: dict[str, str | Sequence[str]]) -> None:
        self.language = language
        self._texts = texts

    def gettext(self, text: str) -> str:
        """The text in this language."""
        found = self._texts.get(text, text)
        return found if isinstance(found, str) else found[0]

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        """The text that goes with a number; Vietnamese has one form for all of them."""
        found = self._texts.get(singular)
        if found is None:
            return singular if number == 1 else plural
        return found if isinstance(found, str) else found[0]

    def date(self, value: date) -> str:
        """A day, as both languages of an office in Viet Nam write it."""
        return format_date(value, _DATE, locale=self.language.value)

    def time(self, value: datetime) -> str:
        """A moment, in the time of Viet Nam."""
        return format_datetime(
            value.astimezone(_VIET_NAM).replace(tzinfo=None), _TIME, locale=self.language.value
        )

    def clock(self, value: datetime) -> str:
        """The time of day, in the time of Viet Nam."""
        return f"{value.astimezone(_VIET_NAM):%H:%M}"

    def number(self, value: int) -> str:
        """A figure with its thousands apart."""
        return format_decimal(Decimal(value), locale=self.language.value)

    def share(self, per_mille: int) -> str:
        """A share that is given in thousandths, in per cent with one place."""
        share = format_decimal(Decimal(per_mille) / 10, format="0.0", locale=self.language.value)
        return f"{share} %"


@functools.cache
def wording(language: Language) -> Wording:
    """The texts of a language."""
    if language is Language.ENGLISH:
        return Wording(language, {})
    path = resources.files("issuer.api") / "catalogues" / f"{language.value}.po"
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language.value)
    texts: dict[str, str | Sequence[str]] = {}
    for each in catalogue:
        if not each.id or each.fuzzy:
            continue
        key = each.id if isinstance(each.id, str) else each.id[0]
        texts[key] = each.string if isinstance(each.string, str) else tuple(each.string or ())
    return Wording(language, texts)


def choose_language(*, cookie: str | None, accepted: str) -> Language:
    """The language that was chosen, else the first one that the browser names and we speak, else Vietnamese."""
    if cookie in set(Language):
        return Language(cookie)
    for each in accepted[:200].split(","):
        name = each.partition(";")[0].strip().lower().partition("-")[0]
        if name in set(Language):
            return Language(name)
    return Language.VIETNAMESE
