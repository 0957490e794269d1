import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout.errors import CardDataError
from card_layout.names import MAX_CHARACTERS, NameTextError, mrz_name, to_nfc, transliterate

# Base letter -> the accented letters of the Vietnamese alphabet, in capitals: 67, and as many small ones.
VIETNAMESE = {
    "A": "ÀÁẢÃẠĂẰẮẲẴẶÂẦẤẨẪẬ",
    "D": "Đ",
    "E": "ÈÉẺẼẸÊỀẾỂỄỆ",
    "I": "ÌÍỈĨỊ",
    "O": "ÒÓỎÕỌÔỒỐỔỖỘƠỜỚỞỠỢ",
    "U": "ÙÚỦŨỤƯỪỨỬỮỰ",
    "Y": "ỲÝỶỸỴ",
}
LETTERS = [
    (letter, base)
    for base, capitals in VIETNAMESE.items()
    for capital in capitals
    for letter in (capital, capital.lower())
]
NAME_TEXT = st.text(
    st.sampled_from("abcxyzABCXYZ '-" + "".join(letter for letter, _ in LETTERS)), max_size=80
)


def test_the_alphabet_has_134_accented_letters() -> None:
    assert len({letter for letter, _ in LETTERS}) == 134
    assert all(unicodedata.is_normalized("NFC", letter) for letter, _ in LETTERS)


@pytest.mark.parametrize(("letter", "base"), LETTERS)
def test_every_vietnamese_letter_is_its_base_letter(letter: str, base: str) -> None:
    assert transliterate(letter) == base
    assert transliterate(unicodedata.normalize("NFD", letter)) == base


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Nguyễn Thị Đoan Trang", "NGUYEN<THI<DOAN<TRANG"),
        ("Y Bhăm Êban", "Y<BHAM<EBAN"),
        ("H'Hen Niê", "HHEN<NIE"),
        ("H\u2019Hen Niê", "HHEN<NIE"),
        ("K' Tem", "K<TEM"),
        ("Giàng A Páo", "GIANG<A<PAO"),
        ("Smith-Jones", "SMITH<JONES"),
        ("  Lê   Lợi ", "LE<LOI"),
        ("Êban e\u0302\u0306", "EBAN<E"),
        ("", ""),
        ("'", ""),
    ],
)
def test_names_are_transliterated(name: str, expected: str) -> None:
    assert transliterate(name) == expected


@pytest.mark.parametrize("character", ["\u00d0", "\u0189", "\u00f0", "\u0256"])
def test_letters_that_look_like_d_with_stroke_are_refused(character: str) -> None:
    for refuse in (to_nfc, transliterate):
        with pytest.raises(NameTextError) as raised:
            refuse(f"{character}ỗ")
        assert raised.value.code == "name.look-alike"


@pytest.mark.parametrize(
    "text",
    [
        "A1",
        "Иван",
        "王",
        "Ł",
        "ß",
        "ø",
        "ƀ",
        "Ａ",
        "A.",
        "A,B",
        "A<B",
        "A_B",
        "A/B",
        "😀",
        "\u0301a",
        "a \u0301",
    ],
)
def test_other_characters_have_no_letter_in_the_mrz(text: str) -> None:
    with pytest.raises(NameTextError) as raised:
        transliterate(text)
    assert raised.value.code == "name.not-transliterable"


@pytest.mark.parametrize(
    "text",
    ["a\nb", "a\tb", "a\u200bb", "a\u202eb", "a\u00a0b", "a\x00", "\ud800", "\ue000", "\ufeffa"],
)
def test_characters_that_do_not_print_are_refused(text: str) -> None:
    for refuse in (to_nfc, transliterate):
        with pytest.raises(NameTextError) as raised:
            refuse(text)
        assert raised.value.code == "name.malformed"


def test_a_text_without_end_is_refused() -> None:
    to_nfc("a" * MAX_CHARACTERS)
    with pytest.raises(NameTextError) as raised:
        to_nfc("a" * (MAX_CHARACTERS + 1))
    assert raised.value.code == "name.too-long"


def test_both_ways_of_writing_an_accent_are_one() -> None:
    assert to_nfc(unicodedata.normalize("NFD", "Đặng Thị Hoà")) == "Đặng Thị Hoà"


@pytest.mark.parametrize("text", ["Иван Ð", "Bí mật\n", "Bí mật 7"])
def test_an_error_does_not_quote_the_name(text: str) -> None:
    with pytest.raises(NameTextError) as raised:
        transliterate(text)
    assert text.split(maxsplit=1)[0] not in str(raised.value)


@pytest.mark.parametrize(
    ("primary", "secondary", "expected"),
    [
        # ICAO 9303-5, 4.2.3.3 to 4.2.3.5 (8th edition), names of 30 characters and less.
        ("PAPANDROPOULOUS", "JONATHON ALEC", "PAPANDROPOULOUS<<JONATHON<ALEC"),
        ("VAN DER MUELLEN", "MARTIN", "VAN<DER<MUELLEN<<MARTIN<<<<<<<"),
        ("AL-BASRI", "HUDA MUHAMMAD JAWAD", "AL<BASRI<<HUDA<MUHAMMAD<JAWAD<"),
        ("ARKFREITH", "", "ARKFREITH<<<<<<<<<<<<<<<<<<<<<"),
        ("SATRIYA SUDARPA", "", "SATRIYA<SUDARPA<<<<<<<<<<<<<<<"),
        # The same, 4.2.3.4: the end is cut.
        ("VILARCHAO FERNANDEZ", "JOSE RAMON", "VILARCHAO<FERNANDEZ<<JOSE<RAMO"),
        # Of the ways that 4.2.3.1 and 4.2.3.2 leave open, ours cuts the end.
        ("NILAVADHANANANDA", "CHAYAPA DEJTHAMRONG KRASUANG", "NILAVADHANANANDA<<CHAYAPA<DEJT"),
        (
            "BENNELONG WOOLOOMOOLOO WARRANDYTE WARNAMBOOL",
            "DINGO POTOROO",
            "BENNELONG<WOOLOOMOOLOO<WARR<<D",
        ),
        # A cut that would fall on a filler moves by one letter.
        ("NILAVADHANANANDA", "CHAYAPA DEJT KRASUANG", "NILAVADHANANANDA<<CHAYAPA<DEJT"),
        ("NILAVADHANANANDA", "CHAYAPA DEJ KRASUANG", "NILAVADHANANANDA<<CHAYAPA<DE<K"),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZA", "BCD", "ABCDEFGHIJKLMNOPQRSTUVWXYZA<<B"),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZ AB", "C", "ABCDEFGHIJKLMNOPQRSTUVWXY<A<<C"),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDE", "", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCD"),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZABC DE", "", "ABCDEFGHIJKLMNOPQRSTUVWXYZAB<D"),
        # Where the secondary identifier cannot end with a letter, the primary one gives up another.
        ("ABCDEFGHIJKLMNOPQRST", "A B C D E", "ABCDEFGHIJKLMNOPQRS<<A<B<C<D<E"),
    ],
)
def test_the_name_field_is_that_of_9303_5(primary: str, secondary: str, expected: str) -> None:
    assert mrz_name(primary, secondary, 30) == expected


@given(NAME_TEXT, NAME_TEXT, st.integers(30, 39))
def test_a_name_field_is_full_and_says_whether_it_was_cut(
    primary: str, secondary: str, width: int
) -> None:
    try:
        field = mrz_name(primary, secondary, width)
    except CardDataError:
        # Without any letter there is no name; a name of single letters cannot always be cut.
        words = transliterate(primary).split("<") + transliterate(secondary).split("<")
        assert words[0] == "" or all(len(word) <= 1 for word in words[:10])
        return
    first, second = transliterate(primary), transliterate(secondary)
    whole = f"{first}<<{second}" if second else first
    assert len(field) == width
    assert set(field) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ<")
    if len(whole) <= width:
        assert field.rstrip("<") == whole
    else:
        assert field[-1] != "<"
        assert ("<<" in field) == bool(second)
        assert "<<<" not in field
        assert field[0] == first[0]


def test_a_name_without_letters_is_refused() -> None:
    with pytest.raises(NameTextError):
        mrz_name("'", "Anna", 30)


def test_a_name_of_too_many_single_letters_is_refused() -> None:
    with pytest.raises(NameTextError) as raised:
        mrz_name(" ".join("ABCDEFGHIJKLMNOPQRST"), "", 30)
    assert raised.value.code == "name.too-long"


@given(st.text(max_size=60))
def test_any_text_is_letters_and_fillers_or_a_data_error(text: str) -> None:
    try:
        letters = transliterate(text)
    except NameTextError:
        return
    assert set(letters) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ<")
    assert "<<" not in letters
    assert letters == letters.strip("<")
