"""Benchmark of the register under a million members: every page of the console and every list of the API, and memory.

The service runs as `serve` composes it, over a home of its own; requests go through the whole application without a
socket. Each GET route is asked by three people: one who sees everything, one of a province, one of a commune. Lists are
followed page by page and entered at narrow and wide selections. What is compared is the 95th percentile of each route:
the slowest route is the record.
"""

import asyncio
import contextlib
import gc
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute

from issuer.api.app import create_app, match_every_route
from issuer.api.gate import SESSION_COOKIE, all_routes
from issuer.api.ports import ApiServices
from issuer.bootstrap import open_register_home
from issuer.bootstrap_api import open_api_services
from issuer.bootstrap_jobs import prepare_jobs
from issuer.bootstrap_keys import take_sealers
from issuer.bootstrap_production import create_keys
from issuer.db import schema
from issuer.domain.account import Account, AccountId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, Assignment, Role
from issuer.domain.session import Face, LoginMethod
from issuer.identity.memory_rates import MemoryRequestRates
from issuer.services.request_rates import RateKind
from issuer.settings import remember
from pki.keys.open import KeystoreKind
from pki.web.standing_objects import keep_standing_objects
from tests.benchmarks.big_register import BigRegister, make_big_register
from tests.benchmarks.measure import Announce, Record
from tests.unit.pki.exchange_office import ExchangeOffice

__all__ = [
    "SELECTIONS",
    "Caller",
    "asked_pages",
    "make_office",
    "measure_browsing",
    "office_services",
    "pages_of",
    "walk_pages",
]

_MEMBERS: Final = int(os.environ.get("MEMBERCARD_BENCH_MEMBERS", "1000000"))
_TRAIL: Final = 500_000
_GOAL_MILLISECONDS: Final = 100.0
_GOAL_MEGABYTES: Final = 20.0
_ASKED: Final = 12
_FOLLOWED: Final = 12
_SHOWN: Final = 25
_NEXT: Final = re.compile(r'rel="next" href="([^"]+)"|href="([^"]+)" rel="next"')
_ORIGIN: Final = "https://console.example"
_NOT_ASKED: Final = {
    "/v1/operations/{operation_id}/events": "it stays open",
    "/v1/reports/file": "a file of the whole tree, which is an export and no page",
    "/reports/file": "as above",
    "/v1/reports/production/file": "as above",
    "/reports/production/file": "as above",
    "/reports/instances/file": "as above",
    "/v1/merged-reports/file": "as above",
    "/v1/merged-reports/production/file": "as above",
    "/reports/instances/production/file": "as above",
    "/v1/stock/file": "as above",
    "/stock/file": "as above",
    "/batches/{batch_id}/minutes": "a paper with a line for each card, which is an export and no page",
    "/batches/{batch_id}/packing-list": "as above",
    "/v1/batches/{batch_id}/minutes": "as above",
    "/v1/batches/{batch_id}/packing-list": "as above",
    "/batches/{batch_id}/proof": "an export that takes the second factor",
    "/v1/batches/{batch_id}/proof": "as above",
    "/imports/{number}/correction": "as above",
    "/v1/imports/{number}/correction": "as above",
    "/imports/template": "it makes a workbook and looks at no register",
    "/login/oidc/begin": "no provider is set",
    "/login/oidc": "as above",
}
"""GET routes that are no pages of the register, and why; whatever else there is, is asked."""

SELECTIONS: Final[Mapping[str, Sequence[str]]] = {
    "/v1/members": (
        "", "?standing=probationary", "?name=An", "?name=Nguyễn Văn An", "?name=ng v an", "?name=Nguyễn", "?name=Nguyễn V",
        "?organisation={province}&name=Nguyễn", "?organisation={commune}&name=Nguyễn",
        "?organisation={commune}&standing=probationary", "?name=n", "?name=qq an",
        "?organisation={province}", "?organisation={commune}", "?organisation={cell}",
        "?organisation={province}&standing=probationary", "?organisation={commune}&name=Linh", "?name=000000000001",
    ),
    "/members": ("", "?standing=probationary", "?name=An", "?organisation={province}", "?organisation={cell}"),
    "/v1/organisations": ("", "?above=VN", "?above={province}", "?above={commune}"),
    "/v1/reports": ("", "?above=VN", "?above={province}", "?above={commune}"),
    "/reports": ("", "?above=VN", "?above={province}"),
    "/v1/organisation-choices": ("?text=P00", "?text=mau"),
    "/v1/organisation-versions": ("?organisation={commune}", "?organisation={province}"),
    "/organisation/new": ("", "?above={commune}"),
    "/v1/number-blocks": ("", "?organisation={province}"),
    "/numbers": ("", "?organisation={province}"),
    "/v1/requests": (
        "", "?state=proposed", "?organisation={commune}", "?organisation={province}", "?kind=exchange",
        "?organisation={province}&kind=exchange&state=proposed", "?decision={decision_id}", "?member={member_id}",
        "?waiting=propose", "?waiting=endorse", "?waiting=compile", "?waiting=decide",
        "?waiting=propose&organisation={province}",
    ),
    "/requests": (
        "", "?state=proposed", "?organisation={province}", "?kind=exchange", "?decision={decision_id}",
        "?waiting=propose", "?waiting=endorse", "?waiting=compile", "?waiting=decide",
        "?waiting=endorse&organisation={province}",
    ),
    "/v1/merged-reports": ("", "?above=VN", "?above={province}"),
    "/reports/instances": ("", "?above={province}"),
    "/v1/merged-reports/production": ("", "?above=VN", "?above={province}"),
    "/reports/instances/production": ("", "?above={province}"),
    "/v1/reports/production": ("", "?above=VN", "?above={province}"),
    "/reports/production": ("", "?above={province}"),
    "/v1/batches/openings": ("", "?text=mau"),
    "/batches/open": ("", "?text=mau"),
    "/v1/batches/openings/{decision_id}": ("", "?text=mau"),
    "/batches/open/{decision_id}": ("", "?text=mau"),
    "/batches/open/{decision_id}/preview": ("?receiver={commune}",),
    "/v1/bundles": ("", "?instance={instance}"),
    "/instances/{name}": ("",),
    "/v1/batches": ("", "?state=producing", "?state=handed-over"),
    "/batches": ("", "?state=producing"),
    "/v1/decisions": ("", "?state=confirmed", "?waiting=true"),
    "/decisions": ("", "?waiting=confirm"),
    "/decisions/prepare": ("", "?committee={province}"),
    "/v1/cards": ("?card={card_number}", "?card={serial}", "?card=99.999999"),
    "/v1/stock/stops": ("", "?state=reported"),
    "/v1/members/{member_id}/eligibility": ("?kind=exchange",),
    "/v1/audit/records": (
        "", "?account=everybody", "?subject=member", "?subject=member&subject_id={member_id}",
        "?account=everybody&subject=member",
    ),
    "/audit": (
        "", "?account=everybody", "?subject=member", "?subject=member&subject_id={member_id}",
        "?account=everybody&subject=member",
    ),
}  # fmt: skip
"""Queries that a page or list is asked with; a test compares them with what each can be asked."""

_WORDS: Final = {
    "instance": "p00",
    "conflict": str(uuid.UUID(int=(11 << 96) + 1)),
    "act": "correction",
    "sequence": "1",
}
"""What stands in addresses of what every register has that is made here."""

_OTHER_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "/instances/{name}": {"name": "p00"},
    "/v1/instances/{name}": {"name": "p00"},
    "/organisation/change/{act}/{code}": {"act": "renaming"},
}
"""Where a word of an address means something else than it does elsewhere."""

_EMPTY: Final = {
    "/login": "everybody who asks is logged in",
    "/security-keys": "there is no address at which browsers reach the console",
    "/security-keys/terminal": "nobody has shown a key",
    "/members/{member_id}/data/deletion/document": "nobody's deletion is proposed",
    "/instances/{name}/bundles/{sequence}": "a file that is not there; its size is what would be measured",
    "/v1/instances/{name}/bundles/{sequence}": "as above",
    "/v1/cards?card=99.999999": "no card has this number: finding none is what is asked",
    "/batches/{batch_id}/minutes": "the first batch has not come so far",
    "/batches/{batch_id}/packing-list": "as above",
    "/v1/batches/{batch_id}/packing-list": "as above",
    "/v1/batches/{batch_id}/minutes": "as above",
    "/v1/batches/{batch_id}/levels": "as above",
    "/decisions/{decision_id}/authorisation/file": "nobody has signed one",
    "/v1/decisions/{decision_id}/authorisation": "as above",
    "/v1/decisions/{decision_id}/authorisation/file": "as above",
    "/decisions/{decision_id}/document": "a file that is not there; its size is what would be measured",
    "/v1/decisions/{decision_id}/document": "as above",
    "/v1/members/{member_id}/portrait": "as above",
    "/conflicts/{conflict}/portrait": "conflicts about decisions",
    "/questionable/{number}/{row}": "rows that were refused, and none that waits for a person",
    "/questionable/{number}/{row}/portrait": "as above",
}
"""What nobody finds anything at, and why; whatever else is empty is a mistake of this benchmark."""

_UNFILLED: Final = {
    "/members/{member_id}/evidence/{digest}": "a file that is not there; its size is what would be measured",
    "/v1/members/{member_id}/evidence/{digest}": "as above",
    "/members/{member_id}/portrait/new/{word}": "as above",
    "/organisation/evidence/{digest}/{code}": "as above",
    "/v1/organisation-evidence/{digest}": "as above",
    "/security-keys/registration/{credential}": "there is no address at which browsers reach the console",
}
"""What has no address here, and why."""


def measure_browsing(announce: Announce) -> Iterator[Record]:
    """issuer.register.page: milliseconds at the 95th percentile; issuer.register.memory: megabytes of a whole walk.

    The register is made anew, or kept in the folder that MEMBERCARD_BENCH_REGISTER names and found there again;
    MEMBERCARD_BENCH_DATABASE is the URL of an empty PostgreSQL to make it in, in the place of a file of SQLite.
    """
    kept = os.environ.get("MEMBERCARD_BENCH_REGISTER")
    folder = (
        tempfile.TemporaryDirectory(prefix="membercard-bench-")
        if kept is None
        else contextlib.nullcontext(kept)
    )
    with folder as place:
        home = Path(place) / "office"
        register = _made(home, announce)
        with office_services(home) as services:
            wall, processor = walk_pages(services, register, announce)
        for name, taken in (("", wall), (".cpu", processor)):
            slowest, milliseconds = max(taken.items(), key=lambda each: each[1])
            announce(f"the slowest is {slowest}")
            yield Record(
                name=f"issuer.register.page{name}",
                value=milliseconds,
                unit="ms",
                baseline=_GOAL_MILLISECONDS,
                ratio=milliseconds / _GOAL_MILLISECONDS,
                better="lower",
                goal=1.0,
            )
        yield _measure_memory(home, register, announce)


def _measure_memory(home: Path, register: BigRegister, announce: Announce) -> Record:
    """A process of its own: what making the register took would hide what walking it takes."""
    announce("walking the whole list in a process of its own")
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.browsing", str(home), str(register.members)],
        stdout=subprocess.PIPE,
        check=True,
    )
    grown = float(done.stdout)
    return Record(
        name="issuer.register.memory",
        value=grown,
        unit="MB",
        baseline=_GOAL_MEGABYTES,
        ratio=grown / _GOAL_MEGABYTES,
        better="lower",
        goal=1.0,
    )


def _made(home: Path, announce: Announce) -> BigRegister:
    """The register of this home, which is made where there is none; a database of an older revision is upgraded."""
    kept = home / "register.json"
    if not kept.exists():
        announce(f"a register of {_MEMBERS} members")
        register = make_office(home, members=_MEMBERS, trail=_TRAIL, announce=announce)
        kept.write_bytes(register.to_json())
    else:
        with open_register_home(home) as opened:
            schema.upgrade(opened.database)
            prepare_jobs(opened.database)
    register = BigRegister.from_json(kept.read_bytes())
    if register.members != _MEMBERS:
        raise ValueError(f"{home} has {register.members} members, expected {_MEMBERS}")
    return register


def make_office(home: Path, *, members: int, trail: int, announce: Announce) -> BigRegister:
    """A home with a keystore, so many members, and what stands behind them; three people browse in it."""
    home.mkdir(mode=0o700, parents=True)
    if (url := os.environ.get("MEMBERCARD_BENCH_DATABASE")) is not None:
        (home / "settings.toml").write_text(f"database_url = {json.dumps(url)}\n", encoding="utf-8")
    with open_register_home(home) as opened:
        schema.upgrade(opened.database)
        prepare_jobs(opened.database)
    create_keys(home, kind=KeystoreKind.FILE, pin_file=home.parent / "pin")
    begin = time.perf_counter()
    with open_register_home(home) as opened:
        sealer = take_sealers(home, opened.settings).register
        register = make_big_register(
            opened.database, sealer, members=members, trail=trail, announce=announce
        )
        with opened.register.writing() as transaction:
            for name, place in (
                ("everybody", None),
                ("province", register.words["province"]),
                ("commune", register.words["commune"]),
            ):
                where = None if place is None else OrganisationCode(place)
                transaction.people.add(
                    Account(
                        account_id=AccountId(uuid.uuid4()),
                        name=AccountName(name),
                        assignments=tuple(
                            Assignment(role=each, organisation=where) for each in Role
                        ),
                        created_at=datetime.now(UTC),
                    )
                )
    announce(f"made in {time.perf_counter() - begin:.0f} s")
    with open_api_services(home) as services:
        begin = time.perf_counter()
        services.reports.count_for(AccountName("everybody"))
        announce(f"counted for reports in {time.perf_counter() - begin:.1f} s")
    return register


def _exchange_bundles(home: Path) -> None:
    """Let the register have a name among instances; what is only looked at needs none of the certificates' keys."""
    office = ExchangeOffice()
    party = office.party("tinh-uy")
    settings = remember(home, {"exchange": {"name": party.name, "organisation": "VN"}})
    folder = settings.exchange_in(home)
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, content in (
        ("service-root.cer", office.root),
        ("instance.cer", party.certificate),
        ("instance-signer.cer", party.signer_certificate),
    ):
        (folder / name).write_bytes(content)


@contextlib.contextmanager
def office_services(home: Path) -> Iterator[ApiServices]:
    """Everything that routes reach, without the limits of requests."""
    _exchange_bundles(home)
    with open_api_services(home) as services:
        yield replace(services, rates=MemoryRequestRates(dict.fromkeys(RateKind, 10**9)))


def walk_pages(
    services: ApiServices, register: BigRegister, announce: Announce
) -> tuple[dict[str, float], dict[str, float]]:
    """The 95th percentile of each route in milliseconds: on the clock, and of processor time."""
    app = _app(services)
    pauses = _Pauses()
    gc.callbacks.append(pauses)
    taken: dict[str, list[_Taken]] = defaultdict(list)
    unfilled: set[str] = set()
    for person in ("everybody", "province", "commune"):
        caller = Caller(app, services, person)
        for pattern, path in asked_pages(app, register):
            if path is None:
                unfilled.add(pattern)
            else:
                taken[pattern] += caller.follow(path)
    gc.callbacks.remove(pauses)
    announce(f"collections took at most {pauses.longest_text()}")
    if unknown := unfilled - set(_UNFILLED):
        raise ValueError(f"not asked, for there is none: {', '.join(sorted(unknown))}")
    silent = {each for each, times in taken.items() if not times}
    if unknown := silent - set(_EMPTY):
        raise ValueError(f"asked, and nothing was there: {', '.join(sorted(unknown))}")
    wall, processor = (
        {
            each: _percentile([getattr(one, which) for one in times])
            for each, times in taken.items()
            if times
        }
        for which in ("wall", "processor")
    )
    announce("     ms   cpu ms")
    for each, milliseconds in sorted(wall.items(), key=lambda item: -item[1])[:_SHOWN]:
        announce(f"{milliseconds:7.1f}  {processor[each]:7.1f}  {each}")
    return wall, processor


def asked_pages(app: FastAPI, register: BigRegister) -> Iterator[tuple[str, str | None]]:
    """Each page and list with what it is asked with; ``None`` where this register has nothing to ask for."""
    for route in pages_of(app):
        pattern = route.path.replace(":path}", "}")
        for selection in SELECTIONS.get(pattern, ("",)):
            try:
                words = {**_WORDS, **register.words, **_OTHER_WORDS.get(pattern, {})}
                yield pattern + selection, (pattern + selection).format_map(words)
            except KeyError:
                yield pattern, None
                break


def _app(services: ApiServices) -> FastAPI:
    """The application as `serve` has it when it is ready."""
    app = create_app(services)
    asyncio.run(match_every_route(app))
    keep_standing_objects()
    return app


class _Pauses:
    """A callback of the garbage collector: the longest of each generation, in milliseconds of processor time."""

    def __init__(self) -> None:
        self._begun = 0.0
        self._longest = {0: 0.0, 1: 0.0, 2: 0.0}

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._begun = time.thread_time()
            return
        taken = (time.thread_time() - self._begun) * 1000
        generation = info["generation"]
        self._longest[generation] = max(self._longest[generation], taken)

    def longest_text(self) -> str:
        return ", ".join(f"{each:.1f}" for each in self._longest.values()) + " ms"


def pages_of(app: FastAPI) -> list[APIRoute]:
    return [
        each
        for each in all_routes(app.routes)
        if isinstance(each, APIRoute)
        and "GET" in (each.methods or ())
        and each.path not in _NOT_ASKED
        and not each.path.startswith(("/static", "/health"))
    ]


def _percentile(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]


@dataclass(frozen=True, slots=True)
class _Taken:
    """Milliseconds of one request: on the clock, and of the whole process's processor time."""

    wall: float
    processor: float


class Caller:
    """One person; programs come with a bearer token, pages with a cookie."""

    def __init__(self, app: FastAPI, services: ApiServices, name: str) -> None:
        self._app = app
        tokens = {
            face: services.log_in.log_in_as(
                AccountName(name), method=LoginMethod.OIDC, face=face
            ).token.text
            for face in Face
        }
        self._headers = {
            True: {"authorization": f"Bearer {tokens[Face.COMMAND_LINE]}"},
            False: {"cookie": f"{SESSION_COOKIE}={tokens[Face.CONSOLE]}"},
        }

    def follow(self, path: str) -> list[_Taken]:
        """What the page and those behind it took; nothing where the person may not see it."""
        times: list[_Taken] = []
        first = path
        for number in range(_ASKED + _FOLLOWED):
            response, taken = asyncio.run(self._ask(path))
            if response.status_code in {401, 403, 404}:
                return []
            if response.status_code >= 500:
                raise ValueError(f"{path} is answered with {response.status_code}")
            if response.status_code >= 400 or "location" in response.headers:
                return times
            # The first look compiles templates and statements: it is the process's, not the page's.
            if number:
                times.append(taken)
            path = _next_of(response, path) if number < _FOLLOWED else first
        return times

    def show(self, path: str) -> str:
        """Ask for a page; where the next one is, or the same where there is none."""
        response, _ = asyncio.run(self._ask(path))
        return _next_of(response, path) if response.status_code == 200 else path

    async def _ask(self, path: str) -> tuple[httpx.Response, _Taken]:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=_ORIGIN) as client:
            headers = self._headers[path.startswith("/v1/")]
            wall, processor = time.perf_counter(), time.process_time()
            response = await client.get(path, headers=headers)
            return response, _Taken(
                wall=(time.perf_counter() - wall) * 1000,
                processor=(time.process_time() - processor) * 1000,
            )


def _next_of(response: httpx.Response, path: str) -> str:
    if response.headers["content-type"].startswith("application/json"):
        document: dict[str, Any] = response.json()
        cursor = document.get("next") if isinstance(document, dict) else None
        if cursor is None:
            return path
        return str(httpx.URL(path).copy_merge_params({"cursor": cursor}))
    found = _NEXT.search(response.text)
    return path if found is None else (found[1] or found[2]).replace("&amp;", "&")


def _walk_members(services: ApiServices, members: int) -> float:
    """Megabytes by which the process grows over a walk of the whole list, page by page."""
    caller = Caller(_app(services), services, "everybody")
    path, seen, before = "/v1/members?limit=200", 0, 0.0
    peak = 0.0
    for number in range(members):
        response, _ = asyncio.run(caller._ask(path))
        document = response.json()
        seen += len(document["members"])
        # The first pages fill what the process keeps for ever: compiled statements, pools, caches of fixed size.
        if number == 20:
            before = _resident_megabytes()
        if number > 20 and number % 20 == 0:
            peak = max(peak, _resident_megabytes())
        if number % 500 == 0:
            sys.stderr.write(f"{seen} members, grown by {peak - before:.1f} MB\n")
        if document.get("next") is None:
            break
        path = str(httpx.URL(path).copy_merge_params({"cursor": document["next"]}))
    if seen != members:
        raise AssertionError(f"{seen} members were shown, expected {members}")
    return max(peak, _resident_megabytes()) - before


def _resident_megabytes() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _main() -> None:
    with office_services(Path(sys.argv[1])) as services:
        sys.stdout.write(f"{_walk_members(services, int(sys.argv[2])):.1f}")


if __name__ == "__main__":
    _main()
