"""The stop list: one encoding, an authority behind it, and a signer on it is refused at once (SPEC.md, 9.9)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asn1crypto import cms
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from pki.certificates.certificate import load_certificate
from pki.certificates.issue import issue_signer_certificate
from pki.certificates.names import DistinguishedName
from pki.certificates.profile import load_certificate_profile
from pki.certificates.trust import TrustAnchors, check_revocation, find_authority
from pki.errors import PkiDataError, PkiError
from pki.keys.software import SoftwareSigner
from pki.signed.decoding import element
from pki.signed.signed_list import PreparedSignedList
from pki.signed.stop_list import (
    ID_STOP_LIST,
    StopList,
    _StopListContent,
    _StoppedCertificate,
    prepare_stop_list,
)
from pki.signed.structures import ID_STATUS_REFERENCE

Scene = Any
DAY = timedelta(days=1)
FIXED = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
OTHER_NAME = DistinguishedName(country="VN", common_name="TEST somebody else").to_bytes()


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def certify(authority: Any, profile: str, key: ec.EllipticCurvePrivateKey, serial: int) -> bytes:
    return issue_signer_certificate(
        authority_signer=authority.signer,
        authority_certificate=authority.certificate,
        public_key=key.public_key(),
        profile=load_certificate_profile(profile),
        name=DistinguishedName(country="VN", common_name=f"TEST {profile}"),
        serial_number=serial,
        not_before=authority.start,
    )


@pytest.fixture(scope="module")
def scene(authority: Any, fixed_now: datetime) -> Scene:
    """An authority with a document signer and a stop-list signer."""
    key = ec.generate_private_key(ec.SECP256R1())
    stop_serial = 2**110

    def make(
        *stopped: int,
        number: int = 1,
        this_update: datetime = fixed_now - DAY,
        lifetime: timedelta = 30 * DAY,
        certificate: bytes | None = None,
    ) -> bytes:
        prepared = prepare_stop_list(
            signer_certificate=certificate
            or certify(authority, "stop-list-signer", key, stop_serial),
            public_key=key.public_key(),
            number=number,
            this_update=this_update,
            next_update=this_update + lifetime,
            stopped=dict.fromkeys(stopped, this_update),
        )
        return prepared.sign(SoftwareSigner(key))

    signer = authority.issue(serial_number=2**100 + 77)
    return SimpleNamespace(
        make=make, signer=signer, serial=2**100 + 77, stop_serial=stop_serial, key=key
    )


def anchors(authority: Any, *stop_lists: bytes, revoked: tuple[int, ...] = ()) -> TrustAnchors:
    return TrustAnchors.from_bytes(
        certificates=[authority.certificate], crls=[authority.crl(*revoked)], stop_lists=stop_lists
    )


def judge(authority: Any, scene: Scene, now: datetime, *stop_lists: bytes) -> None:
    trusted = anchors(authority, *stop_lists)
    check_revocation(scene.signer, find_authority(scene.signer, trusted), trusted, now=now)


def test_what_was_signed_is_read_back(scene: Scene, fixed_now: datetime) -> None:
    found = StopList.from_bytes(scene.make(2**70, 2**71, number=9))
    assert found.number == 9
    assert found.stopped == dict.fromkeys((2**70, 2**71), fixed_now - DAY)
    assert found.this_update == fixed_now - DAY
    assert found.next_update == fixed_now + 29 * DAY
    assert found.issuer == found.signer.certificate.issuer
    assert found.is_current(fixed_now)
    assert not found.is_current(fixed_now + 30 * DAY)
    assert not found.is_current(fixed_now - 2 * DAY)


def test_another_library_reads_the_same_structure(scene: Scene) -> None:
    signed = cms.ContentInfo.load(scene.make(2**70))["content"]
    assert signed["encap_content_info"]["content_type"].dotted == ID_STOP_LIST.dotted_string
    assert [item["type"].native for item in signed["signer_infos"][0]["signed_attrs"]] == [
        "content_type",
        "signing_time",
        "message_digest",
    ]


def test_a_signer_that_is_listed_is_refused_by_the_lists_name(
    authority: Any, scene: Scene, fixed_now: datetime
) -> None:
    judge(authority, scene, fixed_now)
    judge(authority, scene, fixed_now, scene.make(2**70))
    with pytest.raises(PkiError, match="is on stop list 4") as caught:
        judge(authority, scene, fixed_now, scene.make(scene.serial, number=4))
    assert caught.value.code == "signer.revoked"


def test_a_listed_signer_stays_stopped_by_an_old_list(
    authority: Any, scene: Scene, fixed_now: datetime
) -> None:
    old = scene.make(scene.serial, number=1, this_update=fixed_now - 20 * DAY, lifetime=DAY)
    newer = scene.make(number=2)
    for lists in ((old,), (old, newer), (newer, old)):
        assert code_of(lambda lists=lists: judge(authority, scene, fixed_now, *lists)) == (
            "signer.revoked"
        )


def test_where_the_newest_list_is_out_of_date_nothing_is_accepted(
    authority: Any, scene: Scene, fixed_now: datetime
) -> None:
    old = scene.make(number=1, this_update=fixed_now - 20 * DAY, lifetime=DAY)
    newer = scene.make(number=2)
    judge(authority, scene, fixed_now, old, newer)
    assert code_of(lambda: judge(authority, scene, fixed_now, old)) == "signer.revocation-unknown"
    late = scene.make(number=3, this_update=fixed_now - 20 * DAY, lifetime=DAY)
    assert code_of(lambda: judge(authority, scene, fixed_now, newer, late)) == (
        "signer.revocation-unknown"
    )
    tomorrow = scene.make(number=3, this_update=fixed_now + DAY)
    assert code_of(lambda: judge(authority, scene, fixed_now, tomorrow)) == (
        "signer.revocation-unknown"
    )


def test_a_cleared_signer_is_cleared_for_no_longer_than_the_newest_list_is_current(
    authority: Any, scene: Scene, fixed_now: datetime
) -> None:
    trusted = anchors(authority, scene.make(number=2, lifetime=5 * DAY))
    found = find_authority(scene.signer, trusted)
    for _ in range(2):
        check_revocation(scene.signer, found, trusted, now=fixed_now)
        for outside in (fixed_now + 5 * DAY, fixed_now - 2 * DAY):
            code = code_of(
                lambda now=outside: check_revocation(scene.signer, found, trusted, now=now)
            )
            assert code == "signer.revocation-unknown"


def test_another_authoritys_list_says_nothing_of_this_ones_signers(
    authority: Any, scene: Scene, make_authority: Callable[..., Any], fixed_now: datetime
) -> None:
    other = make_authority(common_name="TEST other")
    certificate = certify(other, "stop-list-signer", scene.key, 2**110)
    foreign = scene.make(scene.serial, certificate=certificate)
    assert code_of(lambda: anchors(authority, foreign)) == "stop-list.untrusted"
    both = TrustAnchors.from_bytes(
        certificates=[authority.certificate, other.certificate],
        crls=[authority.crl()],
        stop_lists=[foreign],
    )
    check_revocation(scene.signer, find_authority(scene.signer, both), both, now=fixed_now)


def test_an_authority_of_the_same_name_cannot_stop_anything(
    authority: Any, scene: Scene, make_authority: Callable[..., Any]
) -> None:
    certificate = certify(make_authority(), "stop-list-signer", scene.key, 2**110)
    foreign = scene.make(scene.serial, certificate=certificate)
    assert code_of(lambda: anchors(authority, foreign)) == "stop-list.untrusted"


def test_a_signer_that_names_the_authority_and_has_another_ones_signature_is_not_believed(
    authority: Any, scene: Scene, make_authority: Callable[..., Any]
) -> None:
    forged = issue_signer_certificate(
        authority_signer=make_authority().signer,
        authority_certificate=authority.certificate,
        public_key=scene.key.public_key(),
        profile=load_certificate_profile("stop-list-signer"),
        name=DistinguishedName(country="VN", common_name="TEST stop"),
        serial_number=2**110,
        not_before=authority.start,
    )
    stop_list = scene.make(scene.serial, certificate=forged)
    assert code_of(lambda: anchors(authority, stop_list)) == "stop-list.untrusted"


def test_a_revoked_stop_list_signer_is_not_believed(authority: Any, scene: Scene) -> None:
    action = lambda: anchors(authority, scene.make(), revoked=(scene.stop_serial,))  # noqa: E731 - one of many alike
    assert code_of(action) == "stop-list.untrusted"


@pytest.mark.parametrize("profile", ["document-signer", "status-list-signer", "journal-signer"])
def test_nobody_else_signs_stop_lists(authority: Any, scene: Scene, profile: str) -> None:
    certificate = certify(authority, profile, scene.key, 2**110)
    assert code_of(lambda: scene.make(certificate=certificate)) == "signer.profile"
    # Forged: somebody else's certificate in a list that is otherwise whole.
    whole = cms.ContentInfo.load(scene.make())
    signed = whole["content"]
    signed["certificates"] = [cms.CertificateChoices.load(certificate)]
    identifier = signed["signer_infos"][0]["sid"].chosen
    identifier["serial_number"] = 2**110
    signer = signed["signer_infos"][0]
    signer["signature"] = SoftwareSigner(scene.key).sign(signer["signed_attrs"].untag().dump())
    forged = whole.dump(force=True)
    assert code_of(lambda: StopList.from_bytes(forged)) == "stop-list.malformed"


def forge(authority: Any, scene: Scene, now: datetime, **changes: Any) -> bytes:
    """A list whose signature holds, and whose content may be anything."""
    certificate = certify(authority, "stop-list-signer", scene.key, scene.stop_serial)
    issuer = load_certificate(certificate).issuer
    values = {
        "version": 1,
        "number": 1,
        "this_update": now - DAY,
        "next_update": now + DAY,
        "stopped": [2**70, 2**71],
        "issuer": issuer,
        "signing_time": now - DAY,
        "fraction": timedelta(0),
        "since": None,
    } | changes
    content = _StopListContent(
        version=values["version"],
        number=values["number"],
        this_update=asn1.GeneralizedTime(values["this_update"]),
        next_update=asn1.GeneralizedTime(values["next_update"]),
        stopped=[
            _StoppedCertificate(
                issuer=element(values["issuer"]),
                serial_number=serial_number,
                stopped_at=asn1.GeneralizedTime(now - DAY + values["fraction"]),
                compromised_since=(
                    None if values["since"] is None else asn1.GeneralizedTime(values["since"])
                ),
            )
            for serial_number in values["stopped"]
        ],
    )
    prepared = PreparedSignedList.compose(
        content_type=values.get("content_type", ID_STOP_LIST),
        content=asn1.encode_der(content),
        certificate=certificate,
        public_key=scene.key.public_key(),
        signing_time=values["signing_time"],
    )
    return prepared.sign(SoftwareSigner(scene.key))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": 0}, "version of the stop list is 0"),
        ({"number": 0}, "expected a positive one"),
        ({"number": 2**63}, "expected a positive one"),
        ({"next_update": FIXED - DAY}, "current for 0:00:00"),
        ({"next_update": FIXED + 90 * DAY}, "current for 91 days"),
        ({"signing_time": FIXED}, "signing time is"),
        ({"this_update": FIXED - 60 * DAY, "signing_time": FIXED - 60 * DAY}, "key signs from"),
        ({"stopped": [2**71, 2**70]}, "ascending"),
        ({"stopped": [2**70, 2**70]}, "ascending"),
        ({"stopped": [0]}, "positive"),
        ({"stopped": [2**160]}, "20 octets"),
        ({"stopped": range(1, 4098)}, "4097 entries"),
        ({"issuer": OTHER_NAME}, "another issuer"),
        ({"fraction": timedelta(milliseconds=5)}, "fraction"),
        ({"since": FIXED - DAY + timedelta(seconds=1)}, "compromised since"),
        ({"since": FIXED - 2 * DAY + timedelta(milliseconds=5)}, "fraction"),
        ({"content_type": ID_STATUS_REFERENCE}, "content type"),
    ],
)
def test_a_list_that_is_signed_and_wrong_is_refused_for_what_is_wrong(
    authority: Any, scene: Scene, fixed_now: datetime, changes: dict[str, Any], reason: str
) -> None:
    assert fixed_now == FIXED
    StopList.from_bytes(forge(authority, scene, fixed_now))
    forged = forge(authority, scene, fixed_now, **changes)
    with pytest.raises(PkiDataError, match=reason) as caught:
        StopList.from_bytes(forged)
    assert caught.value.code == "stop-list.malformed"


@pytest.mark.parametrize(
    "arguments",
    [
        {"number": 0},
        {"number": 2**63},
        {"lifetime": timedelta(0)},
        {"lifetime": timedelta(days=91)},
    ],
)
def test_a_list_that_cannot_be_is_refused_before_it_is_signed(
    scene: Scene, arguments: dict[str, Any]
) -> None:
    assert code_of(lambda: scene.make(**arguments)) == "stop-list.request-invalid"


def test_a_list_has_one_encoding_and_no_byte_of_it_can_be_altered(scene: Scene) -> None:
    genuine = scene.make(2**70)
    StopList.from_bytes(genuine)
    assert code_of(lambda: StopList.from_bytes(genuine + b"\x00")) == "stop-list.malformed"
    for position in range(len(genuine)):
        altered = bytearray(genuine)
        altered[position] ^= 0x01
        # The certificate inside is judged by its authority, not by the list.
        try:
            found = StopList.from_bytes(bytes(altered))
        except PkiDataError as error:
            assert error.code == "stop-list.malformed"  # noqa: PT017 - both outcomes are right
            continue
        assert found.signer.der not in genuine


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_a_data_error(data: bytes) -> None:
    with pytest.raises(PkiDataError):
        StopList.from_bytes(data)


def test_an_endless_list_is_refused() -> None:
    assert code_of(lambda: StopList.from_bytes(bytes(1024 * 1024 + 1))) == "stop-list.malformed"
