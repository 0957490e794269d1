"""Journals at the centre: each record once, in its place, under other pseudonyms; alarms; reports; keys that end."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pki.card_verifiable.authorisation import Role
from simulators.authority import TestAuthority
from tests.unit.verifier.centre_stage import Stage, open_stage
from tests.unit.verifier.terminal_hierarchy import reference
from verifier.centre.period_keys import PeriodKeys, period_of
from verifier.centre.reports import CountedBy, InspectionCount, to_csv
from verifier.centre_db.journals import SqlJournalStore
from verifier.centre_db.terminals import seconds
from verifier.db.journal import SqlInspectionJournal
from verifier.inspection.report import Assurance, Verdict
from verifier.network.bounded_http import Answer, NetworkError
from verifier.network.centre_client import CentreClient, CentreRefusedError, upload_journal
from verifier.services.terminal_ports import HolderRecord, InspectionRecord
from verifier.services.terminal_state import HolderAnswer

MINUTE = timedelta(minutes=1)


class Office:
    """A terminal with its journal, whose requests go straight into the application."""

    def __init__(self, stage: Stage, directory: Path, mnemonic: str = "GATE1") -> None:
        self.stage = stage
        self.name = f"terminal-{mnemonic.lower()}"
        self.journal = SqlInspectionJournal.open(
            directory / f"{mnemonic}.sqlite",
            terminal=self.name,
            key=mnemonic.encode().ljust(32, b"."),
        )
        holder = reference(mnemonic)
        certificate = stage.hierarchy.certificate(holder, reference("OFFICES"), Role.TERMINAL)
        self.sent: list[tuple[str, str]] = []
        self.client = CentreClient(
            self,  # type: ignore[arg-type]
            credentials=stage.hierarchy.credentials(
                stage.hierarchy.root(), stage.hierarchy.office(), certificate
            ),
            chain=(stage.hierarchy.office(), certificate),
            now=stage.clock,
        )

    @property
    def address(self) -> Any:
        """Stands for the address of a client over a network."""

        class Address:
            text = "https://centre.example"

        return Address()

    def ask(
        self, method: str, path: str, *, body: bytes | None, headers: dict[str, str], max_bytes: int
    ) -> Answer:
        self.sent.append((method, path))
        answer = self.stage.client.send(method, path, content=body or b"", headers=headers)
        assert len(answer.content) <= max_bytes
        return Answer(status=answer.status_code, headers=dict(answer.headers), body=answer.content)

    def inspect(
        self,
        card: bytes | None,
        *,
        at: datetime | None = None,
        verdict: Verdict = Verdict.ACCEPTED,
        codes: tuple[str, ...] = (),
        chip: bytes | None = None,
    ) -> int:
        return self.journal.record(
            InspectionRecord(
                at=at or self.stage.clock(),
                purpose="identity",
                verdict=verdict,
                assurance=Assurance.DATA_AND_CHIP,
                codes=codes,
                notes=(),
                card=card,
                chip=chip,
            )
        )

    def upload(self) -> int:
        return upload_journal(self.client, self.journal).taken

    def page(self, **changes: object) -> dict[str, object]:
        lines = list(self.journal.lines())
        begin = self.journal.begin
        return {
            "begin": begin.sequence,
            "begin_digest": begin.digest.hex(),
            "dropped": begin.sequence,
            "release": self.journal.release.hex(),
            "records": [line.body for line in lines],
        } | changes

    def post(self, page: object) -> dict[str, Any]:
        return self.client.ask(
            "POST", f"/v1/journals/{self.name}/records", json.dumps(page).encode()
        )


@pytest.fixture
def stage(
    request: pytest.FixtureRequest, tmp_path: Path, test_pki: TestAuthority, now: datetime
) -> Iterator[Stage]:
    is_server = getattr(request, "param", "sqlite") == "postgresql"
    url = request.getfixturevalue("postgresql_url") if is_server else None
    with open_stage(tmp_path, authority=test_pki, now=now, database_url=url) as opened:
        yield opened


@pytest.fixture
def office(stage: Stage, tmp_path: Path) -> Iterator[Office]:
    found = Office(stage, tmp_path)
    with closing(found.journal):
        yield found


@pytest.fixture
def another(stage: Stage, tmp_path: Path, now: datetime) -> Iterator[Office]:
    stage.centre.register.enrol("VNGATE2", organisation="07.09", now=now)
    found = Office(stage, tmp_path, "GATE2")
    with closing(found.journal):
        yield found


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(CentreRefusedError) as caught:
        action()
    return caught.value.code


def alarms_of(stage: Stage) -> list[str]:
    return [line.code for line in stage.centre.reports.alarms(behind=0, limit=1000)]


def rows_of(stage: Stage) -> list[Any]:
    with stage.centre.database.reading() as connection:
        statement = "SELECT * FROM inspections ORDER BY journal, sequence"
        return list(connection.exec_driver_sql(statement))


@pytest.mark.parametrize("stage", ["sqlite", "postgresql"], indirect=True)
def test_a_journal_is_taken_in_page_by_page_and_once(
    stage: Stage, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verifier.network.centre_client.MAX_PAGE_RECORDS", 2)
    for number in range(5):
        office.inspect(bytes([number]))
    office.journal.record(
        HolderRecord(at=stage.clock(), inspection=5, answer=HolderAnswer.COMPARED_YES)
    )
    assert office.upload() == 6
    assert len(office.sent) == 4
    assert office.upload() == 0
    office.inspect(b"later")
    assert office.upload() == 1
    rows = rows_of(stage)
    assert [row.sequence for row in rows] == list(range(1, 8))
    assert (rows[5].kind, rows[5].about, rows[5].answer) == ("holder", 5, "compared-yes")
    assert [row.digest for row in rows] == [line.digest for line in office.journal.lines()]


def test_an_answer_that_was_lost_changes_nothing(stage: Stage, office: Office) -> None:
    office.inspect(b"one")
    page = office.page()
    assert office.post(page)["taken"] == 1
    assert office.post(page)["taken"] == 0
    assert office.post(office.page())["sequence"] == 1
    assert len(rows_of(stage)) == 1


def test_a_card_has_one_name_at_the_centre_and_none_that_a_terminal_knows(
    stage: Stage, office: Office, another: Office
) -> None:
    for each in (office, another):
        each.inspect(b"a card", chip=b"a chip")
        each.upload()
    rows = rows_of(stage)
    assert len({row.card for row in rows}) == 1
    assert len({row.chip for row in rows}) == 1
    told = {line.fields["card"] for each in (office, another) for line in each.journal.lines()}
    assert len(told) == 2
    assert rows[0].card.hex() not in told
    assert rows[0].card != rows[0].chip
    # Neither what takes a terminal's key off nor any word of the record is kept.
    everything = repr(rows)
    assert office.journal.release.hex() not in everything
    assert repr(office.journal.release) not in everything


def test_a_gap_is_named_and_refused(stage: Stage, office: Office) -> None:
    for number in range(4):
        office.inspect(bytes([number]))
    lines = list(office.journal.lines())
    page = office.page(begin=2, begin_digest=lines[1].digest.hex(), records=[lines[2].body])
    with pytest.raises(
        CentreRefusedError, match="records 1 to 2 of journal terminal-gate1"
    ) as caught:
        office.post(page)
    assert caught.value.code == "centre.journal-gap"
    assert rows_of(stage) == []


@pytest.mark.parametrize("stage", ["sqlite", "postgresql"], indirect=True)
def test_records_that_were_let_go_of_leave_a_gap_with_an_alarm(
    stage: Stage, office: Office, now: datetime
) -> None:
    office.inspect(b"one")
    office.upload()
    for _ in range(2):
        office.inspect(b"old", at=now - timedelta(days=10))
    office.inspect(b"new")
    office.journal.drop_older_than(0, now=now)
    # The first record is as young as the last one: only what stands in front of it was dropped.
    assert office.journal.begin.sequence in (0, 3)
    office.journal.drop_older_than(0, now=now + MINUTE)
    office.inspect(b"newest")
    assert office.upload() == 1
    assert alarms_of(stage) == ["alarm.journal-gap"]
    with stage.centre.database.reading() as connection:
        (gap,) = connection.exec_driver_sql("SELECT first, last FROM journal_gaps").all()
    assert tuple(gap) == (2, 4)


def test_a_journal_that_was_changed_after_its_upload_is_refused_with_an_alarm(
    stage: Stage, office: Office
) -> None:
    for number in range(3):
        office.inspect(bytes([number]))
    office.upload()
    page = office.page()
    records = list(page["records"])  # type: ignore[call-overload]
    records[1] = records[1].replace("accepted", "refused")
    with pytest.raises(CentreRefusedError, match="record 2 is not the one") as caught:
        office.post({**page, "records": records})
    assert caught.value.code == "centre.journal-edited"
    assert alarms_of(stage) == ["alarm.journal-edited"]
    # An end that does not follow ours is an edit of what is before it.
    end = office.journal.verify()
    wrong = office.page(begin=end.sequence, begin_digest="00" * 32, records=[])
    assert code_of(lambda: office.post(wrong)) == "centre.journal-edited"
    assert [row.verdict for row in rows_of(stage)] == ["accepted"] * 3


def test_a_journal_belongs_to_the_terminal_that_began_it(office: Office, another: Office) -> None:
    office.inspect(b"one")
    office.upload()
    path = f"/v1/journals/{office.name}"
    assert code_of(lambda: another.client.ask("GET", path)) == "centre.journal-other-terminal"
    stolen = json.dumps(office.page()).encode()
    assert (
        code_of(lambda: another.client.ask("POST", f"{path}/records", stolen))
        == "centre.journal-other-terminal"
    )


def test_what_is_no_page_is_refused(stage: Stage, office: Office) -> None:
    office.inspect(b"one")
    holder = '{"kind":"holder","at":"x","terminal":"t","inspection":1,"holder":"no"}'
    pages: list[dict[str, object]] = [
        {"begin": -1},
        {"begin": True},
        {"begin_digest": "00"},
        {"release": "zz" * 32},
        {"records": "no"},
        {"records": [1]},
        {"records": ["x"] * 401},
        {"records": ["x" * 8193]},
        {"records": ["\ud800"]},
        {"records": ["{}"]},
        {"records": ["[]"]},
        {"records": ["[" * 5000]},
        {"records": [holder]},
        {"another": 1},
    ]
    for changes in pages:
        code = code_of(lambda changes=changes: office.post(office.page(**changes)))  # type: ignore[misc]
        assert code in {"centre.journal-malformed", "journal.damaged"}, changes
    assert rows_of(stage) == []


def test_a_record_that_no_terminal_writes_is_refused(stage: Stage, office: Office) -> None:
    office.inspect(b"one")
    (line,) = office.journal.lines()
    for name, value in (
        ("verdict", "genuine"),
        ("codes", ["NO"]),
        ("codes", ["a.b"] * 65),
        ("purpose", "x" * 65),
        ("terminal", "terminal-other"),
        ("card", "00" * 31),
        ("card", "ff" * 32),
        ("at", "2026-01-01"),
        ("holder", "no"),
    ):
        page = office.page(records=[json.dumps({**line.fields, name: value})])
        code = code_of(lambda page=page: office.post(page))  # type: ignore[misc]
        assert code in {"centre.journal-malformed", "journal.pseudonym-malformed"}, name
    assert rows_of(stage) == []


def test_one_card_in_two_places_at_once_is_an_alarm(
    stage: Stage, office: Office, another: Office, now: datetime
) -> None:
    office.inspect(b"card", at=now)
    another.inspect(b"card", at=now - timedelta(minutes=31))
    another.inspect(b"another card", at=now)
    office.upload()
    another.upload()
    assert alarms_of(stage) == []
    stage.clock.time = now + 29 * MINUTE
    another.inspect(b"card")
    another.upload()
    assert alarms_of(stage) == ["alarm.two-places"]
    (alarm,) = stage.centre.reports.alarms(behind=0, limit=10)
    assert [seen["organisation"] for seen in alarm.details["seen"]] == ["01.02", "07.09"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("stage", ["sqlite", "postgresql"], indirect=True)
def test_one_key_with_two_cards_and_one_card_with_two_keys_are_alarms(
    stage: Stage, office: Office
) -> None:
    office.inspect(b"card", chip=b"chip")
    office.inspect(b"card", chip=b"chip")
    office.inspect(b"card", chip=None)
    office.upload()
    assert alarms_of(stage) == []
    office.inspect(b"its clone's data", chip=b"chip")
    office.upload()
    assert alarms_of(stage) == ["alarm.shared-chip"]
    office.inspect(b"card", chip=b"another chip")
    office.inspect(b"card", chip=b"another chip")
    office.upload()
    assert alarms_of(stage) == ["alarm.shared-chip"] * 2


@pytest.mark.parametrize("stage", ["sqlite", "postgresql"], indirect=True)
def test_many_wrong_numbers_within_an_hour_are_one_alarm(
    stage: Stage, office: Office, now: datetime
) -> None:
    def wrong(at: datetime) -> None:
        office.inspect(None, at=at, verdict=Verdict.UNREADABLE, codes=("access.wrong-password",))

    begin = now.replace(minute=0, second=0)
    for number in range(9):
        wrong(begin + number * MINUTE - timedelta(days=1))
    office.upload()
    assert alarms_of(stage) == []
    for number in range(3):
        wrong(begin + (10 + number) * MINUTE - timedelta(days=1))
    office.upload()
    assert alarms_of(stage) == ["alarm.wrong-passwords"]


def test_a_stopped_card_is_an_alarm(stage: Stage, office: Office) -> None:
    office.inspect(b"card", verdict=Verdict.REFUSED, codes=("chip.not-proven",))
    office.inspect(b"card", verdict=Verdict.REFUSED, codes=("status.lost", "card.expired"))
    office.upload()
    (alarm,) = stage.centre.reports.alarms(behind=0, limit=10)
    assert (alarm.code, alarm.details) == ("alarm.stopped-card", {"codes": ["status.lost"], "record": 2})  # fmt: skip
    assert stage.centre.reports.alarms(behind=alarm.number, limit=10) == []


@pytest.mark.parametrize("stage", ["sqlite", "postgresql"], indirect=True)
def test_reports_count_by_organisation_terminal_code_and_day(
    stage: Stage, office: Office, another: Office, now: datetime
) -> None:
    office.inspect(b"1")
    office.inspect(b"2", verdict=Verdict.REFUSED, codes=("status.lost", "card.expired"))
    another.inspect(b"3", at=now - timedelta(days=2), verdict=Verdict.UNREADABLE)
    office.journal.record(HolderRecord(at=now, inspection=1, answer=HolderAnswer.NO))
    office.upload()
    another.upload()

    def counted(by: CountedBy, **more: Any) -> list[tuple[object, ...]]:
        lines = stage.centre.reports.counts(by, **{"begin": None, "end": None} | more)
        return [tuple(line.to_document().values()) for line in lines]

    assert counted(CountedBy.ORGANISATION) == [("01.02", 2, 1, 1, 0), ("07.09", 1, 0, 0, 1)]
    assert counted(CountedBy.TERMINAL) == [("VNGATE1", 2, 1, 1, 0), ("VNGATE2", 1, 0, 0, 1)]
    assert counted(CountedBy.CODE) == [("card.expired", 1, 0, 1, 0), ("status.lost", 1, 0, 1, 0)]
    days = [f"{now - timedelta(days=2):%Y-%m-%d}", f"{now:%Y-%m-%d}"]
    assert [line[0] for line in counted(CountedBy.DAY)] == days
    since = now - timedelta(days=1)
    assert counted(CountedBy.TERMINAL, begin=since) == [("VNGATE1", 2, 1, 1, 0)]
    assert counted(CountedBy.TERMINAL, end=since) == [("VNGATE2", 1, 0, 0, 1)]


def test_no_cell_of_a_report_is_a_formula() -> None:
    line = InspectionCount(key="=cmd()", inspections=1, accepted=1, refused=0, unreadable=0)
    assert to_csv(CountedBy.TERMINAL, [line]).splitlines()[1] == "'=cmd(),1,1,0,0"


@pytest.mark.parametrize("stage", ["sqlite", "postgresql"], indirect=True)
def test_what_policy_does_not_keep_is_let_go_of_and_its_place_is_not(
    stage: Stage, office: Office, now: datetime
) -> None:
    office.inspect(b"old", verdict=Verdict.REFUSED, codes=("status.lost",))
    office.inspect(b"new", at=now + timedelta(days=9))
    stage.clock.time = now + timedelta(days=9)
    office.upload()
    store = SqlJournalStore(stage.centre.database)
    assert store.drop_older_than(now + MINUTE) == 1
    assert [row.sequence for row in rows_of(stage)] == [2]
    assert alarms_of(stage) == []
    with stage.centre.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT * FROM inspection_codes").all() == []
    assert office.upload() == 0


def test_a_key_ends_two_weeks_after_its_month_and_never_comes_back(tmp_path: Path) -> None:
    keys = PeriodKeys(tmp_path / "keys")
    december = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    assert period_of(december) == "2026-12"
    first = keys.of("2026-12", now=december)
    assert first is not None
    assert keys.of("2026-12", now=december) == first
    assert PeriodKeys(tmp_path / "keys").of("2026-12", now=december) == first
    assert keys.of("2027-01", now=december) is None
    almost = datetime(2027, 1, 14, 23, 59, tzinfo=UTC)
    assert keys.of("2026-12", now=almost) == first
    assert keys.destroy_ended(now=almost) == ()
    over = datetime(2027, 1, 15, tzinfo=UTC)
    assert keys.of("2026-12", now=over) is None
    assert keys.destroy_ended(now=over) == ("2026-12",)
    assert list((tmp_path / "keys").iterdir()) == []
    assert keys.of("2026-12", now=over) is None


def test_what_comes_when_the_key_is_gone_has_no_pseudonym(
    stage: Stage, office: Office, now: datetime
) -> None:
    office.inspect(b"card", at=now - timedelta(days=60))
    office.inspect(b"card", at=now + timedelta(days=3))
    office.inspect(b"card")
    office.upload()
    found = [(row.period, row.card is not None) for row in rows_of(stage)]
    assert found == [(None, False), (None, False), (period_of(now), True)]


def test_a_record_of_ten_years_ahead_counts_as_of_when_it_came_in(
    stage: Stage, office: Office, now: datetime
) -> None:
    office.inspect(b"card", at=now + timedelta(days=3650), codes=("status.lost",))
    office.inspect(b"card", at=now + 4 * MINUTE)
    office.upload()
    assert [row.at for row in rows_of(stage)] == [seconds(now), seconds(now + 4 * MINUTE)]
    assert alarms_of(stage) == ["alarm.stopped-card"]
    # So policy lets go of it like of any other.
    assert SqlJournalStore(stage.centre.database).drop_older_than(now + 5 * MINUTE) == 2
    assert alarms_of(stage) == []


def test_a_centre_that_lies_about_its_end_is_noticed(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.inspect(b"one")
    real = office.ask

    def lie(method: str, path: str, **more: Any) -> Answer:
        answer = real(method, path, **more)
        if method == "GET":
            return answer
        body = {**json.loads(answer.body), "digest": "00" * 32}
        return Answer(status=200, headers={}, body=json.dumps(body).encode())

    monkeypatch.setattr(office, "ask", lie)
    with pytest.raises(NetworkError) as caught:
        office.upload()
    assert caught.value.code == "network.answer"
