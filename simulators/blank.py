"""Cards as a chip maker delivers them: empty, with transport keys that derive from the delivery's master key."""

import re
import secrets
from collections.abc import Callable
from pathlib import Path

from card_layout.atr import LifeCycle, encode_atr
from card_layout.profile import CardProfile, PersonalisationDialect
from simulators.card.aes import BLOCK, cmac
from simulators.card.jmrtd_applet import JMRTD_ATR
from simulators.errors import SimulatorError
from simulators.image import Applet, CardImage, Keys, Limits, PersonalisationKeys

__all__ = [
    "MASTER_KEY_BYTES",
    "SERIAL_BYTES",
    "blank_image",
    "derive_card_key",
    "read_or_create_transport_key",
    "transport_keys",
]

MASTER_KEY_BYTES = 32
SERIAL_BYTES = 10
TRANSPORT_KEY_VERSION = 0xFF

_MAX_KEY_FILE_CHARACTERS = 1024


def derive_card_key(
    master_key: bytes, *, label: str, serial: bytes, key_bytes: int = BLOCK
) -> bytes:
    """One key of one card (SPEC.md, 8.2): SP 800-108, counter mode, AES-CMAC, one block for 16 bytes, else two."""
    fixed = label.encode("ascii") + b"\x00" + serial + (8 * key_bytes).to_bytes(4, "big")
    blocks = [cmac(master_key, number.to_bytes(4, "big") + fixed) for number in (1, 2)]
    return b"".join(blocks)[:key_bytes]


def transport_keys(master_key: bytes, serial: bytes, key_bytes: int = BLOCK) -> PersonalisationKeys:
    """The three transport keys of a card."""

    def derive(name: str) -> bytes:
        return derive_card_key(
            master_key, label=f"membercard transport {name}", serial=serial, key_bytes=key_bytes
        )

    return PersonalisationKeys(
        key_version=TRANSPORT_KEY_VERSION,
        enc=derive("enc"),
        mac=derive("mac"),
        dek=derive("dek"),
    )


def blank_image(
    profile: CardProfile,
    *,
    serial: bytes,
    transport_master_key: bytes,
    challenge_bytes: int = 8,
) -> CardImage:
    """A card in state *blank*: a serial, transport keys, and nothing else; with 16 bytes of challenge it is of mode S16.

    Raises:
        SimulatorError: the serial or the master key has a wrong length.
    """
    if len(serial) != SERIAL_BYTES or len(transport_master_key) != MASTER_KEY_BYTES:
        raise SimulatorError(
            f"got a serial of {len(serial)} and a master key of {len(transport_master_key)} bytes, "
            f"expected {SERIAL_BYTES} and {MASTER_KEY_BYTES}",
            code="blank.wrong-length",
        )
    if profile.personalisation.dialect is PersonalisationDialect.JMRTD:
        return _java_card(profile, serial)
    return CardImage(
        profile=profile.name,
        state=LifeCycle.BLANK,
        serial=serial,
        atr=encode_atr(LifeCycle.BLANK, extended_lengths=profile.extended_lengths),
        limits=Limits(
            extended_lengths=profile.extended_lengths,
            max_command_bytes=profile.max_command_bytes,
            max_response_bytes=profile.max_response_bytes,
        ),
        keys=Keys(
            personalisation=transport_keys(
                transport_master_key, serial, profile.personalisation.transport_key_bytes
            ),
            challenge_bytes=challenge_bytes,
        ),
    )


def _java_card(profile: CardProfile, serial: bytes) -> CardImage:
    """A Java Card on which somebody has installed the passport applet: no keys, nothing in it (SPEC.md, 11)."""
    return CardImage(
        profile=profile.name,
        state=LifeCycle.BLANK,
        serial=serial,
        atr=JMRTD_ATR,
        applet=Applet.JMRTD,
        limits=Limits(extended_lengths=False, max_command_bytes=261, max_response_bytes=258),
        applications={profile.application_identifier: profile.application_file_identifier},
    )


def read_or_create_transport_key(
    path: Path, *, random: Callable[[int], bytes] = secrets.token_bytes
) -> bytes:
    """The chip maker's transport master key: 64 hexadecimal characters, made where the file is absent.

    Raises:
        SimulatorError: the file holds something else (``blank.transport-key-malformed``), or cannot be read or made.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            key = random(MASTER_KEY_BYTES)
            path.touch(mode=0o600, exist_ok=False)
            path.write_text(key.hex().upper() + "\n", encoding="ascii")
            return key
        with path.open(encoding="ascii") as stream:
            text = stream.read(_MAX_KEY_FILE_CHARACTERS).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SimulatorError(
            f"transport key file {path} cannot be read or made",
            code="blank.transport-key-malformed",
        ) from error
    if not re.fullmatch("[0-9A-Fa-f]{64}", text):
        raise SimulatorError(
            f"transport key file {path} has {len(text)} characters or others than hexadecimal digits, "
            "expected 64 hexadecimal digits",
            code="blank.transport-key-malformed",
        )
    return bytes.fromhex(text)
