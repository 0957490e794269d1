"""A console over a register whose members wait for cards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from issuer.api.app import create_app
from issuer.db.base import Database
from issuer.db.schema import upgrade
from issuer.domain.rights import Role
from issuer.services.batch_operations import SignerOfCards
from issuer.services.batch_services import BatchServices
from issuer.services.write_batch_papers import BatchPapers
from tests.contract.batch_stage import BatchStage, people
from tests.integration.console.strict_page import StrictPage

KEY = "0123456789abcdef"


class BatchConsole:
    """A console over a stage of batches, for people of all parts."""

    def __init__(self, office: Any, stage: BatchStage) -> None:
        self.stage = stage
        services = BatchServices(
            opening=stage.opening,
            operations=replace(office.services.batches.operations, desk=stage.desk),
            filling=stage.filling,
            freezing=stage.freezing,
            reading=stage.reading,
            control=stage.control,
            delivery=stage.delivery,
            # Keys are shown today, and the stage has a day of its own.
            papers=BatchPapers(desk=replace(stage.desk, clock=office.services.now)),
        )
        office.services = replace(office.services, batches=services)
        office.app = create_app(office.services)
        self.office = office
        for name, role in (
            ("may", Role.PRODUCTION_OPERATOR),
            ("kiem", Role.QUALITY_CONTROLLER),
            ("kho", Role.STOREKEEPER),
        ):
            office.add_person(name, role)
        self._forms = 0

    def act(self, name: str, path: str, **fields: str) -> Any:
        self._forms += 1
        return self.office.client(name).post(path, {"once": f"{KEY}-{self._forms}", **fields})

    def use_signer(self, signer: SignerOfCards) -> None:
        """Another console over the same stage, with this signer."""
        batches = self.office.services.batches
        operations = replace(batches.operations, signer=signer)
        self.office.services = replace(
            self.office.services, batches=replace(batches, operations=operations)
        )
        self.office.app = create_app(self.office.services)

    def show_everybody_as(self, image: bytes) -> None:
        """Another console over the same stage, whose members have this picture."""
        store = SimpleNamespace(get=lambda _digest: image)
        self.office.services = replace(self.office.services, portraits=store)
        self.office.app = create_app(self.office.services)

    def program(self, name: str) -> Any:
        return self.office.client(name, is_program=True)

    def tag(self, name: str, path: str) -> str:
        return str(self.program(name).get(path).headers["etag"])

    def call(
        self,
        name: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        key: str = "",
        tag: str = "",
    ) -> Any:
        """What a program asks for, under a key of its own."""
        self._forms += 1
        headers = {"idempotency-key": key or f"{KEY}-call-{self._forms}"}
        if tag:
            headers["if-match"] = tag
        values = {} if body is None else {"json": body}
        return self.program(name).send(method, path, headers=headers, **values)

    def page(self, name: str, path: str) -> str:
        found = self.office.client(name).get(path)
        assert found.status_code == 200, found.text
        StrictPage(found.text)
        return str(found.text)


@contextmanager
def waiting_members(office: Any, directory: Path) -> Iterator[BatchConsole]:
    """Three members wait for their cards, and as many chips are initialised."""
    database = Database(f"sqlite:///{directory / 'batches.sqlite'}")
    upgrade(database)
    stage = BatchStage(database, directory / "marks", members=people(3))
    stage.initialise(1, 2, 3)
    yield BatchConsole(office, stage)
    database.close()
