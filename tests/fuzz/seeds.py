"""Makes the seeds of the corpora from what simulators and a test authority make: ``python -m tests.fuzz.seeds``."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from card_layout.files.registry import FILE_TYPES
from card_layout.profile import load_profile
from pki.signed.card_states import CardState
from pki.signed.security_object import StatusReference
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.image import CardImage
from simulators.issued_image import TestAuthority, issue_image
from simulators.population.member import draw_member
from tests.fuzz.targets import TARGETS
from tests.unit.verifier.status_office import StatusOffice
from tests.unit.verifier.terminal_hierarchy import Hierarchy
from verifier.inspection.snapshot import CardSnapshot
from verifier.reading.card_reading import read_card
from verifier.services.card_password import CardPassword

CORPUS: Final = Path(__file__).with_name("corpus")
MAX_SEED_BYTES: Final = 4096
_NOW: Final = datetime(2026, 11, 22, 8, tzinfo=UTC)
_PROFILE: Final = load_profile("membercard-1-icao")


def _image(authority: TestAuthority) -> CardImage:
    member = draw_member(Random(7), serial_number=7)
    return issue_image(
        member, authority=authority, random=Random(7), can="271828", profile=_PROFILE
    )


def _read(image: CardImage) -> CardSnapshot:
    """The card as a terminal reads it, without its portrait."""
    snapshot = read_card(
        SimulatedReader(VirtualCard(image)),
        password=CardPassword.from_can("271828"),
        profile=_PROFILE,
        pace_parameter_ids=(12, 13),
        now=_NOW,
        monotonic=time.monotonic,
    )
    files = {name: file for name, file in snapshot.files.items() if name != "EF.DG2"}
    return replace(snapshot, files=files)


def make_seeds() -> Iterator[tuple[str, bytes]]:
    """Target and bytes; portraits are cut, because only their beginning is read here."""
    authority = TestAuthority.create(now=_NOW - timedelta(days=1))
    image = _image(authority)
    for number, name in enumerate(FILE_TYPES):
        for file in _PROFILE.files:
            if file.name == name and image.files[file.path].data:
                content = image.files[file.path].data
                if name != "EF.DG2":
                    yield "card-file", bytes((number,)) + content
                yield "tlv", content[:MAX_SEED_BYTES]
                if name == "EF.SOD":
                    yield "security-object", content[4:]
                if name == "EF.DG2":
                    yield "image-header", content[content.index(b"\xff\xd8\xff") :][:MAX_SEED_BYTES]
    yield "answer-to-reset", image.atr
    for certified in (authority.root, *authority.signers.values()):
        yield "certificate", certified.certificate
        yield "lint", certified.certificate
    revoked = authority.revocation_list(now=_NOW)
    yield "certificate-list", revoked
    yield "lint", revoked
    snapshot = _read(image)
    yield "snapshot", snapshot.to_json().encode()
    yield "machine-readable-zone", (snapshot.content("EF.DG1") or b"")[5:]
    hierarchy = Hierarchy(day=_NOW.date())
    for certificate in (hierarchy.root(), hierarchy.link(1), hierarchy.terminal()):
        yield "card-verifiable", certificate.to_bytes()
        yield "lint", certificate.to_bytes()
    reference = StatusReference(list_id=bytes(8), index=5)
    office = StatusOffice(authority=authority)
    yield "status-list", office.sign(reference, CardState.LOST, at=_NOW)


def main() -> None:
    """Write every seed under a name made of its digest; what fuzzing found beside them stays."""
    for name in TARGETS:
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
    for target, content in make_seeds():
        digest = hashlib.sha256(content).hexdigest()[:16]
        (CORPUS / target / f"seed-{digest}").write_bytes(content)


if __name__ == "__main__":
    main()
