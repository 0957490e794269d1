"""A witness: it cosigns what continues all that it has seen, and nothing else, whatever comes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import PkiDataError, PkiError, PkiRefusedError, RecordError
from pki.keys.software import SoftwareSigner
from pki.record.transparency_cosignature import WitnessKey, cosign
from pki.record.transparency_note import (
    MAX_SIGNATURES,
    Checkpoint,
    NoteKey,
    NoteSignature,
    SignedNote,
    sign_note,
)
from pki.record.transparency_proof import GrowthProof
from pki.record.transparency_tree import (
    MemoryLevels,
    consistency_proof,
    hash_leaf,
    tree_root,
)
from pki.services.witness import SeenCheckpoint, Witness

NOW = datetime(2026, 11, 21, 12, 0, 0, 999_999, tzinfo=UTC)
SECOND = NOW.replace(microsecond=0)
NAME = "log.example/main"
LOG = SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
OTHER_LOG = SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
LOG_KEY = NoteKey.from_public_key(NAME, LOG.public_key)
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = WitnessKey(name="witness.example", public_key=PRIVATE.public_key().public_bytes_raw())
LARGEST = 300
LEVELS = MemoryLevels(b"".join(hash_leaf(bytes([n // 256, n % 256])) for n in range(LARGEST)))
FORKED = MemoryLevels(b"".join(hash_leaf(b"x%d" % (n if n > 4 else -n)) for n in range(LARGEST)))


@dataclass
class MemoryShelf:
    seen: SeenCheckpoint | None = None
    evidence: list[bytes] = field(default_factory=list)
    is_full: bool = False

    def read_seen(self) -> SeenCheckpoint | None:
        return self.seen

    def write_seen(self, seen: SeenCheckpoint) -> None:
        if self.is_full:
            raise RecordError("no room", code="witness.unusable")
        self.seen = seen

    def keep_evidence(self, note: bytes) -> None:
        self.evidence.append(note)


@dataclass
class Desk:
    """A witness with its memory, its clock, and what it signed."""

    shelf: MemoryShelf = field(default_factory=MemoryShelf)
    now: datetime = NOW
    signed: list[bytes] = field(default_factory=list)

    def cosign(self, request: bytes) -> SignedNote:
        def sign(message: bytes) -> bytes:
            self.signed.append(message)
            return PRIVATE.sign(message)

        witness = Witness(key=KEY, log=LOG_KEY, shelf=self.shelf, sign=sign, now=lambda: self.now)
        return witness.cosign(request)

    def refusal(self, request: bytes) -> str:
        """The code of the refusal, which leaves memory and key alone."""
        before, count = self.shelf.seen, len(self.signed)
        with pytest.raises(PkiError) as caught:
            self.cosign(request)
        assert (self.shelf.seen, len(self.signed)) == (before, count)
        return caught.value.code


def note_of(
    size: int,
    *,
    levels: MemoryLevels = LEVELS,
    origin: str = NAME,
    name: str = NAME,
    signer: SoftwareSigner = LOG,
) -> SignedNote:
    text = Checkpoint(origin=origin, size=size, root=tree_root(levels, size)).to_text()
    return SignedNote(text=text, signatures=(sign_note(text, name=name, signer=signer),))


def growth(old: int, new: int, *, levels: MemoryLevels = LEVELS) -> bytes:
    hashes = consistency_proof(levels, old, new)
    return GrowthProof(old_size=old, hashes=hashes, note=note_of(new, levels=levels)).to_bytes()


def test_the_first_checkpoint_is_taken_and_every_larger_one_with_its_proof() -> None:
    desk = Desk()
    first = desk.cosign(note_of(5).to_bytes())
    assert KEY.first_time(first) == SECOND
    assert Checkpoint.open(first, [LOG_KEY, KEY]).size == 5
    desk.now += timedelta(days=1)
    second = desk.cosign(growth(5, 300))
    assert KEY.first_time(second) == SECOND + timedelta(days=1)
    assert desk.shelf.seen == SeenCheckpoint(
        size=300, root=tree_root(LEVELS, 300), time=SECOND + timedelta(days=1)
    )


def test_the_same_checkpoint_is_cosigned_again_with_its_new_time() -> None:
    desk = Desk()
    once = desk.cosign(growth(0, 7))
    desk.now += timedelta(hours=1)
    for request in (note_of(7).to_bytes(), growth(7, 7), once.to_bytes()):
        assert KEY.first_time(desk.cosign(request)) in (SECOND, SECOND + timedelta(hours=1))
    # The earliest of several is what the witness is believed for.
    assert KEY.first_time(desk.cosign(once.to_bytes())) == SECOND


@given(sizes=st.lists(st.integers(1, LARGEST), min_size=1, max_size=8))
def test_a_witness_never_goes_back(sizes: list[int]) -> None:
    desk = Desk()
    for size in sizes:
        seen = desk.shelf.seen
        if seen is None or size >= seen.size:
            old = 0 if seen is None else seen.size
            assert Checkpoint.open(desk.cosign(growth(old, size)), [LOG_KEY, KEY]).size == size
        else:
            assert desk.refusal(note_of(size).to_bytes()) == "witness.rolled-back"
            assert desk.refusal(growth(1, size)) == "witness.rolled-back"
    assert desk.shelf.seen is not None
    assert desk.shelf.seen.size == max(sizes)


@given(sizes=st.tuples(st.integers(5, LARGEST - 1), st.integers(1, LARGEST)))
def test_another_history_is_never_cosigned(sizes: tuple[int, int]) -> None:
    old, new = sizes[0], min(LARGEST, sum(sizes))
    desk = Desk()
    desk.cosign(note_of(old).to_bytes())
    assert desk.refusal(growth(old, new, levels=FORKED)) == "log.proof-wrong"
    assert desk.refusal(note_of(new, levels=FORKED).to_bytes()) == "witness.other-size"
    assert desk.shelf.evidence == []
    # Two roots of one size, both signed by the log: that convicts it.
    forked = note_of(old, levels=FORKED)
    assert desk.refusal(forked.to_bytes()) == "witness.forked"
    assert desk.refusal(growth(old, old, levels=FORKED)) == "witness.forked"
    assert desk.shelf.evidence[0] == forked.to_bytes()


def replayed() -> Desk:
    desk = Desk()
    desk.cosign(note_of(4).to_bytes())
    desk.cosign(growth(4, 9))
    return desk


def test_a_replayed_request_and_one_from_another_size_are_refused() -> None:
    desk = replayed()
    assert desk.refusal(growth(4, 12)) == "witness.other-size"
    assert desk.refusal(growth(0, 12)) == "witness.other-size"
    assert desk.refusal(note_of(12).to_bytes()) == "witness.other-size"
    assert desk.refusal(growth(10, 12)) == "witness.other-size"
    assert desk.refusal(growth(4, 9)) == "witness.other-size"
    assert desk.refusal(note_of(4).to_bytes()) == "witness.rolled-back"


def test_the_first_request_of_all_has_nothing_before_it() -> None:
    desk = Desk()
    assert desk.refusal(growth(4, 9)) == "witness.other-size"
    extra = GrowthProof(old_size=0, hashes=(bytes(32),), note=note_of(9)).to_bytes()
    assert desk.refusal(extra) == "log.proof-wrong"
    assert desk.cosign(growth(0, 9)).signatures


def test_every_changed_hash_of_a_growth_proof_is_found() -> None:
    desk = Desk()
    desk.cosign(note_of(5).to_bytes())
    right = GrowthProof.from_bytes(growth(5, 300))
    assert len(right.hashes) > 5
    for place in range(len(right.hashes)):
        wrong = [*right.hashes[:place], sha256(b"no").digest(), *right.hashes[place + 1 :]]
        for hashes in (wrong, right.hashes[:place], [*right.hashes, bytes(32)]):
            edited = GrowthProof(old_size=5, hashes=tuple(hashes), note=right.note)
            assert desk.refusal(edited.to_bytes()) == "log.proof-wrong"
    assert desk.cosign(right.to_bytes()).signatures


def test_a_checkpoint_of_another_log_or_by_another_key_is_refused() -> None:
    desk = Desk()
    for note, code in (
        (note_of(5, signer=OTHER_LOG), "log.signature-wrong"),
        (note_of(5, origin="log.example/other"), "log.other-origin"),
        (note_of(5, origin="log.example/other", name="log.example/other"), "log.signature-wrong"),
    ):
        assert desk.refusal(note.to_bytes()) == code
    text = note_of(5).text
    only_witness = SignedNote(
        text=text, signatures=(cosign(text, key=KEY, at=NOW, sign=PRIVATE.sign),)
    )
    assert desk.refusal(only_witness.to_bytes()) == "log.signature-wrong"


@pytest.mark.parametrize(
    "data", [b"", b"old 5\n", b"old -1\n\n", b"\xff", b"old 1\n" + b"A" * 70_000, b"\x00" * 300_000]
)
def test_a_request_that_cannot_be_read_is_refused(data: bytes) -> None:
    with pytest.raises(PkiDataError):
        Desk().cosign(data)


@given(data=st.binary(max_size=300))
def test_any_bytes_are_refused_and_never_break_the_witness(data: bytes) -> None:
    with pytest.raises((PkiDataError, PkiRefusedError)):
        Desk().cosign(data)


def test_what_was_seen_is_remembered_before_the_key_signs() -> None:
    desk = Desk(shelf=MemoryShelf(is_full=True))
    assert desk.refusal(note_of(5).to_bytes()) == "witness.unusable"
    assert desk.signed == []


def test_a_clock_that_went_back_makes_no_older_cosignature() -> None:
    desk = Desk()
    desk.cosign(note_of(5).to_bytes())
    desk.now = SECOND
    assert desk.cosign(growth(5, 6)).signatures
    desk.now = SECOND - timedelta(seconds=1)
    assert desk.refusal(growth(6, 7)) == "witness.clock-behind"


def test_a_full_note_is_refused_before_anything_is_remembered() -> None:
    note = note_of(5)
    crowd = tuple(
        NoteSignature(name=f"w{n}", key_id=bytes(4), signature=bytes(72))
        for n in range(MAX_SIGNATURES - 1)
    )
    full = SignedNote(text=note.text, signatures=(*note.signatures, *crowd))
    assert Desk().refusal(full.to_bytes()) == "witness.note-full"


@pytest.mark.parametrize(
    ("seconds", "length"), [(0, 64), (1 << 63, 64), (253_402_300_800, 64), (5, 63), (5, 65), (5, 0)]
)
def test_a_cosignature_without_a_time_or_of_another_length_is_none(
    seconds: int, length: int
) -> None:
    text = note_of(5).text
    message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
    signature = (PRIVATE.sign(message) + b"\x00")[:length]
    assert not KEY.is_signed(text, seconds.to_bytes(8, "big") + signature)
    assert not KEY.is_signed(text, b"")


def test_a_cosignature_holds_for_its_text_its_time_and_its_key_alone() -> None:
    text = note_of(5).text
    line = cosign(text, key=KEY, at=NOW, sign=PRIVATE.sign)
    assert KEY.is_signed(text, line.signature)
    assert not KEY.is_signed(note_of(6).text, line.signature)
    for place in range(len(line.signature)):
        changed = bytearray(line.signature)
        changed[place] ^= 1
        assert not KEY.is_signed(text, bytes(changed))
    other = WitnessKey(name=KEY.name, public_key=bytes(range(1, 33)))
    assert not other.is_signed(text, line.signature)
    assert other.first_time(SignedNote(text=text, signatures=(line,))) is None


def test_a_key_that_does_not_fit_signs_nothing_that_leaves() -> None:
    other = Ed25519PrivateKey.generate()

    def refused(sign: Callable[[bytes], bytes], at: datetime) -> str:
        with pytest.raises(PkiRefusedError) as caught:
            cosign("text\n", key=KEY, at=at, sign=sign)
        return caught.value.code

    assert refused(other.sign, NOW) == "log.signature-wrong"
    assert refused(PRIVATE.sign, datetime(1970, 1, 1, tzinfo=UTC)) == "log.signature-wrong"


@given(
    name=st.from_regex(r"[a-z0-9./-]{1,40}", fullmatch=True),
    key=st.binary(min_size=32, max_size=32),
)
def test_a_key_of_a_witness_comes_back(name: str, key: bytes) -> None:
    made = WitnessKey(name=name, public_key=key)
    assert WitnessKey.from_text(made.to_text()) == made


@pytest.mark.parametrize(
    ("name", "length"), [("w", 31), ("w", 33), ("", 32), ("a b", 32), ("a+b", 32), ("w" * 201, 32)]
)
def test_what_can_be_no_key_of_a_witness_is_refused(name: str, length: int) -> None:
    with pytest.raises(PkiDataError) as caught:
        WitnessKey(name=name, public_key=bytes(length))
    assert caught.value.code == "log.key-malformed"
