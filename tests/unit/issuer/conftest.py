import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from issuer.db import schema
from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.services.register_ports import Register


@pytest.fixture(scope="session")
def upgraded_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database at the latest revision, to be copied: the migrations run once."""
    path = tmp_path_factory.mktemp("upgraded") / "issuer.sqlite"
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    database.close()
    return path


@pytest.fixture
def empty_register(upgraded_database: Path, tmp_path: Path) -> Iterator[Register]:
    path = tmp_path / "issuer.sqlite"
    shutil.copyfile(upgraded_database, path)
    database = Database(f"sqlite:///{path}")
    yield SqlRegister(database)
    database.close()
