"""Letters that only look like Vietnamese ones, or come from fonts of the time before Unicode.

U+00D0 and U+0189 look like Đ (U+0110), and U+00F0 and U+0256 like đ. At the beginning of a word, where Vietnamese
has Đ and no other language of the country has those letters, what was meant is plain, and a person only confirms
it; within a word it is not, and TCVN3 fonts put U+00D0 there for another letter altogether.

In a list that was typed for a TCVN3 (ABC) font, "Nguyễn Văn An" reads "NguyÔn V¨n An".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from issuer.domain.list_row import Finding, ListRow

__all__ = ["LOOK_ALIKES", "TextReading", "read_letters", "with_letters_read"]

LOOK_ALIKES: Final = {"\u00d0": "Đ", "\u0189": "Đ", "\u00f0": "đ", "\u0256": "đ"}
"""The letters, each with the one that it looks like."""

_AT_WORD_BEGIN = re.compile("(?<![^\\W_])[\u00d0\u0189\u00f0\u0256](?=[^\\W\\d_])")
_OLD_SIGNS = "¡¢§£¤¥¦¨©ª«¬®µ¶·¸¹»¼½¾×÷"
_CAPITALS = "À-ÖØ-Þ"
_FOREIGN_LETTERS = "ÄÅÆÇËÎÏÖØÛÜÞßäåæçëîïöøûüþÿ"
_OLD_FONT = re.compile(f"[{_OLD_SIGNS}]|[a-zà-ỹ][{_CAPITALS}]")
_FOREIGN = re.compile(f"[{_FOREIGN_LETTERS}]")
_SUSPICIOUS = re.compile(f"[{''.join(LOOK_ALIKES)}]|{_OLD_FONT.pattern}|{_FOREIGN.pattern}")
_WORTH_A_LOOK = re.compile(f"[{''.join(LOOK_ALIKES)}{_OLD_SIGNS}{_CAPITALS}{_FOREIGN_LETTERS}]")
"""Every suspicious text holds one of these, and a text is searched for single letters much faster than for pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReading:
    """A text as it is meant, and what has to be said of it: code and sentence, a refusal or a doubt."""

    text: str
    refusal: tuple[str, str] | None = None
    doubt: tuple[str, str] | None = None


def read_letters(text: str, *, subject: str) -> TextReading | None:
    """Read one text; ``None`` where all its letters are what they look like.

    Args:
        text: as it came.
        subject: ``name`` or ``text``, with which the codes begin.
    """
    if _SUSPICIOUS.search(text) is None:
        return None
    if _OLD_FONT.search(text) is not None:
        return TextReading(
            text=text,
            refusal=(
                f"{subject}.old-font",
                "the letters are those of a font from before Unicode (TCVN3); convert the list to Unicode",
            ),
        )
    meant, count = _AT_WORD_BEGIN.subn(lambda match: LOOK_ALIKES[match[0]], text)
    if count:
        return TextReading(
            text=meant,
            doubt=(
                f"{subject}.look-alike-read",
                "a letter that only looks like Đ (U+0110) was read as Đ",
            ),
        )
    if _FOREIGN.search(text) is not None:
        return TextReading(
            text=text,
            doubt=(
                f"{subject}.foreign-letter",
                "a letter stands there that Vietnamese does not have; an old font may be behind it",
            ),
        )
    # What is left are look-alikes within words: the rules of the text refuse them with their position.
    return None


def with_letters_read(row: ListRow, subjects: Mapping[str, str]) -> tuple[ListRow, list[Finding]]:
    """The row with its texts as they are meant and refusals noted in it; and the doubts.

    Args:
        row: as it came.
        subjects: the columns that hold text, and whether each is a ``name`` or a ``text``.
    """
    cells = row.cells
    texts = [cell for column in subjects if isinstance(cell := cells.get(column), str)]
    # Nearly always there is nothing to be found, and one look at all of them says so.
    together = "\n".join(texts)
    if _WORTH_A_LOOK.search(together) is None or _SUSPICIOUS.search(together) is None:
        return row, []
    readings: dict[str, TextReading] = {}
    for column, subject in subjects.items():
        cell = cells.get(column)
        if isinstance(cell, str) and (reading := read_letters(cell, subject=subject)) is not None:
            readings[column] = reading
    if not readings:
        return row, []

    def finding(column: str, said: tuple[str, str]) -> Finding:
        return Finding(row=row.number, column=column, code=said[0], sentence=said[1])

    refused = {
        column: finding(column, reading.refusal)
        for column, reading in readings.items()
        if reading.refusal is not None
    }
    doubts = [
        finding(column, reading.doubt)
        for column, reading in readings.items()
        if reading.doubt is not None
    ]
    changed = dict(cells) | {
        column: None if column in refused else reading.text for column, reading in readings.items()
    }
    return replace(row, cells=changed, findings=(*row.findings, *refused.values())), doubts
