"""Benchmarks of trust offline: the status of 5.6 million cards, a day's changes, a look-up, and loading a bundle of it."""

import math
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

from pki.keys.software import SoftwareSigner
from pki.signed.card_states import LIST_POSITIONS, CardState, CardStates
from pki.signed.status_list import StatusList, prepare_status_list
from pki.signed.status_list_delta import StatusListDelta
from pki.signed.token_status_list import prepare_token, token_uri
from pki.signed.trust_bundle import TrustBundle
from simulators.authority import TestAuthority
from simulators.testing import TEST_TIME
from simulators.trust_directory import write_trust_directory
from tests.benchmarks.measure import Announce, Record, compare, counted, cpu_seconds, wall_seconds
from tests.unit.verifier.bundle_office import BundleOffice, layout_files
from tests.unit.verifier.status_office import StatusOffice
from verifier.trust.bundle_install import install_bundle
from verifier.trust.directory import load_trust

__all__ = ["measure_status"]

_LISTS = 43
"""Full ones: 5.6 million positions."""

_NOT_VALID = 0.01
_CHANGES = 500
_LOOK_UPS = 10_000
_MIX = {
    CardState.NOT_HANDED_OVER: 20,
    CardState.DATA_STALE: 30,
    CardState.SUSPENDED: 5,
    CardState.REPLACED: 25,
    CardState.LOST: 10,
    CardState.REVOKED: 10,
}


def measure_status(announce: Announce) -> Iterator[Record]:
    """verifier.status.size, .tokens, .delta and .lookup, verifier.bundle.load."""
    announce(f"drawing the states of {_LISTS * LIST_POSITIONS:,} cards, 1 % of them not valid")
    chance = Random(56)
    now = TEST_TIME
    authority = TestAuthority.create(now=now - timedelta(days=1))
    office = StatusOffice(authority=authority)
    today = _draw(chance)
    first = _sign(office, today, number=1)
    later = _sign(office, _changed(today, chance), number=2)
    yield counted(
        "verifier.status.size",
        value=len(first.der),
        baseline=math.ceil(_entropy_bytes(today)),
        unit="bytes",
        goal=1.10,
    )
    yield counted(
        "verifier.status.tokens",
        value=_bytes_of_tokens(office, first),
        baseline=len(first.der),
        unit="bytes",
        goal=None,
    )
    yield counted(
        "verifier.status.delta",
        value=len(StatusListDelta.between(first, later).to_bytes()),
        baseline=1500,
        unit="bytes",
        goal=1.0,
    )
    ids = list(today.tables)
    places = [(chance.choice(ids), chance.randrange(LIST_POSITIONS)) for _ in range(_LOOK_UPS)]
    if any(first.find(key, index) != today.tables[key][index] for key, index in places):
        raise AssertionError("a look-up differs from the table")

    def look_up() -> None:
        for list_id, index in places:
            first.find(list_id, index)

    announce(f"verifier.status.lookup: 15 rounds of {_LOOK_UPS:,} look-ups, against 50 us")
    yield compare(
        "verifier.status.lookup",
        value=lambda: cpu_seconds(look_up) / _LOOK_UPS,
        baseline=lambda: 50e-6,
        unit="s",
        goal=1.0,
    )
    with tempfile.TemporaryDirectory() as name:
        trust = Path(name) / "trust"
        write_trust_directory(trust, [authority], now=now)
        files = layout_files(authority, now=now, status=first.der)
        der = BundleOffice(authority).bundle(files, at=now)
        install_bundle(TrustBundle.from_bytes(der), trust)

        def check_and_load() -> None:
            TrustBundle.from_bytes(der)
            load_trust(trust)

        announce("verifier.bundle.load: 15 rounds of checking and loading, against 1 s")
        yield compare(
            "verifier.bundle.load",
            value=lambda: wall_seconds(check_and_load),
            baseline=lambda: 1.0,
            unit="s",
            goal=1.0,
        )


def _bytes_of_tokens(office: StatusOffice, found: StatusList) -> int:
    """The same states as IETF Token Status Lists, one for each list."""
    signer = SoftwareSigner(office.key)
    return sum(
        len(
            prepare_token(
                signer_certificate=office.certificate,
                public_key=signer.public_key,
                uri=token_uri("https://status.example/cards", list_id),
                table=table,
                issued_at=found.this_update,
                expires_at=found.next_update,
                ttl=timedelta(hours=6),
            ).sign(signer)
        )
        for list_id, table in found.states.tables.items()
    )


def _draw(chance: Random) -> CardStates:
    tables = {}
    for _ in range(_LISTS):
        table = bytearray(LIST_POSITIONS)
        for index in chance.sample(range(LIST_POSITIONS), int(LIST_POSITIONS * _NOT_VALID)):
            table[index] = _draw_state(chance)
        tables[chance.randbytes(8)] = bytes(table)
    return CardStates(positions=LIST_POSITIONS, tables=tables)


def _changed(states: CardStates, chance: Random) -> CardStates:
    """Exactly so many cards in another state."""
    tables = {key: bytearray(table) for key, table in states.tables.items()}
    ids = list(tables)
    places = chance.sample(range(len(states)), _CHANGES)
    for place in places:
        table, index = tables[ids[place // LIST_POSITIONS]], place % LIST_POSITIONS
        earlier = table[index]
        while table[index] == earlier:
            table[index] = _draw_state(chance)
    return CardStates(
        positions=LIST_POSITIONS, tables={key: bytes(table) for key, table in tables.items()}
    )


def _draw_state(chance: Random) -> CardState:
    return chance.choices(list(_MIX), list(_MIX.values()))[0]


def _sign(office: StatusOffice, states: CardStates, *, number: int) -> StatusList:
    start = TEST_TIME + timedelta(seconds=number)
    prepared = prepare_status_list(
        signer_certificate=office.certificate,
        public_key=office.key.public_key(),
        number=number,
        this_update=start,
        next_update=start + timedelta(days=7),
        states=states,
    )
    return StatusList.from_bytes(prepared.sign(SoftwareSigner(office.key)))


def _entropy_bytes(states: CardStates) -> float:
    """What the mix of states tells at least, card by card: no code without knowledge of more can be shorter."""
    counts = [count for count in states.counts().values() if count]
    return sum(count * math.log2(len(states) / count) for count in counts) / 8
