"""Every text of the console stands in the catalogues, and no template holds one of its own."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from jinja2 import Environment

from issuer.api.languages import Language, choose_language, wording

ROOT = Path(__file__).resolve().parents[3]
API = ROOT / "issuer" / "api"
TEMPLATES = sorted((API / "templates").glob("*.html"))
CATALOGUE = API / "catalogues" / "vi.po"
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")
NAMES_OF_LANGUAGES = {"Tiếng Việt", "English"}
"""A language is named in itself."""


def extracted() -> dict[str, str | tuple[str, ...]]:
    found: dict[str, str | tuple[str, ...]] = {}
    methods = [("**.py", "python"), ("**.html", "jinja2.ext.babel_extract")]
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2), "message": None}
    for _file, _line, each, _comments, _context in extract_from_dir(
        API, method_map=methods, keywords=keywords, options_map={"**.html": {"silent": "false"}}
    ):
        found[each if isinstance(each, str) else each[0]] = each
    return found


def catalogue() -> dict[str, str | tuple[str, ...]]:
    with CATALOGUE.open("rb") as file:
        found = read_po(file, locale="vi", abort_invalid=True)
    assert not found.obsolete
    assert not [each.id for each in found if each.fuzzy and each.id]
    return {
        each.id if isinstance(each.id, str) else each.id[0]: each.string
        for each in found
        if each.id
    }


def test_every_text_is_translated_and_no_translation_is_left_over() -> None:
    texts, translations = extracted(), catalogue()
    assert len(texts) > 40
    assert {
        "missing": sorted(set(texts) - set(translations)),
        "left over": sorted(set(translations) - set(texts)),
    } == {"missing": [], "left over": []}


def test_translations_are_not_empty_and_keep_what_is_filled_in() -> None:
    for text, translation in catalogue().items():
        forms = [translation] if isinstance(translation, str) else list(translation)
        for form in forms:
            assert form.strip(), text
            assert sorted(PLACEHOLDER.findall(form)) == sorted(PLACEHOLDER.findall(text)), text


class Bare(HTMLParser):
    """Collects texts that people read."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._quiet = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._quiet += tag in {"kbd", "script", "style"}
        for name, value in attrs:
            if name in {"title", "alt", "placeholder", "aria-label"} and value:
                self.found.append(value)

    def handle_endtag(self, tag: str) -> None:
        self._quiet -= tag in {"kbd", "script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self.found.append(data)


def bare_texts(source: str) -> Iterator[str]:
    """What stands in a template outside of what Jinja fills in."""
    kept: list[str] = []
    inside = False
    for _line, kind, text in Environment(autoescape=True).lex(source):
        if kind in {"variable_begin", "block_begin", "comment_begin"}:
            inside = True
            # Something is filled in here; inside a tag it has to stay one word.
            kept.append("0" if kind == "variable_begin" else " ")
        elif kind in {"variable_end", "block_end", "comment_end"}:
            inside = False
        elif not inside and kind == "data":
            kept.append(text)
    parser = Bare()
    parser.feed("".join(kept))
    parser.close()
    for text in parser.found:
        words = text.strip()
        if any(letter.isalpha() for letter in words) and words not in NAMES_OF_LANGUAGES:
            yield words


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_no_template_holds_a_text_of_its_own(template: Path) -> None:
    assert list(bare_texts(template.read_text(encoding="utf-8"))) == []


def test_the_search_for_bare_texts_finds_them() -> None:
    found = list(
        bare_texts('<p>{{ _("a") }} Xin chào</p><img alt="Ảnh"><i title="{{ x }}">1 · {% if y %}%{% endif %}</i>')
    )  # fmt: skip
    assert found == ["0 Xin chào", "Ảnh"]


@pytest.mark.parametrize(
    ("cookie", "accepted", "language"),
    [
        (None, "", "vi"), (None, "en-US,en;q=0.9", "en"), (None, "fr, vi;q=0.8, en", "vi"),
        ("en", "vi", "en"), ("de", "en", "en"), ("vi", "en", "vi"), (None, "*", "vi"),
    ],
)  # fmt: skip
def test_the_language_is_the_chosen_one_else_the_browser_s_else_vietnamese(
    cookie: str | None, accepted: str, language: str
) -> None:
    assert choose_language(cookie=cookie, accepted=accepted) == Language(language)


def test_dates_times_and_figures_are_written_as_an_office_in_viet_nam_writes_them() -> None:
    vietnamese, english = wording(Language.VIETNAMESE), wording(Language.ENGLISH)
    assert vietnamese.date(date(2026, 2, 3)) == english.date(date(2026, 2, 3)) == "03/02/2026"
    assert vietnamese.time(datetime(2026, 11, 22, 18, 30, tzinfo=UTC)) == "01:30 23/11/2026"
    assert vietnamese.number(5600000) == "5.600.000"
    assert english.number(5600000) == "5,600,000"


def test_vietnamese_is_written_in_composed_form() -> None:

    text = CATALOGUE.read_text(encoding="utf-8")
    assert text == unicodedata.normalize("NFC", text)
