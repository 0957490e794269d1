"""Benchmark of the register under a million members: every page of the console and every list of the API, and memory.

The service runs as `serve` composes it, over a home of its own; requests go through the whole application without a
socket. Each GET route is asked by three people: one who sees everything, one of a province, one of a commune. Lists are
followed page by page and entered at narrow and wide selections. What is compared is the 95th percentile of each route:
the slowest route is the record.
"""

import asyncio
import contextlib
import gc
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
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute

from issuer.api.app import create_app
from issuer.api.gate import SESSION_COOKIE, all_routes
from issuer.api.ports import ApiServices
from issuer.bootstrap import open_register_home
from issuer.bootstrap_api import open_api_services
from issuer.bootstrap_keys import take_register_sealer
from issuer.bootstrap_production import create_keys
from issuer.db import schema
from issuer.domain.account import Account, AccountId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, Assignment, Role
from issuer.domain.session import Face, LoginMethod
from issuer.identity.memory_rates import MemoryRequestRates
from issuer.services.request_rates import RateKind
from pki.keys.open import KeystoreKind
from tests.benchmarks.big_register import BigRegister, make_big_register
from tests.benchmarks.measure import Announce, Record

__all__ = ["measure_browsing", "walk_pages"]

_MEMBERS: Final = int(os.environ.get("MEMBERCARD_BENCH_MEMBERS", "1000000"))
_GOAL_MILLISECONDS: Final = 100.0
_GOAL_MEGABYTES: Final = 20.0
_ASKED: Final = 12
_FOLLOWED: Final = 12
_NEXT: Final = re.compile(r'rel="next" href="([^"]+)"|href="([^"]+)" rel="next"')
_ORIGIN: Final = "https://console.example"
_NOT_ASKED: Final = {
    "/v1/operations/{operation_id}/events": "it stays open",
    "/v1/reports/file": "a file of the whole tree, which is an export and no page",
    "/reports/file": "as above",
    "/imports/template": "it makes a workbook and looks at no register",
    "/login/oidc/begin": "no provider is set",
    "/login/oidc": "as above",
}
"""GET routes that are no pages of the register, and why; whatever else there is, is asked."""

_SELECTIONS: Final[Mapping[str, Sequence[str]]] = {
    "/v1/members": (
        "", "?standing=probationary", "?name=An", "?name=Nguyễn Văn An", "?name=ng v an", "?name=Nguyễn",
        "?organisation={province}", "?organisation={commune}", "?organisation={cell}",
        "?organisation={province}&standing=probationary", "?organisation={commune}&name=Linh", "?name=000000000001",
    ),
    "/members": ("", "?standing=probationary", "?name=An", "?organisation={province}", "?organisation={cell}"),
    "/v1/organisations": ("", "?above=VN", "?above={province}", "?above={commune}"),
    "/v1/reports": ("", "?above=VN", "?above={province}", "?above={commune}"),
    "/reports": ("", "?above=VN", "?above={province}"),
    "/v1/requests": ("", "?state=proposed", "?organisation={commune}"),
    "/requests": ("", "?state=proposed"),
    "/audit": ("", "?account=everybody"),
}  # fmt: skip
"""Queries that a list is asked with."""


def measure_browsing(announce: Announce) -> Iterator[Record]:
    """issuer.register.page: milliseconds at the 95th percentile; issuer.register.memory: megabytes of a whole walk."""
    with (
        tempfile.TemporaryDirectory(prefix="membercard-bench-") as folder,
        _office(Path(folder) / "office", _MEMBERS, announce) as (services, register),
    ):
        slowest = max(walk_pages(services, register, announce).items(), key=lambda each: each[1])
        announce(f"the slowest is {slowest[0]}")
        yield Record(
            name="issuer.register.page",
            value=slowest[1],
            unit="ms",
            baseline=_GOAL_MILLISECONDS,
            ratio=slowest[1] / _GOAL_MILLISECONDS,
            better="lower",
            goal=1.0,
        )
    yield from _measure_memory(announce)


def _measure_memory(announce: Announce) -> Iterator[Record]:
    """A process of its own: what making the register took would hide what walking it takes."""
    with tempfile.TemporaryDirectory(prefix="membercard-bench-") as folder:
        home = Path(folder) / "office"
        with _office(home, _MEMBERS, announce):
            pass
        announce("walking the whole list in a process of its own")
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.browsing", str(home), str(_MEMBERS)],
            stdout=subprocess.PIPE,
            check=True,
        )
        grown = float(done.stdout)
        yield Record(
            name="issuer.register.memory",
            value=grown,
            unit="MB",
            baseline=_GOAL_MEGABYTES,
            ratio=grown / _GOAL_MEGABYTES,
            better="lower",
            goal=1.0,
        )


@contextlib.contextmanager
def _office(
    home: Path, members: int, announce: Announce
) -> Iterator[tuple[ApiServices, BigRegister]]:
    announce(f"a register of {members} members")
    with open_register_home(home, create=True) as opened:
        schema.upgrade(opened.database)
    create_keys(home, kind=KeystoreKind.FILE, pin_file=home.parent / "pin")
    with open_register_home(home) as opened:
        sealer = take_register_sealer(home, opened.settings)
        register = make_big_register(opened.database, sealer, members=members, announce=announce)
        with opened.register.writing() as transaction:
            for name, place in (
                ("everybody", None),
                ("province", register.province),
                ("commune", register.commune),
            ):
                where = None if place is None else OrganisationCode(place)
                transaction.people.add(
                    Account(
                        account_id=AccountId(uuid.uuid4()),
                        name=AccountName(name),
                        assignments=tuple(
                            Assignment(role=each, organisation=where)
                            for each in (
                                tuple(Role) if place is None else (Role.CLERK, Role.ENDORSER)
                            )
                        ),
                        created_at=datetime.now(UTC),
                    )
                )
    with open_api_services(home) as services:
        begin = time.perf_counter()
        services.reports.count_for(AccountName("everybody"))
        announce(f"counted for reports in {time.perf_counter() - begin:.1f} s")
        yield (
            replace(services, rates=MemoryRequestRates(dict.fromkeys(RateKind, 10**9))),
            register,
        )


def walk_pages(
    services: ApiServices, register: BigRegister, announce: Announce
) -> dict[str, float]:
    """The 95th percentile of each route, in milliseconds."""
    app = create_app(services)
    words = {
        "member_id": str(register.member_id), "code": register.commune, "number": "1", "row": "1", "name": "everybody",
        "province": register.province, "commune": register.commune, "cell": register.cell,
    }  # fmt: skip
    taken: dict[str, list[float]] = defaultdict(list)
    unfilled: list[str] = []
    for person in ("everybody", "province", "commune"):
        caller = _Caller(app, services, person)
        for route in _pages(app):
            pattern = route.path.replace(":path}", "}")
            for selection in _SELECTIONS.get(pattern, ("",)):
                try:
                    path = (pattern + selection).format_map(words)
                except KeyError:
                    unfilled.append(pattern)
                    break
                taken[pattern + selection] += caller.follow(path)
    if unfilled:
        announce(f"not asked, for there is none: {', '.join(sorted(set(unfilled)))}")
    found = {each: _percentile(times) for each, times in taken.items() if times}
    for each, milliseconds in sorted(found.items(), key=lambda item: -item[1])[:12]:
        announce(f"{milliseconds:7.1f} ms  {each}")
    return found


def _pages(app: FastAPI) -> list[APIRoute]:
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


class _Caller:
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

    def follow(self, path: str) -> list[float]:
        """Milliseconds of the page and of those behind it; nothing where the person may not see it."""
        times: list[float] = []
        first = path
        for number in range(_ASKED + _FOLLOWED):
            response, milliseconds = asyncio.run(self._ask(path))
            if response.status_code in {401, 403, 404}:
                return []
            if response.status_code >= 400 or "location" in response.headers:
                return times
            # The first look compiles templates and statements: it is the process's, not the page's.
            if number:
                times.append(milliseconds)
            path = _next_of(response, path) if number < _FOLLOWED else first
        return times

    async def _ask(self, path: str) -> tuple[httpx.Response, float]:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url=_ORIGIN) as client:
            headers = self._headers[path.startswith("/v1/")]
            begin = time.perf_counter()
            response = await client.get(path, headers=headers)
            return response, (time.perf_counter() - begin) * 1000


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
    caller = _Caller(create_app(services), services, "everybody")
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
    with open_api_services(Path(sys.argv[1])) as services:
        wide = replace(services, rates=MemoryRequestRates(dict.fromkeys(RateKind, 10**9)))
        sys.stdout.write(f"{_walk_members(wide, int(sys.argv[2])):.1f}")


if __name__ == "__main__":
    _main()
