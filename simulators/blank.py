"""Cards as a chip maker delivers them: empty, with transport keys that derive from the delivery's master key."""

import re
import secrets
from collections.abc import Callable
from pathlib import Path

from card_layout.atr import LifeCycle, encode_atr
from card_layout.profile import CardProfile
from simulators.card.aes import cmac
from simulators.errors import SimulatorError
from simulators.image import CardImage, Keys, Limits, PersonalisationKeys

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


def derive_card_key(master_key: bytes, *, label: str, serial: bytes) -> bytes:
    """One key of one card (SPEC.md, 8.2): SP 800-108, counter mode, AES-CMAC, one block."""
    block = (1).to_bytes(4, "big") + label.encode("ascii") + b"\x00" + serial
    return cmac(master_key, block + (128).to_bytes(4, "big"))


def transport_keys(master_key: bytes, serial: bytes) -> PersonalisationKeys:
    """The three transport keys of a card."""

    def derive(name: str) -> bytes:
        return derive_card_key(master_key, label=f"membercard transport {name}", serial=serial)

    return PersonalisationKeys(
        key_version=TRANSPORT_KEY_VERSION,
        enc=derive("enc"),
        mac=derive("mac"),
        dek=derive("dek"),
    )


def blank_image(profile: CardProfile, *, serial: bytes, transport_master_key: bytes) -> CardImage:
    """A card in state *blank*: a serial, transport keys, and nothing else.

    Raises:
        SimulatorError: the serial or the master key has a wrong length.
    """
    if len(serial) != SERIAL_BYTES or len(transport_master_key) != MASTER_KEY_BYTES:
        raise SimulatorError(
            f"got a serial of {len(serial)} and a master key of {len(transport_master_key)} bytes, "
            f"expected {SERIAL_BYTES} and {MASTER_KEY_BYTES}",
            code="blank.wrong-length",
        )
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
        keys=Keys(personalisation=transport_keys(transport_master_key, serial)),
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
