"""The composition root of the HTTP API and the console."""

import asyncio
import contextlib
import functools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from prometheus_client import start_http_server

from issuer.api.app import bounded, create_app, describe, match_every_route
from issuer.api.cursors import Cursors
from issuer.api.metrics import Metrics
from issuer.api.ports import ApiServices, Readiness
from issuer.api.request_log import log_as_json
from issuer.api.serving import serve_api
from issuer.bootstrap import RegisterHome, open_register_home
from issuer.bootstrap_batches import batches_of
from issuer.bootstrap_bundles import exchange_desk_of
from issuer.bootstrap_cards import cards_of
from issuer.bootstrap_keys import derive_cursor_key
from issuer.bootstrap_operations import (
    corrections_of,
    jobs_of_operations,
    operation_desk,
    running,
    uploads_of,
)
from issuer.bootstrap_people import (
    confirmation_of,
    log_in_of,
    password_hasher,
    people_of,
    terminals_of,
)
from issuer.bootstrap_reports import (
    merged_report_file,
    merged_reports_of,
    production_file,
    production_of,
    report_file,
    reports_of,
)
from issuer.bootstrap_requests import requests_of
from issuer.bootstrap_second_factors import second_factors_of
from issuer.bootstrap_signing import SignerProcess
from issuer.bootstrap_station_desk import DeskKeys, installed_desk
from issuer.bootstrap_stock import stock_of
from issuer.bootstrap_stock_report import stock_file
from issuer.bootstrap_subjects import confirmation_of_deletions, subjects_of
from issuer.bootstrap_web_people import oidc_login_of, request_rates_of
from issuer.db.browsing import SqlBrowsing
from issuer.db.operations import SqlIdempotencyLedger
from issuer.db.schema import current_revision, latest_revision
from issuer.errors import IssuerError, IssuerRefusedError, IssuerUnavailableError
from issuer.imports.finding_texts import in_vietnamese
from issuer.imports.organisation_table import open_organisations, organisation_template
from issuer.imports.template import ListFormat, member_template
from issuer.keystore_random import KeystoreRandom, draw_pool
from issuer.papers.subject_extract_pdf import extract_pdf
from issuer.services.audit_office import AuditOffice
from issuer.services.batch_operations import BatchOperations
from issuer.services.batch_services import BatchServices
from issuer.services.bring_organisations import BringingOfOrganisations
from issuer.services.decision_operations import DecisionOperations
from issuer.services.import_uploads import Imports
from issuer.services.look_at_organisations import LookingAtOrganisations
from issuer.services.look_at_stations import LookingAtStations
from issuer.services.operations import OperationDesk
from issuer.services.overviews import Overviews
from issuer.services.request_operations import RequestOperations
from pki.errors import PkiError

__all__ = ["api_description", "open_api_services", "serve"]

"""How long a request's key is remembered."""

_KEYSTORE_LOOK: Final = timedelta(seconds=60)
"""Opening a keystore costs time on purpose: readiness is asked for more often than it is looked at."""


@contextlib.contextmanager
def open_api_services(home: Path) -> Iterator[ApiServices]:
    """What the API needs, over the register of a home directory; everything is closed at the end.

    Raises:
        IssuerRefusedError: there is no keystore (``keystore.missing``), or the database is not at this version
            (``database.not-upgraded``).
        IssuerUnavailableError: home, settings or database are not to be had.
        PkiRefusedError: WebAuthn does not work where the settings say the console is (``webauthn.origin-invalid``).
        KeystoreError: the keystore cannot be opened.
    """
    with (
        open_register_home(home) as opened,
        ThreadPoolExecutor(1, thread_name_prefix="keystore") as keys,
        contextlib.ExitStack() as stack,
    ):
        if current_revision(opened.database) != latest_revision():
            raise IssuerUnavailableError(
                "the database has no tables, or old ones",
                code="database.not-upgraded",
                hint=f"membercard-issuer --home {home} database upgrade",
            )
        # A PKCS#11 library stands one thread: whatever opens the keystore does it in this one.
        desk_keys = DeskKeys(opened=opened, keys=keys)
        stack.callback(desk_keys.close)
        cursor_key = desk_keys.borrow(derive_cursor_key)
        # Whoever looks at the first member or signs the first card would else open it in a thread of their own.
        keys.submit(opened.card_vault).result()
        probe = _Probe(opened=opened, desk_keys=desk_keys)
        browsing = SqlBrowsing(opened.database)
        jobs = jobs_of_operations(opened, keystore=desk_keys)
        stack.enter_context(running(jobs))
        operations = operation_desk(opened, jobs)
        uploads = uploads_of(opened)
        people = opened.settings.people
        passwords = password_hasher(people)
        log_in = log_in_of(opened.register, people, passwords=passwords)
        requests = requests_of(opened)
        idempotency = SqlIdempotencyLedger(opened.database)
        reports, production = reports_of(opened), production_of(opened)
        stock = stock_of(opened.register)
        merged = merged_reports_of(opened)
        yield ApiServices(
            log_in=log_in,
            rates=request_rates_of(opened.settings.rates),
            second_factors=None
            if people.console_origin is None
            else second_factors_of(opened.register, people, log_in=log_in),
            terminals=terminals_of(opened.register, log_in=log_in),
            oidc=oidc_login_of(opened.settings.oidc, home=home, log_in=log_in),
            members=opened.reading(),
            records=opened.records(),
            changes=opened.changes(),
            new_portraits=opened.new_portraits(),
            recording=opened.recording(),
            checking=opened.checking(),
            portraits=opened.portraits,
            organisations=LookingAtOrganisations(register=opened.register, browsing=browsing),
            organisation_changes=opened.changes_of_organisations(),
            organisation_adding=opened.adding_of_organisations(),
            organisation_lists=BringingOfOrganisations(
                register=opened.register,
                uploads=uploads,
                open_list=open_organisations,
                scheme=opened.organisation_codes,
                clock=_now,
            ),
            organisation_template=organisation_template,
            subjects=subjects_of(opened),
            deletions=confirmation_of_deletions(opened),
            extract_file=extract_pdf,
            scheme=opened.scheme,
            overview=Overviews(browsing=browsing, requests=requests.reading, clock=_now),
            operations=operations,
            imports=Imports(
                register=opened.register,
                uploads=uploads,
                operations=operations,
                corrections=corrections_of(opened),
                clock=_now,
            ),
            doubts=opened.doubts(),
            requests=requests,
            request_operations=RequestOperations(operations=operations),
            decision_operations=DecisionOperations(
                operations=operations,
                preparing=requests.preparing,
                confirming=requests.confirming,
            ),
            people=people_of(opened.register, people, passwords=passwords),
            account_confirmation=confirmation_of(opened.register, people, passwords=passwords),
            audit=AuditOffice(register=opened.register, clock=_now),
            finding_in_vietnamese=in_vietnamese,
            uploads=uploads,
            stations=installed_desk(opened, desk_keys),
            station_list=LookingAtStations(room=stock.room),
            exchange=exchange_desk_of(opened, desk_keys),
            member_template=lambda: member_template(ListFormat.XLSX),
            batches=_batches(opened, operations, desk_keys),
            cards=cards_of(opened.register, opened.scheme),
            stock=stock,
            stock_file=functools.partial(stock_file, stock),
            reports=reports,
            report_file=functools.partial(report_file, reports),
            merged_reports=merged,
            merged_report_file=functools.partial(merged_report_file, merged),
            production=production,
            production_file=functools.partial(production_file, production),
            idempotency=idempotency,
            cursors=Cursors(cursor_key),
            metrics=Metrics(),
            readiness=probe.look,
            now=_now,
        )


def serve(
    services: ApiServices,
    listener: socket.socket,
    *,
    metrics_port: int | None,
    on_ready: Callable[[], None],
) -> None:
    """Serve the API and the console until the process is told to stop.

    Args:
        services: what routes reach.
        listener: a socket that listens.
        metrics_port: a port of 127.0.0.1 at which Prometheus gets the figures without a session.
        on_ready: is called when clients can connect.

    Raises:
        IssuerRefusedError: the port of the figures is taken (``serve.in-use``).
    """
    log_as_json()
    figures = None
    if metrics_port is not None:
        try:
            figures, _ = start_http_server(
                metrics_port, addr="127.0.0.1", registry=services.metrics.registry
            )
        except OSError as error:
            raise IssuerRefusedError(
                f"port {metrics_port} of 127.0.0.1 cannot be had: {error.strerror}",
                code="serve.in-use",
            ) from error
    try:
        app = create_app(services)
        asyncio.run(match_every_route(app))
        serve_api(bounded(app), listener, on_ready=on_ready)
    finally:
        if figures is not None:
            figures.shutdown()
            figures.server_close()


def api_description() -> str:
    """The description of the API (OpenAPI 3.1) as it stands in the documents."""
    return json.dumps(describe(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


@dataclass(slots=True, kw_only=True)
class _Probe:
    """Looks whether everything is there that requests need."""

    opened: RegisterHome
    desk_keys: DeskKeys
    _looked_at: datetime | None = None
    _keystore: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> Readiness:
        database, migrations = None, None
        try:
            if current_revision(self.opened.database) != latest_revision():
                migrations = "database.not-upgraded"
        except IssuerError as error:
            database = error.code
        return Readiness(database=database, migrations=migrations, keystore=self._look_at_keys())

    def _look_at_keys(self) -> str | None:
        with self._lock:
            now = _now()
            if self._looked_at is None or now - self._looked_at > _KEYSTORE_LOOK:
                try:
                    self.desk_keys.borrow(derive_cursor_key)
                    self._keystore = None
                except (IssuerError, PkiError) as error:
                    self._keystore = error.code
                self._looked_at = now
            return self._keystore


def _batches(opened: RegisterHome, operations: OperationDesk, desk_keys: DeskKeys) -> BatchServices:
    draw = KeystoreRandom(lambda: desk_keys.borrow(draw_pool))
    office = batches_of(opened, random_bytes=draw)
    return BatchServices(
        opening=office.opening,
        operations=BatchOperations(
            desk=office.desk, operations=operations, signer=SignerProcess(opened=opened)
        ),
        filling=office.filling,
        freezing=office.freezing,
        reading=office.reading,
        control=office.control,
        delivery=office.delivery,
        papers=office.papers,
    )


def _now() -> datetime:
    return datetime.now(UTC)
