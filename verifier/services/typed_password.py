"""What a keyboard or a scanner gives at the terminal: six digits, or the machine-readable zone in any of its forms."""

import re
from typing import Final

from verifier.errors import UsageError
from verifier.services.card_password import CardPassword

__all__ = ["MAX_TYPED_CHARACTERS", "password_of_typed"]

MAX_TYPED_CHARACTERS: Final = 200
_CAN: Final = re.compile(r"[0-9]{6}", re.ASCII)


def password_of_typed(text: str) -> CardPassword:
    """The password that somebody typed, or a scanner read from the printed code or the zone.

    Raises:
        UsageError: it is neither; the text is never quoted.
    """
    if len(text) > MAX_TYPED_CHARACTERS:
        raise UsageError(
            f"what was typed has {len(text)} characters, expected at most {MAX_TYPED_CHARACTERS}"
        )
    stripped = text.strip()
    # People group digits as they read them aloud.
    digits = re.sub(r"[ .\-]", "", stripped)
    if _CAN.fullmatch(digits):
        return CardPassword.from_can(digits)
    return CardPassword.from_mrz(stripped)
