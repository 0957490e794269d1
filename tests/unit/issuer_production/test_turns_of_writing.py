"""Processes that write much side by side into one file take turns, and a turn goes with its process."""

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import sqlalchemy as sa

from issuer.db.base import Database
from issuer.errors import IssuerUnavailableError


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'issuer.sqlite'}"


def _hold(url: str, line: Connection) -> None:
    with Database(url).writing_in_turn() as session:
        session.execute(sa.text("CREATE TABLE left_behind (number INTEGER)"))
        line.send("mine")
        line.recv()


def test_a_turn_of_a_process_that_was_killed_is_the_next_ones_and_what_it_wrote_is_gone(
    url: str,
) -> None:
    here, there = multiprocessing.Pipe()
    holder = multiprocessing.get_context("fork").Process(target=_hold, args=(url, there))
    holder.start()
    assert holder.pid is not None
    assert here.recv() == "mine"
    database, written = Database(url), threading.Event()

    def write() -> None:
        with database.writing_in_turn() as session:
            session.execute(sa.text("CREATE TABLE kept (number INTEGER)"))
        written.set()

    waiting = threading.Thread(target=write)
    waiting.start()
    assert not written.wait(0.2)
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert written.wait(60)
    waiting.join()
    with database.reading() as session:
        assert sa.inspect(session.connection()).get_table_names() == ["kept"]
    database.close()


def test_a_turn_that_raises_is_given_on(url: str) -> None:
    database = Database(url)
    with pytest.raises(KeyError), database.writing_in_turn():
        raise KeyError
    with database.writing_in_turn() as session:
        assert session.scalar(sa.text("SELECT 1")) == 1
    database.close()


def test_where_no_file_can_stand_nobody_writes(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'nowhere' / 'issuer.sqlite'}")
    with pytest.raises(IssuerUnavailableError) as caught, database.writing_in_turn():
        raise AssertionError("written")
    assert caught.value.code == "database.unavailable"
