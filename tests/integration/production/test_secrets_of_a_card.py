"""CAN, document number and salt of a card: sealed until the hand-over, destroyed by it, and never anywhere else."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from issuer.db.register import SqlRegister
from issuer.domain.card_secrets import CardSecrets
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError
from issuer.services.visit_chip import StationTask, VisitResult

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def traces(database: Path, secrets: CardSecrets, said: str) -> list[str]:
    """Where a secret stands that should stand nowhere: in the database's files, in what was logged."""
    files = [database, *database.parent.glob(f"{database.name}-*")]
    written = b"".join(each.read_bytes() for each in files)
    wanted = {
        "can": secrets.can.encode(),
        "document number": secrets.document_number.encode(),
        "salt": secrets.salt,
        "salt in digits": secrets.salt.hex().encode(),
    }
    return [
        name
        for name, value in wanted.items()
        if value in written or value in said.encode() or value.upper() in written
    ]


@pytest.fixture
def issued(workshop: Any, caplog: pytest.LogCaptureFixture) -> Any:
    """A finished card, made while everything is logged."""
    caplog.set_level(logging.DEBUG)
    workshop.add_members(1)
    workshop.receive(1)
    card = workshop.blank(1)
    for task in (StationTask.INITIALISE, StationTask.PERSONALISE):
        outcome, _ = workshop.visit(card, task)
        assert outcome.result is VisitResult.DONE, outcome
        if task is StationTask.INITIALISE:
            [workshop.reference] = workshop.bind_and_sign()
    return workshop


def test_they_stand_in_no_table_and_no_log_and_are_gone_with_the_hand_over(
    issued: Any, caplog: pytest.LogCaptureFixture
) -> None:
    reference = issued.reference
    secrets = issued.cards.secrets(reference)
    path = Path(issued.database.url.database)
    assert traces(path, secrets, caplog.text) == []

    register = SqlRegister(issued.database)
    with register.writing() as transaction:
        digest = _digest(issued)
        transaction.cards.hand_over(reference, to="member", account=AccountName("clerk"), at=NOW)
    for work in (issued.cards.secrets, issued.station.load_job):
        with pytest.raises(IssuerRefusedError) as caught:
            work(reference)
        assert caught.value.code == "card.secrets-destroyed"
    with issued.database.reading() as session:
        sealed = session.connection().exec_driver_sql(
            "SELECT c.sealed_secrets, f.sealed, s.file IS NULL"
            " FROM cards c JOIN card_contents f ON f.reference = c.reference"
            " LEFT JOIN security_objects s ON s.reference = c.reference"
        )
        assert sealed.all() == [(b"", b"", 0)]
    assert _digest(issued) == digest
    assert traces(path, secrets, caplog.text) == []


@pytest.mark.parametrize("name", ["can", "document_number"])
def test_the_search_finds_what_is_there(issued: Any, name: str) -> None:
    secrets = issued.cards.secrets(issued.reference)
    path = Path(issued.database.url.database)
    with issued.database.writing() as session:
        session.connection().exec_driver_sql(
            "INSERT INTO card_events (at, kind, detail) VALUES ('2026-11-22', 'test', ?)",
            (f"the card {getattr(secrets, name)}",),
        )
    assert traces(path, secrets, "") == [name.replace("_", " ")]
    assert traces(path, secrets, secrets.salt.hex()) == [
        name.replace("_", " "),
        "salt in digits",
    ]


def _digest(workshop: Any) -> bytes:
    with workshop.database.reading() as session:
        found = session.connection().exec_driver_sql("SELECT document_number_digest FROM cards")
        digest = found.scalar_one()
    assert isinstance(digest, bytes)
    return digest
