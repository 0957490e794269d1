"""PACE and chip authentication with every curve and key length, against a chip that shares no code with the terminal.

The chip here does its own point arithmetic on affine coordinates, its own key derivation and its own secure
messaging, as the standards write them down.
"""

import hashlib
import itertools

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from card_layout.curves import CurveError, EcPublicKey, NamedCurve, decode_point
from card_layout.files.security_infos import (
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
)
from card_layout.iso7816.channel import CardChannel
from card_layout.iso7816.commands import read_binary
from card_layout.protocols.chip_authentication import perform_chip_authentication
from card_layout.protocols.integrated_mapping import encode_number
from card_layout.protocols.pace import PaceFailedError, PacePassword, PaceResult, perform_pace

ARC = "0.4.0.127.0.7.2.2"
KEY_BYTES = {2: 16, 3: 24, 4: 32}
OK = b"\x90\x00"
C0 = {
    16: bytes.fromhex("A668892A7C41E3CA739F40B057D85904"),
    32: bytes.fromhex("D463D65234124EF7897054986DCA0A174E28DF758CBAA03F240616414D5A1676"),
}
C1 = {
    16: bytes.fromhex("A4E136AC725F738B01C1F60217C188AD"),
    32: bytes.fromhex("54BD7255F0AAF831BEC3423FCF39D69B6CBF066677D0FAAE5AADD99DF8E53517"),
}

Point = tuple[int, int] | None


class Group:
    """y^2 = x^3 + ax + b modulo p, by the school's formulas; ``None`` is infinity."""

    def __init__(self, curve: NamedCurve) -> None:
        self.p, self.a, self.size = curve.p, curve.a, curve.field_bytes
        self.generator: Point = (curve.g_x, curve.g_y)

    def add(self, one: Point, other: Point) -> Point:
        if one is None or other is None:
            return one or other
        (x_1, y_1), (x_2, y_2) = one, other
        if x_1 == x_2 and (y_1 + y_2) % self.p == 0:
            return None
        if one == other:
            slope = (3 * x_1 * x_1 + self.a) * pow(2 * y_1, -1, self.p)
        else:
            slope = (y_2 - y_1) * pow(x_2 - x_1, -1, self.p)
        x_3 = (slope * slope - x_1 - x_2) % self.p
        return x_3, (slope * (x_1 - x_3) - y_1) % self.p

    def multiply(self, scalar: int, point: Point) -> Point:
        product: Point = None
        while scalar:
            if scalar & 1:
                product = self.add(product, point)
            point, scalar = self.add(point, point), scalar >> 1
        return product

    def encode(self, point: Point) -> bytes:
        assert point is not None
        return b"\x04" + b"".join(value.to_bytes(self.size, "big") for value in point)

    def decode(self, data: bytes) -> Point:
        assert data[0] == 4
        assert len(data) == 1 + 2 * self.size
        return int.from_bytes(data[1 : 1 + self.size], "big"), int.from_bytes(
            data[1 + self.size :], "big"
        )


def derive(secret: bytes, counter: int, size: int) -> bytes:
    digest = hashlib.sha1 if size == 16 else hashlib.sha256
    return digest(secret + bytes((0, 0, 0, counter))).digest()[:size]


def length(data: bytes) -> bytes:
    size = len(data)
    return bytes((size,)) if size < 0x80 else bytes((0x81, size))


def wrap_object(tag: str, value: bytes) -> bytes:
    return bytes.fromhex(tag) + length(value) + value


def unwrap_object(tag: str, data: bytes) -> bytes:
    """The value of the first object."""
    assert data.startswith(bytes.fromhex(tag))
    rest = data[len(tag) // 2 :]
    if rest[0] == 0x81:
        return rest[2 : 2 + rest[1]]
    return rest[1 : 1 + rest[0]]


def pad(data: bytes) -> bytes:
    return data + b"\x80" + bytes(-(len(data) + 1) % 16)


def mac(key: bytes, data: bytes) -> bytes:
    calculation = CMAC(AES(key))
    calculation.update(data)
    return calculation.finalize()[:8]


class Protected:
    """The chip's end of secure messaging, for commands of short length."""

    def __init__(self, shared: bytes, size: int) -> None:
        self.encryption_key, self.mac_key = derive(shared, 1, size), derive(shared, 2, size)
        self.counter = 0

    def open(self, command: bytes) -> tuple[bytes, bytes]:
        """Header and plain data of a command whose MAC is right."""
        self.counter += 1
        header, body = command[:4], command[5 : 5 + command[4]]
        assert header[0] & 0x0C == 0x0C
        covered, tag = body[:-10], body[-8:]
        counted = self.counter.to_bytes(16, "big")
        assert mac(self.mac_key, counted + pad(pad(header) + covered)) == tag
        if covered[:1] != b"\x87":
            return header, b""
        padded = self.decrypt(unwrap_object("87", covered)[1:])
        return header, padded.rstrip(b"\x00")[:-1]

    def close(self, data: bytes) -> bytes:
        """A protected answer with 9000."""
        self.counter += 1
        body = wrap_object("87", b"\x01" + self.encrypt(pad(data))) if data else b""
        body += bytes.fromhex("99029000")
        counted = self.counter.to_bytes(16, "big")
        return body + wrap_object("8E", mac(self.mac_key, counted + pad(body))) + OK

    def cipher(self) -> Cipher[CBC]:
        vector = Cipher(AES(self.encryption_key), ECB()).encryptor()  # noqa: S305 - one block
        return Cipher(
            AES(self.encryption_key), CBC(vector.update(self.counter.to_bytes(16, "big")))
        )

    def encrypt(self, data: bytes) -> bytes:
        return self.cipher().encryptor().update(data)

    def decrypt(self, data: bytes) -> bytes:
        return self.cipher().decryptor().update(data)


class Chip:
    """A chip with a CAN, one key for chip authentication, and one file of four bytes."""

    atr = b"\x3b\x80"

    def __init__(self, curve: NamedCurve, arc: int, nonce: bytes, mapping: int = 2) -> None:
        self.curve = curve
        self.mapping = mapping
        self.group = Group(curve)
        self.size = KEY_BYTES[arc]
        self.arc = arc
        self.nonce = nonce
        self.secrets = itertools.count(0xC0FFEE)
        self.static_scalar = 0xDECAF
        self.static_point = self.group.encode(
            self.group.multiply(self.static_scalar, self.group.generator)
        )
        self.session: Protected | None = None
        self.shared = b""
        self.step = 0

    def transmit(self, command: bytes) -> bytes:
        if self.session is None:
            data = command[5 : 5 + command[4]]
            answer = self.pace(command[:4], data)
            return (answer or b"") + OK
        header, data = self.session.open(command)
        if header[1] == 0x22:
            assert data.startswith(bytes.fromhex("800A04007F000702020302"))
            assert data[11] == self.arc
            return self.session.close(b"")
        if header[1] == 0x86:
            theirs = self.group.decode(unwrap_object("80", unwrap_object("7C", data)))
            shared = self.group.multiply(self.static_scalar, theirs)
            answer = self.session.close(b"\x7c\x00")
            self.session = Protected(self.group.encode(shared)[1 : 1 + self.group.size], self.size)
            return answer
        return self.session.close(b"file")

    def pace(self, header: bytes, data: bytes) -> bytes | None:
        self.step += 1
        if self.step == 1:
            assert header.hex() == "0022c1a4"
            self.protocol = unwrap_object("80", data)
            return None
        inner = unwrap_object("7C", data)
        if self.step == 2:
            key = derive(b"123456", 3, self.size)
            encrypted = Cipher(AES(key), CBC(bytes(16))).encryptor().update(self.nonce)
            return wrap_object("7C", wrap_object("80", encrypted))
        if self.step == 3:
            return wrap_object("7C", self.map(inner))
        if self.step == 4:
            scalar = next(self.secrets)
            self.theirs = unwrap_object("83", inner)
            self.own = self.group.encode(self.group.multiply(scalar, self.mapped))
            agreed = self.group.multiply(scalar, self.group.decode(self.theirs))
            self.shared = self.group.encode(agreed)[1 : 1 + self.group.size]
            return wrap_object("7C", wrap_object("84", self.own))
        assert unwrap_object("85", inner) == self.token(self.own)
        self.session = Protected(self.shared, self.size)
        return wrap_object("7C", wrap_object("86", self.token(self.theirs)) + self.proof())

    def proof(self) -> bytes:
        """What chip-authentication mapping adds: the ephemeral scalar divided by the static one, encrypted."""
        if self.mapping != 6:
            return b""
        order = self.curve.n
        number = self.map_scalar * pow(self.static_scalar, -1, order) % order
        key = derive(self.shared, 1, self.size)
        vector = Cipher(AES(key), ECB()).encryptor().update(b"\xff" * 16)  # noqa: S305 - one block
        data = pad(number.to_bytes(self.group.size, "big"))
        return wrap_object("8A", Cipher(AES(key), CBC(vector)).encryptor().update(data))

    def map(self, inner: bytes) -> bytes:
        if self.mapping == 4:
            self.mapped = self.encode_nonces(self.nonce, unwrap_object("81", inner))
            return b"\x82\x00"
        scalar = self.map_scalar = next(self.secrets)
        theirs = self.group.decode(unwrap_object("81", inner))
        nonce_point = self.group.multiply(int.from_bytes(self.nonce, "big"), self.group.generator)
        self.mapped = self.group.add(nonce_point, self.group.multiply(scalar, theirs))
        own = self.group.multiply(scalar, self.group.generator)
        return wrap_object("82", self.group.encode(own))

    def encode_nonces(self, nonce: bytes, theirs: bytes) -> Point:
        """9303-11, 4.4.3.3.2, and appendix B.1: the first of two candidates that is on the curve."""
        p, a, b = self.curve.p, self.curve.a, self.curve.b
        first, second = C0[len(nonce)], C1[len(nonce)]
        zero = CBC(bytes(16))
        key = Cipher(AES(theirs), zero).encryptor().update(nonce)[: self.size]
        blocks = -(-(p.bit_length() + 64) // (8 * len(nonce)))
        output = b""
        for _ in range(blocks):
            output += Cipher(AES(key), zero).encryptor().update(second)
            key = Cipher(AES(key), zero).encryptor().update(first)[: self.size]
        t = int.from_bytes(output, "big") % p
        alpha = -t * t % p
        x_2 = -b * pow(a, -1, p) * (1 + pow(alpha + alpha * alpha, -1, p)) % p
        x_3 = alpha * x_2 % p
        h_2, h_3 = ((x**3 + a * x + b) % p for x in (x_2, x_3))
        if pow(h_2, (p - 1) // 2, p) == 1:
            # The sign of the root: that of h2 to the power (p + 1) / 4.
            return x_2, pow(h_2, (p + 1) // 4, p)
        root = pow(h_3, (p + 1) // 4, p)
        # Here y = A * t^3 * h2 with A^2 = 1 / h2 up to sign, and so one of the two roots of h3.
        sign = pow(h_2, p - 1 - (p + 1) // 4, p) * pow(t, 3, p) * h_2 % p
        return x_3, root if sign == root else p - root

    def token(self, public_key: bytes) -> bytes:
        template = wrap_object("06", self.protocol) + wrap_object("86", public_key)
        return mac(derive(self.shared, 2, self.size), wrap_object("7F49", template))

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


def open_chip(
    curve: NamedCurve, arc: int, nonce: bytes, mapping: int = 2
) -> tuple[Chip, CardChannel, PaceResult]:
    chip = Chip(curve, arc, nonce, mapping)
    channel = CardChannel(chip)
    result = perform_pace(
        channel,
        pace_info=PaceInfo(
            protocol=f"{ARC}.4.{mapping}.{arc}", parameter_id=curve.pace_parameter_id
        ),
        password=PacePassword.can("123456"),
    )
    assert result.curve is curve
    assert result.algorithm.cipher.key_bytes == KEY_BYTES[arc]
    return chip, channel, result


@pytest.mark.parametrize("arc", KEY_BYTES)
@pytest.mark.parametrize("curve", NamedCurve, ids=lambda curve: curve.label)
def test_a_chip_is_opened_and_proves_its_key(curve: NamedCurve, arc: int) -> None:
    chip, channel, _ = open_chip(curve, arc, bytes(range(100, 116)))
    assert channel.transmit(read_binary(0, 4)).data == b"file"
    perform_chip_authentication(
        channel,
        info=ChipAuthenticationInfo(protocol=f"{ARC}.3.2.{arc}", key_id=None),
        public_key_info=ChipAuthenticationPublicKeyInfo(
            public_key=EcPublicKey(curve=curve, point=chip.static_point), key_id=None
        ),
    )
    assert channel.session is not None
    assert channel.session.send_sequence_counter == 0
    assert channel.transmit(read_binary(0, 4)).data == b"file"


def test_a_nonce_of_two_blocks_is_taken_with_a_longer_key() -> None:
    _, channel, _ = open_chip(NamedCurve.SECP384R1, 4, bytes(range(32)))
    assert channel.transmit(read_binary(0, 4)).data == b"file"


@pytest.mark.parametrize(("arc", "size"), [(2, 32), (3, 48), (4, 0)])
def test_a_nonce_of_another_length_is_refused(arc: int, size: int) -> None:
    with pytest.raises(PaceFailedError, match="encrypted nonce"):
        open_chip(NamedCurve.SECP256R1, arc, bytes(size))


@pytest.mark.parametrize("arc", KEY_BYTES)
@pytest.mark.parametrize("curve", NamedCurve, ids=lambda curve: curve.label)
def test_integrated_mapping_opens_a_chip(curve: NamedCurve, arc: int) -> None:
    nonce = bytes(range(16 if arc == 2 else 32))
    _, channel, result = open_chip(curve, arc, nonce, mapping=4)
    assert result.chip_authentication_mapping is None
    assert channel.transmit(read_binary(0, 4)).data == b"file"


@pytest.mark.parametrize("arc", KEY_BYTES)
@pytest.mark.parametrize("curve", NamedCurve, ids=lambda curve: curve.label)
def test_chip_authentication_mapping_proves_the_key(curve: NamedCurve, arc: int) -> None:
    chip, channel, result = open_chip(curve, arc, bytes(range(16)), mapping=6)
    assert channel.transmit(read_binary(0, 4)).data == b"file"
    mapping = result.chip_authentication_mapping
    assert mapping is not None
    assert mapping.proves(EcPublicKey(curve=curve, point=chip.static_point))
    assert not mapping.proves(EcPublicKey(curve=curve, point=curve.generator))
    other = next(one for one in NamedCurve if one is not curve)
    assert not mapping.proves(EcPublicKey(curve=other, point=other.generator))


@pytest.mark.parametrize("arc", [3, 4])
def test_a_short_nonce_is_no_nonce_of_integrated_mapping_with_longer_keys(arc: int) -> None:
    with pytest.raises(PaceFailedError, match="encrypted nonce"):
        open_chip(NamedCurve.SECP256R1, arc, bytes(16), mapping=4)


@pytest.mark.parametrize(
    ("mapping", "step", "answer"),
    [
        (4, 3, "7C038201009000"),
        (4, 3, "9000"),
        (4, 3, "7C009000"),
        (6, 5, "7C0A86080000000000000000" + "9000"),
        (6, 5, "7C0C860800000000000000008A00" + "9000"),
        (2, 5, "7C0C860800000000000000008A00" + "9000"),
    ],
    ids=["data", "plain", "empty", "no-proof", "empty-proof", "unasked-proof"],
)
def test_another_answer_than_the_mappings_own_is_refused(
    mapping: int, step: int, answer: str
) -> None:
    class Changed(Chip):
        def pace(self, header: bytes, data: bytes) -> bytes | None:
            honest = super().pace(header, data)
            return bytes.fromhex(answer)[:-2] if self.step == step else honest

    channel = CardChannel(Changed(NamedCurve.SECP256R1, 2, bytes(16), mapping))
    with pytest.raises(PaceFailedError):
        perform_pace(
            channel,
            pace_info=PaceInfo(protocol=f"{ARC}.4.{mapping}.2", parameter_id=12),
            password=PacePassword.can("123456"),
        )
    assert channel.session is None


@pytest.mark.parametrize("proof", ["", "00" * 15, "00" * 16, "80" + "00" * 15, "FF" * 48])
def test_a_proof_that_is_no_number_of_the_curve_is_refused(proof: str) -> None:
    class Changed(Chip):
        def proof(self) -> bytes:
            key = derive(self.shared, 1, self.size)
            vector = Cipher(AES(key), ECB()).encryptor().update(b"\xff" * 16)  # noqa: S305 - one block
            encrypted = Cipher(AES(key), CBC(vector)).encryptor().update(bytes.fromhex(proof))
            return wrap_object("8A", encrypted)

    channel = CardChannel(Changed(NamedCurve.SECP256R1, 2, bytes(16), 6))
    with pytest.raises(PaceFailedError):
        perform_pace(
            channel,
            pace_info=PaceInfo(protocol=f"{ARC}.4.6.2", parameter_id=12),
            password=PacePassword.can("123456"),
        )
    assert channel.session is None


@pytest.mark.parametrize("number", [0, 1, -1])
def test_a_number_without_a_point_is_refused(number: int) -> None:
    curve = NamedCurve.SECP256R1
    with pytest.raises(CurveError, match="no point"):
        encode_number(curve, number % curve.p)


@given(st.sampled_from(NamedCurve), st.integers(2, 1 << 256))
def test_every_other_number_has_a_point_on_the_curve(curve: NamedCurve, number: int) -> None:
    x, y = decode_point(curve, encode_number(curve, number % (curve.p - 3) + 2))
    assert curve.contains(x, y)
