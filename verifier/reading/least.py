"""The least number of commands that an inspection of a genuine card takes: what a reading is measured against."""

from collections.abc import Mapping

from card_layout.iso7816.apdu import MAX_SHORT
from card_layout.iso7816.secure_messaging import SecureMessagingSession
from card_layout.profile import AccessRule, CardProfile

__all__ = ["least_apdus"]

_PACE_APDUS = 5
"""MSE:Set AT and four times GENERAL AUTHENTICATE (SPEC.md, 5.2)."""

_CHIP_AUTHENTICATION_APDUS = 2
"""MSE:Set AT and GENERAL AUTHENTICATE (SPEC.md, 5.4); the proof is a read that is needed anyway."""


_TERMINAL_AUTHENTICATION_APDUS = 3
"""MSE:Set AT, GET CHALLENGE and EXTERNAL AUTHENTICATE (SPEC.md, 5.11)."""

_CERTIFICATE_APDUS = 2
"""MSE:Set DST and PSO:Verify Certificate, for each certificate that is shown."""


def least_apdus(
    profile: CardProfile, file_sizes: Mapping[str, int], *, shown_certificates: int = 0
) -> int:
    """How many APDUs every reading needs at least, by a terminal that skips nothing of SPEC.md, 9.

    Args:
        profile: the card's files, and the longest answer that it gives.
        file_sizes: content length in bytes by the name of the file; files left out are not on the card, and
            still cost the command that finds it out.
        shown_certificates: how many a terminal shows that proves itself; 0 for one that does not, and so reads no file
            that needs a right.
    """
    limit = profile.max_response_bytes - 2 if profile.extended_lengths else MAX_SHORT
    # How much of an answer protection takes depends on no key.
    chunk = SecureMessagingSession(bytes(16), bytes(16)).max_response_data(limit)
    master_file = sum(
        -(-max(1, file_sizes.get(file.name, 0)) // MAX_SHORT)
        for file in profile.master_files
        if profile.extended_lengths or file.name != "EF.ATR/INFO"
    )
    select_application = 1
    files = sum(
        -(-max(1, file_sizes.get(file.name, 0)) // chunk)
        for file in profile.application_files
        if shown_certificates or file.read is not AccessRule.TERMINAL
    )
    terminal = 0
    if shown_certificates:
        terminal = _CERTIFICATE_APDUS * shown_certificates + _TERMINAL_AUTHENTICATION_APDUS
    return (
        master_file
        + _PACE_APDUS
        + select_application
        + _CHIP_AUTHENTICATION_APDUS
        + terminal
        + files
    )
