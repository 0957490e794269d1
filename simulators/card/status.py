"""Status words of the card (SPEC.md, 4.4), and the refusal that carries one up to the dispatcher."""

from enum import IntEnum

__all__ = ["Refused", "StatusWord"]


class StatusWord(IntEnum):
    """SW1-SW2 as SPEC.md, 4.4 names them."""

    SUCCESS = 0x9000
    END_OF_FILE = 0x6282
    AUTHENTICATION_FAILED = 0x6300
    MEMORY_FAILURE = 0x6581
    WRONG_LENGTH = 0x6700
    SECURE_MESSAGING_UNKNOWN = 0x6882
    LAST_OF_CHAIN_EXPECTED = 0x6883
    SECURITY_STATUS = 0x6982
    BLOCKED = 0x6983
    CONDITIONS_OF_USE = 0x6985
    NO_FILE_SELECTED = 0x6986
    SECURE_MESSAGING_MISSING = 0x6987
    SECURE_MESSAGING_WRONG = 0x6988
    WRONG_DATA = 0x6A80
    FILE_NOT_FOUND = 0x6A82
    NO_SPACE = 0x6A84
    WRONG_PARAMETERS = 0x6A86
    REFERENCE_NOT_FOUND = 0x6A88
    FILE_EXISTS = 0x6A89
    WRONG_OFFSET = 0x6B00
    UNKNOWN_INSTRUCTION = 0x6D00
    UNKNOWN_CLASS = 0x6E00


class Refused(Exception):  # noqa: N818 -- a refusal is an answer of the card, not an error of the program
    """The command ends here and changes nothing; the card answers ``status_word``."""

    def __init__(self, status_word: int) -> None:
        super().__init__(f"{status_word:04X}")
        self.status_word = status_word
