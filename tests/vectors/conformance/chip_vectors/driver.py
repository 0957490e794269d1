"""A terminal for the vectors: every APDU is written out, and each can be sent wrongly.

It shares nothing with the card, nor with the product's terminal, but the numbers of the curve and the TLV codec: its
secure messaging, PACE, BAC and chip authentication are its own, over P-256, AES-128 and, after BAC, 3DES.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import ciphers
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from card_layout import tlv
from card_layout.curves import NamedCurve

APPLICATION: Final = bytes.fromhex("A0000002471001")
CURVE: Final = NamedCurve.SECP256R1
PACE_PROTOCOL: Final = bytes.fromhex("04007F00070202040202")
CHIP_PROTOCOL: Final = bytes.fromhex("04007F00070202030202")
MRZ, CAN, PIN = 1, 2, 3
_PARAMETER_ID: Final = 12

Affine = tuple[int, int]


class Exchange(Protocol):
    """The card as the driver sees it: bytes in, bytes out."""

    def power_on(self) -> bytes:
        """Reset; gives the ATR."""

    def process(self, command: bytes) -> bytes:
        """One APDU."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Data and status word of one answer; ``is_protected`` tells whether secure messaging vouches for both."""

    data: bytes
    status: int
    is_protected: bool


@dataclass(kw_only=True)
class Session:
    """Session keys and the send sequence counter."""

    encryption_key: bytes
    mac_key: bytes
    counter: int
    block: int

    @classmethod
    def with_aes(cls, secret: bytes) -> "Session":
        return cls(encryption_key=derive(secret, 1), mac_key=derive(secret, 2), counter=0, block=16)

    def crypt(self, data: bytes, *, decrypt: bool) -> bytes:
        if self.block == 8:
            return des_cbc(self.encryption_key, data, decrypt=decrypt)
        iv = aes_cbc(self.encryption_key, self.counter.to_bytes(16, "big"))
        return aes_cbc(self.encryption_key, data, iv=iv, decrypt=decrypt)

    def mac(self, message: bytes) -> bytes:
        padded = pad(self.counter.to_bytes(self.block, "big") + message, self.block)
        if self.block == 8:
            return retail_mac(self.mac_key, padded)
        context = CMAC(algorithms.AES(self.mac_key))
        context.update(padded)
        return context.finalize()[:8]


class Driver:
    """One terminal with one card; ``session`` is ``None`` where none is open, or the card ended it."""

    def __init__(self, card: Exchange) -> None:
        self.card = card
        self.session: Session | None = None
        self.chip_pace_key = b""
        """Comp of the chip's ephemeral PACE key, which terminal authentication binds to; empty without PACE."""
        self.terminal_chip_authentication_key = b""
        """Comp of the terminal's own ephemeral key of chip authentication."""
        self.reset()

    def reset(self) -> None:
        self.card.power_on()
        self.session = None
        self.chip_pace_key = self.terminal_chip_authentication_key = b""

    # Commands.

    def plain(self, header: str, data: bytes = b"", *, le: int | None = None) -> Answer:
        """A command without secure messaging; does not touch the session."""
        apdu = bytes.fromhex(header) + _body(data, le)
        answer = self.card.process(apdu)
        content, status = answer[:-2], int.from_bytes(answer[-2:], "big")
        while status >> 8 == 0x61:
            answer = self.card.process(bytes.fromhex("00C0000000"))
            content, status = content + answer[:-2], int.from_bytes(answer[-2:], "big")
        return Answer(data=content, status=status, is_protected=False)

    def send(
        self,
        header: str,
        data: bytes = b"",
        *,
        le: int | None = None,
        cla: int | None = None,
        part_bytes: int | None = None,
    ) -> Answer:
        """In the session; ``cla`` puts another class byte on the wire, over which the MAC is right nevertheless.

        ``part_bytes`` cuts the protected data field into a chain of short commands (ISO/IEC 7816-4, 5.4.1).
        """
        session = self.session
        if session is None:
            return self.plain(header, data, le=le)
        secured = bytearray(bytes.fromhex(header))
        secured[0] = secured[0] | 0x0C if cla is None else cla
        is_odd = bool(secured[1] & 1)
        session.counter += 1
        objects = b""
        if data:
            cryptogram = session.crypt(pad(data, session.block), decrypt=False)
            objects = (
                tlv.encode(0x85, cryptogram) if is_odd else tlv.encode(0x87, b"\x01" + cryptogram)
            )
        if le is not None:
            # 00 in one byte is 256, in two 65,536.
            encoded = bytes((le & 0xFF,)) if le <= 256 else (le & 0xFFFF).to_bytes(2, "big")
            objects += tlv.encode(0x97, encoded)
        mac = session.mac(pad(bytes(secured), session.block) + objects)
        body = objects + tlv.encode(0x8E, mac)
        if part_bytes is not None:
            while len(body) > part_bytes:
                part, body = body[:part_bytes], body[part_bytes:]
                chained = bytes((secured[0] | 0x10,)) + bytes(secured[1:])
                require(self.plain(chained.hex(), part), 0x9000)
        long = le is not None and le > 256
        answer = self.plain(secured.hex(), body, le=65536 if long or len(body) > 255 else 256)
        return self._open(answer, is_odd=is_odd)

    def _open(self, answer: Answer, *, is_odd: bool) -> Answer:
        session = self.session
        assert session is not None
        if not answer.data:
            self.session = None
            return answer
        session.counter += 1
        objects = {item.tag: item.value for item in tlv.parse_all(answer.data)}
        assert objects[0x8E] == session.mac(answer.data[:-10])
        assert int.from_bytes(objects[0x99], "big") == answer.status
        # Data comes in DO 85 after an odd instruction, else in DO 87 behind a padding indicator (9303-11, 9.8.4).
        assert set(objects) <= {0x85 if is_odd else 0x87, 0x99, 0x8E}
        cryptogram = objects.get(0x85, objects.get(0x87, b"\x01")[1:])
        data = unpad(session.crypt(cryptogram, decrypt=True)) if cryptogram else b""
        return Answer(data=data, status=answer.status, is_protected=True)

    def select_application(self) -> Answer:
        return self.send("00A4040C", APPLICATION)

    def select_master_file(self) -> Answer:
        return self.send("00A4000C")

    def select_file(self, identifier: int) -> Answer:
        return self.send("00A4020C", identifier.to_bytes(2, "big"))

    def read_short(self, short_identifier: int, *, le: int = 256) -> Answer:
        return self.send(f"00B0{0x80 | short_identifier:02X}00", le=le)

    def read_odd(self, reference: int, offset: int = 0, *, le: int = 256) -> Answer:
        """READ BINARY with the odd instruction: ``reference`` is a short identifier, an identifier, or 0."""
        return self.send(f"00B1{reference:04X}", tlv.encode(0x54, _number(offset)), le=le)

    def read_whole(self, identifier: int) -> bytes:
        """Select and read one file that is a single TLV object, to its end."""
        require(self.select_file(identifier), 0x9000)
        content = require(self.send("00B00000", le=256), 0x9000).data
        header = tlv.read_header(content)
        while len(content) < header.total:
            part = require(self.send(f"00B0{len(content):04X}", le=256), 0x9000).data
            assert part
            content += part
        return content[: header.total]

    # Protocols.

    def open_with_pace(self, password: bytes, reference: int = CAN) -> None:
        """PACE with generic mapping, up to a session in the master file."""
        answer = self.perform_pace(password, reference)
        require(answer, 0x9000)

    def perform_pace(self, password: bytes, reference: int = CAN) -> Answer:
        """The same, but the first refusal is the result; only success changes the driver's session."""
        set_at = tlv.encode(0x80, PACE_PROTOCOL) + bytes((0x83, 1, reference))
        answer = self.send("0022C1A4", set_at + bytes((0x84, 1, _PARAMETER_ID)))
        # A PIN that was wrong before is announced by 63Cx.
        if answer.status != 0x9000 and not 0x63C1 <= answer.status <= 0x63CF:
            return answer
        answer = self.send("10860000", b"\x7c\x00", le=256)
        if answer.status != 0x9000:
            return answer
        nonce = aes_cbc(derive(password, 3), _dynamic(answer, 0x80), decrypt=True)
        mapping_key = random_scalar()
        own = encode_point(multiply(mapping_key, (CURVE.g_x, CURVE.g_y)))
        answer = self.send("10860000", _authentication(0x81, own), le=256)
        if answer.status != 0x9000:
            return answer
        shared_point = multiply(mapping_key, decode_point(_dynamic(answer, 0x82)))
        base = multiply(int.from_bytes(nonce, "big"), (CURVE.g_x, CURVE.g_y))
        generator = add(base, shared_point)
        private = random_scalar()
        own = encode_point(multiply(private, generator))
        answer = self.send("10860000", _authentication(0x83, own), le=256)
        if answer.status != 0x9000:
            return answer
        other = _dynamic(answer, 0x84)
        secret = multiply(private, decode_point(other))[0].to_bytes(32, "big")
        answer = self.send("00860000", _authentication(0x85, _token(secret, other)), le=256)
        if answer.status == 0x9000:
            assert _dynamic(answer, 0x86) == _token(secret, own)
            self.session = Session.with_aes(secret)
            self.chip_pace_key = other[1:33]
            self.terminal_chip_authentication_key = b""
        return answer

    def perform_bac(self, information: str) -> Answer:
        """Basic access control; only success changes the driver's session. The application must be selected."""
        seed = hashlib.sha1(information.encode("ascii")).digest()[:16]  # noqa: S324 -- fixed by 9303-11
        encryption_key, mac_key = derive(seed, 1), derive(seed, 2)
        answer = self.send("00840000", le=8)
        if answer.status != 0x9000:
            return answer
        challenge, own, own_key = answer.data, secrets.token_bytes(8), secrets.token_bytes(16)
        cryptogram = des_cbc(encryption_key, own + challenge + own_key)
        mac = retail_mac(mac_key, pad(cryptogram, 8))
        answer = self.send("00820000", cryptogram + mac, le=40)
        if answer.status != 0x9000:
            return answer
        opened = des_cbc(encryption_key, answer.data[:32], decrypt=True)
        assert answer.data[32:] == retail_mac(mac_key, pad(answer.data[:32], 8))
        assert opened[:16] == challenge + own
        seed = bytes(a ^ b for a, b in zip(own_key, opened[16:], strict=True))
        self.session = Session(
            encryption_key=derive(seed, 1),
            mac_key=derive(seed, 2),
            counter=int.from_bytes(challenge[4:] + own[4:], "big"),
            block=8,
        )
        self.chip_pace_key = self.terminal_chip_authentication_key = b""
        return answer

    def perform_chip_authentication(self, chip_key: Affine) -> Answer:
        """Version 1 with AES; the session's new keys hold from the next command on."""
        answer = self.send("002241A4", tlv.encode(0x80, CHIP_PROTOCOL))
        if answer.status != 0x9000:
            return answer
        private = random_scalar()
        own = multiply(private, (CURVE.g_x, CURVE.g_y))
        answer = self.send("00860000", _authentication(0x80, encode_point(own)), le=256)
        if answer.status == 0x9000:
            secret = multiply(private, chip_key)[0].to_bytes(32, "big")
            self.session = Session.with_aes(secret)
            self.terminal_chip_authentication_key = own[0].to_bytes(32, "big")
        return answer

    # The terminal's part of terminal authentication.

    def set_trust_point(self, reference: bytes) -> Answer:
        """MSE:Set DST."""
        return self.send("002281B6", tlv.encode(0x83, reference))

    def verify_certificate(self, content: bytes, *, part_bytes: int | None = None) -> Answer:
        """PSO:Verify Certificate; ``content`` is what a certificate's 7F21 holds: 7F4E and 5F37."""
        return self.send("002A00BE", content, part_bytes=part_bytes)

    def set_terminal_key(self, reference: bytes) -> Answer:
        """MSE:Set AT."""
        return self.send("002281A4", tlv.encode(0x83, reference))

    def get_challenge(self, *, le: int = 8) -> Answer:
        return self.send("00840000", le=le)

    def external_authenticate(self, signature: bytes) -> Answer:
        return self.send("00820000", signature)

    def terminal_message(self, challenge: bytes) -> bytes:
        """What the terminal signs: ID_IC || rIC || Comp(PK_PCD)."""
        return self.chip_pace_key + challenge + self.terminal_chip_authentication_key


def require(answer: Answer, *status: int) -> Answer:
    """The answer, once its status word is one of these."""
    assert answer.status in status, f"card answered {answer.status:04X}"
    return answer


# Keys, ciphers and points, each in its plainest form.


def derive(secret: bytes, counter: int) -> bytes:
    message = secret + counter.to_bytes(4, "big")
    return hashlib.sha1(message).digest()[:16]  # noqa: S324 -- fixed by 9303-11


def aes_cbc(key: bytes, data: bytes, *, iv: bytes = bytes(16), decrypt: bool = False) -> bytes:
    cipher = ciphers.Cipher(algorithms.AES(key), modes.CBC(iv))
    return (cipher.decryptor() if decrypt else cipher.encryptor()).update(data)


def des_cbc(key: bytes, data: bytes, *, decrypt: bool = False) -> bytes:
    whole = key * 3 if len(key) == 8 else key + key[:8]
    cipher = ciphers.Cipher(TripleDES(whole), modes.CBC(bytes(8)))
    return (cipher.decryptor() if decrypt else cipher.encryptor()).update(data)


def retail_mac(key: bytes, padded: bytes) -> bytes:
    last = des_cbc(key[:8], padded)[-8:]
    return des_cbc(key[:8], des_cbc(key[8:], last, decrypt=True))[:8]


def pad(data: bytes, block: int) -> bytes:
    padded = data + b"\x80"
    return padded + bytes(-len(padded) % block)


def unpad(data: bytes) -> bytes:
    stripped = data.rstrip(b"\x00")
    assert stripped[-1:] == b"\x80"
    return stripped[:-1]


def random_scalar() -> int:
    return 1 + secrets.randbelow(CURVE.n - 1)


def add(first: Affine, second: Affine) -> Affine:
    (x1, y1), (x2, y2), p = first, second, CURVE.p
    slope = (
        (3 * x1 * x1 + CURVE.a) * pow(2 * y1, -1, p)
        if first == second
        else (y2 - y1) * pow(x2 - x1, -1, p)
    )
    x3 = (slope * slope - x1 - x2) % p
    return x3, (slope * (x1 - x3) - y1) % p


def multiply(scalar: int, point: Affine) -> Affine:
    result: Affine | None = None
    for bit in f"{scalar:b}":
        if result is not None:
            result = add(result, result)
        if bit == "1":
            result = point if result is None else add(result, point)
    assert result is not None
    return result


def encode_point(point: Affine) -> bytes:
    return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def decode_point(encoded: bytes) -> Affine:
    assert (encoded[0], len(encoded)) == (4, 65)
    return int.from_bytes(encoded[1:33], "big"), int.from_bytes(encoded[33:], "big")


def _body(data: bytes, le: int | None) -> bytes:
    if len(data) <= 255 and (le is None or le <= 256):
        length = bytes((len(data),)) if data else b""
        return length + data + (b"" if le is None else bytes((le & 0xFF,)))
    end = b"" if le is None else (le & 0xFFFF).to_bytes(2, "big")
    return b"\x00" + (len(data).to_bytes(2, "big") + data if data else b"") + end


def _number(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")


def _authentication(tag: int, value: bytes) -> bytes:
    return tlv.encode(0x7C, tlv.encode(tag, value))


def _dynamic(answer: Answer, tag: int) -> bytes:
    children = tlv.parse(answer.data, expected_tag=0x7C).children()
    return {item.tag: item.value for item in children}[tag]


def _token(secret: bytes, public: bytes) -> bytes:
    context = CMAC(algorithms.AES(derive(secret, 2)))
    context.update(tlv.encode(0x7F49, tlv.encode(0x06, PACE_PROTOCOL) + tlv.encode(0x86, public)))
    return context.finalize()[:8]
