"""The console of a province that exchanges bundles with one of its communes."""

import contextlib
import functools
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from issuer.bootstrap_reports import merged_report_file
from issuer.db.base import Database
from issuer.db.browsing import SqlBrowsing
from issuer.db.instance_reports import SqlInstanceFigures
from issuer.db.production_figures import SqlProductionFigures
from issuer.db.reports import SqlReportFigures
from issuer.domain.rights import Role
from issuer.services.bundle_operations import TakeBundleWork
from issuer.services.look_at_organisations import LookingAtOrganisations
from issuer.services.merged_reports import MergedReports
from issuer.services.operation_ports import OperationId
from issuer.services.read_members import ReadingOfMembers
from pki.signed.sealed_envelope import MAX_SEALED_BYTES
from tests.contract.bundle_stage import Exchange, Office, person
from tests.integration.console.strict_page import StrictPage


@contextlib.contextmanager
def province_and_commune(migrated: Path, folder: Path) -> Iterator[Exchange]:
    """A province and a commune with members, who do not know each other yet."""
    databases = []
    for name in ("province", "commune"):
        shutil.copyfile(migrated, folder / f"{name}.sqlite")
        databases.append(Database(f"sqlite:///{folder / f'{name}.sqlite'}"))
    made = Exchange.between(databases[0], databases[1], folder=folder / "marks")
    made.commune.fill([person(number) for number in range(1, 5)])
    yield made
    for each in databases:
        each.close()


def take_bundle_work(console: Any, register: Office) -> TakeBundleWork:
    """What is done behind the answer; the accounts stand in the console's own register, beside that of the bundles."""
    return TakeBundleWork(
        register=console.register,
        uploads=console.services.uploads,
        importing=lambda: contextlib.nullcontext(register.importing),
        max_bytes=MAX_SEALED_BYTES,
    )


class Desk:
    """The province's console."""

    def __init__(self, office: Any, exchange: Exchange) -> None:
        province = exchange.province
        for name, role, place in (
            ("first", Role.ADMINISTRATOR, None),
            ("second", Role.ADMINISTRATOR, None),
            ("clerk", Role.CLERK, None),
            ("elsewhere", Role.CLERK, "P-02"),
        ):
            office.add_person(name, role, organisation=place)
        merged = MergedReports(
            register=province.register,
            figures=SqlReportFigures(province.database),
            production=SqlProductionFigures(province.database),
            instances=SqlInstanceFigures(province.database),
            own=province.own.name,
            clock=province.clock,
        )
        self.exchange = exchange
        self.register = province.register
        self.office = office.with_services(
            exchange=province.desk(),
            merged_reports=merged,
            merged_report_file=functools.partial(merged_report_file, merged),
            members=ReadingOfMembers(
                register=province.register, scheme=office.services.scheme, clock=province.clock
            ),
            organisations=LookingAtOrganisations(
                register=province.register, browsing=SqlBrowsing(province.database)
            ),
        )
        self.clients = {
            each: self.office.client(each) for each in ("first", "second", "clerk", "elsewhere")
        }

    def page(self, name: str, path: str) -> str:
        """A page that is well-formed in both languages; the English one."""
        for language in ("vi", "en"):
            response = self.clients[name].get(path, **{"accept-language": language})
            assert response.status_code == 200, (path, response.text)
            StrictPage(response.text)
        return str(response.text)

    def form(self, name: str, path: str, **fields: str) -> httpx.Response:
        sent: httpx.Response = self.clients[name].post(path, {"once": uuid.uuid4().hex} | fields)
        if sent.status_code != 303:
            StrictPage(sent.text)
        return sent

    def know(self, number: int) -> None:
        """One of the commune's members is known to the province already, living elsewhere."""
        known = person(number)
        with self.register.writing() as transaction:
            transaction.members.add(
                [replace(known, statement=replace(known.statement, residence="xã Đông"))]
            )

    def bring(self, name: str, content: bytes) -> dict[str, int]:
        """Take a file in, and do what its operation asks for; the counts at its end."""
        sent = self.clients[name].send(
            "POST", "/bundles", data={"once": uuid.uuid4().hex}, files={"bundle": ("x", content)}
        )
        assert sent.status_code == 303, sent.text
        operations = self.office.services.operations
        number = sent.headers["location"].rpartition("/")[2]
        operation = operations.show(OperationId(uuid.UUID(number)), account=name)
        work = take_bundle_work(self.office, self.exchange.province)
        told: list[tuple[int, int | None]] = []
        counts = work(operation, lambda *, done, total: told.append((done, total)))
        assert all(done <= (total or 0) for done, total in told)
        return dict(counts)
