"""What the ledger of imports keeps to, whatever database stands behind it, under the use cases that write it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from issuer.db import schema
from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.domain.member import MemberCheck
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.import_outcome import RowOutcome, RowResult
from issuer.services.import_ports import DoubtState, ImportChunk, ImportNumber, RowReference
from tests.unit.issuer.test_questionable_rows import CLERK, NOW, ORGANISATIONS, SEALER, Office, row

DIGEST = bytes(range(32))


@pytest.fixture(params=["sqlite", "postgresql"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    database = Database(
        f"sqlite:///{tmp_path / 'issuer.sqlite'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgresql_url")
    )
    schema.upgrade(database)
    register = SqlRegister(database, lambda: SEALER)
    with register.writing() as transaction:
        transaction.organisations.add(ORGANISATIONS)
    yield Office(register)
    database.close()


def states(office: Office) -> dict[str, DoubtState]:
    with office.register.reading() as transaction:
        page = transaction.imports.doubts(limit=50, state=None)
    return {str(each.reference): each.state for each in page.rows}


def blurred(number: int, person: int, **changes: str) -> object:
    return row(number, person, portrait="blurred.jpg", **changes)


def test_a_corrected_row_closes_the_one_that_waits(office: Office) -> None:
    office.take(blurred(1, 1), blurred(2, 2), blurred(3, 3))  # type: ignore[arg-type]  # rows
    assert len(office.waiting()) == 3
    # The first comes with a good picture, the second with another that is not, the third does not come.
    office.take(row(7, 1), row(8, 2, portrait="blurred-2.jpg"))
    assert states(office) == {
        "1:1": DoubtState.REPLACED,
        "1:2": DoubtState.REPLACED,
        "1:3": DoubtState.WAITING,
        "2:8": DoubtState.WAITING,
    }
    assert office.member(1) is not None
    with pytest.raises(IssuerRefusedError) as refused:
        office.desk.accept(RowReference(ImportNumber(1), 1), actor=CLERK, reason="it is fine")
    assert refused.value.code == "questionable.decided"


def test_a_refused_row_closes_nothing(office: Office) -> None:
    office.take(blurred(1, 1))  # type: ignore[arg-type]  # a row
    office.take(row(5, 1, birth_date="31/02/1990"))
    assert states(office) == {"1:1": DoubtState.WAITING}


def test_what_became_of_rows_is_told_in_their_order_and_pages(office: Office) -> None:
    rows = [blurred(number, number) if number % 2 else row(number) for number in range(1, 8)]
    record = office.take(*rows)  # type: ignore[arg-type]  # rows
    ends = [outcome.result for outcome in office.importing.outcomes(record)]
    assert ends == [RowResult.QUESTIONABLE, RowResult.TAKEN] * 3 + [RowResult.QUESTIONABLE]
    with office.register.reading() as transaction:
        first = transaction.imports.doubts(limit=2)
        second = transaction.imports.doubts(limit=2, behind=first.end)
        here = transaction.imports.doubts(limit=9, organisations=["P-1"])
        elsewhere = transaction.imports.doubts(limit=9, organisations=["P-2"])
    assert [each.reference.row for each in (*first.rows, *second.rows)] == [1, 3, 5, 7]
    assert second.end is None
    assert (len(here.rows), len(elsewhere.rows)) == (4, 0)


def test_an_import_goes_on_in_one_place_and_ends_once(office: Office) -> None:
    chunk = ImportChunk(
        outcomes=[RowOutcome(row=1, result=RowResult.TAKEN)], holding=frozenset({1})
    )
    with office.register.writing() as transaction:
        begun = transaction.imports.begin(
            list_digest=DIGEST, account=CLERK.account, at=NOW, row_count=2
        )
        assert transaction.imports.unfinished(DIGEST) == begun
    with office.register.writing() as transaction:
        went_on = transaction.imports.store(begun, chunk)
        assert list(transaction.imports.holding(begun.number)) == [1]
    with pytest.raises(ConflictError) as elsewhere, office.register.writing() as transaction:
        transaction.imports.store(begun, chunk)
    assert elsewhere.value.code == "import.elsewhere"
    with pytest.raises(ConflictError), office.register.writing() as transaction:
        transaction.imports.begin(list_digest=DIGEST, account=CLERK.account, at=NOW, row_count=2)
    with office.register.writing() as transaction:
        done = transaction.imports.finish(went_on, at=NOW)
        assert transaction.imports.unfinished(DIGEST) is None
        assert transaction.imports.get(begun.number) == done == replace(went_on, finished_at=NOW)
        assert transaction.imports.all(limit=5) == (done,)


def test_a_decision_is_noted_once_and_remembered(office: Office) -> None:
    office.take(blurred(1, 1), blurred(2, 2))  # type: ignore[arg-type]  # rows
    first, second = office.waiting()
    office.desk.accept(first, actor=CLERK, reason="it is she")
    office.desk.refuse(second, actor=CLERK, reason="nobody knows him")
    assert set(states(office).values()) == {DoubtState.ACCEPTED, DoubtState.REFUSED}
    for reference in (first, second):
        with pytest.raises(IssuerRefusedError):
            office.desk.refuse(reference, actor=CLERK, reason="again")
    assert office.ends(blurred(4, 1), blurred(5, 2)) == [RowResult.PRESENT, ["row.refused-before"]]  # type: ignore[arg-type]


def test_a_list_that_comes_again_checks_whom_it_states_exactly_so(office: Office) -> None:
    office.take(row(1, 1), row(2, 2))
    ends = office.ends(row(1, 1), row(2, 2, phone="0912345678"))
    assert ends == [RowResult.PRESENT, ["member.differs"]]
    checks = [each and each.check for each in (office.member(1), office.member(2))]
    assert checks == [MemberCheck(at=NOW, account=CLERK.account), None]
