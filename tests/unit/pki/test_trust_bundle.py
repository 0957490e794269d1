"""The trust bundle: only files of a trust directory, one encoding, deltas that give the very bytes."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki.certificates.profile import load_certificate_profile
from pki.certificates.trust import TrustAnchors
from pki.errors import PkiDataError, PkiError
from pki.keys.software import SoftwareSigner
from pki.services.authority import AuthorityRequest
from pki.services.trust_bundles import TrustBundleService
from pki.signed.card_states import CardStates
from pki.signed.status_list import prepare_status_list
from pki.signed.trust_bundle import (
    TrustBundle,
    prepare_trust_bundle,
    read_bundle_draft,
    write_bundle_draft,
)
from pki.signed.trust_bundle_delta import TrustBundleDelta

DAY = timedelta(days=1)
PATHS = ["crl/csca-1.crl", "csca/csca-1.cer", "csca/csca-2-link.cer", "policy.toml", "stop/a.stop"]
FILES = {"csca/csca-1.cer": b"one", "policy.toml": b"two"}

Make = Callable[..., bytes]


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


@pytest.fixture(scope="module")
def make(authority: Any, make_list_office: Callable[..., Any], fixed_now: datetime) -> Make:
    office = make_list_office(authority=authority, profile="trust-bundle-signer")

    def make(files: Mapping[str, bytes], number: int = 1) -> bytes:
        start = fixed_now - DAY + timedelta(seconds=number)
        return prepare_trust_bundle(
            signer_certificate=office.certificate,
            public_key=office.key.public_key(),
            number=number,
            this_update=start,
            next_update=start + 7 * DAY,
            files=files,
        ).sign(SoftwareSigner(office.key))

    return make


def bundle_files() -> st.SearchStrategy[dict[str, bytes]]:
    return st.dictionaries(st.sampled_from(PATHS), st.binary(max_size=40))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(earlier=bundle_files(), later=bundle_files())
def test_a_delta_gives_the_very_bytes_of_the_later_bundle(
    make: Make, earlier: dict[str, bytes], later: dict[str, bytes]
) -> None:
    first, second = TrustBundle.from_bytes(make(earlier, 3)), TrustBundle.from_bytes(make(later, 5))
    assert dict(second.files) == later
    delta = TrustBundleDelta.between(first, second)
    assert TrustBundleDelta.from_bytes(delta.to_bytes()) == delta
    assert delta.apply(first).der == second.der
    assert read_bundle_draft(write_bundle_draft(later)) == second.files


def test_a_status_list_in_a_bundle_goes_by_its_own_delta(
    make: Make, authority: Any, make_list_office: Callable[..., Any], fixed_now: datetime
) -> None:
    office = make_list_office(authority=authority, profile="status-list-signer")

    def status(number: int, *lost: int) -> bytes:
        table = bytearray(4096)
        for index in range(0, 4096, 7):
            table[index] = 1
        for index in lost:
            table[index] = 5
        start = fixed_now - DAY + timedelta(seconds=number)
        return prepare_status_list(
            signer_certificate=office.certificate,
            public_key=office.key.public_key(),
            number=number,
            this_update=start,
            next_update=start + DAY,
            states=CardStates(positions=4096, tables={bytes(8): bytes(table)}),
        ).sign(SoftwareSigner(office.key))

    path = "status/csca-1.status"
    bundles = [
        TrustBundle.from_bytes(make({**FILES, path: content}, number))
        for number, content in ((1, status(1)), (2, status(2, 77)), (3, status(1)))
    ]
    delta = TrustBundleDelta.between(bundles[0], bundles[1])
    assert len(delta.to_bytes()) < 500 < len(status(2, 77))
    assert delta.apply(bundles[0]).der == bundles[1].der
    # A list that does not continue the one before goes whole.
    back = TrustBundleDelta.between(bundles[1], bundles[2])
    assert back.apply(bundles[1]).der == bundles[2].der


def test_every_flipped_bit_is_refused(make: Make, authority: Any) -> None:
    anchors = TrustAnchors.from_bytes(certificates=[authority.certificate], crls=[authority.crl()])
    der = make(FILES)
    anchors.admit_trust_bundle(TrustBundle.from_bytes(der))
    for place in range(len(der)):
        altered = bytearray(der)
        altered[place] ^= 1 << place % 8
        with pytest.raises(PkiDataError) as caught:
            anchors.admit_trust_bundle(TrustBundle.from_bytes(bytes(altered)))
        assert caught.value.code in {"trust-bundle.malformed", "trust-bundle.untrusted"}


def test_every_flipped_bit_of_a_delta_is_refused(make: Make) -> None:
    first = TrustBundle.from_bytes(make(FILES, 1))
    second = TrustBundle.from_bytes(make({**FILES, "policy.toml": b"other"}, 2))
    data = TrustBundleDelta.between(first, second).to_bytes()
    for place in range(8 * len(data)):
        altered = bytearray(data)
        altered[place // 8] ^= 1 << place % 8
        with pytest.raises(PkiError) as caught:
            TrustBundleDelta.from_bytes(bytes(altered)).apply(first)
        assert caught.value.code in {"trust-delta.malformed", "trust-delta.other-base"}


@pytest.mark.parametrize(
    "path",
    [
        "../policy.toml",
        "/etc/passwd",
        "csca/../policy.toml",
        "csca/.hidden.cer",
        "csca/a/b.cer",
        "csca\\a.cer",
        "csca/a.exe",
        "bundle.json",
        "approvers.toml",
        "clock.json",
        "proofs/x.tlog-proof",
        "policy.toml\n",
        "csca/" + "a" * 120 + ".cer",
        "",
    ],
)
def test_nothing_is_unpacked_outside_the_layout(make: Make, path: str) -> None:
    assert code_of(lambda: make({path: b""})) == "trust-bundle.path"
    assert code_of(lambda: write_bundle_draft({path: b""})) == "trust-bundle.path"


def test_names_that_differ_in_capitals_alone_are_refused(make: Make) -> None:
    assert code_of(lambda: make({"csca/a.cer": b"", "csca/A.cer": b""})) == "trust-bundle.path"


@given(st.binary(max_size=200))
def test_any_bytes_are_no_bundle_no_draft_and_no_delta(data: bytes) -> None:
    assert code_of(lambda: TrustBundle.from_bytes(data)) == "trust-bundle.malformed"
    assert code_of(lambda: TrustBundleDelta.from_bytes(data)) == "trust-delta.malformed"


class MemoryShelf:
    def __init__(self) -> None:
        self.published: dict[str, bytes] = {}

    def published_trust_bundle(self, name: str) -> bytes | None:
        return self.published.get(name)

    def publish_trust_bundle(self, name: str, der: bytes) -> None:
        self.published[name] = der

    def publish_trust_delta(self, name: str, number: int, data: bytes) -> None:
        self.published[f"{name}-{number}"] = data


def test_bundles_are_numbered_recorded_and_published_with_their_deltas(memory_office: Any) -> None:
    shelf = MemoryShelf()
    with memory_office.open() as authority:
        authority.create_authority(
            AuthorityRequest(
                name="Trial",
                country="VN",
                is_test=True,
                distribution_point="http://pki.example/csca-1.crl",
            ),
            profile=load_certificate_profile("csca"),
        )
        service = TrustBundleService(authority, shelf)
        assert code_of(lambda: service.issue(FILES)) == "trust-bundle.no-signer"
        authority.create_signer(
            "bundles-1", profile=load_certificate_profile("trust-bundle-signer")
        )
        first = service.issue(FILES)
        second = service.issue({**FILES, "crl/csca-1.crl": b"three"})
        assert first.delta is None
        assert second.delta is not None
        assert second.bundle.number == 2
        assert shelf.published["csca-1"] == second.bundle.der
        delta = TrustBundleDelta.from_bytes(shelf.published["csca-1-2"])
        assert delta.apply(first.bundle).der == second.bundle.der
        # A bundle that is not the one that was issued is the base of nothing.
        shelf.published["csca-1"] = first.bundle.der
        assert service.issue(FILES).delta is None
    kinds = [entry.kind for entry in memory_office.entries()]
    assert kinds[-3:] == ["number.reserved", "trust-bundle.intended", "trust-bundle.issued"]
