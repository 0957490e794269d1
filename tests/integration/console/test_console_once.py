"""A request under a key is carried out once, whatever breaks; an entity tag lets nobody overwrite unseen."""

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from issuer.api.entity_tags import entity_tag, require_match
from issuer.api.once import Receipt, carry_out_once, mark_of
from issuer.api.problems import ApiError
from issuer.db.base import Database
from issuer.db.operations import SqlIdempotencyLedger, SqlOperationLedger
from issuer.db.schema import upgrade
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.services.operation_ports import (
    KeptAnswer,
    Operation,
    OperationId,
    OperationKind,
    OperationState,
    RequestMark,
)
from issuer.services.operations import OPERATIONS, SILENCE, OperationDesk, OperationWork

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
KEY = "0123456789abcdef"


class Made(BaseModel):
    id: str


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'issuer.sqlite'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
    opened = Database(url)
    upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def ledger(database: Database) -> SqlIdempotencyLedger:
    return SqlIdempotencyLedger(database)


def mark(key: str = KEY, content: bytes = b"{}") -> RequestMark:
    return mark_of(AccountName("lan"), key, what="things", content=content)


def receipt() -> Receipt:
    return Receipt(status=201, location="/v1/things/1", document=Made(id="1"))


def once(office: Any, act: Callable[[], Receipt], **changes: Any) -> KeptAnswer:
    return carry_out_once(office.services, mark(**changes), act)


def test_the_second_request_gets_the_answer_of_the_first(office: Any) -> None:
    made: list[Receipt] = []

    def act() -> Receipt:
        made.append(receipt())
        return made[-1]

    first = once(office, act)
    assert once(office, act) == first
    assert first == KeptAnswer(status=201, location="/v1/things/1", body=b'{"id":"1"}')
    assert len(made) == 1


def test_the_key_with_another_content_is_refused(office: Any) -> None:
    once(office, receipt)
    with pytest.raises(IssuerRefusedError) as caught:
        once(office, receipt, content=b'{"other":1}')
    assert caught.value.code == "idempotency.key-reused"


def test_what_was_refused_may_be_asked_again_under_the_same_key(office: Any) -> None:
    def refuse() -> Receipt:
        raise IssuerRefusedError("not now", code="right.step-up-needed")

    with pytest.raises(IssuerRefusedError):
        once(office, refuse)
    assert once(office, receipt).status == 201


@pytest.mark.parametrize("fault", [RuntimeError("x"), IssuerUnavailableError("x")])
def test_where_nobody_knows_how_it_ended_it_is_not_done_again(
    office: Any, fault: Exception
) -> None:
    def break_off() -> Receipt:
        raise fault

    with pytest.raises(type(fault)):
        once(office, break_off)
    with pytest.raises(IssuerRefusedError) as caught:
        once(office, receipt)
    assert caught.value.code == "idempotency.outcome-unknown"


def test_two_at_the_same_time_do_it_once(ledger: SqlIdempotencyLedger) -> None:
    gate = threading.Barrier(8)

    def reserve(_: int) -> str:
        gate.wait(30)
        try:
            ledger.reserve(mark(), at=NOW)
        except IssuerRefusedError as error:
            return error.code
        return "mine"

    with ThreadPoolExecutor(8) as people:
        found = sorted(people.map(reserve, range(8)))
    assert found == ["idempotency.outcome-unknown"] * 7 + ["mine"]


def test_keys_are_everybody_s_own_and_are_forgotten_in_time(ledger: SqlIdempotencyLedger) -> None:
    assert ledger.reserve(mark(), at=NOW) is None
    other = RequestMark(account=AccountName("hoa"), key=KEY, digest=bytes(32))
    assert ledger.reserve(other, at=NOW + timedelta(days=1)) is None
    answer = KeptAnswer(status=202, location=None, body=b"{}")
    ledger.keep(mark(), answer)
    ledger.release(mark())
    assert ledger.reserve(mark(), at=NOW) == answer
    assert ledger.forget(before=NOW + timedelta(hours=1)) == 1
    assert ledger.reserve(mark(), at=NOW) is None


def test_a_change_names_what_was_read() -> None:
    read = Made(id="1")
    require_match(entity_tag(read), read)
    with pytest.raises(ApiError) as missing:
        require_match(None, read)
    with pytest.raises(ApiError) as failed:
        require_match(entity_tag(read), Made(id="2"))
    assert (missing.value.code, failed.value.code) == (
        "api.precondition-missing", "api.precondition-failed",
    )  # fmt: skip


def operation(number: int = 1, **changes: Any) -> Operation:
    values: dict[str, Any] = {
        "operation_id": OperationId(uuid.UUID(int=number)),
        "kind": OperationKind.IMPORT_MEMBERS,
        "account": AccountName("lan"),
        "state": OperationState.WAITING,
        "created_at": NOW + timedelta(seconds=number // 2),
        "changed_at": NOW,
    }
    return Operation(**(values | changes))


def test_operations_are_kept_and_paged_newest_first(database: Database) -> None:
    kept = SqlOperationLedger(database)
    for number in range(7):
        kept.add(operation(number))
    kept.add(operation(50, account=AccountName("hoa")))
    walked: list[int] = []
    behind = None
    while True:
        page = kept.page(account=AccountName("lan"), limit=3, behind=behind)
        walked += [each.operation_id.int for each in page.operations]
        behind = page.end
        if behind is None:
            break
    assert walked == [6, 5, 4, 3, 2, 1, 0]


class Queue:
    """Keeps what was said to wait."""

    def __init__(self) -> None:
        self.woken: list[tuple[str, str]] = []

    def wake(self, kind: str, keys: Sequence[str]) -> None:
        self.woken += [(kind, key) for key in keys]


def work_list(database: Database, work: Any, at: datetime = NOW) -> OperationWork:
    return OperationWork(
        ledger=SqlOperationLedger(database),
        works={OperationKind.IMPORT_MEMBERS: work},
        clock=lambda: at,
    )


def two_rows(_operation: Operation, progress: Any) -> dict[str, int]:
    progress(done=1, total=2)
    return {"taken": 2}


def test_what_is_begun_is_on_disk_and_then_somebody_is_told(database: Database) -> None:
    queue = Queue()
    desk = OperationDesk(ledger=SqlOperationLedger(database), jobs=queue, clock=lambda: NOW)
    begun = desk.begin(
        OperationKind.IMPORT_MEMBERS, account=AccountName("lan"), inputs={"upload": "1"}
    )
    assert queue.woken == [(OPERATIONS, str(begun.operation_id))]
    assert desk.show(begun.operation_id, account=AccountName("lan")) == begun
    with pytest.raises(IssuerRefusedError) as caught:
        desk.show(begun.operation_id, account=AccountName("hoa"))
    assert caught.value.code == "operation.unknown"
    work = work_list(database, two_rows)
    assert work.waiting(limit=5) == [str(begun.operation_id)]
    work.work(str(begun.operation_id))
    done = desk.show(begun.operation_id, account=AccountName("lan"))
    assert (done.state, done.done, done.counts) == (OperationState.DONE, 2, {"taken": 2})
    assert work.waiting(limit=5) == []
    work.work(str(begun.operation_id))
    assert desk.show(begun.operation_id, account=AccountName("lan")) == done


def test_work_whose_worker_died_is_begun_again_and_the_dead_one_says_nothing_more(
    database: Database,
) -> None:
    kept = SqlOperationLedger(database)
    kept.add(operation())
    first = kept.claim(operation().operation_id, at=NOW, silent_since=NOW - SILENCE)
    assert first is not None
    later = NOW + SILENCE
    assert work_list(database, two_rows, later).waiting(limit=5) == []
    later += timedelta(seconds=1)
    work = work_list(database, two_rows, later)
    assert work.waiting(limit=5) == [str(first.operation_id)]
    work.work(str(first.operation_id))
    done = kept.get(first.operation_id)
    assert (done.state, done.attempt) == (OperationState.DONE, 2)
    assert not kept.save(first)
    assert kept.get(first.operation_id) == done


def test_work_that_breaks_off_again_and_again_is_given_up(database: Database) -> None:
    kept = SqlOperationLedger(database)
    kept.add(operation())
    at = NOW
    for _ in range(3):
        assert kept.claim(operation().operation_id, at=at, silent_since=at - SILENCE)
        at += SILENCE + timedelta(seconds=1)
    work_list(database, two_rows, at).work(str(operation().operation_id))
    found = kept.get(operation().operation_id)
    assert (found.state, found.code) == (OperationState.FAILED, "operation.interrupted")


def test_of_eight_who_claim_at_once_one_gets_it(database: Database) -> None:
    kept = SqlOperationLedger(database)
    kept.add(operation())
    gate = threading.Barrier(8)

    def claim(_: int) -> bool:
        gate.wait(30)
        number = operation().operation_id
        return kept.claim(number, at=NOW, silent_since=NOW - SILENCE) is not None

    with ThreadPoolExecutor(8) as workers:
        assert sorted(workers.map(claim, range(8))) == [False] * 7 + [True]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (IssuerRefusedError("no", code="file.columns"), "file.columns"),
        (ZeroDivisionError("Đào"), "api.internal"),
    ],
)
def test_work_that_fails_says_so_without_anybody_s_data(
    database: Database, fault: Exception, code: str
) -> None:
    def fail(_operation: Operation, progress: Any) -> dict[str, int]:
        progress(done=1, total=9)
        raise fault

    kept = SqlOperationLedger(database)
    kept.add(operation())
    expected = contextlib.nullcontext() if code == "file.columns" else pytest.raises(type(fault))
    with expected:
        work_list(database, fail).work(str(operation().operation_id))
    found = kept.get(operation().operation_id)
    assert (found.state, found.code, found.done) == (OperationState.FAILED, code, 1)
    assert "Đào" not in str(found)
    with pytest.raises(IssuerRefusedError) as caught:
        kept.get(OperationId(uuid.UUID(int=99)))
    assert caught.value.code == "operation.unknown"


def test_an_operation_is_seen_by_whoever_began_it_alone_and_followed_to_its_end(
    office: Any,
) -> None:
    desk = office.services.operations
    begun = desk.begin(OperationKind.IMPORT_MEMBERS, account=AccountName("lan"), inputs={})
    path = f"/v1/operations/{begun.operation_id}"
    other = office.client("hoa", is_program=True).get(path)
    assert (other.status_code, other.json()["code"]) == (404, "operation.unknown")
    client = office.client("lan", is_program=True)
    waiting = client.get(path)
    assert (waiting.json()["state"], waiting.json()["total"]) == ("waiting", None)
    OperationWork(
        ledger=desk.ledger,
        works={OperationKind.IMPORT_MEMBERS: two_rows},
        clock=office.services.now,
    ).work(str(begun.operation_id))
    stream = client.get(f"{path}/events")
    assert stream.headers["content-type"].startswith("text/event-stream")
    last = stream.text.strip().split("\n\n")[-1]
    assert last.startswith("event: end\ndata: {")
    found = client.get(path)
    assert found.json()["counts"] == {"taken": 2}
    assert found.headers["etag"] != waiting.headers["etag"]
    again = client.get(path, **{"If-None-Match": found.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/v1/operations").json()["operations"] == [found.json()]


def test_a_cursor_belongs_to_its_account_and_its_list(office: Any) -> None:
    for _ in range(3):
        office.services.operations.begin(
            OperationKind.IMPORT_MEMBERS, account=AccountName("lan"), inputs={}
        )
    client = office.client("lan", is_program=True)
    first = client.get("/v1/operations?limit=2").json()
    second = client.get(f"/v1/operations?limit=2&cursor={first['next']}").json()
    assert len(first["operations"] + second["operations"]) == 3
    assert second["next"] is None
    stolen = office.client("hoa", is_program=True).get(f"/v1/operations?cursor={first['next']}")
    assert (stolen.status_code, stolen.json()["code"]) == (400, "api.cursor-invalid")
    other = client.get(f"/v1/organisations?cursor={first['next']}")
    assert (other.status_code, other.json()["code"]) == (400, "api.cursor-invalid")
    changed = first["next"][:-2] + ("AA" if first["next"][-2:] != "AA" else "BB")
    assert client.get(f"/v1/operations?cursor={changed}").status_code == 400
