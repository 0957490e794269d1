from random import Random

import pytest

from card_layout.files.common_data import CommonData
from card_layout.files.data_group_13 import MemberRecord
from card_layout.files.data_groups import GROUP_OF_TAG
from card_layout.files.registry import decode_file
from card_layout.files.security_object_file import SecurityObjectFile
from card_layout.profile import load_profile
from pki.certificates.trust import TrustAnchors, find_authority
from pki.errors import PkiRefusedError
from pki.signed.security_object import SecurityObject, StatusReference
from simulators.authority import SignerKind, TestAuthority
from simulators.forge import ForgeKind, Forgery, clone, forge
from simulators.image import CardImage
from simulators.issued_image import DEFAULT_PROFILE, data_groups, issue_image
from simulators.population.member import SyntheticMember
from simulators.testing import TEST_CAN

PROFILE = load_profile(DEFAULT_PROFILE)


@pytest.fixture(scope="module")
def forged(
    test_pki: TestAuthority, synthetic_member: SyntheticMember
) -> dict[ForgeKind, CardImage]:
    return {
        kind: forge(
            kind, authority=test_pki, random=Random(1), can=TEST_CAN, member=synthetic_member
        )
        for kind in ForgeKind
    }


def content(image: CardImage, name: str) -> bytes:
    return image.files[PROFILE.file(name).path].data


def security_object(image: CardImage) -> SecurityObject:
    return SecurityObject.from_bytes(
        SecurityObjectFile.from_bytes(content(image, "EF.SOD")).content_info
    )


def wrong_hashes(image: CardImage) -> set[int]:
    signed = security_object(image)
    return {
        group
        for group, data in data_groups(image, PROFILE).items()
        if signed.hash_algorithm.digest(data) != signed.file_hashes.get(group)
    }


def test_there_are_eight_kinds_with_eight_codes() -> None:
    assert len({kind.expected_code for kind in ForgeKind}) == len(ForgeKind) == 8


@pytest.mark.parametrize("kind", ForgeKind)
def test_every_forgery_is_an_image_with_a_valid_signature(
    forged: dict[ForgeKind, CardImage], kind: ForgeKind
) -> None:
    image = forged[kind]
    assert CardImage.from_json(image.to_json()) == image
    assert image.secrets.can == TEST_CAN
    security_object(image).verify_signature()


@pytest.mark.parametrize("kind", ForgeKind)
def test_every_file_of_a_forgery_still_decodes(
    forged: dict[ForgeKind, CardImage], kind: ForgeKind
) -> None:
    image = forged[kind]
    for file in PROFILE.files:
        if file.path in image.files:
            decode_file(file.name, image.files[file.path].data)


@pytest.mark.parametrize("kind", ForgeKind)
def test_only_the_two_kinds_about_hashes_have_wrong_ones(
    forged: dict[ForgeKind, CardImage], kind: ForgeKind
) -> None:
    expected = {ForgeKind.ALTERED_DATA_GROUP: {13}, ForgeKind.UNLISTED_FILE: {12}}
    assert wrong_hashes(forged[kind]) == expected.get(kind, set())


def test_one_byte_of_the_altered_data_group_is_changed(
    forged: dict[ForgeKind, CardImage],
) -> None:
    altered = content(forged[ForgeKind.ALTERED_DATA_GROUP], "EF.DG13")
    genuine = content(forged[ForgeKind.CLONE], "EF.DG13")
    assert len(altered) == len(genuine)
    assert sum(a != b for a, b in zip(altered, genuine, strict=True)) == 1
    assert (
        MemberRecord.from_bytes(altered).card_number != MemberRecord.from_bytes(genuine).card_number
    )


def test_the_unlisted_file_is_named_by_ef_com_and_not_signed(
    forged: dict[ForgeKind, CardImage],
) -> None:
    image = forged[ForgeKind.UNLISTED_FILE]
    tags = CommonData.from_bytes(content(image, "EF.COM")).data_group_tags
    assert 12 in {GROUP_OF_TAG[tag] for tag in tags}
    assert content(image, "EF.DG12")
    assert set(security_object(image).file_hashes) == {1, 2, 11, 13, 14}


def test_a_clone_has_every_file_and_another_key(
    test_pki: TestAuthority, synthetic_member: SyntheticMember
) -> None:
    genuine = issue_image(synthetic_member, authority=test_pki, random=Random(4))
    copy = clone(
        Forgery(
            image=genuine,
            profile=PROFILE,
            authority=test_pki,
            status_reference=StatusReference(list_id=bytes(8), index=0),
        )
    )
    assert copy.files == genuine.files
    (own,), (original,) = copy.keys.chip_authentication, genuine.keys.chip_authentication
    assert (own.curve, own.key_id) == (original.curve, original.key_id)
    assert own.private_scalar != original.private_scalar


def test_the_unknown_authority_bears_the_same_name(
    forged: dict[ForgeKind, CardImage], test_pki: TestAuthority
) -> None:
    signer = security_object(forged[ForgeKind.UNKNOWN_AUTHORITY]).signer_certificate
    anchors = TrustAnchors.from_bytes(certificates=[test_pki.root.certificate], crls=[])
    with pytest.raises(PkiRefusedError) as caught:
        find_authority(signer, anchors)
    assert caught.value.code == "signer.authority-unknown"
    genuine = security_object(forged[ForgeKind.CLONE])
    issuers = {
        genuine.signer_issuer,
        security_object(forged[ForgeKind.UNKNOWN_AUTHORITY]).signer_issuer,
    }
    assert len(issuers) == 1


@pytest.mark.parametrize(
    ("kind", "signer"),
    [
        (ForgeKind.EXPIRED_SIGNER, SignerKind.EXPIRED),
        (ForgeKind.REVOKED_SIGNER, SignerKind.REVOKED),
        (ForgeKind.CLONE, SignerKind.CURRENT),
    ],
)
def test_the_kind_of_signer_signs(
    forged: dict[ForgeKind, CardImage],
    test_pki: TestAuthority,
    kind: ForgeKind,
    signer: SignerKind,
) -> None:
    used = security_object(forged[kind]).signer_certificate
    assert used == test_pki.signers[signer].certificate


def test_a_bac_only_card_lacks_ef_card_access_alone(forged: dict[ForgeKind, CardImage]) -> None:
    missing = {file.path for file in PROFILE.files} - set(forged[ForgeKind.BAC_ONLY].files)
    assert missing == {PROFILE.file("EF.CardAccess").path}


def test_a_card_that_refuses_chip_authentication_announces_it_without_a_key(
    forged: dict[ForgeKind, CardImage],
) -> None:
    image = forged[ForgeKind.CHIP_AUTHENTICATION_REFUSED]
    assert image.keys.chip_authentication == ()
    assert content(image, "EF.DG14")


def test_a_seed_draws_the_same_person(test_pki: TestAuthority) -> None:
    first, second = (forge(ForgeKind.CLONE, authority=test_pki, random=Random(5)) for _ in range(2))
    for name in ("EF.DG1", "EF.DG2", "EF.DG11", "EF.DG13"):
        assert content(first, name) == content(second, name)
    assert first.secrets == second.secrets
