"""One person, with every role there is: no path of six actions makes anybody a station."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from issuer.db import schema
from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.db.stations import SqlStationBook
from issuer.domain.instances import ExchangeCertificates
from issuer.domain.production_events import StationName
from issuer.domain.rights import Actor, Role
from issuer.errors import IssuerError, IssuerRefusedError
from issuer.services.enrol_stations import StationEnrolment
from tests.contract.one_person import explore
from tests.contract.stock_stage import NOW, staff

ACTIONS = 6
EVERYBODY = staff("everybody", *Role)
SOMEBODY_ELSE = staff("somebody else", *Role)
NAME = StationName("far")
OWN = ExchangeCertificates(signer=b"own signer", receiver=b"own receiver")
FORGED = ExchangeCertificates(signer=b"forged signer", receiver=b"forged receiver")


@dataclass(frozen=True)
class _Office:
    """A state: the database as it was left."""

    content: bytes = field(repr=False)
    key: Hashable


class _Centre:
    """The world of one station's enrolment, over a real database."""

    def __init__(self, folder: Path, template: bytes, people: Iterable[Actor]) -> None:
        self._file = folder / "issuer.sqlite"
        self._database = Database(f"sqlite:///{self._file}")
        self._people = tuple(people)
        self.start = _Office(content=template, key=((), ()))

    def actions(self) -> Mapping[str, Callable[[_Office], _Office]]:
        tries: dict[str, Callable[[StationEnrolment, SqlStationBook, Actor], object]] = {
            f"propose {name}": lambda office, _, by, given=given: office.propose(
                NAME, given, actor=by
            )
            for name, given in (("own", OWN), ("forged", FORGED))
        } | {
            f"confirm {name}": lambda office, _, by, given=given: office.confirm(
                NAME, fingerprint=given.fingerprint, actor=by
            )
            for name, given in (("own", OWN), ("forged", FORGED))
        }
        tries["dismiss"] = lambda _, book, by: book.dismiss(NAME, account=by.account)
        return {
            f"{name} by {by.account}": lambda state, work=work, by=by: self._after(state, work, by)
            for name, work in tries.items()
            for by in self._people
        }  # type: ignore[misc]  # bound early

    def key(self, state: _Office) -> Hashable:
        return state.key

    def is_reached(self, state: _Office) -> bool:
        stations, _ = state.key  # type: ignore[misc]  # as made below
        return any(each[0] in (FORGED.signer, OWN.signer) for each in stations)

    def _after(
        self,
        state: _Office,
        work: Callable[[StationEnrolment, SqlStationBook, Actor], object],
        by: Actor,
    ) -> _Office:
        self._file.write_bytes(state.content)
        office = StationEnrolment(
            register=SqlRegister(self._database), judge=lambda *_: None, clock=lambda: NOW
        )
        with suppress(IssuerError):
            work(office, SqlStationBook(self._database, lambda: NOW), by)
        with self._database.reading() as session:
            key = tuple(
                tuple(sorted(map(tuple, session.execute(sa.text(statement))), key=str))
                for statement in (
                    "SELECT signing_certificate, proposed_by, confirmed_by, dismissed_at FROM stations",
                    "SELECT signing_certificate, proposed_by FROM station_proposals",
                )
            )
        self._database.close()
        return _Office(content=self._file.read_bytes(), key=key)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("template") / "issuer.sqlite"
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    database.close()
    return path.read_bytes()


def test_one_person_alone_enrols_no_station(tmp_path: Path, template: bytes) -> None:
    world = _Centre(tmp_path, template, [EVERYBODY])
    explored = explore(world, world.start, depth=ACTIONS)
    assert explored.reached_by is None
    assert explored.effective == {"propose own by everybody", "propose forged by everybody"}


def test_two_people_enrol_a_station(tmp_path: Path, template: bytes) -> None:
    world = _Centre(tmp_path, template, [EVERYBODY, SOMEBODY_ELSE])
    explored = explore(world, world.start, depth=2)
    assert explored.reached_by is not None
    proposed, confirmed = explored.reached_by
    assert proposed.startswith("propose own by ")
    assert confirmed.startswith("confirm own by ")
    assert proposed.partition(" by ")[2] != confirmed.partition(" by ")[2]


def test_new_keys_of_a_known_station_take_two_as_well(tmp_path: Path, template: bytes) -> None:
    path = tmp_path / "issuer.sqlite"
    path.write_bytes(template)
    database = Database(f"sqlite:///{path}")
    office = StationEnrolment(
        register=SqlRegister(database), judge=lambda *_: None, clock=lambda: NOW
    )
    book = SqlStationBook(database, lambda: NOW + timedelta(hours=1))
    office.propose(NAME, OWN, actor=EVERYBODY)
    office.confirm(NAME, fingerprint=f" {OWN.fingerprint.upper()}\n", actor=SOMEBODY_ELSE)
    office.propose(NAME, FORGED, actor=EVERYBODY)
    with pytest.raises(IssuerRefusedError) as refused:
        office.confirm(NAME, fingerprint=FORGED.fingerprint, actor=EVERYBODY)
    assert refused.value.code == "right.same-person"
    # What is only proposed changes nothing.
    assert book.get(NAME).peer.signer_certificate == OWN.signer
    assert book.by_signer(FORGED.signer) is None
    # A station that is given up takes what was proposed for it along.
    book.dismiss(NAME, account=SOMEBODY_ELSE.account)
    with pytest.raises(IssuerRefusedError) as refused:
        office.confirm(NAME, fingerprint=FORGED.fingerprint, actor=SOMEBODY_ELSE)
    assert refused.value.code == "station.not-proposed"
    office.propose(NAME, FORGED, actor=EVERYBODY)
    office.confirm(NAME, fingerprint=FORGED.fingerprint, actor=SOMEBODY_ELSE)
    assert book.get(NAME).dismissed_at is None
    database.close()


@pytest.mark.parametrize(
    ("proposed", "confirmed"),
    [("everybody", "everybody"), ("everybody", None), (None, "everybody")],
)
def test_the_database_itself_refuses_a_station_of_one_person(
    tmp_path: Path, template: bytes, proposed: str | None, confirmed: str | None
) -> None:
    path = tmp_path / "issuer.sqlite"
    path.write_bytes(template)
    database = Database(f"sqlite:///{path}")
    statement = sa.text(
        "INSERT INTO stations (name, created_at, sequence, chain, last_order, proposed_by, confirmed_by)"
        " VALUES ('far', '2026-11-22', 0, x'00', 0, :proposed, :confirmed)"
    )
    with (
        pytest.raises(IssuerError) as refused,
        database.writing() as session,
    ):
        session.execute(statement, {"proposed": proposed, "confirmed": confirmed})
    assert refused.value.code
    database.close()
