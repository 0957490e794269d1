"""The home of a terminal: who it is, its journal's key, the programs that it is paired with, and its page's address.

terminal.json   the terminal's own name in its journal, drawn once
journal.key     32 bytes, which make the pseudonyms of cards
journal.sqlite  the journal of inspections (verifier.db)
programs.json   the programs that may use the local interface: digests of their tokens
refused/        what was read of refused cards, sealed to the inspection office (verifier.trust.refused_cards)
page            the address that opens the page once; replaced when it was used
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from pki.durable import create_file, replace_file
from verifier.errors import VerifierError

__all__ = [
    "PairedProgram",
    "TerminalHome",
    "TerminalHomeError",
    "read_page_address",
    "write_page_address",
]

_KEY_BYTES: Final = 32
_TOKEN_BYTES: Final = 32
_MAX_FILE_BYTES: Final = 65536
_MAX_PROGRAMS: Final = 64
_MAX_NAME_CHARACTERS: Final = 64
_DIGEST_BYTES: Final = 32
_FORMAT: Final = 1


class TerminalHomeError(VerifierError):
    """The terminal's home is broken, or cannot be written."""

    default_code = "terminal.home"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedProgram:
    """A program that may use the local interface; ``may_see_holder``: whether it is told whose card it is."""

    name: str
    token_digest: bytes
    may_see_holder: bool
    paired_at: datetime


@dataclass(frozen=True, slots=True)
class TerminalHome:
    """One home directory."""

    directory: Path

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.directory / "journal.sqlite"

    @property
    def refused(self) -> Path:
        """Where sealed snapshots of refused cards are kept."""
        return self.directory / "refused"

    def prepare(self) -> None:
        """Make the directory, readable for its owner alone.

        Raises:
            TerminalHomeError: it cannot be made.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise _failed(self.directory, error) from error

    def terminal_name(self) -> str:
        """What the journal calls this terminal; drawn at the first call.

        Raises:
            TerminalHomeError: it cannot be read or kept.
        """
        path = self.directory / "terminal.json"
        if not path.exists():
            name = f"terminal-{secrets.token_hex(8)}"
            _write(path, json.dumps({"format": _FORMAT, "name": name}).encode() + b"\n", new=True)
        found = _object(path).get("name")
        if not isinstance(found, str) or not 1 <= len(found) <= _MAX_NAME_CHARACTERS:
            raise TerminalHomeError(f"{path} names no terminal")
        return found

    def journal_key(self) -> bytes:
        """The key of the pseudonyms; drawn at the first call.

        Raises:
            TerminalHomeError: it cannot be read or kept.
        """
        path = self.directory / "journal.key"
        if not path.exists():
            _write(path, secrets.token_bytes(_KEY_BYTES), new=True)
        key = _read(path)
        if len(key) != _KEY_BYTES:
            raise TerminalHomeError(f"{path} has {len(key)} bytes, expected {_KEY_BYTES}")
        return key

    def programs(self) -> Mapping[str, PairedProgram]:
        """The paired programs by their names.

        Raises:
            TerminalHomeError: their file is broken; then none is let in.
        """
        path = self.directory / "programs.json"
        if not path.exists():
            return {}
        found = _object(path).get("programs")
        if not isinstance(found, dict) or len(found) > _MAX_PROGRAMS:
            raise TerminalHomeError(f"{path} lists no programs")
        return {name: _program(path, name, entry) for name, entry in found.items()}

    def pair(self, name: str, *, may_see_holder: bool, now: datetime) -> str:
        """Pair a program; gives its token, of which only the digest is kept.

        Raises:
            TerminalHomeError: the name is none or taken (``terminal.program-name``), or there are too many.
        """
        if (
            not name.isascii()
            or not name.isprintable()
            or not 1 <= len(name) <= _MAX_NAME_CHARACTERS
        ):
            raise TerminalHomeError(
                f"a program's name has 1 to {_MAX_NAME_CHARACTERS} printable ASCII characters",
                code="terminal.program-name",
            )
        programs = dict(self.programs())
        if name in programs:
            raise TerminalHomeError(
                f"program {name!r} is paired already",
                code="terminal.program-name",
                hint="`membercard-verifier terminal unpair` ends that",
            )
        if len(programs) >= _MAX_PROGRAMS:
            raise TerminalHomeError(f"{_MAX_PROGRAMS} programs are paired, no more can be")
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        programs[name] = PairedProgram(
            name=name,
            token_digest=sha256(token.encode()).digest(),
            may_see_holder=may_see_holder,
            paired_at=now,
        )
        self._save(programs)
        return token

    def unpair(self, name: str) -> None:
        """A program is let in no more.

        Raises:
            TerminalHomeError: no program of that name is paired (``terminal.program-name``).
        """
        programs = dict(self.programs())
        if programs.pop(name, None) is None:
            raise TerminalHomeError(f"no program {name!r} is paired", code="terminal.program-name")
        self._save(programs)

    def program_of(self, token: str) -> PairedProgram | None:
        """The program whose token it is, compared in constant time.

        Raises:
            TerminalHomeError: the file of programs is broken.
        """
        digest = sha256(token.encode("utf-8", "surrogateescape")).digest()
        matching = [
            program
            for program in self.programs().values()
            if secrets.compare_digest(program.token_digest, digest)
        ]
        return matching[0] if matching else None

    def _save(self, programs: Mapping[str, PairedProgram]) -> None:
        document = {
            "format": _FORMAT,
            "programs": {
                name: {
                    "token_digest": program.token_digest.hex(),
                    "may_see_holder": program.may_see_holder,
                    "paired_at": program.paired_at.astimezone(UTC).isoformat(),
                }
                for name, program in programs.items()
            },
        }
        content = json.dumps(document, indent=1).encode() + b"\n"
        _write(self.directory / "programs.json", content, new=False)


def write_page_address(path: Path, address: str) -> None:
    """Leave the address where whoever may open the page can read it.

    Raises:
        TerminalHomeError: it cannot be written.
    """
    # The directory says who may read it: its owner alone, or the group that a service was given.
    _write(path, address.encode() + b"\n", new=False, mode=0o640)


def read_page_address(path: Path) -> str:
    """The address that a running terminal left.

    Raises:
        TerminalHomeError: there is none (``terminal.not-running``).
    """
    if not path.exists():
        raise TerminalHomeError(
            f"{str(path)!r} is not there: no terminal runs",
            code="terminal.not-running",
            hint="start one with `membercard-verifier terminal run`",
        )
    return _read(path).decode("ascii", "replace").strip()


def _program(path: Path, name: str, entry: Any) -> PairedProgram:
    try:
        digest, may_see_holder = bytes.fromhex(entry["token_digest"]), entry["may_see_holder"]
        paired_at = datetime.fromisoformat(entry["paired_at"])
    except (KeyError, TypeError, ValueError) as error:
        raise TerminalHomeError(f"{path} holds a program that is none") from error
    if len(digest) != _DIGEST_BYTES or not isinstance(may_see_holder, bool):
        raise TerminalHomeError(f"{path} holds a program that is none")
    return PairedProgram(
        name=name, token_digest=digest, may_see_holder=may_see_holder, paired_at=paired_at
    )


def _object(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise TerminalHomeError(f"{path} is not JSON") from error
    if not isinstance(found, dict) or found.get("format") != _FORMAT:
        raise TerminalHomeError(f"{path} is not of format {_FORMAT}")
    return found


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _failed(path, error) from error
    if len(content) > _MAX_FILE_BYTES:
        raise TerminalHomeError(f"{path} is longer than {_MAX_FILE_BYTES} bytes")
    return content


def _write(path: Path, content: bytes, *, new: bool, mode: int = 0o600) -> None:
    try:
        if new:
            create_file(path, content, mode=mode)
        else:
            replace_file(path, content, mode=mode)
    except FileExistsError:
        # Another process was first: what it drew holds.
        return
    except OSError as error:
        raise _failed(path, error) from error


def _failed(path: Path, error: OSError) -> TerminalHomeError:
    return TerminalHomeError(
        f"{os.fspath(path)!r} cannot be used ({error.strerror})",
        hint="give --home a directory that this user may write to",
    )
