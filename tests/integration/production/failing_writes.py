"""A register and a disk on which each statement, commit and write may fail."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event as sql_event

from issuer.db.base import Database
from tests.integration.production.fault_points import Faults


@contextlib.contextmanager
def failing(
    database: Database, directory: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Statements and commits of the register, and every write of a file, pass by the faults."""
    with monkeypatch.context() as patch:
        _let_files_fail(directory, faults, patch)
        with _failing_register(database.engine, faults, patch):
            yield


@contextlib.contextmanager
def _failing_register(
    engine: sa.Engine, faults: Faults, patch: pytest.MonkeyPatch
) -> Iterator[None]:
    do_commit = engine.dialect.do_commit

    def statement(_connection: Any, _cursor: Any, text: str, *_rest: Any) -> None:
        faults.pass_by(
            f"register: {text.split(maxsplit=1)[0]}",
            lambda: sa.exc.OperationalError("", {}, sqlite3.OperationalError("disk I/O error")),
        )

    def commit(connection: Any) -> None:
        faults.pass_by("register: COMMIT", lambda: sqlite3.OperationalError("disk I/O error"))
        do_commit(connection)
        # It was done, and whoever waited for it is told that it was not.
        faults.pass_by("register: COMMIT told wrongly", lambda: sqlite3.OperationalError("gone"))

    patch.setattr(engine.dialect, "do_commit", commit)
    sql_event.listen(engine, "before_cursor_execute", statement)
    try:
        yield
    finally:
        sql_event.remove(engine, "before_cursor_execute", statement)


def _let_files_fail(directory: Path, faults: Faults, patch: pytest.MonkeyPatch) -> None:
    """The disk of this directory is full once; a point names the folder in it."""
    fsync, pwrite, link, replace = os.fsync, os.pwrite, os.link, Path.replace

    def write(what: str, path: Path) -> None:
        if path.is_relative_to(directory):
            folder = (*path.relative_to(directory).parts, "")[0]
            faults.pass_by(
                f"file: {what} {folder}".rstrip(), lambda: OSError(28, "No space left on device")
            )

    def path_of(descriptor: int) -> Path:
        return Path(f"/proc/self/fd/{descriptor}").readlink()

    def sync(descriptor: int) -> None:
        write("fsync", path_of(descriptor))
        fsync(descriptor)

    def mark(descriptor: int, content: bytes, offset: int) -> int:
        write("write", path_of(descriptor))
        return pwrite(descriptor, content, offset)

    def give_name(source: Path, target: Path) -> None:
        write("link", target)
        link(source, target)

    def rename(path: Path, target: Any) -> Path:
        write("rename", path)
        return replace(path, target)

    patch.setattr(os, "fsync", sync)
    patch.setattr(os, "pwrite", mark)
    patch.setattr(os, "link", give_name)
    patch.setattr(Path, "replace", rename)
