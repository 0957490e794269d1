"""Card images: the file format, its published schema, and what loading refuses (docs/card-image.md)."""

import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from card_layout.atr import LifeCycle
from card_layout.curves import NamedCurve
from pki.card_verifiable.authorisation import FileRights
from pki.card_verifiable.issue import Validity, compose_root, sign_certificate
from pki.card_verifiable.public_key import CvPublicKey
from pki.card_verifiable.references import HolderReference
from pki.keys.software import SoftwareSigner
from simulators.card.timing import PROFILES
from simulators.errors import ImageError
from simulators.faults import Fault, FaultKind
from simulators.image import (
    Applet,
    CardImage,
    EcKey,
    HashAlgorithm,
    ImageFile,
    Keys,
    Limits,
    PersonalisationKeys,
    ReadRule,
    RsaKey,
    Secrets,
    SessionAlgorithm,
    SigningEcKey,
    Timing,
    file_path,
)
from simulators.image_document import MAX_IMAGE_BYTES, json_schema


def trust_point(number: int) -> bytes:
    signer = SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
    key = CvPublicKey.of(signer, explicit=True)
    body = compose_root(
        reference=HolderReference.from_text(f"VNROOT{number:05}"),
        public_key=key,
        files=FileRights.of([13]),
        validity=Validity(effective_date=date(2026, 1, 1), expiration_date=date(2028, 12, 31)),
    )
    certified = key.on(NamedCurve.SECP256R1)
    return sign_certificate(
        body, signer=signer, key=certified, algorithm=signer.algorithm
    ).to_bytes()


TRUST_POINTS = (trust_point(2), trust_point(1))
Maker = Callable[..., CardImage]
PUBLISHED_SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "card-image.schema.json"


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(PUBLISHED_SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


keys_16 = st.binary(min_size=16, max_size=16)
aids = st.binary(min_size=5, max_size=16)
byte = st.integers(0, 255)


@st.composite
def ec_keys(draw: st.DrawFn) -> tuple[EcKey, ...]:
    keys = []
    for key_id in draw(st.sets(byte, max_size=3)):
        curve = draw(st.sampled_from(NamedCurve))
        scalar = draw(st.integers(1, curve.n - 1))
        algorithms = draw(st.lists(st.sampled_from(SessionAlgorithm), min_size=1, unique=True))
        keys.append(
            EcKey(curve=curve, private_scalar=scalar, key_id=key_id, algorithms=tuple(algorithms))
        )
    return tuple(keys)


@st.composite
def signing_keys(draw: st.DrawFn) -> SigningEcKey | RsaKey:
    algorithm = draw(st.sampled_from(HashAlgorithm))
    if draw(st.booleans()):
        curve = draw(st.sampled_from(NamedCurve))
        scalar = draw(st.integers(1, curve.n - 1))
        return SigningEcKey(curve=curve, private_scalar=scalar, hash_algorithm=algorithm)
    modulus = draw(st.integers(1 << 1023, (1 << 1024) - 1))
    exponent = draw(st.integers(2, modulus - 1))
    return RsaKey(modulus=modulus, private_exponent=exponent, hash_algorithm=algorithm)


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    kind = draw(st.sampled_from(FaultKind))
    path = st.just("3F00/011C")
    instruction = byte
    return Fault(
        kind=kind,
        at=draw(st.none() | st.integers(1, 9999)),
        instruction=draw(
            instruction if kind is FaultKind.INSTRUCTION_REFUSED else st.none() | instruction
        ),
        p1=draw(st.none() | byte),
        path=draw(
            path
            if kind in {FaultKind.OVERLONG_LENGTH, FaultKind.SHRINKING_FILE}
            else st.none() | path
        ),
        response=draw(st.binary(min_size=2 if kind is FaultKind.REPLACE else 0, max_size=20)),
        status_word=draw(st.integers(0, 0xFFFF)),
        bit=draw(st.integers(0, 99999)),
        milliseconds=draw(st.integers(0, 60000)),
    )


extra_secrets = st.sampled_from(
    [
        {},
        {"mrz_information": "T22000129364081251010318", "basic_access_control": True},
        {"pin": "123456", "pin_tries_left": 0, "puk": "1234567890", "puk_tries_left": 9},
    ]
)


@st.composite
def images(draw: st.DrawFn) -> CardImage:
    applications = draw(st.dictionaries(aids, st.integers(0, 0xFFFF), max_size=3))
    while len(set(applications.values())) != len(applications):
        applications.popitem()
    files: dict[str, ImageFile] = {}
    for application in (None, *applications):
        short_identifiers = draw(st.sets(st.integers(1, 30), max_size=3))
        for number, short_identifier in enumerate(short_identifiers):
            data = draw(st.binary(max_size=40))
            files[file_path(application, number)] = ImageFile(
                data=data,
                read=draw(st.sampled_from(ReadRule)),
                short_identifier=draw(st.just(short_identifier) | st.none()),
                capacity=draw(st.integers(max(1, len(data)), 0xFFFF)),
            )
    length = draw(st.sampled_from((16, 24, 32)))
    key = st.binary(min_size=length, max_size=length)
    versions = draw(st.lists(st.integers(1, 255), max_size=4, unique=True))
    key_sets = [
        PersonalisationKeys(
            key_version=version,
            enc=draw(key),
            mac=draw(key),
            dek=draw(key),
            wrong_authentications=draw(byte),
        )
        for version in versions
    ]
    return CardImage(
        profile=draw(st.text(min_size=1, max_size=64)),
        state=draw(st.sampled_from(LifeCycle)),
        serial=draw(st.binary(min_size=10, max_size=10)),
        atr=draw(st.binary(min_size=2, max_size=33)),
        applet=draw(st.sampled_from(Applet)),
        card_reference=draw(st.none() | keys_16),
        limits=Limits(
            extended_lengths=draw(st.booleans()),
            max_command_bytes=draw(st.integers(261, 65544)),
            max_response_bytes=draw(st.integers(258, 65538)),
        ),
        applications=applications,
        files=files,
        secrets=Secrets(
            can=draw(st.none() | st.from_regex("[0-9]{6}", fullmatch=True)),
            wrong_passwords=draw(st.integers(0, 0xFFFF)),
            **{
                "mrz_information": draw(st.none() | st.from_regex("[0-9A-Z<]{24}", fullmatch=True)),
                **draw(extra_secrets),
            },
        ),
        keys=Keys(
            chip_authentication=draw(ec_keys()),
            active_authentication=draw(st.none() | signing_keys()),
            personalisation=key_sets[0] if key_sets else None,
            further_key_sets=tuple(key_sets[1:]),
            challenge_bytes=draw(st.sampled_from((8, 16))),
        ),
        trust_points=draw(st.sampled_from([(), TRUST_POINTS[:1], TRUST_POINTS])),
        current_date=draw(st.none() | st.just("20261121")),
        faults=tuple(draw(st.lists(faults(), max_size=3))),
        timing=draw(st.sampled_from([*Timing, *PROFILES.values()])),
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(images())
def test_what_is_written_reads_back_and_fits_the_published_schema(image: CardImage) -> None:
    text = image.to_json()
    assert CardImage.from_json(text) == image
    assert CardImage.from_json(text).to_json() == text
    document = json.loads(text)
    assert next(iter(document)) == "warning"
    schema = json.loads(PUBLISHED_SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)


def test_the_published_schema_is_the_one_of_the_code() -> None:
    assert json.loads(PUBLISHED_SCHEMA.read_text(encoding="utf-8")) == json_schema()


Change = Callable[[dict[str, Any]], object]
FILE = "A0000002471001/0101"


def drop(*path: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        *parents, last = path
        for name in parents:
            document = document[name]
        del document[last]

    return change


def put(value: object, *path: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        *parents, last = path
        for name in parents:
            document = document[name]
        document[last] = value

    return change


REFUSED_BY_BOTH: list[Change] = [
    put("not secret at all", "warning"),
    drop("format"),
    put(2, "format"),
    put("1", "format"),
    put(True, "format"),
    drop("state"),
    put("lost", "state"),
    put("", "profile"),
    drop("serial"),
    put("00", "serial"),
    put("0G" * 10, "serial"),
    drop("atr"),
    put("3B", "atr"),
    put("3B0", "atr"),
    put("3B" * 34, "atr"),
    put("00" * 15, "card_reference"),
    put("field", "surplus"),
    put("yes", "limits", "extended_lengths"),
    put(100, "limits", "max_command_bytes"),
    put(70000, "limits", "max_response_bytes"),
    put("0100", "applications", "A000"),
    put("100", "applications", "A0000002471002"),
    put({}, "files", FILE),
    put({"read": "always", "capacity": 1}, "files", "3F00"),
    put({"read": "always", "capacity": 1}, "files", "3f00/0101"),
    put("sometimes", "files", FILE, "read"),
    put("always", "files", FILE, "write"),
    put("ABC", "files", FILE, "data"),
    put(0, "files", FILE, "short_identifier"),
    put(31, "files", FILE, "short_identifier"),
    put(0, "files", FILE, "capacity"),
    put(65536, "files", FILE, "capacity"),
    put(1.5, "files", FILE, "capacity"),
    put("12345", "secrets", "can"),
    put("1234567", "secrets", "can"),
    put("12345x", "secrets", "can"),
    put(123456, "secrets", "can"),
    put("t" * 24, "secrets", "mrz_information"),
    put(1, "secrets", "basic_access_control"),
    put("1234", "secrets", "pin"),
    put(4, "secrets", "pin_tries_left"),
    put("123456", "secrets", "puk"),
    put(11, "secrets", "puk_tries_left"),
    put(["des"], "keys", "chip_authentication", 0, "algorithms"),  # type: ignore[arg-type]
    put([], "keys", "chip_authentication", 0, "algorithms"),  # type: ignore[arg-type]
    put(-1, "secrets", "wrong_passwords"),
    put("secp224r1", "keys", "chip_authentication", 0, "curve"),  # type: ignore[arg-type]
    put("", "keys", "chip_authentication", 0, "private_scalar"),  # type: ignore[arg-type]
    put(256, "keys", "chip_authentication", 0, "key_id"),  # type: ignore[arg-type]
    put({}, "keys", "active_authentication"),
    put({"modulus": "7F" * 128, "private_exponent": "03"}, "keys", "active_authentication"),
    put({"curve": "secp256r1", "modulus": "FF" * 128}, "keys", "active_authentication"),
    put("00" * 15, "keys", "personalisation", "enc"),
    put(0, "keys", "personalisation", "key_version"),
    put([{"kind": "surprise"}], "faults"),
    put([{"kind": "drop", "at": 0}], "faults"),
    put([{"kind": "drop", "status_word": "9"}], "faults"),
    put("slow", "timing"),
    put({"bits_per_second": 9600}, "timing"),
    put("2026-11-21", "current_date"),
    put("19991231", "current_date"),
    put(["0"], "trust_points"),
    put([point.hex() for point in (*TRUST_POINTS, TRUST_POINTS[0])], "trust_points"),
]

REFUSED_BEYOND_THE_SCHEMA: list[Change] = [
    put("AA" * 129, "files", FILE, "data"),
    put({"read": "always", "data": "AA" * 65536}, "files", FILE),
    put("0100", "applications", "A0000002471002"),
    put({"read": "always", "capacity": 1}, "files", "A0000002471002/0101"),
    put(2, "files", FILE, "short_identifier"),
    put("00", "keys", "chip_authentication", 0, "private_scalar"),  # type: ignore[arg-type]
    put("FF" * 32, "keys", "chip_authentication", 0, "private_scalar"),  # type: ignore[arg-type]
    put({"basic_access_control": True}, "secrets"),
    put({"modulus": "FF" * 128, "private_exponent": "FF" * 128}, "keys", "active_authentication"),
    put({"curve": "secp256r1", "private_scalar": "00"}, "keys", "active_authentication"),
    put(["3des", "3des"], "keys", "chip_authentication", 0, "algorithms"),  # type: ignore[arg-type]
    put([{"kind": "overlong-length"}], "faults"),
    put([{"kind": "instruction-refused"}], "faults"),
    put("20260230", "current_date"),
    put(["7F2100"], "trust_points"),
    put([TRUST_POINTS[0][:-1].hex() + "00"], "trust_points"),
    put([TRUST_POINTS[0].hex()] * 2, "trust_points"),
]


@pytest.mark.parametrize("change", REFUSED_BY_BOTH)
def test_the_schema_and_loading_refuse_the_same(
    operational: CardImage, validator: jsonschema.Draft202012Validator, change: Change
) -> None:
    document = json.loads(operational.to_json())
    change(document)
    assert not validator.is_valid(document)
    with pytest.raises(ImageError) as caught:
        CardImage.from_json(json.dumps(document))
    assert caught.value.code == "image.malformed"


@pytest.mark.parametrize("change", REFUSED_BEYOND_THE_SCHEMA)
def test_loading_refuses_more_than_a_schema_can_say(
    operational: CardImage, validator: jsonschema.Draft202012Validator, change: Change
) -> None:
    document = json.loads(operational.to_json())
    change(document)
    assert validator.is_valid(document)
    with pytest.raises(ImageError):
        CardImage.from_json(json.dumps(document))


def test_two_keys_with_one_identifier_are_refused(operational: CardImage) -> None:
    document = json.loads(operational.to_json())
    keys = document["keys"]["chip_authentication"]
    keys.append(dict(keys[0]))
    with pytest.raises(ImageError, match="same key_id"):
        CardImage.from_json(json.dumps(document))


def test_an_image_made_by_hand_may_leave_the_warning_out(
    operational: CardImage, validator: jsonschema.Draft202012Validator
) -> None:
    document = json.loads(operational.to_json())
    del document["warning"]
    assert validator.is_valid(document)
    assert CardImage.from_json(json.dumps(document)) == operational


def test_a_file_added_by_hand_needs_only_content_and_rule(
    operational: CardImage, validator: jsonschema.Draft202012Validator
) -> None:
    document = json.loads(operational.to_json())
    entry = {"data": "6303AABBCC", "read": "password", "write": "personalisation"}
    document["files"]["A0000002471001/0103"] = entry
    document["files"]["A0000002471001/0104"] = {"read": "never"}
    assert validator.is_valid(document)
    image = CardImage.from_json(json.dumps(document))
    assert image.files["A0000002471001/0103"] == ImageFile(
        data=bytes.fromhex("6303AABBCC"), short_identifier=3, capacity=5
    )
    assert image.files["A0000002471001/0104"] == ImageFile(
        read=ReadRule.NEVER, short_identifier=4, capacity=1
    )
    assert CardImage.from_json(image.to_json()) == image


def test_every_short_identifier_of_the_profile_is_the_suggested_one(operational: CardImage) -> None:
    document = json.loads(operational.to_json())
    for file in document["files"].values():
        del file["short_identifier"]
    assert CardImage.from_json(json.dumps(document)) == operational


@pytest.mark.parametrize(
    ("identifier", "explicit", "expected"),
    [
        ("0123", {}, 3),
        ("0121", {}, None),
        ("0120", {}, None),
        ("011F", {}, None),
        ("0103", {"short_identifier": None}, None),
        ("0103", {"short_identifier": 9}, 9),
    ],
)
def test_a_suggested_short_identifier_is_never_taken_twice(
    operational: CardImage, identifier: str, explicit: dict[str, object], expected: int | None
) -> None:
    document = json.loads(operational.to_json())
    path = f"A0000002471001/{identifier}"
    # It stands first, and still the file that names its identifier has the better claim.
    document["files"] = {path: {"read": "always", **explicit}, **document["files"]}
    image = CardImage.from_json(json.dumps(document))
    assert image.files[path].short_identifier == expected
    assert image.files[FILE].short_identifier == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"warning"',
        "{}",
        "[" * 100_000,
        '{"warning": 1, "warning": 1}',
        b"\xff\xfe",
        b"{" + b" " * MAX_IMAGE_BYTES,
    ],
)
def test_what_is_no_image_is_refused(text: str | bytes) -> None:
    with pytest.raises(ImageError):
        CardImage.from_json(text)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_are_an_image_or_an_image_error(text: str | bytes) -> None:
    with pytest.raises(ImageError):
        CardImage.from_json(text)


def test_errors_and_representations_tell_no_secret(operational: CardImage) -> None:
    document = json.loads(operational.to_json())
    document["secrets"]["can"] = "12345x"
    with pytest.raises(ImageError) as caught:
        CardImage.from_json(json.dumps(document))
    assert "12345x" not in str(caught.value)
    assert "secrets.can" in str(caught.value)
    shown = repr(operational)
    assert "123456" not in shown
    assert "T22000129" not in shown
    assert repr(b"e" * 16) not in shown
    assert str(0x1234567) not in shown


def test_saving_replaces_the_file_and_leaves_nothing_else(
    operational: CardImage, blank: CardImage, tmp_path: Path
) -> None:
    path = tmp_path / "card.json"
    blank.save(path)
    operational.save(path)
    assert CardImage.load(path) == operational
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_save_that_fails_leaves_the_old_image(
    operational: CardImage,
    blank: CardImage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "card.json"
    blank.save(path)

    def full(_handle: int) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ImageError) as caught:
        operational.save(path)
    assert caught.value.code == "image.unwritable"
    assert CardImage.load(path) == blank
    assert list(tmp_path.iterdir()) == [path]


def test_loading_tells_what_is_wrong_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError) as caught:
        CardImage.load(tmp_path / "none.json")
    assert caught.value.code == "image.not-found"
    with pytest.raises(ImageError) as caught:
        CardImage.load(tmp_path)
    assert caught.value.code == "image.unreadable"
    rubbish = tmp_path / "rubbish.json"
    rubbish.write_bytes(b"\x00")
    with pytest.raises(ImageError, match=r"rubbish\.json"):
        CardImage.load(rubbish)


def test_a_new_state_has_a_new_atr(blank: CardImage) -> None:
    assert blank.with_state(LifeCycle.OPERATIONAL).atr.hex().endswith("810504")
    short = replace(blank, limits=Limits(extended_lengths=False))
    assert "942180" in short.with_state(LifeCycle.OPERATIONAL).atr.hex()
