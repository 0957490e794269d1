"""The files of the BSI TR-03105-5 reference data set: a document that others made (specimen holder)."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from card_layout import der, tlv
from card_layout.curves import CurveError, EcPublicKey
from card_layout.errors import CardDataError
from card_layout.files.common_data import CommonData
from card_layout.files.data_group_2 import ImageFormat, Portrait
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.registry import decode_file
from card_layout.files.security_infos import UnknownSecurityInfo
from card_layout.files.security_object_file import SecurityObjectFile

VECTORS = Path(__file__).resolve().parents[2] / "../shared/vectors/bsi-reference-dataset"

pytestmark = pytest.mark.skipif(
    not VECTORS.is_dir(), reason="the published vectors do not lie beside the checkout"
)


def vector(name: str) -> bytes:
    return (VECTORS / name).read_bytes()


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("EF_COM.bin", "EF.COM"),
        ("EF_SOD.bin", "EF.SOD"),
        ("Datagroup2.bin", "EF.DG2"),
        ("Datagroup3.bin", "EF.DG3"),
        ("Datagroup4.bin", "EF.DG4"),
        ("Datagroup14.bin", "EF.DG14"),
    ],
)
def test_a_file_made_by_others_is_read_and_encodes_identically(file: str, name: str) -> None:
    assert decode_file(name, vector(file)).to_bytes() == vector(file)


def test_common_data_names_the_groups_of_the_set() -> None:
    common_data = CommonData.from_bytes(vector("EF_COM.bin"))
    assert common_data.data_group_tags == (0x61, 0x75, 0x63, 0x76, 0x6E)
    assert common_data.lds_version == "0107"


def test_the_security_object_is_unwrapped() -> None:
    content_info = SecurityObjectFile.from_bytes(vector("EF_SOD.bin")).content_info
    signed_data, _ = tlv.parse(content_info, expected_tag=der.SEQUENCE).children()
    assert der.decode_object_identifier(signed_data.value) == "1.2.840.113549.1.7.2"


def test_the_portrait_is_a_jpeg_2000_picture_of_another_size_than_announced() -> None:
    portrait = Portrait.from_bytes(vector("Datagroup2.bin"))
    assert portrait.format is ImageFormat.JPEG2000
    assert (portrait.width, portrait.height) == (337, 449)
    assert (portrait.picture.width, portrait.picture.height) == (413, 531)
    assert len(portrait.image) == 0x3AC5 - 46


def test_security_infos_in_another_order_than_ders_are_read() -> None:
    infos = SecurityOptions.from_bytes(vector("Datagroup14.bin")).security_infos
    assert not infos.is_in_der_order
    assert [info.protocol for info in infos.infos] == [
        "0.4.0.127.0.7.2.2.1.2",
        "0.4.0.127.0.7.2.2.3.2.1",
        "0.4.0.127.0.7.2.2.2",
    ]
    # Its key is on brainpoolP224r1.
    assert infos.chip_authentication_keys == ()
    assert isinstance(infos.infos[0], UnknownSecurityInfo)
    assert len(infos.chip_authentication_infos) == 1


def test_a_key_on_brainpoolp224r1_is_unsupported() -> None:
    with pytest.raises(CurveError) as raised:
        EcPublicKey.from_subject_public_key_info(vector("DG14_pk.bin"))
    assert raised.value.code == "curve.unsupported"


def test_an_rsa_key_is_unsupported() -> None:
    load_der_public_key(vector("DG15_pk.bin"))
    with pytest.raises(CurveError) as raised:
        EcPublicKey.from_subject_public_key_info(vector("DG15_pk.bin"))
    assert raised.value.code == "curve.unsupported"


@pytest.mark.parametrize(
    ("file", "name", "code"),
    [
        ("Datagroup1.bin", "EF.DG1", "data-group.unsupported-encoding"),  # a passport's TD3
        ("Datagroup3.bin", "EF.DG2", "data-group.malformed"),
        ("Datagroup14.bin", "EF.DG13", "data-group.malformed"),
        ("EF_SOD.bin", "EF.COM", "common-data.malformed"),
        ("EF_COM.bin", "EF.CardAccess", "access.card-access-malformed"),
    ],
)
def test_other_content_is_refused_with_its_code(file: str, name: str, code: str) -> None:
    with pytest.raises(CardDataError) as raised:
        decode_file(name, vector(file))
    assert raised.value.code == code


@pytest.mark.parametrize(
    "file",
    ["Datagroup1.bin", "Datagroup2.bin", "Datagroup3.bin", "Datagroup4.bin", "Datagroup15.bin"],
)
def test_every_data_group_is_one_data_object(file: str) -> None:
    data = vector(file)
    assert tlv.parse(data).to_bytes() == data
