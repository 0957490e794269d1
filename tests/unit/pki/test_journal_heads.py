"""Heads of other programs' journals in the log: noted once, proven to anybody, held against what comes later."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.cli import main
from pki.errors import PkiError
from pki.home import Home
from pki.record.journal import JournalEntry, read_journal
from pki.record.transparency_proof import InclusionProof
from pki.services import journal_heads
from pki.services.journal_head_state import NotedHead
from pki.services.journal_heads import read_noted_head
from pki.services.log_reading import log_key
from pki.services.open_journal_heads import note_head
from pki.signer_service.frames import ProtocolError
from pki.signer_service.protocol import NoteHeadRequest, read_noted, read_request, write_noted

JOURNAL = bytes(range(16))


def head(sequence: int, text: str = "", journal: bytes = JOURNAL) -> NotedHead:
    digest = hashlib.sha256(f"{sequence}{text}".encode()).digest()
    return NotedHead(journal=journal, sequence=sequence, digest=digest)


@pytest.fixture(scope="module")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home of the module's tests; each uses a journal of its own."""
    directory = tmp_path_factory.mktemp("heads")
    home = Home(directory / "pki")
    words = ("authority", "create", "--test", "--name", "Trial", "--keystore", "file")
    pin_file = str(directory / "pki.pin")
    assert main(["--home", str(home.directory), *words, "--pin-file", pin_file]) == 0
    return home


@pytest.fixture
def note(made_home: Home) -> Callable[[NotedHead], InclusionProof]:
    return lambda wanted: note_head(made_home.directory, wanted, pin_file=None)[0]


Note = Callable[[NotedHead], InclusionProof]


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def noted(home: Home, journal: bytes) -> list[JournalEntry]:
    return [
        entry
        for entry in read_journal(home.journal)
        if entry.kind == "journal-head.noted" and entry.fields["journal"] == journal.hex()
    ]


def test_a_head_stands_in_the_log_and_whoever_has_the_key_sees_it(
    made_home: Home, note: Note, tmp_path: Path
) -> None:
    wanted = head(7)
    proof = note(wanted)
    entry, checkpoint = InclusionProof.from_bytes(proof.to_bytes()).verify([log_key(made_home)])
    assert read_noted_head(entry) == wanted
    assert checkpoint.size > proof.index
    assert [each.fields["head"] for each in noted(made_home, JOURNAL)] == [wanted.digest.hex()]
    path = tmp_path / "head.tlog-proof"
    path.write_bytes(proof.to_bytes())
    assert main(["--home", str(made_home.directory), "log", "check", str(path)]) == 0
    assert main(["--home", str(made_home.directory), "log", "verify"]) == 0


def test_the_same_head_again_is_recorded_once_and_proven_again(made_home: Home, note: Note) -> None:
    journal = bytes([1]) * 16
    first = note(head(3, journal=journal))
    again = note(head(3, journal=journal))
    assert again == first
    assert len(noted(made_home, journal)) == 1


def test_a_journal_only_grows(made_home: Home, note: Note) -> None:
    journal = bytes([2]) * 16
    note(head(5, journal=journal))
    before = made_home.journal.read_bytes()
    assert code_of(lambda: note(head(4, journal=journal))) == "journal-head.back"
    assert code_of(lambda: note(head(5, "x", journal=journal))) == "journal-head.differs"
    assert made_home.journal.read_bytes() == before
    note(head(6, journal=journal))
    assert [each.fields["sequence"] for each in noted(made_home, journal)] == [5, 6]


@pytest.mark.parametrize(
    "wanted",
    [
        replace(head(1), journal=bytes(15)),
        replace(head(1), digest=bytes(33)),
        replace(head(1), sequence=0),
        replace(head(1), sequence=2**53),
    ],
)
def test_what_is_no_head_is_refused(made_home: Home, note: Note, wanted: NotedHead) -> None:
    before = made_home.journal.read_bytes()
    assert code_of(lambda: note(wanted)) == "journal-head.invalid"
    assert made_home.journal.read_bytes() == before


def test_nobody_fills_the_memory_with_invented_journals(
    made_home: Home, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(head(1, journal=bytes([8]) * 16))
    known = {
        each.fields["journal"]
        for each in read_journal(made_home.journal)
        if each.kind == "journal-head.noted"
    }
    monkeypatch.setattr(journal_heads, "MAX_JOURNALS", len(known))
    assert code_of(lambda: note(head(1, journal=bytes([9]) * 16))) == "journal-head.too-many"


def test_a_proof_about_something_else_is_no_head(made_home: Home, note: Note) -> None:
    note(head(9, journal=bytes([3]) * 16))
    entry = next(each for each in read_journal(made_home.journal) if each.kind == "log.started")
    assert code_of(lambda: read_noted_head(entry)) == "log.other-record"
    mine = noted(made_home, bytes([3]) * 16)[0]
    for field, value in (("journal", "xy"), ("sequence", "9"), ("sequence", 0), ("head", "00")):
        changed = replace(mine, fields=dict(mine.fields) | {field: value})
        assert code_of(lambda changed=changed: read_noted_head(changed)) == "log.other-record"


@given(
    st.builds(
        NotedHead,
        journal=st.binary(min_size=16, max_size=16),
        sequence=st.integers(1, 2**53 - 1),
        digest=st.binary(min_size=32, max_size=32),
    )
)
def test_a_request_is_read_as_it_was_written(wanted: NotedHead) -> None:
    assert read_request(NoteHeadRequest(head=wanted).to_bytes()) == NoteHeadRequest(head=wanted)


@pytest.mark.parametrize(
    "change",
    [
        (b'"sequence":7', b'"sequence":0'),
        (b'"sequence":7', b'"sequence":true'),
        (b'"sequence":7', b'"sequence":7,"more":1'),
        (JOURNAL.hex().encode(), JOURNAL.hex().upper().encode()),
        (JOURNAL.hex().encode(), b"00"),
    ],
)
def test_a_request_that_is_not_as_it_must_be_is_refused(change: tuple[bytes, bytes]) -> None:
    content = NoteHeadRequest(head=head(7)).to_bytes()
    assert change[0] in content
    with pytest.raises(ProtocolError):
        read_request(content.replace(*change))


def test_an_answer_is_read_as_it_was_written() -> None:
    text = "c2sp.org/tlog-proof@v1\n\n— log AbC=\n".encode()
    assert read_noted(write_noted(text)) == text
    for content in (b'{"proof":1,"version":1}', b'{"proof":"\\ud800","version":1}'):
        with pytest.raises(ProtocolError):
            read_noted(content)
