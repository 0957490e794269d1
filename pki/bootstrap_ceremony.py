"""Puts a ceremony together: home, transcript, the people's console, the root's keystore."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pki.bootstrap import prepare_home, publish_again, read_state
from pki.ceremony.acts import RootActs
from pki.ceremony.conductor import Conductor
from pki.ceremony.console import Console
from pki.ceremony.script import CeremonyKind
from pki.ceremony.surroundings import (
    Surroundings,
    check_offline,
    check_sheet_directory,
    look_around,
    refuse_core_files,
)
from pki.ceremony.transcript import ABANDONED, Opening, Transcript, read_transcript
from pki.errors import PkiRefusedError, RecordError
from pki.home import Home
from pki.keys.divided import DividedKeystore
from pki.keys.open import KeystoreKind, open_keystore
from pki.record.journal import Fields
from pki.services.authority import AuthorityService
from pki.services.open_record import open_record
from pki.services.recorder import Recorder
from pki.services.rule_linter import RuleLinter
from pki.services.state import EntryKind

__all__ = [
    "CeremonyResult",
    "abandon_ceremony",
    "begin_ceremony",
    "begin_root_ceremony",
    "new_ceremony_id",
    "resume_ceremony",
    "unfinished_ceremony",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CeremonyResult:
    """A ceremony that is done."""

    opening: Opening
    transcript: Path
    digest: bytes


def new_ceremony_id(kind: CeremonyKind) -> str:
    """A name that says what and when."""
    return f"{kind.value}-{_utc_now():%Y%m%d}-{secrets.token_hex(2)}"


def begin_root_ceremony(
    home: Home,
    opening: Opening,
    *,
    pin_file: Path,
    root_keystore: Path | None,
    console: Console,
    sheets: Path | None,
) -> CeremonyResult:
    """Make a home whose root a quorum opens, and conduct the ceremony that makes the root.

    Raises:
        PkiRefusedError: ``authority.exists``, ``ceremony.home-ordinary``, ``ceremony.rehearsal-home``,
            ``ceremony.unfinished``, ``ceremony.online``, ``ceremony.sheets-on-disk``.
        PkiError: the ceremony stands where it is.
    """
    opening.check()
    _check_place(opening, sheets)
    place = root_keystore if root_keystore is not None else home.directory / "root-keystore"
    kind = KeystoreKind(opening.wish["keystore"])
    prepare_home(home, kind=kind, pin_file=pin_file, root_keystore=place)
    settled = home.settings().root_keystore
    if settled is not None and settled != place.resolve():
        raise PkiRefusedError(
            f"the root's keystore of this home was settled as {settled}, got {place}",
            code="ceremony.home-ordinary",
            hint="--root-keystore as in the ceremony before, or another home",
        )
    return begin_ceremony(home, opening, console=console, sheets=sheets)


def begin_ceremony(
    home: Home, opening: Opening, *, console: Console, sheets: Path | None
) -> CeremonyResult:
    """Conduct a ceremony in a home whose root a quorum opens.

    Raises:
        PkiRefusedError, RecordError: as ``begin_root_ceremony``; the ceremony stands where it is.
    """
    opening.check()
    directory = _check_place(opening, sheets)
    _check_home(home, opening)
    unfinished = unfinished_ceremony(home)
    if unfinished is not None:
        raise PkiRefusedError(
            f"ceremony {unfinished.parent.name} is not finished",
            code="ceremony.unfinished",
            hint="membercard-pki ceremony resume, or ceremony abandon",
        )
    path = home.ceremonies / opening.ceremony / "transcript.jsonl"
    _make_private(path.parent)
    return _conduct(
        home,
        lambda: Transcript.begin(path, opening, now=_utc_now),
        path=path,
        console=console,
        sheets=directory,
    )


def resume_ceremony(
    home: Home, *, is_rehearsal: bool, console: Console, sheets: Path | None
) -> CeremonyResult:
    """Go on with the ceremony that broke off.

    Raises:
        PkiRefusedError: ``ceremony.none``: there is none; as ``begin_ceremony``.
        PkiError: the ceremony stands where it is.
    """
    path = unfinished_ceremony(home)
    if path is None:
        raise PkiRefusedError("no ceremony broke off in this home", code="ceremony.none")
    progress, _ = read_transcript(path, allow_torn=True)
    if progress.opening is None or progress.opening.is_rehearsal != is_rehearsal:
        raise PkiRefusedError(
            "the ceremony that broke off and --rehearse do not go together",
            code="ceremony.rehearsal-home",
        )
    directory = _check_place(progress.opening, sheets)
    return _conduct(
        home,
        lambda: Transcript.resume(path, now=_utc_now),
        path=path,
        console=console,
        sheets=directory,
    )


def abandon_ceremony(home: Home, *, reason: str) -> str:
    """End a ceremony that cannot be finished, with a record of why; give back its name.

    Raises:
        PkiRefusedError: ``ceremony.none``.
        RecordError: ``ceremony.people-invalid`` for a reason that cannot be recorded.
    """
    path = unfinished_ceremony(home)
    if path is None:
        raise PkiRefusedError("no ceremony broke off in this home", code="ceremony.none")
    if not (1 <= len(reason) <= 200 and reason.isprintable()):
        raise RecordError(
            f"reason has {len(reason)} characters, expected 1 to 200 printable ones",
            code="ceremony.people-invalid",
        )
    with open_record(home):
        transcript = Transcript.resume(path, now=_utc_now)
        try:
            if transcript.progress.closed is not None:
                raise PkiRefusedError(
                    "the ceremony has done its work and lacks its signature alone",
                    code="ceremony.closed",
                    hint="membercard-pki ceremony resume",
                )
            transcript.write(ABANDONED, {"reason": reason})
        finally:
            transcript.close()
    return path.parent.name


def unfinished_ceremony(home: Home) -> Path | None:
    """The transcript of the ceremony that is not finished, if any.

    Raises:
        RecordError: ``ceremony.transcript-damaged``, ``ceremony.out-of-order``, ``record.damaged``.
    """
    for path in sorted(home.ceremonies.glob("*/transcript.jsonl")):
        if path.stat().st_size == 0:
            # Its first line never became durable: nothing was begun.
            continue
        progress, _ = read_transcript(path, allow_torn=True)
        if progress.opening is not None and not progress.is_over:
            return path
    return None


def _conduct(
    home: Home,
    open_transcript: Callable[[], Transcript],
    *,
    path: Path,
    console: Console,
    sheets: Path | None,
) -> CeremonyResult:
    refuse_core_files()
    root = home.settings().root_keystore
    if root is None:
        raise _ordinary(home)
    with _open_office(home) as (authority, keystore):
        transcript = open_transcript()
        try:
            opening = transcript.progress.opening
            if opening is None:
                raise RecordError("the transcript is empty", code="ceremony.transcript-damaged")
            if opening.ceremony not in authority.state.ceremonies.begun:
                authority.recorder.record(
                    EntryKind.CEREMONY_BEGUN,
                    ceremony=opening.ceremony,
                    ceremony_kind=opening.kind.value,
                    rehearsal=int(opening.is_rehearsal),
                )

            def results(step: str) -> Fields:
                entry = transcript.progress.results.get(step)
                return {} if entry is None else entry.fields

            conductor = Conductor(
                transcript=transcript,
                console=console,
                acts=RootActs(
                    opening=opening,
                    authority=authority,
                    keystore=keystore,
                    directory=root,
                    results=results,
                    now=_utc_now,
                ),
                look_around=look_around,
                sheets_directory=sheets,
            )
            digest = conductor.run()
        finally:
            transcript.close()
    return CeremonyResult(opening=opening, transcript=path, digest=digest)


@contextmanager
def _open_office(home: Home) -> Iterator[tuple[AuthorityService, DividedKeystore]]:
    pin = home.read_pin(None)
    with open_record(home) as journal:
        state = journal.state
        keystore = DividedKeystore(open_keystore(home.keystore, pin=pin))
        try:
            publish_again(home, state)
            yield (
                AuthorityService(
                    keystore=keystore,
                    recorder=Recorder(journal=journal, state=state, now=_utc_now),
                    publication=home,
                    random_bytes=secrets.token_bytes,
                    linter=RuleLinter(),
                ),
                keystore,
            )
        finally:
            keystore.close()


def _check_home(home: Home, opening: Opening) -> None:
    """Rehearsals stay in homes of rehearsals, and ceremonies in homes that have a quorum."""
    if home.settings().root_keystore is None:
        raise _ordinary(home)
    if not home.journal.exists():
        return
    state = read_state(home)
    if state.ceremonies.begun and state.ceremonies.is_rehearsal != opening.is_rehearsal:
        raise PkiRefusedError(
            f"{home.directory} is{'' if state.ceremonies.is_rehearsal else ' not'} the home of a rehearsal",
            code="ceremony.rehearsal-home",
            hint="a rehearsal has a home of its own, which is thrown away",
        )


def _check_place(opening: Opening, sheets: Path | None) -> Path | None:
    found: Surroundings = look_around()
    if not opening.is_rehearsal:
        check_offline(found)
    if sheets is None or not opening.has_sheets:
        return None
    return check_sheet_directory(sheets, is_rehearsal=opening.is_rehearsal)


def _make_private(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise RecordError(
            f"{directory} cannot be made: {error.strerror}", code="home.unusable"
        ) from error


def _ordinary(home: Home) -> PkiRefusedError:
    return PkiRefusedError(
        f"the root of {home.directory} is opened by a PIN file, not by a quorum",
        code="ceremony.home-ordinary",
        hint="membercard-pki ceremony root, in another home",
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)
