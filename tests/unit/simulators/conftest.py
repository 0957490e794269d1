"""Virtual cards in every state, made directly; the files hold recognisable bytes and no real content."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from card_layout import tlv
from card_layout.atr import LifeCycle
from card_layout.curves import NamedCurve
from card_layout.files.card_access import CardAccess
from card_layout.files.security_infos import ID_PACE_ECDH_GM_AES_128, PaceInfo, SecurityInfos
from card_layout.profile import CardProfile, load_profile
from simulators.blank import blank_image
from simulators.card.operating_system import VirtualCard
from simulators.image import (
    CardImage,
    EcKey,
    ImageFile,
    Keys,
    PersonalisationKeys,
    ReadRule,
    Secrets,
)

CAN = "123456"
INFORMATION = "T22000129364081251010318"
TRANSPORT_MASTER_KEY = bytes(range(32))
SERIAL = bytes(range(10))
MARK = b"PROTECTED CONTENT "

_RULES = {0: ReadRule.ALWAYS, 1: ReadRule.PASSWORD, 2: ReadRule.TERMINAL, 0xFF: ReadRule.NEVER}


@pytest.fixture(scope="session")
def profile() -> CardProfile:
    return load_profile("membercard-1-icao")


@pytest.fixture(scope="session")
def blank(profile: CardProfile) -> CardImage:
    return blank_image(profile, serial=SERIAL, transport_master_key=TRANSPORT_MASTER_KEY)


def pace_info(curve: NamedCurve) -> PaceInfo:
    return PaceInfo(
        protocol=ID_PACE_ECDH_GM_AES_128, version=2, parameter_id=curve.pace_parameter_id
    )


def _content(name: str, tag: int | None, curve: NamedCurve) -> bytes:
    if name == "EF.CardAccess":
        return CardAccess(security_infos=SecurityInfos(infos=(pace_info(curve),))).to_bytes()
    if tag is None:
        return bytes.fromhex("47039421C0")
    repeats = 700 if name == "EF.DG2" else 1
    return tlv.encode(tag, (MARK + name.encode()) * repeats)


ImageMaker = Callable[..., CardImage]


@pytest.fixture(scope="session")
def make_image(profile: CardProfile, blank: CardImage) -> ImageMaker:
    """An image with all files, keys and passwords; ``state`` and ``curve`` may be chosen."""

    def make(
        state: LifeCycle = LifeCycle.OPERATIONAL, curve: NamedCurve = NamedCurve.SECP256R1
    ) -> CardImage:
        files = {
            file.path: ImageFile(
                data=_content(file.name, file.tag, curve),
                read=_RULES[file.read],
                short_identifier=file.short_identifier,
                capacity=file.capacity,
            )
            for file in profile.files
        }
        image = replace(
            blank,
            card_reference=b"r" * 16,
            applications={profile.application_identifier: profile.application_file_identifier},
            files=files,
            secrets=Secrets(can=CAN, mrz_information=INFORMATION),
            keys=Keys(
                chip_authentication=(EcKey(curve=curve, private_scalar=0x1234567, key_id=1),),
                personalisation=PersonalisationKeys(
                    key_version=0x30, enc=b"e" * 16, mac=b"m" * 16, dek=b"d" * 16
                ),
            ),
        )
        return image.with_state(state)

    return make


@pytest.fixture(scope="session")
def operational(make_image: ImageMaker) -> CardImage:
    return make_image()


@pytest.fixture
def card(operational: CardImage) -> VirtualCard:
    """A powered operational card."""
    card = VirtualCard(operational)
    card.power_on()
    return card
