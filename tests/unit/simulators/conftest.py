"""Virtual cards in every state, made directly; the files hold recognisable bytes and no real content."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import ciphers, hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from card_layout import tlv
from card_layout.atr import LifeCycle
from card_layout.curves import NamedCurve
from card_layout.files.card_access import CardAccess
from card_layout.files.security_infos import ID_PACE_ECDH_GM_AES_128, PaceInfo, SecurityInfos
from card_layout.profile import CardProfile, load_profile
from simulators.blank import blank_image
from simulators.card.cv_certificate import CvCertificate
from simulators.card.operating_system import VirtualCard
from simulators.card.trust_points import with_trust_points
from simulators.image import (
    CardImage,
    EcKey,
    ImageFile,
    Keys,
    PersonalisationKeys,
    ReadRule,
    Secrets,
)

CAN = "123456"
INFORMATION = "T22000129364081251010318"
TRANSPORT_MASTER_KEY = bytes(range(32))
SERIAL = bytes(range(10))
MARK = b"PROTECTED CONTENT "

_RULES = {0: ReadRule.ALWAYS, 1: ReadRule.PASSWORD, 2: ReadRule.TERMINAL, 0xFF: ReadRule.NEVER}


@pytest.fixture(scope="session")
def profile() -> CardProfile:
    return load_profile("membercard-1-icao")


@pytest.fixture(scope="session")
def blank(profile: CardProfile) -> CardImage:
    return blank_image(profile, serial=SERIAL, transport_master_key=TRANSPORT_MASTER_KEY)


def pace_info(curve: NamedCurve) -> PaceInfo:
    return PaceInfo(
        protocol=ID_PACE_ECDH_GM_AES_128, version=2, parameter_id=curve.pace_parameter_id
    )


def _content(name: str, tag: int | None, curve: NamedCurve) -> bytes:
    if name == "EF.CardAccess":
        return CardAccess(security_infos=SecurityInfos(infos=(pace_info(curve),))).to_bytes()
    if tag is None:
        return bytes.fromhex("47039421C0")
    repeats = 700 if name == "EF.DG2" else 1
    return tlv.encode(tag, (MARK + name.encode()) * repeats)


ImageMaker = Callable[..., CardImage]


@pytest.fixture(scope="session")
def make_image(profile: CardProfile, blank: CardImage) -> ImageMaker:
    """An image with all files, keys and passwords; ``state`` and ``curve`` may be chosen."""

    def make(
        state: LifeCycle = LifeCycle.OPERATIONAL, curve: NamedCurve = NamedCurve.SECP256R1
    ) -> CardImage:
        files = {
            file.path: ImageFile(
                data=_content(file.name, file.tag, curve),
                read=_RULES[file.read],
                short_identifier=file.short_identifier,
                capacity=file.capacity,
            )
            for file in profile.files
        }
        image = replace(
            blank,
            card_reference=b"r" * 16,
            applications={profile.application_identifier: profile.application_file_identifier},
            files=files,
            secrets=Secrets(can=CAN, mrz_information=INFORMATION),
            keys=Keys(
                chip_authentication=(EcKey(curve=curve, private_scalar=0x1234567, key_id=1),),
                personalisation=PersonalisationKeys(
                    key_version=0xFF if state is LifeCycle.BLANK else 0x30,
                    enc=b"e" * 16,
                    mac=b"m" * 16,
                    dek=b"d" * 16,
                ),
            ),
        )
        return image.with_state(state)

    return make


@pytest.fixture(scope="session")
def operational(make_image: ImageMaker) -> CardImage:
    return make_image()


@pytest.fixture
def card(operational: CardImage) -> VirtualCard:
    """A powered operational card."""
    card = VirtualCard(operational)
    card.power_on()
    return card


# A terminal of the tests' own: it shares nothing with the card but the numbers of the curves, and speaks every protocol
# that the card does. Its point arithmetic is affine and slow; its ciphers are OpenSSL's, called directly.

AffinePoint = tuple[int, int]


def add_points(curve: NamedCurve, first: AffinePoint, second: AffinePoint) -> AffinePoint:
    (x1, y1), (x2, y2), p = first, second, curve.p
    slope = (
        (3 * x1 * x1 + curve.a) * pow(2 * y1, -1, p)
        if first == second
        else (y2 - y1) * pow(x2 - x1, -1, p)
    )
    x3 = (slope * slope - x1 - x2) % p
    return x3, (slope * (x1 - x3) - y1) % p


def multiply_point(curve: NamedCurve, scalar: int, point: AffinePoint) -> AffinePoint:
    result = None
    for bit in f"{scalar:b}":
        if result is not None:
            result = add_points(curve, result, result)
        if bit == "1":
            result = point if result is None else add_points(curve, result, point)
    assert result is not None
    return result


def encode_affine(curve: NamedCurve, point: AffinePoint) -> bytes:
    return b"\x04" + b"".join(number.to_bytes(curve.field_bytes, "big") for number in point)


def decode_affine(curve: NamedCurve, encoded: bytes) -> AffinePoint:
    assert encoded[0] == 4
    assert len(encoded) == 1 + 2 * curve.field_bytes
    return (
        int.from_bytes(encoded[1 : 1 + curve.field_bytes], "big"),
        int.from_bytes(encoded[1 + curve.field_bytes :], "big"),
    )


KEY_BYTES = {"3des": 16, "aes-128": 16, "aes-192": 24, "aes-256": 32}


def derive(secret: bytes, counter: int, algorithm: str) -> bytes:
    digest = hashlib.sha1 if KEY_BYTES[algorithm] == 16 else hashlib.sha256
    return digest(secret + bytes((0, 0, 0, counter))).digest()[: KEY_BYTES[algorithm]]


def aes_cbc(key: bytes, data: bytes, *, iv: bytes = bytes(16), decrypt: bool = False) -> bytes:
    cipher = ciphers.Cipher(algorithms.AES(key), modes.CBC(iv))
    context = cipher.decryptor() if decrypt else cipher.encryptor()
    return context.update(data)


def aes_mac(key: bytes, message: bytes) -> bytes:
    context = CMAC(algorithms.AES(key))
    context.update(message)
    return context.finalize()[:8]


def des_cbc(key: bytes, data: bytes, *, decrypt: bool = False) -> bytes:
    whole = key * 3 if len(key) == 8 else key + key[:8]
    cipher = ciphers.Cipher(TripleDES(whole), modes.CBC(bytes(8)))
    context = cipher.decryptor() if decrypt else cipher.encryptor()
    return context.update(data)


def retail_mac(key: bytes, padded: bytes) -> bytes:
    chained = des_cbc(key[:8], padded)[-8:]
    return des_cbc(key[:8], des_cbc(key[8:], chained, decrypt=True))[:8]


def method_2(data: bytes, block: int) -> bytes:
    padded = data + b"\x80"
    return padded + bytes(-len(padded) % block)


class Terminal:
    """Drives one card; ``status`` is the last status word, as the session says it."""

    def __init__(self, card: VirtualCard) -> None:
        self.card = card
        self.algorithm: str | None = None
        self.encryption_key = b""
        self.mac_key = b""
        self.counter = 0
        self.status = ""
        self.chip_ephemeral = self.own_ephemeral = b""
        self.is_extended = False
        card.power_on()

    def start_session(self, secret: bytes, algorithm: str, counter: int = 0) -> None:
        self.algorithm = algorithm
        self.encryption_key, self.mac_key = (derive(secret, n, algorithm) for n in (1, 2))
        self.counter = counter

    def plain(self, header: str, data: bytes = b"", *, le: bool = True) -> bytes:
        answer = self.card.process(self._framed(bytes.fromhex(header), data, le=le))
        content, self.status = answer[:-2], answer[-2:].hex().upper()
        while self.status.startswith("61"):
            answer = self.card.process(bytes.fromhex("00C0000000"))
            content, self.status = content + answer[:-2], answer[-2:].hex().upper()
        return content

    def _framed(self, header: bytes, data: bytes, *, le: bool) -> bytes:
        """The command, or the last part of the chain whose other parts were sent; extended where wanted."""
        if len(data) > 255 and self.is_extended:
            zeros = b"\x00\x00" if le else b""
            return header + b"\x00" + len(data).to_bytes(2, "big") + data + zeros
        while len(data) > 255:
            part, data = data[:255], data[255:]
            chained = bytes((header[0] | 0x10,)) + header[1:]
            assert self.card.process(chained + b"\xff" + part) == b"\x90\x00"
        body = bytes((len(data),)) + data if data else b""
        return header + body + (b"\x00" if le else b"")

    def send(self, header: str, data: bytes = b"", *, le: bool = True) -> bytes:
        """In the session, where there is one."""
        if self.algorithm is None:
            return self.plain(header, data, le=le)
        block = 8 if self.algorithm == "3des" else 16
        secured = bytearray(bytes.fromhex(header))
        secured[0] |= 0x0C
        is_odd = secured[1] & 1
        self.counter += 1
        body = b""
        if data:
            encrypted = self._crypt(method_2(data, block))
            body = tlv.encode(0x85, encrypted) if is_odd else tlv.encode(0x87, b"\x01" + encrypted)
        if le:
            body += b"\x97\x01\x00"
        body += tlv.encode(0x8E, self._mac(method_2(bytes(secured), block) + body))
        answer = self.plain(secured.hex(), body)
        if not answer:
            self.algorithm = None
            return b""
        self.counter += 1
        objects = {item.tag: item.value for item in tlv.parse_all(answer)}
        assert objects[0x8E] == self._mac(answer[:-10])
        assert objects[0x99].hex().upper() == self.status
        encrypted = objects.get(0x85, objects.get(0x87, b"\x01")[1:])
        if not encrypted:
            return b""
        opened = self._crypt(encrypted, decrypt=True)
        return opened.rstrip(b"\x00")[:-1]

    def _crypt(self, data: bytes, *, decrypt: bool = False) -> bytes:
        if self.algorithm == "3des":
            return des_cbc(self.encryption_key, data, decrypt=decrypt)
        counter = self.counter.to_bytes(16, "big")
        iv = aes_cbc(self.encryption_key, counter)
        return aes_cbc(self.encryption_key, data, iv=iv, decrypt=decrypt)

    def _mac(self, message: bytes) -> bytes:
        if self.algorithm == "3des":
            counter = self.counter.to_bytes(8, "big")
            return retail_mac(self.mac_key, method_2(counter + message, 8))
        return aes_mac(self.mac_key, method_2(self.counter.to_bytes(16, "big") + message, 16))

    def select_application(self) -> None:
        self.send("00A4040C", bytes.fromhex("A0000002471001"), le=False)

    def read(self, short_identifier: int) -> bytes:
        return self.send(f"00B0{0x80 | short_identifier:02X}00")

    def authenticate(self, tag: int | None, value: bytes = b"", *, last: bool = False) -> bytes:
        data = tlv.encode(0x7C, b"" if tag is None else tlv.encode(tag, value))
        answer = self.send("00860000" if last else "10860000", data)
        return tlv.parse(answer, expected_tag=0x7C).value if answer else b""

    def pace(
        self,
        secret: bytes,
        *,
        reference: int = 2,
        mapping: int = 2,
        algorithm: str = "aes-128",
        curve: NamedCurve = NamedCurve.SECP256R1,
        token_flaw: int = 0,
    ) -> dict[int, bytes]:
        """Run PACE and start its session; gives the objects of the last answer, or none where it ended before."""
        arc = {"aes-128": 2, "aes-192": 3, "aes-256": 4}[algorithm]
        protocol = bytes.fromhex("04007F0007020204") + bytes((mapping, arc))
        set_at = tlv.encode(0x80, protocol) + bytes((0x83, 1, reference))
        set_at += bytes((0x84, 1, curve.pace_parameter_id))
        self.send("0022C1A4", set_at, le=False)
        if self.status != "9000" and not self.status.startswith("63C"):
            return {}
        answer = self.authenticate(None)
        if not answer:
            return {}
        encrypted = tlv.parse(answer, expected_tag=0x80).value
        nonce = aes_cbc(derive(secret, 3, algorithm), encrypted, decrypt=True)
        generator = self._map(nonce, mapping, algorithm, curve)
        private = secrets.randbelow(curve.n - 1) + 1
        own = encode_affine(curve, multiply_point(curve, private, generator))
        answer = self.authenticate(0x83, own)
        other = tlv.parse(answer, expected_tag=0x84).value
        point = multiply_point(curve, private, decode_affine(curve, other))
        shared = point[0].to_bytes(curve.field_bytes, "big")
        mac_key = derive(shared, 2, algorithm)

        def token(public: bytes) -> bytes:
            inner = tlv.encode(0x06, protocol) + tlv.encode(0x86, public)
            return aes_mac(mac_key, tlv.encode(0x7F49, inner))

        mine = bytearray(token(other))
        mine[-1] ^= token_flaw
        answer = self.authenticate(0x85, bytes(mine), last=True)
        if self.status != "9000":
            return {}
        objects = {item.tag: item.value for item in tlv.parse_all(answer)}
        assert objects[0x86] == token(own)
        self.start_session(shared, algorithm)
        self.chip_ephemeral, self.own_ephemeral = other, own
        return objects

    def open_chip_authentication_data(self, encrypted: bytes) -> bytes:
        """What chip authentication mapping gave, under the key of the session."""
        iv = aes_cbc(self.encryption_key, b"\xff" * 16)
        opened = aes_cbc(self.encryption_key, encrypted, iv=iv, decrypt=True)
        return opened.rstrip(b"\x00")[:-1]

    def basic_access(self, information: str, *, mac_flaw: int = 0, nonce_flaw: int = 0) -> None:
        """Run BAC and start its session."""
        seed = hashlib.sha1(information.encode()).digest()[:16]  # noqa: S324 -- fixed by 9303-11
        encryption_key, mac_key = (derive(seed, n, "3des") for n in (1, 2))
        challenge = bytearray(self.plain("00840000"))
        if self.status != "9000":
            return
        assert len(challenge) == 8
        challenge[-1] ^= nonce_flaw
        own_challenge, own_key = secrets.token_bytes(8), secrets.token_bytes(16)
        encrypted = des_cbc(encryption_key, own_challenge + bytes(challenge) + own_key)
        mac = bytearray(retail_mac(mac_key, method_2(encrypted, 8)))
        mac[0] ^= mac_flaw
        answer = self.plain("00820000", encrypted + bytes(mac))
        if self.status != "9000":
            return
        assert retail_mac(mac_key, method_2(answer[:32], 8)) == answer[32:]
        opened = des_cbc(encryption_key, answer[:32], decrypt=True)
        assert opened[:8] == bytes(challenge)
        assert opened[8:16] == own_challenge
        shared = bytes(a ^ b for a, b in zip(own_key, opened[16:], strict=True))
        counter = int.from_bytes(bytes(challenge[4:]) + own_challenge[4:], "big")
        self.start_session(shared, "3des", counter)

    def prove_chip_with_triple_des(
        self, public: AffinePoint, curve: NamedCurve, key_id: int | None
    ) -> None:
        """Chip authentication with MSE:Set KAT."""
        private = secrets.randbelow(curve.n - 1) + 1
        own = encode_affine(curve, multiply_point(curve, private, (curve.g_x, curve.g_y)))
        data = tlv.encode(0x91, own)
        if key_id is not None:
            data += bytes((0x84, 1, key_id))
        self.send("002241A6", data, le=False)
        if self.status == "9000":
            shared = multiply_point(curve, private, public)[0]
            self.start_session(shared.to_bytes(curve.field_bytes, "big"), "3des")

    def _map(self, nonce: bytes, mapping: int, algorithm: str, curve: NamedCurve) -> AffinePoint:
        if mapping == 4:
            mine = secrets.token_bytes(KEY_BYTES[algorithm])
            assert self.authenticate(0x81, mine) == b"\x82\x00"
            return integrated_generator(curve, nonce, mine)
        private = secrets.randbelow(curve.n - 1) + 1
        base = curve.g_x, curve.g_y
        own = encode_affine(curve, multiply_point(curve, private, base))
        self.chip_mapping_key = tlv.parse(self.authenticate(0x81, own), expected_tag=0x82).value
        shared = multiply_point(curve, private, decode_affine(curve, self.chip_mapping_key))
        return add_points(curve, multiply_point(curve, int.from_bytes(nonce, "big"), base), shared)

    def prove_chip(
        self, public: AffinePoint, curve: NamedCurve, algorithm: str, key_id: int | None
    ) -> None:
        """Chip authentication with AES; the session that follows proves the key."""
        arc = {"aes-128": 2, "aes-192": 3, "aes-256": 4}[algorithm]
        set_at = tlv.encode(0x80, bytes.fromhex("04007F000702020302") + bytes((arc,)))
        if key_id is not None:
            set_at += bytes((0x84, 1, key_id))
        self.send("002241A4", set_at, le=False)
        if self.status != "9000":
            return
        private = secrets.randbelow(curve.n - 1) + 1
        own = encode_affine(curve, multiply_point(curve, private, (curve.g_x, curve.g_y)))
        self.authenticate(0x80, own, last=True)
        if self.status == "9000":
            self.own_ephemeral = own
            shared = multiply_point(curve, private, public)[0]
            self.start_session(shared.to_bytes(curve.field_bytes, "big"), algorithm)

    def select_key(self, reference: bytes) -> str:
        """MSE:Set DST."""
        self.send("002281B6", tlv.encode(0x83, reference), le=False)
        return self.status

    def present(self, certificate: bytes) -> str:
        """PSO:VERIFY CERTIFICATE, with the content of 7F21."""
        content = tlv.parse(certificate, expected_tag=0x7F21).value
        self.send("002A00BE", content, le=False)
        return self.status

    def present_chain(self, *holders: "CvHolder") -> list[str]:
        """Each certificate under the key of its authority; the status word of each."""
        found = []
        for holder in holders:
            if self.select_key(holder.authority) != "9000":
                return [*found, self.status]
            found.append(self.present(holder.certificate))
        return found

    def sign_challenge(self, holder: "CvHolder", challenge: bytes) -> bytes:
        """ID_IC || rIC || Comp(PK_PCD), each compressed key being an x coordinate."""
        keys = [
            encoded[1 : 1 + len(encoded) // 2]
            for encoded in (self.chip_ephemeral, self.own_ephemeral)
        ]
        return holder.sign(keys[0] + challenge + keys[1])

    def prove_terminal(self, holder: "CvHolder", *, flaw: int = 0) -> str:
        """MSE:Set AT, GET CHALLENGE, EXTERNAL AUTHENTICATE."""
        self.send("002281A4", tlv.encode(0x83, holder.reference), le=False)
        if self.status != "9000":
            return self.status
        challenge = self.send("00840000")
        if self.status != "9000":
            return self.status
        signature = bytearray(self.sign_challenge(holder, challenge))
        signature[-1] ^= flaw
        self.send("00820000", bytes(signature), le=False)
        return self.status


CVCA, DOMESTIC, FOREIGN, TERMINAL = 0xC0, 0x80, 0x40, 0x00
ID_IS = bytes.fromhex("04007F000703010201")
ID_TA_ECDSA_SHA_256 = bytes.fromhex("04007F00070202020203")
FILE_RIGHTS = bytes.fromhex("2B0601040181FD59330201")
HASHES = {3: hashes.SHA256(), 4: hashes.SHA384(), 5: hashes.SHA512(), 1: hashes.SHA1()}  # noqa: S303 -- refused


def digits(day: str) -> bytes:
    """YYMMDD as six bytes."""
    return bytes(int(digit) for digit in day)


def domain_parameters(curve: NamedCurve) -> list[tuple[int, bytes]]:
    base = encode_affine(curve, (curve.g_x, curve.g_y))
    numbers = {0x81: curve.p, 0x82: curve.a, 0x83: curve.b, 0x85: curve.n, 0x87: curve.h}
    found = {tag: n.to_bytes((n.bit_length() + 7) // 8, "big") for tag, n in numbers.items()}
    return sorted({**found, 0x84: base}.items())


@dataclass(frozen=True, kw_only=True)
class CvHolder:
    """Whoever has a CV certificate, with the key; ``certificate`` is 7F21."""

    reference: bytes
    authority: bytes
    private_key: ec.EllipticCurvePrivateKey
    algorithm: int
    certificate: bytes

    def sign(self, message: bytes) -> bytes:
        """r || s."""
        signature = self.private_key.sign(message, ec.ECDSA(HASHES[self.algorithm]))
        order_bytes = (self.private_key.curve.key_size + 7) // 8
        return b"".join(
            number.to_bytes(order_bytes, "big") for number in decode_dss_signature(signature)
        )


def certify(
    reference: str,
    role: int,
    issuer: CvHolder | None = None,
    *,
    curve: NamedCurve = NamedCurve.SECP256R1,
    algorithm: int = 3,
    access_bits: int = 3,
    files: int | None = 0x1000,
    first: str = "260101",
    last: str = "281231",
    explicit: bool | None = None,
    authority: str | None = None,
    change: Callable[[dict[int, bytes]], object] | None = None,
    spoil: Callable[[bytes], bytes] | None = None,
) -> CvHolder:
    """A certificate by the tests' own hand; ``change`` may spoil the objects of the body, ``spoil`` the whole."""
    private_key = ec.generate_private_key(curve.to_cryptography())
    point = private_key.public_key().public_numbers()
    parts = [(0x86, encode_affine(curve, (point.x, point.y)))]
    if explicit if explicit is not None else role == CVCA:
        parts = sorted([*parts, *domain_parameters(curve)])
    oid = ID_TA_ECDSA_SHA_256[:-1] + bytes((algorithm,))
    above = authority or (reference if issuer is None else issuer.reference.decode())
    body = {
        0x5F29: b"\x00",
        0x42: above.encode(),
        0x7F49: b"".join(tlv.encode(tag, value) for tag, value in [(0x06, oid), *parts]),
        0x5F20: reference.encode(),
        0x7F4C: tlv.encode(0x06, ID_IS) + tlv.encode(0x53, bytes((role | access_bits,))),
        0x5F25: digits(first),
        0x5F24: digits(last),
    }
    if files is not None:
        right = tlv.encode(0x06, FILE_RIGHTS) + tlv.encode(0x53, files.to_bytes(2, "big"))
        body[0x65] = tlv.encode(0x73, right)
    if change is not None:
        change(body)
    encoded = tlv.encode(0x7F4E, b"".join(tlv.encode(tag, value) for tag, value in body.items()))
    holder = CvHolder(
        reference=reference.encode(),
        authority=above.encode(),
        private_key=private_key,
        algorithm=algorithm,
        certificate=b"",
    )
    signature = tlv.encode(0x5F37, (issuer or holder).sign(encoded))
    content = encoded + signature if spoil is None else spoil(encoded + signature)
    return replace(holder, certificate=tlv.encode(0x7F21, content))


def integrated_generator(curve: NamedCurve, nonce: bytes, mine: bytes) -> AffinePoint:
    """9303-11, 4.4.3.3.2 and appendix B, by square roots instead of the appendix's single exponentiation."""
    constants = {
        16: ("a668892a7c41e3ca739f40b057d85904", "a4e136ac725f738b01c1f60217c188ad"),
        32: (
            "d463d65234124ef7897054986dca0a174e28df758cbaa03f240616414d5a1676",
            "54bd7255f0aaf831bec3423fcf39d69b6cbf066677d0faae5aadd99df8e53517",
        ),
    }
    c0, c1 = (bytes.fromhex(text) for text in constants[len(nonce)])
    key, output = aes_cbc(mine, nonce)[: len(mine)], b""
    while 8 * len(output) < curve.p.bit_length() + 64:
        output += aes_cbc(key, c1)
        key = aes_cbc(key, c0)[: len(mine)]
    p, a, b = curve.p, curve.a, curve.b
    t = int.from_bytes(output, "big") % p
    alpha = -t * t % p
    x2 = -b * (1 + alpha + alpha * alpha) * pow(a * (alpha + alpha * alpha), -1, p) % p
    h2 = (x2**3 + a * x2 + b) % p
    root = pow(h2, (p + 1) // 4, p)
    if root * root % p == h2:
        # The appendix takes h2 to the power p-1-(p+1)/4, times h2: the same root.
        return x2, pow(h2, p - 1 - (p + 1) // 4, p) * h2 % p
    x3 = alpha * x2 % p
    return x3, pow(h2, p - 1 - (p + 1) // 4, p) * t**3 % p * h2 % p


@pytest.fixture(scope="session")
def open_terminal() -> Callable[[VirtualCard], Terminal]:
    """Puts a card into a reader of the tests' own."""
    return Terminal


@pytest.fixture(scope="session")
def make_cv_holder() -> Callable[..., CvHolder]:
    """Makes CV certificates, right ones and wrong ones."""
    return certify


@dataclass(frozen=True, kw_only=True)
class CvHierarchy:
    """A CVCA, its next key, verifiers at home and abroad, and a terminal of each."""

    root: CvHolder
    link: CvHolder
    domestic: CvHolder
    foreign: CvHolder
    terminal: CvHolder
    foreign_terminal: CvHolder


@pytest.fixture(scope="session")
def hierarchy() -> CvHierarchy:
    root = certify("VNROOT00001", CVCA)
    domestic = certify("VNOFFICE00001", DOMESTIC, root, first="260201", last="270630")
    foreign = certify("LAOFFICE00001", FOREIGN, root, first="260201", last="270630")
    return CvHierarchy(
        root=root,
        link=certify("VNROOT00002", CVCA, root, first="260601", last="291231"),
        domestic=domestic,
        foreign=foreign,
        terminal=certify("VNGATE00001", TERMINAL, domestic, first="260301", last="260430"),
        foreign_terminal=certify("LAGATE00001", TERMINAL, foreign, first="260301", last="260430"),
    )


@pytest.fixture(scope="session")
def guarded(operational: CardImage, hierarchy: CvHierarchy) -> CardImage:
    """A card that trusts the hierarchy's root, with EF.DG3, EF.DG4 and EF.DG13 for terminals."""
    image = operational
    for number in (3, 4, 13):
        file = ImageFile(
            data=MARK + bytes((number,)),
            read=ReadRule.TERMINAL,
            short_identifier=number,
            capacity=64,
        )
        image = image.with_file(f"A0000002471001/01{number:02X}", file)
    point = CvCertificate.from_bytes(hierarchy.root.certificate)
    return with_trust_points(image, (point,), "20260115")


@pytest.fixture(scope="session")
def meet() -> Callable[..., Terminal]:
    """A terminal before a card that it opened and of which it proved the chip, or as much of that as asked for."""

    def open_card(
        card: VirtualCard, *, proves_chip: bool = True, algorithm: str = "aes-128"
    ) -> Terminal:
        terminal = Terminal(card)
        curve = NamedCurve.SECP256R1
        assert terminal.pace(CAN.encode())
        terminal.select_application()
        if proves_chip:
            public = multiply_point(curve, 0x1234567, (curve.g_x, curve.g_y))
            terminal.prove_chip(public, curve, algorithm, None)
            assert terminal.status == "9000"
        return terminal

    return open_card
