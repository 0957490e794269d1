from dataclasses import replace
from datetime import date

import pytest

from card_layout.atr import LifeCycle
from card_layout.profile import load_profile
from issuer.domain.card import CardReference
from issuer.domain.card_files import add_years, master_file_contents
from issuer.domain.card_secrets import CardSecrets
from issuer.domain.chip_keys import key_label
from issuer.domain.chip_plan import (
    CreateApplication,
    CreateFile,
    GenerateKeyPair,
    PutPasswords,
    PutReference,
    ReplaceKeys,
    SelectApplication,
    SetStatus,
    Step,
    WriteFile,
    initialisation_plan,
    personalisation_plan,
)
from issuer.errors import IssuerRefusedError

PROFILE = load_profile("membercard-1-icao")
SECRETS = CardSecrets(can="123456", document_number="ABCDEFGH1", salt=bytes(16))


def personalise(**changes: bytes) -> tuple[Step, ...]:
    contents = {file.name: b"\x01" * 10 for file in PROFILE.application_files} | changes
    return personalisation_plan(
        PROFILE,
        reference=CardReference(bytes(16)),
        secrets=SECRETS,
        mrz_information="ABCDEFGH1" + "0" * 15,
        contents=contents,
    )


def test_initialisation_replaces_the_keys_first_and_changes_the_state_last() -> None:
    plan = initialisation_plan(
        PROFILE, master_file_contents=master_file_contents(PROFILE), replace_keys_by=0x31
    )
    assert plan[0] == ReplaceKeys(key_version=0x31)
    assert isinstance(plan[-2], GenerateKeyPair)
    assert plan[-1] == SetStatus(life_cycle=LifeCycle.INITIALISED)
    created = [step.file.name for step in plan if isinstance(step, CreateFile)]
    assert created == [file.name for file in PROFILE.files]
    position = next(i for i, step in enumerate(plan) if isinstance(step, CreateApplication))
    assert [step.file.name for step in plan[:position] if isinstance(step, WriteFile)] == [
        "EF.ATR/INFO",
        "EF.CardAccess",
    ]


def test_keys_that_are_ours_already_are_not_replaced_again() -> None:
    plan = initialisation_plan(
        PROFILE, master_file_contents=master_file_contents(PROFILE), replace_keys_by=None
    )
    assert not any(isinstance(step, ReplaceKeys) for step in plan)


def test_personalisation_gives_the_reference_first_and_changes_the_state_last() -> None:
    plan = personalise()
    assert isinstance(plan[0], PutReference)
    assert isinstance(plan[1], PutPasswords)
    assert isinstance(plan[2], SelectApplication)
    assert [step.file.name for step in plan[3:-1] if isinstance(step, WriteFile)] == [
        file.name for file in PROFILE.application_files
    ]
    assert plan[-1] == SetStatus(life_cycle=LifeCycle.PERSONALISED)


@pytest.mark.parametrize("content", [b"", b"\x00" * 65])
def test_a_file_that_no_chip_can_hold_makes_no_plan(content: bytes) -> None:
    assert PROFILE.file("EF.COM").capacity == 64
    with pytest.raises(IssuerRefusedError) as caught:
        personalise(**{"EF.COM": content})
    assert caught.value.code == "personalisation.file-size"


def test_a_plan_shows_no_password() -> None:
    assert "123456" not in repr(personalise())


def test_a_card_without_extended_lengths_announces_none() -> None:
    short = replace(PROFILE, extended_lengths=False)
    assert b"\x7f\x66" not in master_file_contents(short)["EF.ATR/INFO"]
    assert b"\x7f\x66" in master_file_contents(PROFILE)["EF.ATR/INFO"]


def test_keys_of_any_other_version_are_not_ours_to_derive() -> None:
    assert key_label(0xFF) == b"membercard transport"
    assert key_label(0x30) == b"membercard personalisation"
    assert key_label(0x3F) == b"membercard personalisation"
    for version in (0x00, 0x01, 0x2F, 0x40, 0xFE):
        with pytest.raises(IssuerRefusedError) as caught:
            key_label(version)
        assert caught.value.code == "personalisation.key-version"


def test_ten_years_after_the_29th_of_february_is_the_28th() -> None:
    assert add_years(date(2028, 2, 29), 10) == date(2038, 2, 28)
    assert add_years(date(2028, 2, 29), 4) == date(2032, 2, 29)
