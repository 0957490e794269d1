"""Status words SW1-SW2 and what they mean (ISO/IEC 7816-4, 5.6; SPEC.md, 4.4)."""

from enum import IntEnum

__all__ = ["StatusWord", "bytes_waiting", "correct_length", "describe"]


class StatusWord(IntEnum):
    """The status words that a membercard chip gives (SPEC.md, 4.4 and 8.3)."""

    SUCCESS = 0x9000
    END_OF_FILE = 0x6282
    AUTHENTICATION_FAILED = 0x6300
    WRONG_LENGTH = 0x6700
    LAST_COMMAND_OF_CHAIN_EXPECTED = 0x6883
    SECURITY_STATUS_NOT_SATISFIED = 0x6982
    CONDITIONS_NOT_SATISFIED = 0x6985
    NO_CURRENT_FILE = 0x6986
    SECURE_MESSAGING_OBJECTS_MISSING = 0x6987
    SECURE_MESSAGING_OBJECTS_WRONG = 0x6988
    WRONG_DATA = 0x6A80
    NOT_FOUND = 0x6A82
    NOT_ENOUGH_MEMORY = 0x6A84
    WRONG_PARAMETERS = 0x6A86
    REFERENCE_NOT_FOUND = 0x6A88
    FILE_EXISTS = 0x6A89
    WRONG_OFFSET = 0x6B00
    INSTRUCTION_NOT_SUPPORTED = 0x6D00
    CLASS_NOT_SUPPORTED = 0x6E00


_MEANINGS = {
    StatusWord.SUCCESS: "done",
    StatusWord.END_OF_FILE: "the file ends before the number of bytes asked for",
    StatusWord.AUTHENTICATION_FAILED: "authentication failed",
    StatusWord.WRONG_LENGTH: "wrong length",
    StatusWord.LAST_COMMAND_OF_CHAIN_EXPECTED: "last command of a chain expected",
    StatusWord.SECURITY_STATUS_NOT_SATISFIED: "not allowed in this session",
    StatusWord.CONDITIONS_NOT_SATISFIED: "not allowed in this state or order",
    StatusWord.NO_CURRENT_FILE: "no file is selected",
    StatusWord.SECURE_MESSAGING_OBJECTS_MISSING: "secure messaging objects are missing",
    StatusWord.SECURE_MESSAGING_OBJECTS_WRONG: "secure messaging objects are wrong",
    StatusWord.WRONG_DATA: "wrong data field",
    StatusWord.NOT_FOUND: "no such file or application",
    StatusWord.NOT_ENOUGH_MEMORY: "beyond the capacity of the file",
    StatusWord.WRONG_PARAMETERS: "wrong P1-P2",
    StatusWord.REFERENCE_NOT_FOUND: "no such key, password or data",
    StatusWord.FILE_EXISTS: "the file exists already",
    StatusWord.WRONG_OFFSET: "the offset is not in the file",
    StatusWord.INSTRUCTION_NOT_SUPPORTED: "the instruction is not supported",
    StatusWord.CLASS_NOT_SUPPORTED: "the class is not supported",
}


def describe(status_word: int) -> str:
    """What a status word says, for people; one that is not ours is called unknown."""
    try:
        return _MEANINGS[StatusWord(status_word)]
    except ValueError:
        return "unknown status word"


def bytes_waiting(status_word: int) -> int | None:
    """For ``61xx`` how many bytes GET RESPONSE can fetch (1-256; 256 means as many or more), else ``None``."""
    if status_word >> 8 != 0x61:
        return None
    return (status_word & 0xFF) or 256


def correct_length(status_word: int) -> int | None:
    """For ``6Cxx`` the Ne (1-256) with which the card wants the command repeated, else ``None``."""
    if status_word >> 8 != 0x6C:
        return None
    return (status_word & 0xFF) or 256
