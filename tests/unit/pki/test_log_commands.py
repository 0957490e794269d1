"""The log as an authority lives with it: from signatures to checkpoints, proofs, and every way to cheat."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.curves import NamedCurve
from pki.bootstrap import prepare_home
from pki.cli import main
from pki.errors import PkiError
from pki.home import Home
from pki.keys.algorithms import SignatureAlgorithm
from pki.keys.open import KeystoreKind, open_keystore
from pki.keys.signer import Signer
from pki.keys.software import SoftwareSigner
from pki.keys.token_library import find_softhsm
from pki.record.journal import Journal, JournalEntry, Record, read_journal
from pki.record.transparency_journal import LeafCollector, leaf_index
from pki.record.transparency_note import Checkpoint, NoteKey, SignedNote, sign_note
from pki.record.transparency_store import LogFiles, TiledLog
from pki.services.document_signer import SigningRequest
from pki.services.log_reading import LogProver, verify_log
from pki.services.open_signer import open_document_signer
from pki.services.state import SIGNATURE_KINDS, EntryKind
from pki.signed.security_object import StatusReference


class Outcome:
    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def code(self) -> str:
        assert self.status != 0
        return self.err.splitlines()[-1 - self.err.count("hint: ")].rpartition("[")[2].rstrip("]")


Run = Callable[..., Outcome]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "pki")


@pytest.fixture
def run(home: Home, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str | Path) -> Outcome:
        capfd.readouterr()
        status = main(["--home", str(home.directory), *map(str, words)])
        captured = capfd.readouterr()
        return Outcome(status, captured.out, captured.err)

    return call


def create(run: Run, home: Home, keystore: str = "file") -> None:
    pin_file = home.directory.parent / "pki.pin"
    words = ("authority", "create", "--test", "--name", "Trial", "--keystore", keystore)
    assert run(*words, "--pin-file", pin_file).status == 0
    assert run("signer", "create", "--id", "ds-1").status == 0
    assert run("crl", "issue").status == 0


@pytest.fixture
def made(run: Run, home: Home) -> Run:
    """A home with an authority, a signer, a CRL and three signed cards: six leaves."""
    create(run, home)
    sign(home, 1, 2)
    sign(home, 3)
    return run


def sign(home: Home, *numbers: int, again: str | None = None) -> None:
    with open_document_signer(home.directory) as signer:
        signer.sign_many([request(number, again=again) for number in numbers])


def request(number: int, *, again: str | None = None) -> SigningRequest:
    return SigningRequest(
        reference=number.to_bytes(16, "big"),
        file_hashes={1: bytes(32), 2: bytes(32)},
        status_reference=StatusReference(list_id=bytes(8), index=number),
        signing_time=datetime.now(UTC),
        re_signing_of=again,
    )


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


@contextmanager
def kept_aside(home: Home) -> Iterator[None]:
    """Whatever happens to the home inside is undone."""
    copy = home.directory.with_name("copy")
    shutil.copytree(home.directory, copy)
    try:
        yield
    finally:
        shutil.rmtree(home.directory)
        copy.rename(home.directory)


@pytest.mark.parametrize("keystore", ["file", pytest.param("pkcs11", marks=pytest.mark.hsm)])
def test_from_signatures_to_a_proof_that_needs_nothing_of_the_authority(
    run: Run, home: Home, tmp_path: Path, keystore: str
) -> None:
    if keystore == "pkcs11" and find_softhsm() is None:
        pytest.skip("SoftHSM2 and python-pkcs11 are not both installed")
    create(run, home, keystore)
    sign(home, 1, 2)
    kept, proof, key = tmp_path / "kept", tmp_path / "proof", tmp_path / "key"
    sealed = run("log", "checkpoint", "--out", kept, "--format", "json").json
    # The CSCA's certificate, the signer's, the CRL, two cards, and the checkpoint itself.
    assert sealed["size"] == 6
    key.write_text(run("log", "key").out)
    report = run("log", "verify", "--checkpoint", kept, "--key", key, "--format", "json").json
    assert (report["leaves"], report["sealed"], report["waiting"]) == (6, 6, 0)
    assert report["root"] == sealed["root"]
    reference = (2).to_bytes(16, "big").hex()
    assert run("log", "prove", "--reference", reference, "--out", proof).status == 0
    home.directory.rename(tmp_path / "away")
    assert main(["log", "check", str(proof), "--key", str(key)]) == 0
    found = run("log", "check", proof, "--key", key, "--format", "json").json
    assert found["kind"] == "security-object.signed"
    assert found["record_reference"] == reference
    assert found["record_log_index"] == 4
    assert found["size"] == 6
    assert "record_log_salt" not in found


def test_every_kind_that_announces_a_signature_is_one_of_the_log() -> None:
    announcing = {kind.value for kind in EntryKind if kind.value.endswith((".intended", ".signed"))}
    # Making a key signs nothing.
    assert announcing - {"key.intended", "master-key.intended"} == SIGNATURE_KINDS - {
        "home.restored",
        "journal-head.noted",
    }


def test_every_signature_stands_in_the_log(made: Run, home: Home) -> None:
    made("signer", "revoke", "--id", "ds-1", "--reason", "lost")
    made("log", "checkpoint")
    entries = list(read_journal(home.journal))
    logged = [entry.kind for entry in entries if leaf_index(entry) is not None]
    assert logged == [
        "authority-certificate.intended",
        "signer-certificate.intended",
        "crl.intended",
        *["security-object.signed"] * 3,
        "crl.intended",
        "checkpoint.intended",
    ]
    assert not [
        entry.kind
        for entry in entries
        if leaf_index(entry) is None
        and entry.kind.endswith((".intended", ".signed"))
        and entry.kind != "key.intended"
    ]


def test_the_leaf_is_on_the_disk_before_the_key_signs(made: Run, home: Home) -> None:
    class Watching:
        def __init__(self, inner: Signer) -> None:
            self._inner = inner
            self.leaves: list[int] = []

        @property
        def algorithm(self) -> SignatureAlgorithm:
            return self._inner.algorithm

        @property
        def public_key(self) -> ec.EllipticCurvePublicKey:
            return self._inner.public_key

        def sign(self, message: bytes) -> bytes:
            self.leaves.append(LogFiles(home.log).size)
            return self._inner.sign(message)

    assert made("journal", "verify").status == 0
    with open_document_signer(home.directory) as signer:
        signer._signer = watching = Watching(signer._signer)
        signer.sign_many([request(4), request(5)])
    assert watching.leaves == [8, 8]


def test_a_checkpoint_is_signed_once_for_the_same_log(made: Run, home: Home) -> None:
    first = made("log", "checkpoint", "--format", "json").json
    note = home.read_checkpoint()
    assert made("log", "checkpoint", "--format", "json").json == first
    assert home.read_checkpoint() == note
    # What a crash kept from being published is signed again, and is no second leaf.
    (home.directory / "checkpoint").unlink()
    assert made("log", "checkpoint", "--format", "json").json == first
    # A revocation is no signature, and yet the next checkpoint seals it: it is a new one.
    record = Record(
        kind="signer.revoked", time=datetime.now(UTC), fields={"signer": "ds-1", "reason": "lost"}
    )
    with Journal.open(home.journal, replay=lambda _: None) as journal:
        journal.append(record)
    assert made("log", "checkpoint", "--format", "json").json["size"] == first["size"] + 1


def test_growth_is_proven_to_whoever_kept_a_checkpoint(
    made: Run, home: Home, tmp_path: Path
) -> None:
    old, proof = tmp_path / "old", tmp_path / "proof"
    made("log", "checkpoint", "--out", old)
    sign(home, 4, 5)
    made("log", "checkpoint")
    assert (
        made("log", "prove", "--since", old, "--out", proof, "--format", "json").json["size"] == 10
    )
    found = made("log", "check", proof, "--since", old, "--format", "json").json
    assert (found["old_size"], found["size"]) == (7, 10)
    assert made("log", "check", proof).status == 64
    home.publish_checkpoint(old.read_bytes())
    made("log", "checkpoint", "--out", tmp_path / "new")
    assert made("log", "check", proof, "--since", tmp_path / "new").code == "log.proof-wrong"


def test_of_several_records_for_a_reference_the_newest_sealed_one_is_proven(
    made: Run, home: Home
) -> None:
    reference = (1).to_bytes(16, "big")
    made("log", "checkpoint")
    sign(home, 1, again="torn")
    assert LogProver(home).inclusion(reference=reference).index == 3
    made("log", "checkpoint")
    assert LogProver(home).inclusion(reference=reference).index == 7
    assert LogProver(home).inclusion(index=0).index == 0


def test_what_cannot_be_proven_is_refused(made: Run, home: Home, tmp_path: Path) -> None:
    out = tmp_path / "proof"
    assert made("log", "prove", "0", "--out", out).code == "log.not-started"
    assert made("log", "key").code == "log.not-started"
    made("log", "checkpoint")
    sign(home, 4)
    assert made("log", "prove", "7", "--out", out).code == "log.not-sealed"
    assert made("log", "prove", "8", "--out", out).code == "log.unknown-record"
    assert made("log", "prove", "--reference", "ff" * 16, "--out", out).code == "log.unknown-record"
    assert made("log", "prove", "--reference", "ff", "--out", out).status == 64
    assert made("log", "prove", "--out", out).status == 64
    assert made("log", "prove", "1", "--reference", "ff" * 16, "--out", out).status == 64
    assert made("log", "prove", "0", "--out", tmp_path / "a" / "b").code == "log.unwritable"
    assert not out.exists()
    assert made("log", "check", out).code == "log.unreadable"
    (home.directory / "checkpoint").unlink()
    assert made("log", "prove", "0", "--out", out).code == "log.not-started"


def test_every_changed_byte_of_journal_log_and_checkpoint_is_found(made: Run, home: Home) -> None:
    made("log", "checkpoint")
    kept = home.read_checkpoint()
    assert kept is not None
    verify_log(home, kept=[kept], key=None, cosigners=[])
    paths = {home.journal: 7, LogFiles(home.log).path(0): 1, home.directory / "checkpoint": 1}
    for path, step in paths.items():
        whole = path.read_bytes()
        for place in range(0, len(whole), step):
            path.write_bytes(whole[:place] + bytes((whole[place] ^ 1,)) + whole[place + 1 :])
            assert code_of(lambda: verify_log(home, kept=[kept], key=None, cosigners=[]))
        path.write_bytes(whole)
    verify_log(home, kept=[kept], key=None, cosigners=[])


def rewrite(home: Home, change: Callable[[list[JournalEntry]], list[JournalEntry]]) -> None:
    """Change the journal, and make all hashes, places and the log fit again: what an insider could do."""
    entries = change(list(read_journal(home.journal)))
    home.journal.unlink()
    shutil.rmtree(home.log)
    (home.directory / "checkpoint").unlink(missing_ok=True)
    collector = LeafCollector(logged_kinds=SIGNATURE_KINDS, replay=lambda _: None)
    with Journal.open(home.journal, replay=lambda _: None) as journal:
        size = 0
        for entry in entries:
            fields = dict(entry.fields)
            if leaf_index(entry) is not None:
                fields |= {"log_index": size, "log_group": size}
                size += 1
            collector.take(journal.append(Record(kind=entry.kind, time=entry.time, fields=fields)))
    TiledLog.open(home.log, leaf_hashes=collector.leaf_hashes, acknowledged=0).close()


def edit(entries: list[JournalEntry]) -> list[JournalEntry]:
    """Give the first card another digest."""
    place = next(n for n, each in enumerate(entries) if each.kind == "security-object.signed")
    changed = entries[place]
    fields = dict(changed.fields) | {"digest": "00" * 32}
    return [
        *entries[:place],
        JournalEntry(
            sequence=changed.sequence,
            time=changed.time,
            kind=changed.kind,
            fields=fields,
            previous=changed.previous,
            hash=changed.hash,
        ),
        *entries[place + 1 :],
    ]


def swap(entries: list[JournalEntry]) -> list[JournalEntry]:
    place = next(n for n, each in enumerate(entries) if each.kind == "security-object.signed")
    return [*entries[:place], entries[place + 1], entries[place], *entries[place + 2 :]]


def forget(kind: str) -> Callable[[list[JournalEntry]], list[JournalEntry]]:
    def change(entries: list[JournalEntry]) -> list[JournalEntry]:
        place = max(n for n, each in enumerate(entries) if each.kind == kind)
        return entries[:place] + entries[place + 1 :]

    return change


def cut(entries: list[JournalEntry]) -> list[JournalEntry]:
    return entries[:-1]


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (edit, {"log.inconsistent"}),
        (swap, {"log.inconsistent"}),
        (forget("security-object.signed"), {"log.inconsistent", "log.cut"}),
        (forget("signer.revoked"), {"log.inconsistent"}),
        (cut, {"log.cut"}),
    ],
)
def test_a_history_that_was_rewritten_as_a_whole_is_found_with_a_checkpoint_kept_elsewhere(
    made: Run,
    home: Home,
    tmp_path: Path,
    change: Callable[[list[JournalEntry]], list[JournalEntry]],
    codes: set[str],
) -> None:
    kept, key = tmp_path / "kept", tmp_path / "key"
    made("signer", "revoke", "--id", "ds-1", "--reason", "lost")
    made("log", "checkpoint", "--out", kept)
    key.write_text(made("log", "key").out)
    rewrite(home, change)
    # Alone, the home tells a story without a gap.
    outcome = made("log", "verify")
    assert outcome.status == 0, outcome.err
    assert "warning: without a checkpoint" in outcome.err
    found = made("log", "verify", "--checkpoint", kept, "--key", key)
    assert (found.status, found.code in codes) == (1, True), found.err
    # And the log's key signs no second history where the first one's checkpoint still lies.
    home.publish_checkpoint(kept.read_bytes())
    assert made("log", "checkpoint").code in codes
    assert made("log", "verify").code in codes
    assert made("log", "rebuild").code in codes


def test_a_new_key_for_a_new_history_does_not_help(made: Run, home: Home, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    made("log", "checkpoint", "--out", kept)

    def forget_the_log(entries: list[JournalEntry]) -> list[JournalEntry]:
        return [each for each in entries if each.kind not in ("log.started", "checkpoint.intended")]

    rewrite(home, forget_the_log)
    made("log", "checkpoint")
    assert made("log", "verify", "--checkpoint", kept).code == "log.signature-wrong"


def test_a_restored_old_journal_is_found_by_its_own_log(made: Run, home: Home) -> None:
    old = home.journal.read_bytes()
    sign(home, 4)
    home.journal.write_bytes(old)
    assert made("log", "verify").code == "log.ahead"
    assert code_of(lambda: sign(home, 4)) == "log.ahead"
    assert made("crl", "issue").code == "log.ahead"


def test_a_lost_log_is_made_anew_from_the_journal(made: Run, home: Home, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    made("log", "checkpoint", "--out", kept)
    whole = LogFiles(home.log).path(0).read_bytes()
    LogFiles(home.log).path(0).write_bytes(bytes(len(whole)))
    assert made("log", "verify").code == "log.damaged"
    assert made("crl", "issue").code == "log.damaged"
    assert made("log", "rebuild", "--checkpoint", kept, "--format", "json").json == {"leaves": 7}
    assert made("log", "verify", "--checkpoint", kept).status == 0
    assert LogFiles(home.log).path(0).read_bytes() == whole
    assert (home.directory / "log.replaced-1" / "hashes.0").read_bytes() == bytes(len(whole))
    shutil.rmtree(home.log)
    assert made("log", "verify").code == "log.cut"
    assert made("log", "rebuild").status == 0
    assert made("crl", "issue").status == 0


def test_leaves_that_a_crash_left_out_are_told_and_appended(made: Run, home: Home) -> None:
    path = LogFiles(home.log).path(0)
    path.write_bytes(path.read_bytes()[:-20])
    outcome = made("log", "verify", "--format", "json")
    assert outcome.json["waiting"] == 1
    assert "warning: 1 leaves are waiting" in outcome.err
    assert made("log", "checkpoint").status == 0
    assert made("log", "verify", "--format", "json").json["waiting"] == 0


def test_checking_goes_on_while_another_process_signs(
    made: Run, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made("log", "checkpoint", "--out", tmp_path / "kept")
    with open_document_signer(home.directory) as signer:
        signer.sign(request(4))
        assert made("log", "verify", "--checkpoint", tmp_path / "kept").status == 0
        assert made("log", "checkpoint").code == "record.locked"
        assert made("log", "rebuild").code == "record.locked"
        # A signature right after the journal was read must not look like a journal that was cut.
        byte_count = LogFiles.byte_count
        calls = 0

        def sign_in_between(files: LogFiles, level: int) -> int:
            nonlocal calls
            calls += 1
            if calls == 2:
                signer.sign(request(5))
            return byte_count(files, level)

        monkeypatch.setattr(LogFiles, "byte_count", sign_in_between)
        assert made("log", "verify").status == 0
        assert calls > 2


def test_a_cosigned_checkpoint_needs_its_witness(made: Run, tmp_path: Path) -> None:
    kept, witness_file = tmp_path / "kept", tmp_path / "witness"
    made("log", "checkpoint", "--out", kept)
    witness = SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
    key = NoteKey.from_public_key("witness.example", witness.public_key)
    witness_file.write_text(key.to_text() + "\n")
    words = ("log", "verify", "--checkpoint", kept, "--cosigner", witness_file)
    assert made(*words).code == "log.cosignature-missing"
    note = SignedNote.from_bytes(kept.read_bytes())
    line = sign_note(note.text, name=key.name, signer=witness).to_text()
    kept.write_bytes(kept.read_bytes() + line.encode())
    assert made(*words).status == 0


def test_hostile_files_end_in_an_error_with_a_code(made: Run, tmp_path: Path) -> None:
    made("log", "checkpoint")
    rubbish = tmp_path / "rubbish"
    for content in (b"", b"\xff" * 100, b"x" * 300_000, b"old 1\n", b"a+b+c"):
        rubbish.write_bytes(content)
        assert made("log", "verify", "--checkpoint", rubbish).code == "log.note-malformed"
        assert made("log", "check", rubbish, "--since", rubbish).code in {
            "log.proof-malformed",
            "log.note-malformed",
        }
        assert made("log", "check", rubbish, "--key", rubbish).code == "log.key-malformed"


def test_a_key_left_by_a_crash_is_made_anew(made: Run, home: Home) -> None:
    keystore = open_keystore(home.keystore, pin=home.read_pin(None))
    keystore.create_signing_key(key_id="transparency-log-1", curve=NamedCurve.SECP256R1)
    left = keystore.signer("transparency-log-1").public_key
    keystore.close()
    made("log", "checkpoint")
    key = NoteKey.from_text(made("log", "key").out.strip())
    assert key != NoteKey.from_public_key(key.name, left)
    note = SignedNote.from_bytes(home.read_checkpoint() or b"")
    assert Checkpoint.open(note, [key]).size == 7


def test_no_signer_takes_the_name_of_the_logs_key(made: Run) -> None:
    made("log", "checkpoint")
    assert made("signer", "create", "--id", "transparency-log-1").code == "signer.exists"
    assert made("log", "verify").status == 0


def test_without_an_authority_there_is_no_checkpoint(run: Run, home: Home, tmp_path: Path) -> None:
    assert run("log", "checkpoint").code == "home.missing"
    assert run("log", "verify").code == "home.missing"
    assert not home.directory.exists()
    prepare_home(home, kind=KeystoreKind.FILE, pin_file=tmp_path / "pin")
    assert run("log", "checkpoint").code == "authority.missing"
    assert list(read_journal(home.journal)) == []
