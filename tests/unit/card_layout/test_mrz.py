from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout.errors import CardDataError
from card_layout.mrz import MachineReadableZone, MrzError, check_digit, password_from_information

# ICAO 9303-5 (8th edition), appendix B: the specimen of Utopia.
UTOPIA = (
    "I<UTOD231458907<<<<<<<<<<<<<<<7408122F1204159UTO<<<<<<<<<<<6ERIKSSON<<ANNA<MARIA<<<<<<<<<<"
)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
OPTIONAL = st.text(st.sampled_from(LETTERS + "0123456789<"), max_size=11).map(
    lambda text: text.rstrip("<")
)
DATES = st.dates().map(lambda day: f"{day.year % 100:02d}{day:%m%d}")
ZONES = st.builds(
    MachineReadableZone,
    document_code=st.sampled_from(["CM", "I", "ID", "AX", "C1"]),
    issuing_state=st.sampled_from(["VNM", "D", "UTO"]),
    document_number=st.text(st.sampled_from(LETTERS + "0123456789"), min_size=1, max_size=9),
    birth_date=DATES,
    sex=st.sampled_from("MF<"),
    expiry_date=DATES,
    nationality=st.sampled_from(["VNM", "D"]),
    name=st.text(st.sampled_from(LETTERS + "<"), min_size=29, max_size=29).map(lambda t: "A" + t),
    optional_1=OPTIONAL,
    optional_2=OPTIONAL,
)


def utopia(**changed: str) -> MachineReadableZone:
    return replace(MachineReadableZone.from_text(UTOPIA), **changed)


def test_the_specimen_of_9303_5_is_read() -> None:
    assert MachineReadableZone.from_text(UTOPIA) == MachineReadableZone(
        document_code="I",
        issuing_state="UTO",
        document_number="D23145890",
        birth_date="740812",
        sex="F",
        expiry_date="120415",
        nationality="UTO",
        name="ERIKSSON<<ANNA<MARIA<<<<<<<<<<",
    )
    assert utopia().to_text() == UTOPIA


@pytest.mark.parametrize(
    ("text", "digit"),
    [
        ("520727", "3"),  # 9303-3, 4.9, example 1
        ("AB2134<<<", "5"),  # 9303-3, 4.9, example 2
        # 9303-3, 4.9: the worked composite check digit of a TD1 zone.
        ("D231458907<<<<<<<<<<<<<<<34071279507122<<<<<<<<<<<", "2"),
    ],
)
def test_check_digits_are_those_of_9303_3(text: str, digit: str) -> None:
    assert check_digit(text) == digit


def test_the_information_and_password_are_those_of_9303_11() -> None:
    # ICAO 9303-11, appendix D.2: document number with a filler, and its SHA-1.
    information = "L898902C<369080619406236"
    assert password_from_information(information).hex().upper() == (
        "239AB9CB282DAF66231DC5A4DF6BFBAEDF477565"
    )
    zone = utopia(document_number="L898902C", birth_date="690806", expiry_date="940623")
    assert zone.information == information


@given(ZONES)
def test_a_zone_survives_its_encoding(zone: MachineReadableZone) -> None:
    text = zone.to_text()
    assert len(text) == 90
    assert MachineReadableZone.from_text(text) == zone
    assert len(zone.information) == 24
    assert len(password_from_information(zone.information)) == 20


@given(ZONES, st.integers(0, 89), st.sampled_from(LETTERS + "0123456789<"))
def test_a_changed_character_is_refused_or_the_text_is_reproduced(
    zone: MachineReadableZone, position: int, character: str
) -> None:
    text = zone.to_text()
    changed = text[:position] + character + text[position + 1 :]
    try:
        read = MachineReadableZone.from_text(changed)
    except MrzError:
        return
    assert read.to_text() == changed


@given(st.text(max_size=100))
def test_any_text_is_a_zone_or_a_data_error(text: str) -> None:
    with pytest.raises(CardDataError):
        MachineReadableZone.from_text(text)
    with pytest.raises(CardDataError):
        password_from_information(text)


@pytest.mark.parametrize("position", [14, 36, 44, 59])
def test_each_wrong_check_digit_is_found(position: int) -> None:
    digit = str((int(UTOPIA[position]) + 1) % 10)
    with pytest.raises(MrzError) as raised:
        MachineReadableZone.from_text(UTOPIA[:position] + digit + UTOPIA[position + 1 :])
    assert raised.value.code == "mrz.check-digit"


@pytest.mark.parametrize(
    "text",
    [
        "",
        UTOPIA + "\n",
        UTOPIA[:30] + "\n" + UTOPIA[30:],
        UTOPIA.lower(),
        UTOPIA.replace("ERIKSSON", "ERIKSSÖN"),
        UTOPIA.replace("ERIKSSON", "ERIKSS0N"),
        UTOPIA.replace("ERIKSSON<", "<ERIKSSON"),
        UTOPIA.replace("D231458907", "D23145890<"),
        "P" + UTOPIA[1:],
        UTOPIA.replace("UTO<", "U7O<"),
    ],
)
def test_texts_that_are_no_td1_zone_are_refused(text: str) -> None:
    with pytest.raises(MrzError):
        MachineReadableZone.from_text(text)


@pytest.mark.parametrize(
    "changed",
    [
        {"birth_date": "741301"},
        {"birth_date": "740230"},
        {"birth_date": "750229"},
        {"birth_date": "740431"},
        {"birth_date": "740800"},
        {"birth_date": "74<<32"},
        {"birth_date": "7408<1"},
        {"birth_date": "7408121"},
        {"expiry_date": "12<<<<"},
        {"expiry_date": "120015"},
        {"sex": "X"},
        {"document_number": ""},
        {"document_number": "D23145890<"},
        {"document_number": "<23145890"},
        {"document_number": "1234567890"},
        {"optional_1": "A<"},
        {"optional_1": "A" * 16},
        {"optional_2": "A" * 12},
        {"document_code": "V1"},
        {"issuing_state": ""},
        {"nationality": "VNMM"},
        {"name": "A"},
        {"name": "<" * 30},
    ],
)
def test_fields_that_a_zone_cannot_hold_are_refused(changed: dict[str, str]) -> None:
    with pytest.raises(MrzError):
        utopia(**changed)


@pytest.mark.parametrize("birth_date", ["<<<<<<", "74<<<<", "7408<<", "760229", "000229", "74<<31"])
def test_birth_dates_with_unknown_parts_and_leap_days_are_taken(birth_date: str) -> None:
    assert utopia(birth_date=birth_date).birth_date == birth_date


@pytest.mark.parametrize(
    "information",
    [
        "",
        "L898902C<369080619406236 ",
        "L898902C<469080619406236",
        "L898902C<369080629406236",
        "l898902c<369080619406236",
    ],
)
def test_information_that_no_zone_has_is_refused(information: str) -> None:
    with pytest.raises(MrzError):
        password_from_information(information)


def test_a_zone_shows_nothing_of_its_holder() -> None:
    assert "ERIKSSON" not in repr(utopia())
    assert "D23145890" not in repr(utopia())
    with pytest.raises(MrzError) as raised:
        utopia(name="ERIKSSON9" + "<" * 21)
    assert "ERIKSSON" not in str(raised.value)
