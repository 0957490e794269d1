"""The life of chips' master keys: custodians, versions, and a crash at every single step."""

import itertools
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from pki.errors import PkiError
from pki.keys.open import KeystoreKind, create_keystore, open_keystore
from pki.record.journal import Journal, JournalEntry, Record, read_journal, verify_journal
from pki.services.master_key_state import MasterKeyKind
from pki.services.master_keys import KeyComponent, MasterKeyService
from pki.services.recorder import Recorder
from pki.services.state import PkiState

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
PIN = "correct horse battery"
FIRST, SECOND, THIRD = (bytes(range(start, start + 32)) for start in (1, 100, 200))
WHOLE = bytes(a ^ b for a, b in zip(FIRST, SECOND, strict=True))


class CrashError(Exception):
    """The process died."""


class Countdown:
    """Dies at the n-th step; every step counts once before it is done and once after."""

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.count = 0

    def step(self) -> None:
        self.count += 1
        if self.count == self.at:
            raise CrashError


class DyingKeystore:
    """A keystore of files whose process dies around what changes it."""

    def __init__(self, inner: Any, countdown: Countdown) -> None:
        self._inner = inner
        self._countdown = countdown

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in {"create_master_key", "import_master_key", "destroy"}:
            return found

        def call(*arguments: Any, **values: Any) -> None:
            self._countdown.step()
            found(*arguments, **values)
            self._countdown.step()

        return call


class DyingJournal:
    def __init__(self, inner: Journal, countdown: Countdown) -> None:
        self._inner = inner
        self._countdown = countdown

    def append_many(self, records: Sequence[Record]) -> tuple[JournalEntry, ...]:
        self._countdown.step()
        entries = self._inner.append_many(records)
        self._countdown.step()
        return entries


class Room:
    def __init__(self, directory: Path) -> None:
        self.keystore = directory / "keystore"
        self.journal = directory / "journal"
        # Opened once: what counts after a crash are its files, and opening takes long on purpose.
        self.inner = create_keystore(self.keystore, kind=KeystoreKind.FILE, pin=PIN)

    def do(self, action: Callable[[MasterKeyService], Any], *, crash_at: int = 0) -> Any:
        """One process: give back the result, and whether it lived."""
        state, countdown = PkiState(), Countdown(crash_at)
        with Journal.open(self.journal, replay=state.apply) as journal:
            recorder = Recorder(
                journal=DyingJournal(journal, countdown), state=state, now=lambda: NOW
            )
            service = MasterKeyService(
                keystore=DyingKeystore(self.inner, countdown), recorder=recorder
            )
            return action(service)

    @property
    def state(self) -> PkiState:
        state = PkiState()
        for entry in read_journal(self.journal):
            state.apply(entry)
        return state

    def usable(self) -> dict[str, str]:
        """Usable keys and their check values, once journal and keystore are known to agree."""
        verify_journal(self.journal)
        records = [each for each in self.state.master_keys.keys.values() if each.is_usable]
        assert list(self.inner.key_ids()) == sorted(each.key_id for each in records)
        assert all(self.inner.check_value(each.key_id) == each.check_value for each in records)
        return {each.key_id: (each.check_value or b"").hex() for each in records}


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def check_value(key: bytes) -> bytes:
    mac = CMAC(AES(key))
    mac.update(bytes(16))
    return mac.finalize()[:5]


def component(custodian: str, value: bytes, check: bytes | None = None) -> KeyComponent:
    return KeyComponent(custodian=custodian, value=value, check_value=check or check_value(value))


def bring(*components: KeyComponent, check: bytes = check_value(WHOLE)) -> Any:
    return lambda service: service.import_transport(components, check_value=check)


BOTH = bring(component("an", FIRST), component("binh", SECOND))
CREATE: Any = lambda service: service.create()  # noqa: E731 - one of many alike
ROTATE: Any = lambda service: service.rotate()  # noqa: E731 - the same


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def test_components_make_the_key_that_derives_what_the_chip_maker_derives(room: Room) -> None:
    record = room.do(BOTH)
    assert (record.key_id, record.key_version) == ("transport-1", 0xFF)
    with closing(open_keystore(room.keystore, pin=PIN)) as keystore:
        derived = keystore.derive("transport-1", label=b"l", context=b"c", length=16)
    mac = CMAC(AES(WHOLE))
    mac.update(bytes.fromhex("00000001") + b"l\x00c" + bytes.fromhex("00000080"))
    assert derived == mac.finalize()
    (entry,) = [each for each in read_journal(room.journal) if each.kind == "master-key.intended"]
    assert entry.fields["custodians"] == "an,binh"


def test_three_custodians_may_bring_a_key_too(room: Room) -> None:
    whole = bytes(a ^ b for a, b in zip(WHOLE, THIRD, strict=True))
    three = (component("an", FIRST), component("binh", SECOND), component("cuc", THIRD))
    room.do(bring(*three, check=check_value(whole)))
    assert room.usable() == {"transport-1": check_value(whole).hex()}


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (bring(component("an", WHOLE)), "master-key.custodians"),
        (bring(*(component(name, FIRST) for name in "abcd")), "master-key.custodians"),
        (bring(component("an", FIRST), component("an", SECOND)), "master-key.custodians"),
        (bring(component("An!", FIRST), component("binh", SECOND)), "keystore.key-id-invalid"),
        (bring(component("an", FIRST[:31], bytes(5)), component("binh", SECOND)), "master-key.component-invalid"),
        (bring(component("an", WHOLE), component("binh", bytes(32))), "master-key.component-invalid"),
        (bring(component("an", FIRST), component("binh", FIRST)), "master-key.component-invalid"),
        (bring(component("an", FIRST, bytes(5)), component("binh", SECOND)), "master-key.check-value-differs"),
        (bring(component("an", FIRST, check_value(FIRST)[:3]), component("binh", SECOND)), "master-key.check-value-differs"),
        (bring(component("an", FIRST), component("binh", SECOND), check=bytes(5)), "master-key.check-value-differs"),
        (bring(component("an", FIRST), component("binh", THIRD)), "master-key.check-value-differs"),
        (ROTATE, "master-key.missing"),
        (lambda service: service.retire("transport-1", reason="x"), "master-key.unknown"),
    ],
)  # fmt: skip
def test_what_is_refused_leaves_nothing(room: Room, action: Any, code: str) -> None:
    assert code_of(lambda: room.do(action)) == code
    assert list(read_journal(room.journal)) == []
    assert room.usable() == {}


def test_no_error_tells_a_component(room: Room) -> None:
    for action in (
        bring(component("an", FIRST, bytes(5)), component("binh", SECOND)),
        bring(component("an", FIRST), component("binh", SECOND), check=bytes(5)),
    ):
        with pytest.raises(PkiError) as caught:
            room.do(action)
        told = str(caught.value) + repr(caught.value) + repr(component("an", FIRST))
        for value in (FIRST, SECOND, WHOLE):
            assert value.hex() not in told.lower()
            assert repr(value) not in told


def test_a_value_is_taken_in_once_and_a_newer_one_follows(room: Room) -> None:
    room.do(BOTH)
    assert code_of(lambda: room.do(BOTH)) == "master-key.exists"
    whole = bytes(a ^ b for a, b in zip(FIRST, THIRD, strict=True))
    pair = (component("an", FIRST), component("binh", THIRD))
    room.do(bring(*pair, check=check_value(whole)))
    assert list(room.usable()) == ["transport-1", "transport-2"]
    current = room.state.master_keys.current(MasterKeyKind.TRANSPORT)
    assert current is not None
    assert (current.key_id, current.key_version) == ("transport-2", 0xFF)


def test_rotation_keeps_the_older_keys_until_they_are_retired(room: Room) -> None:
    room.do(CREATE)
    assert code_of(lambda: room.do(CREATE)) == "master-key.exists"
    second = room.do(ROTATE)
    assert (second.key_id, second.key_version) == ("personalisation-2", 0x31)
    assert len(set(room.usable().values())) == 2

    def retire(key_id: str, reason: str = "no chip is left") -> Any:
        return lambda service: service.retire(key_id, reason=reason)

    assert code_of(lambda: room.do(retire("personalisation-2"))) == "master-key.in-use"
    for reason in ("", "x" * 201, "a\nb"):
        refused = code_of(lambda reason=reason: room.do(retire("personalisation-1", reason)))
        assert refused == "signing.request-invalid"
    room.do(retire("personalisation-1"))
    assert list(room.usable()) == ["personalisation-2"]
    assert code_of(lambda: room.do(retire("personalisation-1"))) == "master-key.retired"
    # A number is never given twice.
    assert room.do(ROTATE).key_id == "personalisation-3"


def test_chips_can_name_sixteen_versions_and_no_more(room: Room) -> None:
    room.do(CREATE)
    assert [room.do(ROTATE).key_version for _ in range(15)] == list(range(0x31, 0x40))
    assert code_of(lambda: room.do(ROTATE)) == "master-key.versions-exhausted"


@pytest.mark.parametrize(
    ("before", "action", "left"),
    [
        ([], CREATE, ["personalisation-1"]),
        ([CREATE], ROTATE, ["personalisation-1", "personalisation-2"]),
        ([], BOTH, ["transport-1"]),
        (
            [CREATE, ROTATE],
            lambda service: service.retire("personalisation-1", reason="none is left"),
            ["personalisation-2"],
        ),
    ],
)
def test_a_crash_at_any_step_is_finished_by_doing_it_again(
    tmp_path: Path, before: list[Any], action: Any, left: list[str]
) -> None:
    crashes = 0
    finished: list[str] = []
    for crash_at in itertools.count(1):
        directory = tmp_path / str(crash_at)
        directory.mkdir()
        room = Room(directory)
        for each in before:
            room.do(each)
        try:
            room.do(action, crash_at=crash_at)
        except CrashError:
            crashes += 1
        else:
            break
        done = any(
            each.kind in {"master-key.created", "master-key.retired"}
            for each in list(read_journal(room.journal))[len(before) * 2 :]
        )
        if not done:
            # The second attempt may die as well, at any step.
            for again in (crash_at, 0):
                try:
                    room.do(action, crash_at=again)
                except CrashError:
                    continue
                except PkiError as error:
                    finished.append(error.code)
                break
        assert list(room.usable()) == left
    assert crashes >= 6
    # The second process may have died when everything was done.
    assert set(finished) <= {"master-key.exists", "master-key.retired"}
