"""A central service for tests: its trust, an enrolled terminal, and whoever asks it, signed or not."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.credentials import TerminalCredentials
from pki.signed.card_states import CardState
from pki.signed.security_object import StatusReference
from pki.signed.trust_bundle import TrustBundle
from simulators.authority import TestAuthority
from tests.unit.verifier.bundle_office import BundleOffice, layout_files
from tests.unit.verifier.local_browser import LocalBrowser
from tests.unit.verifier.status_office import StatusOffice
from tests.unit.verifier.terminal_hierarchy import Hierarchy
from verifier.bootstrap_centre import (
    CentrePlaces,
    OpenCentre,
    centre_app,
    open_centre,
    upgrade_centre,
)
from verifier.services.request_signing import sign_request
from verifier.trust.bundle_install import install_bundle

ADDRESS = "https://centre.example"
HOLDER = "VNGATE1"


@dataclass
class SetClock:
    """A clock that is set."""

    time: datetime

    def __call__(self) -> datetime:
        return self.time


@dataclass(kw_only=True)
class Stage:
    """The service, its clock, and a terminal's key."""

    client: LocalBrowser
    centre: OpenCentre
    places: CentrePlaces
    hierarchy: Hierarchy
    clock: SetClock
    chain: tuple[CvCertificate, ...]
    credentials: TerminalCredentials
    changes: Callable[[dict[str, str]], dict[str, str]] = field(default=lambda headers: headers)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """An unsigned request."""
        return self.client.send(method, path, **more)

    def signed(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        target: str | None = None,
        at: datetime | None = None,
        media_type: str = "application/json",
    ) -> httpx.Response:
        """A request that the terminal signs; ``target`` is what it signs instead of where it goes."""
        headers = sign_request(
            self.credentials,
            chain=self.chain,
            method=method,
            target=target or f"{ADDRESS}{path}",
            body=body,
            now=at or self.clock(),
        )
        if body:
            headers["content-type"] = media_type
        return self.client.send(method, path, content=body, headers=self.changes(headers))


def bundle_with_terminals(
    authority: TestAuthority,
    hierarchy: Hierarchy,
    *,
    now: datetime,
    number: int = 1,
    reference: StatusReference | None = None,
    state: CardState | None = None,
    policy: str | None = None,
) -> TrustBundle:
    """A bundle whose CVCA is the hierarchy's."""
    more = {} if policy is None else {"policy": policy}
    files = layout_files(
        authority,
        now=now,
        status=StatusOffice(authority=authority).sign(reference, state, at=now),
        **more,
    )
    for item in (hierarchy.root(), hierarchy.office()):
        files[f"cvca/{item.body.file_name}.cvcert"] = item.to_bytes()
    return TrustBundle.from_bytes(BundleOffice(authority).bundle(files, at=now, number=number))


def trust_from(bundle: TrustBundle, directory: Path) -> None:
    """A trust directory that was laid out by hand, and holds exactly the bundle's files."""
    for name, content in bundle.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    install_bundle(bundle, directory)


@contextmanager
def open_stage(
    directory: Path,
    *,
    authority: TestAuthority,
    now: datetime,
    reference: StatusReference | None = None,
    state: CardState | None = None,
    database_url: str | None = None,
    policy: str | None = None,
) -> Iterator[Stage]:
    """A service whose records are made in the directory."""
    hierarchy = Hierarchy(day=now.date())
    trust_from(
        bundle_with_terminals(
            authority, hierarchy, now=now, reference=reference, state=state, policy=policy
        ),
        directory / "trust",
    )
    url = database_url or f"sqlite:///{directory / 'centre.sqlite'}"
    files = directory / "public"
    files.mkdir()
    places = CentrePlaces(
        database_url=url,
        trust=directory / "trust",
        files=files,
        keys=directory / "keys",
        address=ADDRESS,
    )
    upgrade_centre(url)
    clock = SetClock(now)
    chain = (hierarchy.office(), hierarchy.terminal())
    credentials = hierarchy.credentials(hierarchy.root(), *chain)
    with open_centre(url) as centre:
        centre.register.enrol(HOLDER, organisation="01.02", now=now)
        app = centre_app(centre, places, now=clock)
        yield Stage(
            client=LocalBrowser(app, base_url=ADDRESS),
            centre=centre,
            places=places,
            hierarchy=hierarchy,
            clock=clock,
            chain=chain,
            credentials=credentials,
        )
