"""New portraits that nobody has confirmed: sealed under the register's key, and gone after an hour."""

import base64
import json
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from issuer.db.sealing import Sealer
from issuer.domain.member import MemberId
from issuer.domain.portrait import NormalisedPortrait, PortraitDoubt, WaitingPortrait
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.uploads.sealed_folder import SealedFolder

__all__ = ["PORTRAIT_LIFETIME", "SealedPortraits"]

PORTRAIT_LIFETIME: Final = timedelta(hours=1)
_WORD: Final = re.compile(r"[0-9a-f]{32}")


class SealedPortraits:
    """Files below one directory, each named by a word drawn at random and bound to its member."""

    def __init__(
        self, directory: Path, sealer: Callable[[], Sealer], clock: Callable[[], datetime]
    ) -> None:
        """``sealer`` gives the register's keys, and is asked when the first file is written or read."""
        self._folder = SealedFolder(
            directory=directory,
            sealer=sealer,
            clock=clock,
            purpose="members.waiting-portrait",
            lifetime=PORTRAIT_LIFETIME,
            what="new portrait",
        )

    def keep(self, member_id: MemberId, waiting: WaitingPortrait) -> str:
        """See ``WaitingPortraits.keep``; old ones go."""
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
        self._folder.keep(word, content.encode(), row=_row(member_id, word))
        return word

    def get(self, member_id: MemberId, word: str) -> WaitingPortrait:
        """See ``WaitingPortraits.get``."""
        if not _WORD.fullmatch(word):
            raise _gone(member_id)
        try:
            plain = self._folder.get(word, row=_row(member_id, word))
        except IssuerUnavailableError as error:
            if error.code != "production.seal-broken":
                raise
            # Another member's, or a file that was cut: neither is this member's new portrait.
            raise _gone(member_id) from error
        if plain is None:
            raise _gone(member_id)
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
            self._folder.remove(word)


def _row(member_id: MemberId, word: str) -> bytes:
    return member_id.bytes + bytes.fromhex(word)


def _gone(member_id: MemberId) -> IssuerRefusedError:
    return IssuerRefusedError(
        f"no new portrait waits for member {member_id}, or it waited longer than an hour",
        code="portrait.gone",
        hint="bring the picture again",
    )
