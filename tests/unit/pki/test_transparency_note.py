"""Signed notes, checkpoints and proof files: read strictly, believed only with the right signatures."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import PkiDataError, PkiError, RecordError
from pki.keys.software import SoftwareSigner
from pki.record.journal import JournalEntry, Record
from pki.record.transparency_journal import LoggedJournal
from pki.record.transparency_note import (
    Checkpoint,
    NoteKey,
    NoteSignature,
    SignedNote,
    encode_base64,
    sign_note,
)
from pki.record.transparency_proof import GrowthProof, InclusionProof, is_growth_proof
from pki.record.transparency_tree import (
    MemoryLevels,
    consistency_proof,
    hash_leaf,
    inclusion_proof,
    tree_root,
)

NOW = datetime(2026, 11, 21, 12, 0, 0, 5, tzinfo=UTC)
NAME = "log.example/main"
LOG = SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
WITNESS = SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
LOG_KEY = NoteKey.from_public_key(NAME, LOG.public_key)
WITNESS_KEY = NoteKey.from_public_key("witness.example", WITNESS.public_key)
CHECKPOINT = Checkpoint(origin=NAME, size=7, root=bytes(range(32)))


def note_of(checkpoint: Checkpoint = CHECKPOINT, *, is_cosigned: bool = False) -> SignedNote:
    text = checkpoint.to_text()
    signatures = [sign_note(text, name=NAME, signer=LOG)]
    if is_cosigned:
        signatures.append(sign_note(text, name=WITNESS_KEY.name, signer=WITNESS))
    return SignedNote(text=text, signatures=tuple(signatures))


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def test_a_checkpoint_comes_back_from_its_note() -> None:
    data = note_of().to_bytes()
    assert data.decode().splitlines()[:4] == [NAME, "7", encode_base64(bytes(range(32))), ""]
    note = SignedNote.from_bytes(data)
    assert note.verify([LOG_KEY]) == (LOG_KEY,)
    assert Checkpoint.open(note, [LOG_KEY]) == CHECKPOINT


def test_the_key_id_is_the_one_of_signature_type_2() -> None:
    assert LOG_KEY.key_id == sha256(LOG_KEY.spki).digest()[:4]
    assert note_of().signatures[0].key_id == LOG_KEY.key_id
    assert NoteKey.from_text(LOG_KEY.to_text()) == LOG_KEY


def test_signatures_of_strangers_are_ignored_and_those_of_friends_must_be_right() -> None:
    note = note_of(is_cosigned=True)
    stranger = NoteSignature(name="other.example", key_id=bytes(4), signature=b"rubbish")
    crowded = replace(note, signatures=(stranger, *note.signatures))
    assert Checkpoint.open(crowded, [LOG_KEY]) == CHECKPOINT
    assert Checkpoint.open(crowded, [LOG_KEY, WITNESS_KEY]) == CHECKPOINT
    # The same name with another key is a stranger, and so is the same key under another name.
    same_name = NoteKey(name=NAME, spki=WITNESS_KEY.spki)
    same_key = NoteKey(name="other.example", spki=LOG_KEY.spki)
    for key in (same_name, same_key):
        assert code_of(lambda: note.verify([key])) == "log.signature-wrong"  # noqa: B023
    wrong = replace(note.signatures[1], signature=note.signatures[0].signature)
    poisoned = replace(note, signatures=(note.signatures[0], wrong))
    assert code_of(lambda: poisoned.verify([LOG_KEY, WITNESS_KEY])) == "log.signature-wrong"
    assert poisoned.verify([LOG_KEY]) == (LOG_KEY,)


def test_a_cosignature_that_is_asked_for_must_be_there() -> None:
    assert code_of(lambda: Checkpoint.open(note_of(), [LOG_KEY, WITNESS_KEY])) == (
        "log.cosignature-missing"
    )


def test_a_checkpoint_of_another_log_is_refused() -> None:
    note = note_of(replace(CHECKPOINT, origin="log.example/other"))
    assert code_of(lambda: Checkpoint.open(note, [LOG_KEY])) == "log.other-origin"


def test_every_changed_byte_of_a_note_is_found() -> None:
    data = note_of().to_bytes()
    for place in range(len(data)):
        for bit in (1, 32):
            changed = data[:place] + bytes((data[place] ^ bit,)) + data[place + 1 :]
            code = code_of(lambda: Checkpoint.open(SignedNote.from_bytes(changed), [LOG_KEY]))  # noqa: B023
            assert code in {"log.note-malformed", "log.checkpoint-malformed", "log.signature-wrong"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"\n\n",
        "text\n\n\u2014 name AAAAAAA=".encode(),
        "text\n\n\u2014 name AAAAAA==\n".encode(),
        "text\n\n\u2014 name AAAAAAB=\n".encode(),
        "text\n\n\u2014 na+me AAAAAAA=\n".encode(),
        "text\n\n\u2014 na\u00a0me AAAAAAA=\n".encode(),
        "text\n\n\u2014  AAAAAAA=\n".encode(),
        b"text\n\n- name AAAAAAA=\n",
        "text\r\n\n\u2014 name AAAAAAA=\n".encode(),
        b"\xff\n\n\xe2\x80\x94 name AAAAAAA=\n",
        b"x" * 70000,
        ("text\n\n" + 65 * "\u2014 name AAAAAAA=\n").encode(),
    ],
)
def test_what_is_no_note_is_refused(data: bytes) -> None:
    assert code_of(lambda: SignedNote.from_bytes(data)) == "log.note-malformed"


@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(alphabet="a \n+=\u2014A", max_size=60).map(str.encode),
        st.builds(
            lambda text, lines: (text + "\n\n" + "".join(lines)).encode(),
            st.text(alphabet="ab\n", max_size=20),
            st.lists(st.sampled_from(["\u2014 a AAAAAAA=\n", "\u2014 b/c AAAAAAAA\n"]), max_size=3),
        ),
    )
)
def test_any_bytes_are_a_note_that_encodes_the_same_or_a_data_error(data: bytes) -> None:
    try:
        note = SignedNote.from_bytes(data)
    except PkiDataError:
        return
    assert note.to_bytes() == data


@pytest.mark.parametrize(
    "lines",
    [
        ["a", "1"],
        ["", "1", encode_base64(bytes(32))],
        ["a", "01", encode_base64(bytes(32))],
        ["a", "-1", encode_base64(bytes(32))],
        ["a", "\u0661", encode_base64(bytes(32))],
        ["a", "9" * 19, encode_base64(bytes(32))],
        ["a", "1", encode_base64(bytes(31))],
        ["a", "1", "rubbish"],
        ["a", "1", encode_base64(bytes(32)), ""],
    ],
)
def test_what_is_no_checkpoint_is_refused(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    assert code_of(lambda: Checkpoint.from_text(text)) == "log.checkpoint-malformed"


@given(
    st.integers(0, 10**17),
    st.binary(min_size=32, max_size=32),
    st.lists(st.text(alphabet="abc ", min_size=1), max_size=3),
)
def test_a_checkpoint_encodes_the_same_again(size: int, root: bytes, extensions: list[str]) -> None:
    checkpoint = Checkpoint(origin=NAME, size=size, root=root, extensions=tuple(extensions))
    assert Checkpoint.from_text(checkpoint.to_text()) == checkpoint


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("+", " ", 1),
        lambda text: text.rsplit("+", 2)[0],
        lambda text: text[:-4],
        lambda text: text.replace(LOG_KEY.key_id.hex(), "00000000"),
        lambda text: text.replace(NAME, ""),
        lambda text: text.replace(NAME, "a b"),
        lambda text: text.replace("+Aj", "+AT"),
        lambda _: "a+00000000+rubbish",
        lambda _: "a+e3b0c442+Ag==",
    ],
)
def test_what_is_no_key_is_refused(change: Callable[[str], str]) -> None:
    assert code_of(lambda: NoteKey.from_text(change(LOG_KEY.to_text()))) == "log.key-malformed"


def test_keys_of_other_kinds_are_refused() -> None:
    large = SoftwareSigner(ec.generate_private_key(ec.SECP384R1()))
    assert code_of(lambda: sign_note("a\n", name=NAME, signer=large)) == "signing.key-mismatch"
    brainpool = SoftwareSigner(ec.generate_private_key(ec.BrainpoolP256R1()))
    assert code_of(lambda: sign_note("a\n", name=NAME, signer=brainpool)) == "log.key-malformed"
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    spki = other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert code_of(lambda: NoteKey(name=NAME, spki=spki)) == "log.key-malformed"
    assert code_of(lambda: sign_note("a\n", name="a b", signer=LOG)) == "log.key-malformed"


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> list[InclusionProof]:
    """Every leaf of a log of nine, under one checkpoint."""
    home = tmp_path_factory.mktemp("home")
    with LoggedJournal.open(
        home / "journal.jsonl",
        log_directory=home / "log",
        logged_kinds=frozenset({"signed"}),
        replay=lambda _: None,
        random_bytes=bytes,
    ) as journal:
        entries = journal.append_many(
            [Record(kind="signed", time=NOW, fields={"text": f"Đ {n}"}) for n in range(9)]
        )
        log = journal.log
        checkpoint = Checkpoint(origin=NAME, size=9, root=tree_root(log, 9))
        return [
            InclusionProof(
                record=entry.to_bytes(),
                index=index,
                hashes=inclusion_proof(log, index, 9),
                note=note_of(checkpoint),
            )
            for index, entry in enumerate(entries)
        ]


def test_a_proof_file_proves_its_record(proofs: list[InclusionProof]) -> None:
    for proof in proofs:
        data = proof.to_bytes()
        assert data.startswith(b"c2sp.org/tlog-proof@v1\nextra ")
        assert not is_growth_proof(data)
        assert InclusionProof.from_bytes(data) == proof
        entry, checkpoint = InclusionProof.from_bytes(data).verify([LOG_KEY])
        assert entry.fields["text"] == f"Đ {proof.index}"
        assert checkpoint.size == 9


def test_every_changed_byte_of_a_proof_is_found(proofs: list[InclusionProof]) -> None:
    data = proofs[4].to_bytes()
    for place in range(len(data)):
        changed = data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]
        with pytest.raises(PkiError):
            InclusionProof.from_bytes(changed).verify([LOG_KEY])


def test_a_proof_of_another_record_or_place_does_not_hold(proofs: list[InclusionProof]) -> None:
    other = replace(proofs[4], record=proofs[5].record)
    assert code_of(lambda: other.verify([LOG_KEY])) == "log.proof-wrong"
    moved = replace(proofs[4], index=5)
    assert code_of(lambda: moved.verify([LOG_KEY])) == "log.proof-wrong"
    short = replace(proofs[4], hashes=proofs[4].hashes[:-1])
    assert code_of(lambda: short.verify([LOG_KEY])) == "log.proof-wrong"
    # The record really stands there, but names another place.
    levels = MemoryLevels(hash_leaf(JournalEntry.from_bytes(proofs[5].record).hash))
    checkpoint = Checkpoint(origin=NAME, size=1, root=tree_root(levels, 1))
    elsewhere = InclusionProof(
        record=proofs[5].record, index=0, hashes=(), note=note_of(checkpoint)
    )
    assert code_of(lambda: elsewhere.verify([LOG_KEY])) == "log.proof-wrong"
    rubbish = replace(proofs[4], record=b"{}")
    assert code_of(lambda: rubbish.verify([LOG_KEY])) == "log.proof-malformed"
    assert code_of(lambda: proofs[4].verify([WITNESS_KEY])) == "log.signature-wrong"


@given(st.data())
def test_any_bytes_are_a_proof_or_a_data_error(
    proofs: list[InclusionProof], data: st.DataObject
) -> None:
    whole = proofs[0].to_bytes()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    changed = whole[:start] + data.draw(st.binary(max_size=20)) + whole[end:]
    for kind in (InclusionProof, GrowthProof):
        try:
            proof = kind.from_bytes(changed)
        except PkiDataError:
            continue
        assert proof.to_bytes() == changed


def test_a_proof_that_is_too_long_or_not_ascii_is_refused(proofs: list[InclusionProof]) -> None:
    note = proofs[0].note.to_bytes()
    for data in (
        b"x" * 300_000,
        "c2sp.org/tlog-proof@v1\nextra Đ\nindex 0\n\n".encode() + note,
        b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + note,
        b"old 0\n" + 64 * (encode_base64(bytes(32)) + "\n").encode() + b"\n" + note,
        b"old 0\nAAAA\n\n" + note,
    ):
        kind = GrowthProof if is_growth_proof(data) else InclusionProof
        assert code_of(lambda: kind.from_bytes(data)) == "log.proof-malformed"  # noqa: B023


def test_a_growth_proof_needs_the_checkpoint_that_was_kept(tmp_path: Path) -> None:
    with LoggedJournal.open(
        tmp_path / "journal.jsonl",
        log_directory=tmp_path / "log",
        logged_kinds=frozenset({"signed"}),
        replay=lambda _: None,
        random_bytes=bytes,
    ) as journal:
        journal.append_many([Record(kind="signed", time=NOW) for _ in range(13)])
        log = journal.log
        points = [
            Checkpoint(origin=NAME, size=size, root=tree_root(log, size)) for size in range(14)
        ]
        for old in range(14):
            hashes = consistency_proof(log, old, 13)
            proof = GrowthProof(old_size=old, hashes=hashes, note=note_of(points[13]))
            data = proof.to_bytes()
            assert is_growth_proof(data)
            assert GrowthProof.from_bytes(data).verify(points[old], [LOG_KEY]) == points[13]
            other = points[(old + 1) % 14]
            assert code_of(lambda: proof.verify(other, [LOG_KEY])) == "log.proof-wrong"  # noqa: B023
            forged = replace(points[old], root=bytes(32))
            assert code_of(lambda: proof.verify(forged, [LOG_KEY])) == "log.proof-wrong"  # noqa: B023
            elsewhere = replace(points[old], origin="other.example")
            assert code_of(lambda: proof.verify(elsewhere, [LOG_KEY])) == "log.proof-wrong"  # noqa: B023


@given(st.one_of(st.binary(max_size=100), st.from_regex(rb'\{"[a-z":0-9,{}\[\]]{0,60}\}')))
def test_any_bytes_are_an_entry_or_damage(data: bytes) -> None:
    with pytest.raises(RecordError) as caught:
        JournalEntry.from_bytes(data)
    assert caught.value.code == "record.damaged"


@pytest.mark.parametrize(("sequence", "previous"), [(1, "ab"), (0, "00" * 32), (-3, "00" * 32)])
def test_an_entry_that_no_journal_can_hold_is_damage(sequence: int, previous: str) -> None:
    content = {
        "fields": {},
        "kind": "signed",
        "previous": previous,
        "sequence": sequence,
        "time": "2026-11-21T12:00:00.000000Z",
    }
    digest = sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()
    whole = dict(sorted((content | {"hash": digest}).items()))
    data = json.dumps(whole, separators=(",", ":")).encode()
    with pytest.raises(RecordError) as caught:
        JournalEntry.from_bytes(data)
    assert "short hash" in str(caught.value)
