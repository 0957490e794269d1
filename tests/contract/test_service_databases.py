"""What the PKI's database keeps to, whatever stands behind it: requests, decisions, and the journal's projection."""

import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki.db import schema
from pki.db.base import Database
from pki.db.projection import SqlProjection
from pki.db.request_ledger import SqlRequestLedger
from pki.db.tables import RequestRow
from pki.errors import PkiError, RecordError
from pki.record.journal import Journal, Record
from pki.record.journal_tail import JournalPosition
from pki.services.operator_requests import (
    MAX_OPEN_REQUESTS,
    REQUEST_LIFETIME,
    Decision,
    OperatorRequest,
    RequestDesk,
    RequestState,
)
from pki.services.projection import catch_up
from pki.services.request_contents import CONTENT_RULES, RequestContent, RequestKind

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
TWO_DUE = {"signer": "ds-2", "profile": "document-signer"}


@pytest.fixture(params=["sqlite", "postgresql"])
def service_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = (
        f"sqlite:///{tmp_path / 'service.sqlite'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgresql_url")
    )
    opened = Database(url)
    schema.upgrade(opened)
    yield opened
    opened.close()


class Clock:
    def __init__(self) -> None:
        self.now = NOW


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(service_database: Database, clock: Clock) -> RequestDesk:
    return RequestDesk(SqlRequestLedger(service_database), now=lambda: clock.now, new_id=uuid.uuid4)


def content(kind: str = "crl.issue", **values: object) -> RequestContent:
    return RequestContent.from_document(kind, values or {"days": 30})


def key() -> str:
    return uuid.uuid4().hex


def ask(desk: RequestDesk, wanted: RequestContent | None = None) -> OperatorRequest:
    return desk.create(wanted or content(), requester="an", key=key())


def approve(desk: RequestDesk, request: OperatorRequest, name: str) -> OperatorRequest:
    return desk.decide(
        request.id, Decision.APPROVE, operator=name, reason=None, key=key(), version=None
    )


def test_what_is_stored_is_read_back(desk: RequestDesk) -> None:
    asked = ask(desk, content("signer.revoke", signer="ds-1", reason="Thẻ mất — 理由"))
    assert desk.show(asked.id) == asked
    assert (asked.version, asked.state, asked.expires_at) == (
        1,
        RequestState.OPEN,
        NOW + REQUEST_LIFETIME,
    )


def test_decisions_are_kept_in_their_order(desk: RequestDesk) -> None:
    asked = ask(desk, content("signer.create", **TWO_DUE))
    assert approve(desk, asked, "binh").state is RequestState.OPEN
    decided = approve(desk, asked, "chi")
    assert (decided.state, decided.version) == (RequestState.APPROVED, 3)
    assert desk.show(asked.id).approvers == ("binh", "chi")


def test_a_request_ends_by_itself(desk: RequestDesk, clock: Clock) -> None:
    asked = ask(desk)
    clock.now = NOW + REQUEST_LIFETIME + timedelta(seconds=1)
    with pytest.raises(PkiError) as refusal:
        approve(desk, asked, "binh")
    assert refusal.value.code == "request.expired"
    assert desk.show(asked.id).decisions == ()


def test_of_many_who_decide_at_once_each_counts_once_and_nobody_twice(
    desk: RequestDesk,
) -> None:
    asked = ask(desk, content("signer.create", **TWO_DUE))
    names = ["binh", "chi"] * 4
    outcomes: list[str] = []
    barrier = threading.Barrier(len(names))

    def decide(name: str) -> None:
        barrier.wait()
        try:
            outcomes.append(approve(desk, asked, name).state.value)
        except PkiError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=decide, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(set(desk.show(asked.id).approvers)) == sorted(desk.show(asked.id).approvers)
    assert set(desk.show(asked.id).approvers) == {"binh", "chi"}
    assert sorted(outcomes) == sorted(
        ["open", "approved", *["request.decided-already"] * (len(names) - 2)]
    )


def test_of_many_who_ask_under_one_key_one_asks(
    desk: RequestDesk,
) -> None:
    shared = key()
    found: list[uuid.UUID] = []
    barrier = threading.Barrier(8)

    def send() -> None:
        barrier.wait()
        found.append(desk.create(content(), requester="an", key=shared).id)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_requests_come_in_pages_by_state(
    service_database: Database, desk: RequestDesk, clock: Clock
) -> None:
    ledger = SqlRequestLedger(service_database)
    asked = [ask(desk).id for _ in range(5)]
    approve(desk, desk.show(asked[1]), "binh")

    def ids(
        state: RequestState | None, after: int | None = None, limit: int = 9
    ) -> list[uuid.UUID]:
        return [
            each.id for each in ledger.page(state=state, after=after, limit=limit, now=clock.now)
        ]

    assert ids(None) == asked[::-1]
    assert ids(RequestState.APPROVED) == [asked[1]]
    assert ids(RequestState.OPEN) == [asked[4], asked[3], asked[2], asked[0]]
    second = ledger.page(state=None, after=None, limit=2, now=clock.now)[-1]
    assert ids(None, after=second.number, limit=2) == [asked[2], asked[1]]
    clock.now = NOW + REQUEST_LIFETIME + timedelta(seconds=1)
    assert ids(RequestState.OPEN) == ids(RequestState.APPROVED) == []
    assert ids(RequestState.EXPIRED) == asked[::-1]


def test_only_so_many_requests_are_open_at_once(
    service_database: Database, desk: RequestDesk, clock: Clock
) -> None:
    with service_database.writing() as session:
        session.execute(
            sa.insert(RequestRow),
            [
                {
                    "id": uuid.uuid4(),
                    "kind": content().kind.value,
                    "content": content().to_json(),
                    "digest": content().digest,
                    "requester": "an",
                    "request_key": key(),
                    "requested_at": NOW,
                    "expires_at": NOW + REQUEST_LIFETIME,
                    "state": "open",
                    "version": 1,
                }
                for _ in range(MAX_OPEN_REQUESTS)
            ],
        )
    with pytest.raises(PkiError) as refusal:
        ask(desk)
    assert refusal.value.code == "request.too-many"
    clock.now = NOW + REQUEST_LIFETIME + timedelta(seconds=1)
    assert ask(desk).state is RequestState.OPEN


def test_a_content_that_was_altered_in_the_database_is_not_believed(
    service_database: Database, desk: RequestDesk
) -> None:
    asked = ask(desk)
    with service_database.writing() as session:
        session.execute(sa.update(RequestRow).values(content='{"days":90}'))
    with pytest.raises(RecordError) as refusal:
        desk.show(asked.id)
    assert refusal.value.code == "database.request-altered"


def test_every_kind_has_an_example_that_can_be_stored(desk: RequestDesk) -> None:
    for kind in RequestKind:
        example = RequestContent.from_document(kind.value, dict(CONTENT_RULES[kind].example))
        assert desk.show(ask(desk, example).id).content == example


Write = Callable[..., None]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@pytest.fixture
def write(journal: Path) -> Write:
    def append(*records: tuple[str, dict[str, str | int | None]]) -> None:
        with Journal.open(journal, replay=lambda _: None) as opened:
            opened.append_many(
                [Record(kind=kind, time=NOW, fields=fields) for kind, fields in records]
            )

    return append


def crl(number: int) -> tuple[str, dict[str, str | int | None]]:
    return "crl.issued", {"number": number, "crl": f"{number:08x}"}


def test_the_projection_follows_the_journal_by_position(
    service_database: Database, journal: Path, write: Write
) -> None:
    projection = SqlProjection(service_database)
    assert catch_up(projection, journal) == JournalPosition()
    write(crl(1), ("security-object.signed", {"signer": "ds-1"}), crl(2))
    position = catch_up(projection, journal)
    assert (position.sequence, position.offset) == (3, journal.stat().st_size)
    assert catch_up(projection, journal) == position
    write(crl(3))
    assert catch_up(projection, journal).sequence == 4
    assert [each.number for each in projection.lists("crl", after=None, limit=9)] == [3, 2, 1]
    newest = projection.newest_list("crl")
    assert newest is not None
    assert newest.content == (3).to_bytes(4, "big")
    assert projection.list_by_digest(newest.digest) == newest


def test_a_rebuilt_projection_is_the_same_and_keeps_requests(
    service_database: Database, desk: RequestDesk, journal: Path, write: Write
) -> None:
    projection = SqlProjection(service_database)
    asked = ask(desk)
    write(crl(1), ("terminal.blocked", {"holder": "VNGATE1", "reason": "x"}), crl(2))
    write(("request.taken", {"request": str(asked.id)}))
    before = catch_up(projection, journal)
    lists = projection.lists("crl", after=None, limit=9)
    assert desk.show(asked.id).state is RequestState.TAKEN
    projection.clear()
    assert projection.lists("crl", after=None, limit=9) == []
    assert catch_up(projection, journal) == before
    assert projection.lists("crl", after=None, limit=9) == lists
    assert desk.show(asked.id).state is RequestState.TAKEN


def test_a_torn_line_is_left_alone_until_it_is_whole(
    service_database: Database, journal: Path, write: Write
) -> None:
    projection = SqlProjection(service_database)
    write(crl(1), crl(2))
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-5])
    assert catch_up(projection, journal).sequence == 1
    journal.write_bytes(whole)
    assert catch_up(projection, journal).sequence == 2


@pytest.mark.parametrize("damage", ["cut", "gone", "other", "edited"])
def test_a_journal_that_does_not_hold_what_was_read_is_refused(
    service_database: Database, journal: Path, write: Write, damage: str
) -> None:
    projection = SqlProjection(service_database)
    write(crl(1), crl(2), crl(3))
    before = catch_up(projection, journal)
    lines = journal.read_bytes().splitlines(keepends=True)
    if damage == "gone":
        journal.unlink()
    elif damage == "other":
        journal.unlink()
        write(crl(4), crl(5), crl(6), crl(7))
    else:
        edited = lines[2].replace(b'"number":3', b'"number":4')
        journal.write_bytes(b"".join([*lines[:2], *([edited] if damage == "edited" else [])]))
    with pytest.raises(RecordError) as refusal:
        catch_up(projection, journal)
    assert refusal.value.code == "database.other-journal"
    assert projection.position() == before


def test_an_entry_that_does_not_follow_is_damage(
    service_database: Database, journal: Path, write: Write
) -> None:
    projection = SqlProjection(service_database)
    write(crl(1))
    catch_up(projection, journal)
    write(crl(2), crl(3))
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(lines[0] + lines[2])
    with pytest.raises(RecordError) as refusal:
        catch_up(projection, journal)
    assert refusal.value.code == "record.damaged"
    assert projection.position().sequence == 1


def test_several_may_follow_at_once(
    service_database: Database, journal: Path, write: Write
) -> None:
    write(*(crl(number) for number in range(1, 60)))
    projection = SqlProjection(service_database)
    barrier = threading.Barrier(6)
    reached: list[int] = []

    def follow() -> None:
        barrier.wait()
        reached.append(catch_up(projection, journal).sequence)

    threads = [threading.Thread(target=follow) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reached == [59] * 6
    assert len(projection.lists("crl", after=None, limit=200)) == 59


def test_the_later_word_on_a_revoked_signer_changes_neither_day_nor_reason(
    service_database: Database, journal: Path, write: Write, signer_certificate: bytes
) -> None:
    projection = SqlProjection(service_database)
    issued = {"signer": "ds-1", "certificate": signer_certificate.hex()}
    write(
        ("signer-certificate.issued", issued),
        ("signer.revoked", {"signer": "ds-1", "reason": "first"}),
        ("signer.compromised", {"signer": "ds-1", "reason": "second"}),
    )
    catch_up(projection, journal)
    found = projection.newest_certificate("signer")
    assert found is not None
    assert (found.reason, found.revoked_at, found.is_compromised) == ("first", NOW, True)
    assert found.der == signer_certificate
    assert projection.certificate(found.digest) == found


@pytest.fixture(scope="module")
def signer_certificate() -> bytes:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.COMMON_NAME, "TEST ds-1"),
        ]
    )
    signing_key = ec.generate_private_key(ec.SECP256R1())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(signing_key.public_key())
        .serial_number(77)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(signing_key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
