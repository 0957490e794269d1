"""New portraits that nobody has confirmed: sealed under the register's key, and gone after an hour."""

import base64
import contextlib
import json
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from issuer.db.sealing import Sealer
from issuer.domain.member import MemberId
from issuer.domain.portrait import NormalisedPortrait, PortraitDoubt, WaitingPortrait
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.storage.durable import write_durably

__all__ = ["PORTRAIT_LIFETIME", "SealedPortraits"]

PORTRAIT_LIFETIME: Final = timedelta(hours=1)
_PURPOSE: Final = "members.waiting-portrait"
_ENDING: Final = ".sealed"
_WORD: Final = re.compile(r"[0-9a-f]{32}")


class SealedPortraits:
    """Files below one directory, each named by a word drawn at random and bound to its member."""

    def __init__(
        self, directory: Path, sealer: Callable[[], Sealer], clock: Callable[[], datetime]
    ) -> None:
        """``sealer`` gives the register's keys, and is asked when the first file is written or read."""
        self._directory = directory
        self._sealer = sealer
        self._clock = clock

    def keep(self, member_id: MemberId, waiting: WaitingPortrait) -> str:
        """See ``WaitingPortraits.keep``; old ones go."""
        self._forget_old()
        word = secrets.token_hex(16)
        portrait = waiting.portrait
        content = json.dumps(
            {
                "image": base64.b64encode(portrait.image).decode(),
                "source": waiting.source.hex(),
                "doubts": [[each.code, each.sentence] for each in portrait.doubts],
                "faces": portrait.has_checked_faces,
            }
        )
        sealed = self._sealer().seal(content.encode(), purpose=_PURPOSE, row=_row(member_id, word))
        try:
            write_durably(self._path(word), sealed)
        except OSError as error:
            raise _unavailable("kept", error) from error
        return word

    def get(self, member_id: MemberId, word: str) -> WaitingPortrait:
        """See ``WaitingPortraits.get``."""
        self._forget_old()
        if not _WORD.fullmatch(word):
            raise _gone(member_id)
        try:
            sealed = self._path(word).read_bytes()
        except FileNotFoundError as error:
            raise _gone(member_id) from error
        except OSError as error:
            raise _unavailable("read", error) from error
        try:
            plain = self._sealer().open(sealed, purpose=_PURPOSE, row=_row(member_id, word))
        except IssuerUnavailableError as error:
            # Another member's, or a file that was cut: neither is this member's new portrait.
            raise _gone(member_id) from error
        found = json.loads(plain)
        return WaitingPortrait(
            portrait=NormalisedPortrait(
                image=base64.b64decode(found["image"]),
                doubts=tuple(
                    PortraitDoubt(code=code, sentence=sentence)
                    for code, sentence in found["doubts"]
                ),
                has_checked_faces=found["faces"],
            ),
            source=bytes.fromhex(found["source"]),
        )

    def remove(self, member_id: MemberId, word: str) -> None:
        """See ``WaitingPortraits.remove``."""
        del member_id
        if _WORD.fullmatch(word):
            with contextlib.suppress(OSError):
                self._path(word).unlink()

    def _forget_old(self) -> None:
        oldest = self._clock() - PORTRAIT_LIFETIME
        for path in self._directory.glob(f"*{_ENDING}"):
            # Another process may take it away at the same time.
            with contextlib.suppress(FileNotFoundError):
                if datetime.fromtimestamp(path.stat().st_mtime, UTC) < oldest:
                    path.unlink()

    def _path(self, word: str) -> Path:
        return self._directory / f"{word}{_ENDING}"


def _row(member_id: MemberId, word: str) -> bytes:
    return member_id.bytes + bytes.fromhex(word)


def _gone(member_id: MemberId) -> IssuerRefusedError:
    return IssuerRefusedError(
        f"no new portrait waits for member {member_id}, or it waited longer than an hour",
        code="portrait.gone",
        hint="bring the picture again",
    )


def _unavailable(what: str, error: OSError) -> IssuerUnavailableError:
    return IssuerUnavailableError(
        f"the new portrait cannot be {what}: {error.strerror}", code="upload.unavailable"
    )
