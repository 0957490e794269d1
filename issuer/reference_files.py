"""The list of cards that a document signer signed, as ``membercard-pki signer compromise --references`` writes it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from issuer.domain.card import CardReference
from issuer.errors import IssuerDataError, IssuerUnavailableError

__all__ = ["MAX_REFERENCES", "read_references"]

MAX_REFERENCES: Final = 1_000_000
"""Ten times what a document signer signs at most."""

_HEADER: Final = "reference,signing_time,digest"
_LINE: Final = re.compile(r"([0-9a-f]{32}),[0-9TZ:+.-]{1,40},[0-9a-f]{0,128}", re.ASCII)
_MAX_LINE_CHARACTERS: Final = 256


def read_references(path: Path) -> Iterator[CardReference]:
    """Each card of the list, read line by line.

    Raises:
        IssuerDataError: ``references.malformed``, naming the line.
        IssuerUnavailableError: ``references.unavailable``.
    """
    try:
        with path.open(encoding="ascii", newline="\n") as file:
            if file.readline(_MAX_LINE_CHARACTERS) != f"{_HEADER}\n":
                raise _malformed(f"the list of cards does not begin with {_HEADER}")
            number = 1
            while line := file.readline(_MAX_LINE_CHARACTERS):
                number += 1
                found = _LINE.fullmatch(line.removesuffix("\n"))
                if found is None or not line.endswith("\n"):
                    raise _malformed(f"line {number} of the list of cards names none")
                if number > MAX_REFERENCES + 1:
                    raise _malformed(f"the list of cards has more than {MAX_REFERENCES}")
                yield CardReference(bytes.fromhex(found[1]))
    except UnicodeDecodeError as error:
        raise _malformed("the list of cards is not ASCII") from error
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be read: {error.strerror}", code="references.unavailable"
        ) from error


def _malformed(message: str) -> IssuerDataError:
    return IssuerDataError(message, code="references.malformed")
