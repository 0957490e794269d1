"""What people type to find a member, and what is looked up by it."""

import contextlib
from dataclasses import dataclass, field
from typing import Final

from issuer.domain.card_number import CardNumber, CardNumberScheme
from issuer.domain.record_number import (
    CitizenNumber,
    RecordNumber,
    parse_citizen_number,
    parse_record_number,
)
from issuer.domain.vietnamese_text import fold
from issuer.errors import IssuerDataError

__all__ = ["NameQuestion", "SearchQuestion", "parse_search"]

_MAX_CHARACTERS: Final = 320
_MAX_WORDS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class NameQuestion:
    """Folded words of a name, of which two things may be meant.

    Either the last one is the given name, or its beginning, and the others are beginnings of other words of the name
    in any order; or the words are the beginning of the whole name, which somebody has not typed to its end.
    """

    given: str = field(repr=False)
    others: tuple[str, ...] = field(default=(), repr=False)

    @property
    def beginning(self) -> str:
        """The words as they were written."""
        return " ".join((*self.others, self.given))


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuestion:
    """What a text asks for: a name or one number; exactly one of these is given."""

    name: NameQuestion | None = None
    card_number: CardNumber | None = field(default=None, repr=False)
    record_number: RecordNumber | None = field(default=None, repr=False)
    citizen_number: CitizenNumber | None = field(default=None, repr=False)


def parse_search(text: str, *, scheme: CardNumberScheme) -> SearchQuestion:
    """What a text asks for; numbers are told apart by their form.

    The last word is taken for the given name, as it stands in a Vietnamese name, or all of them for a beginning.

    Raises:
        IssuerDataError: nothing can be found by it (``search.malformed``).
    """
    asked = text.strip()
    if len(asked) <= _MAX_CHARACTERS:
        with contextlib.suppress(IssuerDataError):
            return SearchQuestion(card_number=scheme.parse(asked))
        with contextlib.suppress(IssuerDataError):
            return SearchQuestion(record_number=parse_record_number(asked))
        with contextlib.suppress(IssuerDataError):
            return SearchQuestion(citizen_number=parse_citizen_number(asked))
        words = fold(asked).split()
        if 0 < len(words) <= _MAX_WORDS and all(word.isalpha() for word in words):
            return SearchQuestion(name=NameQuestion(given=words[-1], others=tuple(words[:-1])))
    raise IssuerDataError(
        f"search text of {len(text)} characters, expected a name or a number of a member",
        code="search.malformed",
        hint="the given name, the beginning of the name, or words of it with the given name last",
    )
