import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.vietnamese_text import (
    clean_name,
    clean_text,
    fold,
    likeness,
    search_key,
    sort_key,
)
from issuer.errors import IssuerDataError

NAMES = (
    "Nguyễn Văn An",
    "Đỗ Thị Đào",
    "H'Hen Niê",
    "K' Tem",
    "Y Bhăm Êban",
    "Giàng A Páo",
    "Hạnh",
    "Nguyễn Trần Hoàng Thiên Ân Minh Đức Quang Huy Thanh Phong",
    "Công Tằng Tôn Nữ Thị Minh-Hương",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_kept_as_it_is_written(name: str) -> None:
    assert clean_name(name, max_bytes=160) == name


@pytest.mark.parametrize("name", NAMES)
def test_a_decomposed_name_is_composed(name: str) -> None:
    assert clean_name(unicodedata.normalize("NFD", name), max_bytes=160) == name


def test_a_letter_with_two_marks_that_have_no_composed_form_is_a_letter() -> None:
    name = "Y Thê\u0306n"
    assert clean_name(name, max_bytes=160) == name


def test_spaces_around_and_between_words_are_layout() -> None:
    assert clean_name("  Hoàng   An ", max_bytes=160) == "Hoàng An"


def test_old_and_new_tone_placement_stay_two_names() -> None:
    assert clean_name("Hoà", max_bytes=160) != clean_name("Hòa", max_bytes=160)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("", "name.empty"),
        ("   ", "name.empty"),
        ("\u00d0ỗ Thị Đào", "name.look-alike"),
        ("\u0189ỗ Thị Đào", "name.look-alike"),
        ("Nguyễn\u0000An", "name.malformed"),
        ("Nguyễn\nAn", "name.malformed"),
        ("Nguyễn\u202eAn", "name.malformed"),
        ("Nguyễn\u200bAn", "name.malformed"),
        ("Nguyễn An 2", "name.character"),
        ("Nguyễn 😀", "name.character"),
        ("<b>An</b>", "name.character"),
        ("An'; DROP TABLE members; --", "name.character"),
        ("=1+1", "name.character"),
        ("\u0301An", "name.character"),
        ("N\u0306\u0306\u0306a", "name.character"),
        ("' -", "name.character"),
        ("An " * 200, "name.too-long"),
        ("ệ" * 54, "name.too-long"),
    ],
)
def test_what_is_no_name_is_refused(written: str, code: str) -> None:
    with pytest.raises(IssuerDataError) as refusal:
        clean_name(written, max_bytes=160)
    assert refusal.value.code == code


def test_a_refusal_does_not_quote_the_name() -> None:
    with pytest.raises(IssuerDataError) as refusal:
        clean_name("Secretname 5", max_bytes=160)
    assert "Secretname" not in str(refusal.value)


@pytest.mark.parametrize(
    "place", ['xã "Mẫu" (cũ), tỉnh Giả Định', "Khu 5/12, P. Bến Đò", "thôn A & B: 3–4"]
)
def test_places_may_hold_digits_and_the_punctuation_of_addresses(place: str) -> None:
    assert clean_text(place, max_bytes=320) == place


@pytest.mark.parametrize("place", ["xã <script>", "xã\u007f", "xã 😀", "a;b", "x{y}", "5\u0301"])
def test_a_place_holds_nothing_else(place: str) -> None:
    with pytest.raises(IssuerDataError) as refusal:
        clean_text(place, max_bytes=320)
    assert refusal.value.code in ("text.character", "text.malformed")


@given(st.text(max_size=400), st.sampled_from([clean_name, clean_text]))
def test_any_text_is_cleaned_once_and_for_all_or_refused(
    written: str, clean: Callable[..., str]
) -> None:
    try:
        cleaned = clean(written, max_bytes=160)
    except IssuerDataError:
        return
    assert unicodedata.is_normalized("NFC", cleaned)
    assert 0 < len(cleaned.encode()) <= 160
    assert clean(cleaned, max_bytes=160) == cleaned


def test_lists_are_ordered_by_given_name_then_family_name() -> None:
    wanted = [
        "Trần Văn An",
        "Lê An Ánh",
        "Vũ Ân",
        "Bùi Thị Bé",
        "Nguyễn Cường",
        "Hoàng Dũng",
        "Đinh Hữu Đạt",
        "Đỗ Đạt",
        "Y Bhăm Êban",
        "Lý Hoa",
        "Mai Hoa",
        "An Hoà",
        "An Hòa",
        "An Hóa",
        "An Hoạ",
        "Lê Ơn",
        "Lê Tem",
        "Lê Tư",
        "Lê Yến",
    ]
    assert sorted(sorted(wanted), key=sort_key) == wanted


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("An", "Anh"),
        ("Nguyễn An", "Nguyễn Ánh"),
        ("Ngô An", "Nguyễn An"),
        ("Nguyễn Anh An", "Nguyễn Bảo An"),
        ("An", "Nguyễn An"),
        ("Ma", "Mà"),
        ("Mà", "Mả"),
        ("Mả", "Mã"),
        ("Mã", "Má"),
        ("Má", "Mạ"),
        ("Mạ", "Mai"),
        ("Da", "Đa"),
        ("Đa", "Ea"),
    ],
)
def test_one_name_stands_before_another(first: str, second: str) -> None:
    assert sort_key(first) < sort_key(second)


def test_capitals_and_apostrophes_do_not_count_in_the_order() -> None:
    assert sort_key("h'hen niê") == sort_key("HHEN NIÊ")


@given(st.text(max_size=160))
def test_any_text_has_a_bounded_sort_key(name: str) -> None:
    assert len(sort_key(name)) <= 1024
    assert sort_key(name) == sort_key(unicodedata.normalize("NFD", name))


def test_a_name_is_found_without_tones_capitals_and_apostrophes() -> None:
    assert fold("Nguyễn Thị HOÀ") == fold("nguyen  thi Hòa") == "nguyen thi hoa"
    assert fold("Đỗ \u00d0ạt \u0189ức") == "do dat duc"
    assert fold("H'Hen Niê") == fold("H\u2019Hen Nie") == "hhen nie"
    assert fold("Nguyễn-Trần") == "nguyen tran"


def test_a_search_key_begins_with_the_given_name() -> None:
    assert search_key("Nguyễn Thị Hòa") == "hoa nguyen thi"
    assert search_key("Hạnh") == "hanh"
    assert search_key("") == ""


def test_likely_the_same_name_is_alike_and_another_is_not() -> None:
    assert likeness("K' Tem") == likeness("K'Tem") == "ktem"
    assert likeness("Nguyễn Thị Hòa") == likeness("Nguyễn Thị Hoà")
    assert likeness("Nguyễn Thị Hòa") != likeness("Hòa Nguyễn Thị")


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert search_key(text) == search_key(fold(text))


@given(st.text())
def test_the_form_of_a_text_does_not_matter_to_its_folding(text: str) -> None:
    forms = {fold(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")}
    assert forms == {fold(text)}


@given(st.lists(st.text(), max_size=8))
def test_the_order_of_names_is_total(names: list[str]) -> None:
    ordered = sorted(names, key=sort_key)
    assert [sort_key(each) for each in ordered] == sorted(map(sort_key, reversed(names)))
