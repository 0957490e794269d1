"""Snapshots of long journals: they save reading, and nothing is believed because of them."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import RecordError
from pki.home import Home, HomeSettings
from pki.record.journal import read_journal
from pki.record.journal_position import JournalPosition
from pki.record.journal_search import find_entry
from pki.record.snapshot import Snapshot
from pki.record.transparency_journal import leaf_index
from pki.record.transparency_store import TreeHead
from pki.record.transparency_tree import LevelTails, MemoryLevels, hash_leaf
from pki.services.followed_record import FollowedRecord
from pki.services.log_reading import replay_all, verify_log
from pki.services.open_record import OpenRecord, open_record
from pki.services.recorder import Recorder
from pki.services.reference_index import ReferenceIndex
from pki.services.snapshots import SnapshotShelf, load_state
from pki.services.state import EntryKind, PkiState

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
BATCH = bytes(16)
ENTRIES = 5_100


def recorder_of(record: OpenRecord) -> Recorder:
    return Recorder(journal=record, state=record.state, now=lambda: NOW)


def sign(record: OpenRecord, numbers: range) -> None:
    recorder_of(record).record_many(
        [
            (
                EntryKind.SECURITY_OBJECT_SIGNED,
                {
                    "signer": "ds-1",
                    "reference": number.to_bytes(16, "big").hex(),
                    "batch": BATCH.hex(),
                },
            )
            for number in numbers
        ]
    )


@pytest.fixture(scope="module")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose journal got a snapshot, and some entries behind it."""
    home = Home(tmp_path_factory.mktemp("long") / "pki")
    home.create(HomeSettings(pin_file=Path("/nowhere")))
    with open_record(home) as record:
        recorder = recorder_of(record)
        recorder.record(EntryKind.SIGNER_INTENDED, signer="ds-1", serial="ff")
        recorder.record(EntryKind.SIGNER_ISSUED, signer="ds-1", certificate="00")
        recorder.record(
            EntryKind.AUTHORISATION_ACCEPTED, batch=BATCH.hex(), digest="00", signer="ds-1",
            cards=10**6, until="2027-01-01T00:00:00Z", operators="an,binh",
        )  # fmt: skip
        sign(record, range(ENTRIES))
        recorder.record(EntryKind.SERIAL_RESERVED, serial="abc")
        sign(record, range(ENTRIES, ENTRIES + 300))
        recorder.record(EntryKind.SIGNER_REVOKED, signer="ds-1", reason="lost")
    return home.directory


@pytest.fixture
def home(made_home: Path, tmp_path: Path) -> Home:
    shutil.copytree(made_home, tmp_path / "pki")
    return Home(tmp_path / "pki")


def facts(state: PkiState) -> dict[str, Any]:
    return {
        "sequence": state.sequence,
        "signed": state.signers["ds-1"].objects_signed,
        "revoked": state.signers["ds-1"].revoked_at,
        "batch": state.authorisations.batches[BATCH].signed,
        "serials": state.serial_numbers,
        "references": state.references.to_bytes(),
        "sealed": state.is_sealed,
    }


def everything(home: Home) -> dict[str, Any]:
    state = PkiState()
    replay_all(home, state)
    return facts(state)


def only_snapshot(home: Home) -> Path:
    (path,) = home.snapshots.iterdir()
    return path


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(RecordError) as caught:
        act()
    return caught.value.code


def test_a_long_journal_is_opened_from_its_snapshot_with_the_same_state(home: Home) -> None:
    loaded, tracker, start = load_state(home)
    assert start is not None
    assert tracker.position.sequence == start.position.sequence >= ENTRIES
    assert loaded.signers["ds-1"].objects_signed == ENTRIES
    with open_record(home) as record:
        assert facts(record.state) == everything(home)
        assert record.log.size == ENTRIES + 301
        sign(record, range(10**6, 10**6 + 3))
    assert facts(FollowedRecord(home).catch_up()) == everything(home)
    assert verify_log(home, kept=(), key=None, cosigners=()).waiting == 0


def test_the_journal_alone_says_the_same(home: Home) -> None:
    with_snapshot = facts(FollowedRecord(home).catch_up())
    shutil.rmtree(home.snapshots)
    with open_record(home) as record:
        assert facts(record.state) == with_snapshot


def test_a_damaged_snapshot_is_ignored_and_made_anew(home: Home) -> None:
    path = only_snapshot(home)
    good, expected = path.read_bytes(), everything(home)
    for bad in (
        b"",
        good[:-1],
        good + b"\0",
        *(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(0, len(good), 9973)),
        b"[]\n" * 40,
    ):
        path.write_bytes(bad)
        assert load_state(home)[2] is None
        assert facts(FollowedRecord(home).catch_up()) == expected
    with open_record(home) as record:
        recorder_of(record).record(EntryKind.SERIAL_RESERVED, serial="abd")
    assert path not in home.snapshots.iterdir()
    assert load_state(home)[2] is not None
    assert facts(FollowedRecord(home).catch_up()) == everything(home)


def test_a_snapshot_that_the_journal_does_not_vouch_for_is_ignored(home: Home) -> None:
    path = only_snapshot(home)
    forged = replace(Snapshot.from_bytes(path.read_bytes()), references=b"")
    # It is whole and well-formed, and forgets every card.
    path.write_bytes(forged.to_bytes())
    assert load_state(home)[2] is None
    assert FollowedRecord(home).catch_up().is_reference_used((5).to_bytes(16, "big"))


def test_a_snapshot_that_was_written_and_not_vouched_for_leaves_the_older_one(home: Home) -> None:
    older = only_snapshot(home).read_bytes()
    SnapshotShelf(home.snapshots).write(ENTRIES + 200, older)
    (home.snapshots / "99999.snapshot").write_bytes(b"half")
    (home.snapshots / ".99998.snapshot.x").write_bytes(b"half")
    (home.snapshots / "note.txt").write_text("not ours")
    _, _, start = load_state(home)
    assert start is not None
    assert facts(FollowedRecord(home).catch_up()) == everything(home)


def test_a_full_disk_costs_a_snapshot_and_nothing_else(home: Home) -> None:
    shutil.rmtree(home.snapshots)
    home.snapshots.write_text("no directory can be made here")
    with open_record(home) as record:
        sign(record, range(10**6, 10**6 + 3))
        assert facts(record.state) == everything(home)
    assert [each.kind for each in read_journal(home.journal)].count("snapshot.taken") == 1


def test_an_edit_before_the_snapshot_is_found_when_it_counts_and_always_by_verifying(
    home: Home,
) -> None:
    lines = home.journal.read_bytes().splitlines(keepends=True)
    kept = next(at for at, line in enumerate(lines) if b"authorisation.accepted" in line)
    card = next(at for at, line in enumerate(lines) if b"security-object.signed" in line)
    changed = lines.copy()
    changed[kept] = lines[kept].replace(b"1000000", b"9000000")
    home.journal.write_bytes(b"".join(changed))
    assert code_of(lambda: open_record(home)) == "record.damaged"
    assert code_of(lambda: FollowedRecord(home).catch_up()) == "record.damaged"
    changed = lines.copy()
    changed[card] = lines[card].replace(b'"ds-1"', b'"ds-2"')
    home.journal.write_bytes(b"".join(changed))
    assert code_of(lambda: verify_log(home, kept=(), key=None, cosigners=())) == "record.damaged"
    # A journal that was cut before the entry that vouches is read from its beginning.
    taken = next(at for at, line in enumerate(lines) if b"snapshot.taken" in line)
    home.journal.write_bytes(b"".join(lines[:taken]))
    assert load_state(home)[2] is None


def test_verifying_finds_a_snapshot_that_is_not_what_the_journal_adds_up_to(home: Home) -> None:
    shutil.rmtree(home.snapshots)
    with open_record(home) as record:
        record.state.references = ReferenceIndex()
        recorder_of(record).record(EntryKind.SERIAL_RESERVED, serial="abd")
    assert load_state(home)[2] is not None
    assert code_of(lambda: verify_log(home, kept=(), key=None, cosigners=())) == "snapshot.differs"


def test_the_logs_end_is_mended_and_the_rest_checked_by_its_root(home: Home) -> None:
    leaves = home.log / "hashes.0"
    whole = leaves.read_bytes()
    leaves.write_bytes(whole[: -32 * 1])
    with open_record(home) as record:
        assert record.log.size * 32 == len(whole)
    assert leaves.read_bytes() == whole
    leaves.write_bytes(whole[: 32 * 100])
    assert code_of(lambda: open_record(home)) == "log.cut"
    base = load_state(home)[2]
    assert base is not None
    last = (base.tree.size - 1) * 32
    leaves.write_bytes(whole[:last] + bytes(32) + whole[last + 32 :])
    assert code_of(lambda: open_record(home)) == "log.damaged"
    leaves.write_bytes(whole[:-32] + bytes(32))
    assert code_of(lambda: open_record(home)) == "log.damaged"
    leaves.write_bytes(whole + bytes(32))
    assert code_of(lambda: open_record(home)) == "log.ahead"


def test_single_entries_are_found_without_reading_all(home: Home) -> None:
    entries = list(read_journal(home.journal))
    end = home.journal.stat().st_size
    for entry in (*entries[:4], *entries[10::611], entries[-1]):
        found = find_entry(
            home.journal, entry.sequence, end=end, number_of=lambda each: each.sequence
        )
        assert found == entry
        leaf = leaf_index(entry)
        if leaf is not None:
            assert find_entry(home.journal, leaf, end=end, number_of=leaf_index) == entry
    for absent in (len(entries) + 1, 10**9):
        assert find_entry(home.journal, absent, end=end, number_of=leaf_index) is None
    record = FollowedRecord(home)
    record.catch_up()
    (found,) = record.entries_of_reference((77).to_bytes(16, "big"))
    assert found.fields["reference"] == (77).to_bytes(16, "big").hex()
    assert record.entries_of_reference(b"\xff" * 16) == []


def test_who_follows_sees_what_is_new_and_notices_another_journal(home: Home) -> None:
    record = FollowedRecord(home)
    before = record.catch_up().sequence
    with open_record(home) as opened:
        sign(opened, range(10**6, 10**6 + 3))
    assert record.catch_up().sequence == before + 3
    lines = home.journal.read_bytes().splitlines(keepends=True)
    home.journal.write_bytes(b"".join(lines[:50]))
    assert record.catch_up().sequence == 50
    home.journal.write_bytes(b"".join(lines) + lines[0])
    assert code_of(record.catch_up) == "record.damaged"


REFERENCES = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 2**40)), max_size=60)


@given(old=REFERENCES, new=REFERENCES)
def test_an_index_of_references_holds_what_was_added(
    old: list[tuple[int, int]], new: list[tuple[int, int]]
) -> None:
    index = ReferenceIndex()
    for number, sequence in sorted(old, key=lambda item: item[1]):
        index.add(number.to_bytes(16, "big"), sequence)
    index = ReferenceIndex.from_bytes(index.to_bytes())
    for number, sequence in new:
        index.add(number.to_bytes(16, "big"), sequence)
    again = ReferenceIndex.from_bytes(index.to_bytes())
    for number in range(42):
        wanted = sorted(sequence for each, sequence in old + new if each == number)
        reference = number.to_bytes(16, "big")
        assert sorted(index.sequences(reference)) == list(again.sequences(reference)) == wanted
        assert (reference in index) is bool(wanted)


@given(base=st.integers(0, 700), new=st.integers(0, 700))
def test_the_ends_of_a_tree_are_those_of_the_whole_tree(base: int, new: int) -> None:
    hashes = [hash_leaf(number.to_bytes(4, "big")) for number in range(base + new)]
    whole = MemoryLevels(b"".join(hashes))
    tails = LevelTails(MemoryLevels(b"".join(hashes[:base])), base, b"".join(hashes[base:]))
    assert tails.size == whole.size
    for level, content in enumerate(tails.levels):
        expected = whole.levels[level] if level < len(whole.levels) else b""
        assert expected[tails.starts[level] * 32 :] == content
    assert all(not rest for rest in whole.levels[len(tails.levels) :])


SNAPSHOTS = st.builds(
    Snapshot,
    position=st.builds(
        JournalPosition,
        sequence=st.integers(0, 2**40),
        hash=st.binary(min_size=32, max_size=32),
        offset=st.integers(0, 2**40),
        line_offset=st.integers(0, 2**40),
    ),
    tree=st.builds(TreeHead, size=st.integers(0, 2**40), root=st.binary(min_size=32, max_size=32)),
    acknowledged=st.integers(0, 2**40),
    lines_digest=st.binary(min_size=32, max_size=32),
    offsets=st.binary(max_size=10).map(lambda data: data * 8),
    counts=st.dictionaries(st.text(max_size=5), st.integers(0, 2**40), max_size=4),
    references=st.binary(max_size=60),
)


@given(snapshot=SNAPSHOTS)
def test_a_snapshot_is_read_as_it_was_written(snapshot: Snapshot) -> None:
    assert Snapshot.from_bytes(snapshot.to_bytes()) == snapshot


@given(data=st.binary(max_size=200))
def test_whatever_is_no_snapshot_is_refused(data: bytes) -> None:
    for content in (data, b"membercard-pki snapshot 1\n" + data):
        assert code_of(lambda content=content: Snapshot.from_bytes(content)) == "record.damaged"
