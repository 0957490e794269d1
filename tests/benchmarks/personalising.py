"""Benchmarks of a station: one signed card written, read back, locked and proven locked (SPEC.md, 8.6-8.8)."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import cast

from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.curves import EcPublicKey
from card_layout.profile import CardProfile, load_profile
from card_layout.transport.connection import CardConnection
from issuer.domain.card import CardReference
from issuer.domain.card_job import CardJob
from issuer.domain.card_secrets import CardSecrets
from issuer.domain.chip import KEY_VERSION_PERSONALISATION, KeyOrigin, Serial
from issuer.domain.chip_keys import ChipKeySet, key_label
from issuer.personalisation.native import NativeDialect
from issuer.personalisation.quality_control import TerminalQualityControl
from issuer.personalisation.scp03_keys import Scp03Mode
from issuer.services.initialise_chip import initialise_chip
from issuer.services.lock_card import control_and_lock
from issuer.services.personalise_card import personalise_card
from issuer.services.production_ports import StationLedger
from simulators.blank import blank_image, derive_card_key
from simulators.image import CardImage
from simulators.issued_image import TestAuthority, issue_image
from simulators.population.member import draw_member
from tests.benchmarks.calls import CallRecorder, bare_seconds
from tests.benchmarks.measure import Announce, Record, compare, counted
from tests.benchmarks.wire import WatchedReader
from verifier.reading.least import least_apdus

__all__ = [
    "PROFILE",
    "BenchKeys",
    "StationBench",
    "least_personalisation_apdus",
    "measure_personalising",
]

PROFILE = load_profile("membercard-1-icao")
_TRANSPORT_KEY = bytes(range(32))
_PERSONALISATION_KEY = bytes(range(32, 64))
_TRANSPORT_VERSION = 0xFF

_CHANNEL_APDUS = 3
"""The count of wrong keys, INITIALIZE UPDATE and EXTERNAL AUTHENTICATE (SPEC.md, 8.1)."""

_FIXED_WRITES = 4
"""Reference, passwords, SELECT of the application, SET STATUS 15 (SPEC.md, 8.6)."""

_LOCK_APDUS = 1 + 2
"""SET STATUS 05, and the two commands that the locked card must refuse (SPEC.md, 8.8)."""


def least_personalisation_apdus(profile: CardProfile, contents: Mapping[str, bytes]) -> int:
    """How many APDUs SPEC.md, 8.6 to 8.8 take at least, by a station that leaves nothing of them out.

    Args:
        profile: the files, and the longest command and answer of the chip.
        contents: every file of master file and application by name.
    """
    chunk = Scp03Mode.S8.max_command_data(
        profile.max_command_bytes if profile.extended_lengths else None
    )
    writes = sum(
        -(-len(contents[file.name]) // chunk) + (file.short_identifier is None)
        for file in profile.application_files
    )
    # Quality control reads what an inspection reads, and in no other way.
    sizes = {name: len(content) for name, content in contents.items()}
    return (
        _CHANNEL_APDUS
        + _FIXED_WRITES
        + writes
        + least_apdus(profile, sizes)
        + _CHANNEL_APDUS
        + _LOCK_APDUS
    )


class BenchKeys:
    """The keys of every chip, as the chip maker and the issuer derive them."""

    @property
    def personalisation_version(self) -> int:
        return KEY_VERSION_PERSONALISATION

    def key_set(self, serial: Serial, key_version: int) -> ChipKeySet:
        label = key_label(key_version).decode()
        master = _TRANSPORT_KEY if key_version == _TRANSPORT_VERSION else _PERSONALISATION_KEY
        enc, mac, dek = (
            derive_card_key(master, label=f"{label} {name}", serial=serial)
            for name in ("enc", "mac", "dek")
        )
        return ChipKeySet(key_version=key_version, enc=enc, mac=mac, dek=dek)


@dataclass(kw_only=True)
class MemoryLedger:
    """The station's record for one chip: what is measured is the conversation, not a database."""

    events: list[str] = field(default_factory=list)
    public_key: EcPublicKey | None = None

    def begin_initialisation(self, serial: Serial) -> None:
        self.events.append(f"initialising {serial.hex()}")

    def record_chip_key(
        self, serial: Serial, public_key: EcPublicKey, *, origin: KeyOrigin
    ) -> None:
        del origin
        self.events.append(f"key {serial.hex()}")
        self.public_key = public_key

    def finish_initialisation(self, serial: Serial) -> None:
        self.events.append(f"initialised {serial.hex()}")

    def begin_personalisation(self, reference: CardReference) -> None:
        self.events.append(f"personalising {reference.hex()}")

    def record_personalised(self, reference: CardReference) -> None:
        self.events.append(f"personalised {reference.hex()}")

    def intend_lock(self, reference: CardReference) -> None:
        self.events.append(f"locking {reference.hex()}")

    def record_issued(self, reference: CardReference) -> None:
        self.events.append(f"issued {reference.hex()}")


class StationBench:
    """An initialised chip that can be personalised over and over, each time from the same image."""

    def __init__(self, number: int = 0) -> None:
        self.serial = Serial(bytes(range(9)) + bytes((9 + number,)))
        self.dialect = NativeDialect(profile=PROFILE)
        self.keys = BenchKeys()
        ledger = MemoryLedger()
        blank = blank_image(PROFILE, serial=self.serial, transport_master_key=_TRANSPORT_KEY)
        reader = WatchedReader(blank)
        opened = self.dialect.open(reader.connect(), keys_for=self._fixed_keys)
        initialise_chip(
            opened,
            profile=PROFILE,
            ledger=cast("StationLedger", ledger),
            chip_keys=self.keys,
        )
        if ledger.public_key is None:
            raise AssertionError("the chip made no key")
        self.image = reader.card.image
        self.public_key = ledger.public_key
        self.job = _job(self.serial, ledger.public_key)
        self.contents = {
            file.name: self.image.files[file.path].data for file in PROFILE.master_files
        } | dict(self.job.contents)

    def make_card(
        self, aside: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> WatchedReader:
        """Personalise, control and lock; the reader that watched."""
        reader = WatchedReader(self.image, aside)
        connection: CardConnection = reader.connect()
        ledger = cast("StationLedger", MemoryLedger())
        opened = self.dialect.open(connection, keys_for=self._fixed_keys)
        personalise_card(
            opened,
            self.job,
            profile=PROFILE,
            ledger=ledger,
            trust_points={},
            today=datetime.now(UTC).date(),
        )
        control_and_lock(
            connection,
            self.job,
            keys_for=self._fixed_keys,
            dialect=self.dialect,
            quality_control=TerminalQualityControl(profile=PROFILE),
            ledger=ledger,
        )
        return reader

    def station_seconds(self) -> float:
        """CPU time for one card, without what the virtual card took."""
        begin = time.process_time()
        reader = self.make_card()
        return time.process_time() - begin - reader.card_seconds

    def _fixed_keys(self, serial: Serial, key_version: int) -> ChipKeySet:
        # A keystore derives them; what that costs is the keystore's.
        found = _KNOWN_KEYS.get((serial, key_version))
        if found is None:
            found = _KNOWN_KEYS[serial, key_version] = self.keys.key_set(serial, key_version)
        return found


_KNOWN_KEYS: dict[tuple[Serial, int], ChipKeySet] = {}


def _job(serial: Serial, chip_key: EcPublicKey) -> CardJob:
    """A card of a synthetic member with a 16 kB portrait."""
    image: CardImage = issue_image(
        draw_member(Random(7), serial_number=7),
        authority=TestAuthority.create(now=datetime.now(UTC)),
        random=Random(7),
    )
    information = image.secrets.mrz_information
    can = image.secrets.can
    if information is None or can is None:
        raise AssertionError("an issued card has both passwords")
    return CardJob(
        reference=CardReference(bytes(6) + serial),
        serial=serial,
        profile=PROFILE.name,
        secrets=CardSecrets(can=can, document_number=information[:9], salt=bytes(16)),
        mrz_information=information,
        contents={file.name: image.files[file.path].data for file in PROFILE.application_files},
        chip_key=chip_key,
    )


def measure_personalising(announce: Announce) -> Iterator[Record]:
    """card.personalise.apdus, card.personalise.cpu."""
    bench = StationBench()
    bench.make_card()
    recorder = CallRecorder()
    with recorder.recording():
        reader = bench.make_card(recorder.paused)
    announce(f"one card: {recorder}; {len(reader.exchanges)} protected exchanges")
    yield counted(
        "card.personalise.apdus",
        value=reader.apdu_count,
        baseline=least_personalisation_apdus(PROFILE, bench.contents),
        unit="APDUs",
        goal=1.05,
    )
    announce("card.personalise.cpu: 31 rounds of 4 cards")
    yield compare(
        "card.personalise.cpu",
        value=lambda: sum(bench.station_seconds() for _ in range(4)) / 4,
        baseline=bare_seconds(
            recorder.counts, curve=ec.SECP256R1(), exchanges=reader.exchanges, hashed=[]
        ),
        unit="s",
        goal=1.5,
        rounds=31,
    )
