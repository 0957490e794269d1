"""A paper of the office: A4, lines from the top of a page to its bottom, on as many pages as it takes.

Every paper says its words in Vietnamese first and in English beside them; its bytes depend on its content alone.
"""

import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

__all__ = ["MAX_LINES_OF_PERSON", "PersonEntry", "Sheet"]

_FONT: Final = "membercard-text"
_BOLD: Final = "membercard-bold"
_FONT_FILES: Final = {_FONT: "NotoSans-Regular.ttf", _BOLD: "NotoSans-Bold.ttf"}
_MARGIN: Final = 20 * mm
_SIZE: Final = 9.0
_LEADING: Final = 13.0
_LABEL_WIDTH: Final = 62 * mm
_GAP: Final = 3 * mm
_PORTRAIT_WIDTH: Final = 30 * mm
_SIGNATURE_HEIGHT: Final = 24 * mm
_SMALL_PORTRAIT_WIDTH: Final = 18 * mm
_SMALL_SIZE: Final = 7.5
_SMALL_LEADING: Final = 9.5

MAX_LINES_OF_PERSON: Final = 9
"""As many lines have room beside a small portrait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonEntry:
    """One person on a sheet: the portrait, JPEG or PNG, and at most ``MAX_LINES_OF_PERSON`` lines; the first is bold."""

    portrait: bytes | None
    lines: Sequence[str]


class Sheet:
    """One paper, written from top to bottom; ``content`` ends it."""

    def __init__(self, title: str, *, foot: str = "", is_landscape: bool = False) -> None:
        """``title`` stands on top and in the properties of the file, ``foot`` on every page beside its number."""
        _register_fonts()
        self._buffer = io.BytesIO()
        self._page_width, self._page_height = landscape(A4) if is_landscape else A4
        self._width = self._page_width - 2 * _MARGIN
        self._canvas = Canvas(
            self._buffer, pagesize=(self._page_width, self._page_height), invariant=True
        )
        self._canvas.setTitle(title)
        self._page = 1
        self._foot = foot
        self._top: float = self._page_height - _MARGIN
        self._write(_MARGIN, title, _BOLD, 13.0)
        self._down(2 * _LEADING)

    def heading(self, text: str) -> None:
        """The head of a section; it stays with the line behind it."""
        self._down(_LEADING)
        self._require(3 * _LEADING)
        self._write(_MARGIN, text, _BOLD, 10.5)
        self._down(1.3 * _LEADING)

    def picture(self, image: bytes) -> None:
        """A portrait, 30 mm wide and three by four."""
        height = _PORTRAIT_WIDTH * 4 / 3
        self._require(height)
        self._canvas.drawImage(
            ImageReader(io.BytesIO(image)),
            _MARGIN,
            self._top - height,
            width=_PORTRAIT_WIDTH,
            height=height,
            preserveAspectRatio=True,
        )
        self._down(height + 1.5 * _LEADING)

    def people(self, entries: Iterable[PersonEntry]) -> None:
        """Portraits with lines beside them, two people side by side."""
        width = self._width / 2
        height = max(_SMALL_PORTRAIT_WIDTH * 4 / 3, _SMALL_LEADING * MAX_LINES_OF_PERSON) + _GAP
        for position, entry in enumerate(entries):
            is_left = position % 2 == 0
            if is_left:
                if position:
                    self._top -= height
                self._require(height)
            left = _MARGIN + (0 if is_left else width)
            self._person(entry, left, width)
        self._down(height)

    def _person(self, entry: PersonEntry, left: float, width: float) -> None:
        if entry.portrait is not None:
            tall = _SMALL_PORTRAIT_WIDTH * 4 / 3
            self._canvas.drawImage(
                ImageReader(io.BytesIO(entry.portrait)),
                left,
                self._top - tall,
                width=_SMALL_PORTRAIT_WIDTH,
                height=tall,
                preserveAspectRatio=True,
            )
        beside = left + _SMALL_PORTRAIT_WIDTH + _GAP
        room = width - _SMALL_PORTRAIT_WIDTH - 2 * _GAP
        line_top = self._top - _SMALL_LEADING
        for number, text in enumerate(entry.lines[:MAX_LINES_OF_PERSON]):
            font = _BOLD if number == 0 else _FONT
            self._canvas.setFont(font, _SMALL_SIZE)
            self._canvas.drawString(beside, line_top, _fitting(text, room, font))
            line_top -= _SMALL_LEADING

    def pair(self, label: str, value: str) -> None:
        """A word and what it says, beside each other."""
        self._write(_MARGIN, label, _BOLD, _SIZE)
        left = _MARGIN + _LABEL_WIDTH
        for part in _wrapped(value, self._page_width - _MARGIN - left):
            self._write(left, part, _FONT, _SIZE)
            self._down(_LEADING)

    def line(self, text: str) -> None:
        """One paragraph."""
        for part in _wrapped(text, self._width):
            self._write(_MARGIN, part, _FONT, _SIZE)
            self._down(_LEADING)

    def table(
        self,
        head: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        shares: Sequence[float],
        figures: Collection[int] = (),
    ) -> None:
        """Rows under a head that every page repeats; ``shares`` divide the width among the columns.

        Columns of ``figures``, counted from 0, stand at their right edge.

        Raises:
            ValueError: head, rows and shares are not equally long.
        """
        widths = [self._width * share / sum(shares) for share in shares]
        self._require(3 * _LEADING)
        self._row(head, widths, _BOLD, figures)
        for row in rows:
            height = _LEADING * max(
                len(_wrapped(text, width - _GAP)) for text, width in zip(row, widths, strict=True)
            )
            if not self._has_room(height):
                self._turn()
                self._row(head, widths, _BOLD, figures)
            self._row(row, widths, _FONT, figures)

    def signatures(self, labels: Sequence[str]) -> None:
        """Places to sign, side by side, on one page.

        Raises:
            ValueError: there are none.
        """
        if not labels:
            raise ValueError("a paper without signatures has no places to sign")
        self._down(_LEADING)
        self._require(_SIGNATURE_HEIGHT)
        width = self._width / len(labels)
        foot = self._top - _SIGNATURE_HEIGHT + _LEADING
        for position, label in enumerate(labels):
            left = _MARGIN + position * width
            for number, part in enumerate(_wrapped(label, width - _GAP, _BOLD)):
                self._canvas.setFont(_BOLD, _SIZE)
                self._canvas.drawString(left, self._top - number * _LEADING, part)
            self._canvas.line(left, foot, left + width - _GAP, foot)
        self._down(_SIGNATURE_HEIGHT)

    def content(self) -> bytes:
        """The finished paper; nothing can be written behind it."""
        self._number()
        self._canvas.save()
        return self._buffer.getvalue()

    def _row(
        self,
        texts: Sequence[str],
        widths: Sequence[float],
        font: str,
        figures: Collection[int],
    ) -> None:
        columns = [
            _wrapped(text, width - _GAP, font) for text, width in zip(texts, widths, strict=True)
        ]
        for number in range(max(map(len, columns))):
            left = _MARGIN
            for position, (column, width) in enumerate(zip(columns, widths, strict=True)):
                if number < len(column):
                    free = width - _GAP - pdfmetrics.stringWidth(column[number], font, _SIZE)
                    shift = free if position in figures else 0
                    self._write(left + shift, column[number], font, _SIZE)
                left += width
            self._down(_LEADING)

    def _write(self, left: float, text: str, font: str, size: float) -> None:
        self._canvas.setFont(font, size)
        self._canvas.drawString(left, self._top, text)

    def _down(self, height: float) -> None:
        self._top -= height
        self._require(0)

    def _require(self, height: float) -> None:
        """Go on upon the next page where this one has no room for so much."""
        if not self._has_room(height):
            self._turn()

    def _has_room(self, height: float) -> bool:
        return bool(self._top - height >= _MARGIN + _LEADING)

    def _turn(self) -> None:
        self._number()
        self._canvas.showPage()
        self._page += 1
        self._top = self._page_height - _MARGIN

    def _number(self) -> None:
        self._canvas.setFont(_FONT, _SIZE)
        self._canvas.drawCentredString(self._page_width / 2, _MARGIN / 2, str(self._page))
        if self._foot:
            self._canvas.drawString(_MARGIN, _MARGIN / 2 + _LEADING, self._foot)


def _register_fonts() -> None:
    for name, file in _FONT_FILES.items():
        if name not in pdfmetrics.getRegisteredFontNames():
            content = files("pki.ceremony").joinpath("fonts", file).read_bytes()
            pdfmetrics.registerFont(TTFont(name, io.BytesIO(content)))


def _fitting(text: str, room: float, font: str) -> str:
    """The text, cut where it has no room; what was cut shows."""
    if pdfmetrics.stringWidth(text, font, _SMALL_SIZE) <= room:
        return text
    while text and pdfmetrics.stringWidth(text + "…", font, _SMALL_SIZE) > room:
        text = text[:-1]
    return text + "…"


def _wrapped(text: str, room: float, font: str = _FONT) -> Sequence[str]:
    """The text in lines that fit; a word that is too long for a line is cut into pieces that fit."""
    lines: list[str] = [""]
    for word in text.split():
        candidate = f"{lines[-1]} {word}".strip()
        if pdfmetrics.stringWidth(candidate, font, _SIZE) <= room:
            lines[-1] = candidate
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if pdfmetrics.stringWidth(lines[-1] + letter, font, _SIZE) > room:
                lines.append("")
            lines[-1] += letter
    return lines
