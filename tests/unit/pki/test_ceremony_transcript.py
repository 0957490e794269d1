"""A ceremony in this process: killed around every write, its transcript altered in every way, its mistakes forgiven."""

import json
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from card_layout.curves import NamedCurve
from pki.bootstrap import open_authority, read_state
from pki.bootstrap_ceremony import (
    CeremonyResult,
    begin_ceremony,
    begin_root_ceremony,
    new_ceremony_id,
    resume_ceremony,
    unfinished_ceremony,
)
from pki.ceremony.console import AnswersConsole
from pki.ceremony.script import CeremonyKind, Text
from pki.ceremony.shares import combine, read_sheet
from pki.ceremony.surroundings import Surroundings, check_offline, check_sheet_directory
from pki.ceremony.transcript import Opening
from pki.ceremony.transcript_check import verify_transcript
from pki.errors import PkiError, PkiRefusedError
from pki.home import Home
from pki.keys import software
from pki.keys.software import SoftwareKeystore
from pki.record.journal import Journal, JournalEntry, Record
from pki.services.revocation import RevocationService

ANSWERS = {
    **dict.fromkeys(("surroundings", "present.*", "wish", "copied.*"), "yes"),
    "word.*": "@sheet",
    "sheet.*": "@sheet",
    "fingerprint": "@shown",
    "number.1": "1",
    "number.2": "3",
}


class Rehearsed(AnswersConsole):
    """Answers as a file would; ``first`` holds wrong answers that come before the right ones."""

    def __init__(self, known: "Rehearsed | None" = None, **first: list[str]) -> None:
        super().__init__(ANSWERS)
        self.first = first
        self.lines: list[str] = []
        self.sets: dict[str, dict[int, tuple[str, ...]]] = {} if known is None else known.sets

    def fact(self, name: str, value: str) -> None:
        super().fact(name, value)
        if "/ set" in name or "/ new set" in name:
            # Everybody has the sheets of this set in hand now.
            self._sheets = self.sets.setdefault(value, {})

    def ask(self, question: str, prompt: Text) -> str:
        waiting = self.first.get(question.replace(".", "_"))
        return waiting.pop(0) if waiting else super().ask(question, prompt)

    def _write(self, text: str) -> None:
        self.lines.append(text)


def opening(kind: CeremonyKind = CeremonyKind.ROOT, **wish: str) -> Opening:
    is_root = kind in {CeremonyKind.ROOT, CeremonyKind.RESHARE}
    return Opening(
        ceremony=new_ceremony_id(kind),
        kind=kind,
        is_rehearsal=True,
        administrator="Dung",
        witnesses=("Giang",),
        custodians=("An", "Bình", "Chi") if is_root else (),
        threshold=2 if is_root else 0,
        wish=wish
        or {
            "name": "Trial",
            "country": "VN",
            "test": "yes",
            "profile": "private",
            "crl_uri": "http://pki.example/csca-1.crl",
            "certificate_profile": "csca",
            "key": "",
            "keystore": "file",
            "days": "90",
        },
    )


def make_root(home: Home, console: Rehearsed) -> CeremonyResult:
    return begin_root_ceremony(
        home,
        opening(),
        pin_file=home.directory.parent / "pin",
        root_keystore=None,
        console=console,
        sheets=None,
    )


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Home, Rehearsed, CeremonyResult]:
    home = Home(tmp_path_factory.mktemp("ceremony") / "pki")
    console = Rehearsed()
    return home, console, make_root(home, console)


class KilledError(Exception):
    """The process died."""


def die_at(patch: pytest.MonkeyPatch, number: int, *, is_after: bool) -> Callable[[], int]:
    """Die before or behind the n-th write to any journal or transcript."""
    count = 0
    whole = Journal.append_many

    def append_many(self: Journal, records: list[Record]) -> tuple[JournalEntry, ...]:
        nonlocal count
        count += 1
        if count == number and not is_after:
            raise KilledError
        entries = whole(self, records)
        if count == number:
            raise KilledError
        return entries

    patch.setattr(Journal, "append_many", append_many)
    return lambda: count


def killed_and_resumed(folder: Path, number: int, *, is_after: bool) -> bool:
    """Whether the ceremony was killed at this write; then it must come to the same end."""
    home = Home(folder / "pki")
    first = Rehearsed()
    with pytest.MonkeyPatch.context() as patch:
        die_at(patch, number, is_after=is_after)
        try:
            make_root(home, first)
        except KilledError:
            pass
        else:
            return False
    second = Rehearsed(first)
    if unfinished_ceremony(home) is not None:
        result = resume_ceremony(home, is_rehearsal=True, console=second, sheets=None)
    elif read_state(home).authority_certificate is None:
        # Not even the opening was durable: nothing was begun.
        result = make_root(home, second)
    else:
        # Only the process's last word was lost.
        return True
    report = verify_transcript(
        result.transcript,
        certificate=(
            home.directory / "certificates" / f"{read_state(home).authority_id}.cer"
        ).read_bytes(),
    )
    state = read_state(home)
    living = [item for item in state.authorities.values() if item.destroyed_at is None]
    assert len(living) == 1
    assert report.digest == result.digest
    quorum = state.ceremonies.quorum
    assert quorum is not None
    assert quorum.ceremony == result.opening.ceremony
    return True


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("number", [1, 14, 25, 33, 36])
def test_a_ceremony_killed_at_a_write_ends_with_one_root(
    tmp_path: Path, number: int, *, is_after: bool
) -> None:
    assert killed_and_resumed(tmp_path, number, is_after=is_after)


@pytest.mark.slow
@pytest.mark.parametrize("is_after", [False, True])
def test_a_ceremony_killed_at_any_write_ends_with_one_root(
    tmp_path: Path, *, is_after: bool
) -> None:
    number = 1
    while killed_and_resumed(tmp_path / str(number), number, is_after=is_after):
        number += 1
    assert number > 45


def rewritten(lines: list[dict[str, Any]]) -> bytes:
    """Lines with every hash computed anew, as somebody would who has the whole file."""
    previous = bytes(32).hex()
    result = []
    for sequence, line in enumerate(lines, start=1):
        content = {**line, "sequence": sequence, "previous": previous}
        content.pop("hash", None)
        encoded = json.dumps(content, sort_keys=True, separators=(",", ":"))
        previous = sha256(encoded.encode()).hexdigest()
        result.append(
            json.dumps({**content, "hash": previous}, sort_keys=True, separators=(",", ":"))
        )
    return "".join(f"{line}\n" for line in result).encode()


def refused_code(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(PkiError) as caught:
        verify_transcript(path, certificate=None)
    return caught.value.code


def test_every_line_that_is_altered_lost_or_moved_is_found(
    made: tuple[Home, Rehearsed, CeremonyResult], tmp_path: Path
) -> None:
    content = made[2].transcript.read_bytes()
    lines = content.splitlines(keepends=True)
    path = tmp_path / "transcript.jsonl"
    path.write_bytes(content)
    assert verify_transcript(path, certificate=None).steps == 14
    for number, line in enumerate(lines):
        rest = lines[:number] + lines[number + 1 :]
        last = number == len(lines) - 1
        assert refused_code(path, b"".join(rest)) in (
            {"ceremony.unfinished"} if last else {"record.damaged"}
        )
        moved = [*rest[: number // 2], line, *rest[number // 2 :]]
        if moved != lines:
            assert refused_code(path, b"".join(moved)) == "record.damaged"
        altered = line.replace(b'"time":"2', b'"time":"3', 1)
        assert altered != line
        whole = b"".join([*lines[:number], altered, *lines[number + 1 :]])
        assert refused_code(path, whole) == "record.damaged"
    assert refused_code(path, content[:-1]) == "ceremony.transcript-damaged"
    assert refused_code(path, b"") == "ceremony.transcript-damaged"


def test_hashes_computed_anew_do_not_help(
    made: tuple[Home, Rehearsed, CeremonyResult], tmp_path: Path
) -> None:
    lines = [json.loads(line) for line in made[2].transcript.read_text("utf-8").splitlines()]
    path = tmp_path / "transcript.jsonl"
    path.write_bytes(rewritten(lines))
    assert verify_transcript(path, certificate=None).digest == made[2].digest
    for number in range(len(lines)):
        rest = [*lines[:number], *lines[number + 1 :]]
        code = refused_code(path, rewritten(rest))
        assert code.startswith("ceremony.")
    by_step = {
        line["fields"].get("step"): place
        for place, line in enumerate(lines)
        if line["kind"] == "step.done"
    }
    for step, field, value, code in (
        ("sheet-2", "custodian", "Somebody", "ceremony.quorum-differs"),
        ("shares", "threshold", 3, "ceremony.quorum-differs"),
        ("activation", "sheets", "1", "ceremony.quorum-differs"),
        ("activation", "sheets", "1,1", "ceremony.quorum-differs"),
        ("activation", "sheets", "1,9", "ceremony.quorum-differs"),
        ("compare", "sha256", "00", "ceremony.root-differs"),
        ("close", "authority", "00", "ceremony.root-differs"),
        ("surroundings", "program", "00", "ceremony.signature-wrong"),
        ("attendance", "present", "Nobody", "ceremony.signature-wrong"),
    ):
        changed = json.loads(json.dumps(lines))
        changed[by_step[step]]["fields"][field] = value
        assert refused_code(path, rewritten(changed)) == code, step


def test_another_root_and_another_digest_are_found(
    made: tuple[Home, Rehearsed, CeremonyResult],
) -> None:
    home, _, result = made
    certificate = (home.directory / "certificates" / "csca-1.cer").read_bytes()
    spoken = re.sub("(....)", r"\1 ", result.digest.hex())
    assert verify_transcript(result.transcript, certificate=certificate, digest=spoken).is_anchored
    other = (home.directory / "certificates" / "journal-1.cer").read_bytes()
    for given, code in (
        ({"certificate": other}, "ceremony.root-differs"),
        ({"certificate": None, "digest": "00" * 32}, "ceremony.digest-differs"),
    ):
        with pytest.raises(PkiRefusedError) as caught:
            verify_transcript(result.transcript, **given)  # type: ignore[arg-type]
        assert caught.value.code == code


def test_what_is_typed_wrongly_is_typed_again_and_nothing_is_lost(
    made: tuple[Home, Rehearsed, CeremonyResult],
) -> None:
    home, known, _ = made
    (sheets,) = known.sets.values()
    words = list(sheets[1])
    wrong = next(word for word in ("academic", "zero") if word != words[11])
    console = Rehearsed(
        known,
        wish=["maybe", "yes"],
        number_1=["9", "1"],
        number_2=["1", "x", "3"],
        sheet_1=[
            "nonsense",
            " ".join([*words[:11], wrong, *words[12:]]),
        ],
        correction_1_12=["nonsense", words[11]],
        sheet_3=[" ".join(words), " ".join(sheets[3][:5]), " ".join(sheets[3][5:])],
    )
    begin_ceremony(home, opening(CeremonyKind.CRL, days="30"), console=console, sheets=None)
    assert not any(console.first.values())
    text = "".join(console.lines)
    for sentence in (
        "word 1 of sheet 1 is not in the list",
        "word 12 of sheet 1 cannot be right",
        "the words are those of sheet 1, expected sheet 3",
        "sheet 1 was given already",
    ):
        assert sentence in text
    (path,) = home.ceremonies.glob("crl-*/transcript.jsonl")
    assert verify_transcript(path, certificate=None).kind is CeremonyKind.CRL


def test_what_was_shown_is_what_is_signed(tmp_path: Path) -> None:
    home = Home(tmp_path / "pki")
    known = Rehearsed()
    make_root(home, known)
    begin_ceremony(
        home,
        opening(CeremonyKind.SIGNER, signer="ds-1", certificate_profile="document-signer", key=""),
        console=Rehearsed(known),
        sheets=None,
    )
    stopped = Rehearsed(known, number_1=["no such thing"] * 41)
    with pytest.raises(PkiRefusedError, match="41 answers"):
        begin_ceremony(home, opening(CeremonyKind.CRL, days="30"), console=stopped, sheets=None)
    with open_authority(home) as authority:
        RevocationService(authority).revoke("ds-1", reason="between showing and signing")
    with pytest.raises(PkiRefusedError) as caught:
        resume_ceremony(home, is_rehearsal=True, console=Rehearsed(known), sheets=None)
    assert caught.value.code == "ceremony.wish-differs"
    assert read_state(home).crl_number == 1


@pytest.mark.parametrize(
    "kind", ["quorum.chosen", "quorum.set", "step.done", "ceremony-transcript.intended"]
)
def test_a_resharing_killed_around_the_change_ends_with_the_new_sheets(
    tmp_path: Path, kind: str
) -> None:
    home = Home(tmp_path / "pki")
    console = Rehearsed()
    make_root(home, console)
    (old,) = console.sets
    whole = Journal.append_many

    def append_many(self: Journal, records: list[Record]) -> tuple[JournalEntry, ...]:
        for record in records:
            if record.kind == kind and record.fields.get("step", "pin-change") == "pin-change":
                raise KilledError
        return whole(self, records)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "append_many", append_many)
        with pytest.raises(KilledError):
            begin_ceremony(home, opening(CeremonyKind.RESHARE), console=console, sheets=None)
    result = resume_ceremony(home, is_rehearsal=True, console=Rehearsed(console), sheets=None)
    assert verify_transcript(result.transcript, certificate=None).kind is CeremonyKind.RESHARE
    quorum = read_state(home).ceremonies.quorum
    assert quorum is not None
    assert str(quorum.identifier) in set(console.sets) - {old}
    begin_ceremony(
        home, opening(CeremonyKind.CRL, days="30"), console=Rehearsed(console), sheets=None
    )
    secret = combine(
        [read_sheet(console.sets[old][number], number=number, quorum=None) for number in (1, 2)]
    )
    with pytest.raises(PkiError, match="does not open"):
        SoftwareKeystore(
            home.directory / "root-keystore",
            passphrase=secret.pin(read_state(home).ceremonies.begun[0]).encode(),
        )


def test_no_ceremony_on_a_machine_with_a_network() -> None:
    surroundings = Surroundings(
        tools="", program="", program_files=0, entropy="", interfaces=("eth0",)
    )
    with pytest.raises(PkiRefusedError, match="network interface eth0 is up"):
        check_offline(surroundings)


def test_sheets_are_kept_out_of_disks_and_of_others(tmp_path: Path) -> None:
    assert check_sheet_directory(tmp_path / "sheets", is_rehearsal=True).exists()
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    with pytest.raises(PkiRefusedError) as caught:
        check_sheet_directory(tmp_path / "open", is_rehearsal=True)
    assert caught.value.code == "ceremony.sheets-on-disk"


def test_pages_that_a_crash_left_are_swept_and_nobody_elses_files(tmp_path: Path) -> None:
    home = Home(tmp_path / "pki")
    pages = check_sheet_directory(tmp_path / "sheets", is_rehearsal=True)
    left = [pages / "sheet-7.pdf", pages / ".sheet-12.pdf.0123abcd"]
    others = [pages / "datasheet-1.pdf", pages / "sheet-1.pdf.txt"]
    for path in (*left, *others):
        path.write_bytes(b"words")
    begin_root_ceremony(
        home,
        opening(),
        pin_file=tmp_path / "pin",
        root_keystore=None,
        console=Rehearsed(),
        sheets=pages,
    )
    assert sorted(pages.iterdir()) == sorted(others)
    assert all(path.read_bytes() == b"words" for path in others)


def test_the_roots_keystore_goes_where_nothing_is(tmp_path: Path) -> None:
    medium = tmp_path / "medium"
    medium.mkdir()
    (medium / "letter.txt").write_text("somebody else's")

    def make(place: Path) -> CeremonyResult:
        return begin_root_ceremony(
            Home(tmp_path / "pki"),
            opening(),
            pin_file=tmp_path / "pin",
            root_keystore=place,
            console=Rehearsed(),
            sheets=None,
        )

    with pytest.raises(PkiError) as caught:
        make(medium)
    assert caught.value.code == "keystore.exists"
    with pytest.raises(PkiRefusedError) as moved:
        make(tmp_path / "elsewhere")
    assert moved.value.code == "ceremony.home-ordinary"
    assert [path.name for path in medium.iterdir()] == ["letter.txt"]


def test_people_of_a_ceremony_are_different_people() -> None:
    for people in ({"administrator": "An"}, {"witnesses": ("Chi",)}, {"witnesses": ()}):
        with pytest.raises(PkiError) as caught:
            Opening(
                **{**{name: getattr(opening(), name) for name in Opening.__slots__}, **people}
            ).check()
        assert caught.value.code == "ceremony.people-invalid"


def test_a_file_keystore_changes_its_passphrase_or_not_at_all(tmp_path: Path) -> None:
    keystore = SoftwareKeystore.create(tmp_path / "k", passphrase=b"old passphrase")
    keystore.create_signing_key(key_id="csca-1", curve=NamedCurve.SECP256R1)
    before = keystore.signer("csca-1").public_key
    whole = software.replace_file
    # Before the copies, between them and the new description, and right behind it.
    for written, opened_by in ((0, b"old passphrase"), (1, b"old passphrase"), (2, b"new")):
        left = [written]

        def replace_file(path: Path, content: bytes, left: list[int] = left) -> None:
            if not left[0]:
                raise KilledError
            left[0] -= 1
            whole(path, content)
            if path.name == "keystore.json":
                raise KilledError

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(software, "replace_file", replace_file)
            with pytest.raises(KilledError):
                SoftwareKeystore.change_passphrase(
                    tmp_path / "k", old=b"old passphrase", new=b"new"
                )
        opened = SoftwareKeystore(tmp_path / "k", passphrase=opened_by)
        assert opened.signer("csca-1").public_key == before
        assert opened.key_ids() == ("csca-1",)
        assert not list((tmp_path / "k").glob("*.next"))
        other = b"new" if opened_by != b"new" else b"old passphrase"
        with pytest.raises(PkiError, match="does not open"):
            SoftwareKeystore(tmp_path / "k", passphrase=other)
