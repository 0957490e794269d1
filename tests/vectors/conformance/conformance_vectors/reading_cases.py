"""Basic access control, secure messaging and reading files: answers of the chip that are wrong in one thing."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

from conformance_vectors.bench import (
    POLICY,
    Answers,
    CardDraft,
    Case,
    accepted,
    refused,
    unreadable,
)
from conformance_vectors.data_group_drafts import information, picture
from conformance_vectors.security_infos_drafts import (
    GENERIC,
    SMARTCARD,
    chip_info,
    chip_key,
    data_group_14,
    issued_key,
    opening,
    pace_info,
    public_key,
)
from conformance_vectors.security_objects import data_group_hashes
from lint_vectors import drafts
from lint_vectors.drafts import integer, octets, oid, revoked_entry, seq

from card_layout import tlv
from card_layout.files.data_group_2 import Portrait
from card_layout.iso7816 import triple_des
from card_layout.protocols.algorithms import SessionCipher
from card_layout.protocols.session_keys import KeyPurpose, derive_key
from simulators.card.operating_system import VirtualCard
from simulators.faults import Fault, FaultKind
from simulators.image import CardImage
from verifier.services.card_password import CardPassword

_READ_BINARY, _EXTERNAL_AUTHENTICATE, _SELECT = 0xB0, 0x82, 0xA4
SECURE_MESSAGING = "access.secure-messaging"


def with_basic_access(image: CardImage) -> CardImage:
    return replace(image, secrets=replace(image.secrets, basic_access_control=True))


def basic_access() -> CardDraft:
    """A card without PACE, and a policy that opens it with its machine-readable zone."""
    return CardDraft(
        files={
            "EF.CardAccess": None,
            "EF.DG14": data_group_14(chip_info(), chip_key(public_key(issued_key()))),
        },
        image=with_basic_access,
        password=CardPassword.from_mrz(information()),
        policy=replace(POLICY, allow_bac=True),
    )


def mutual(change: Callable[[bytes], bytes]) -> Callable[[], CardDraft]:
    """A card of basic access control whose answer to EXTERNAL AUTHENTICATE is changed."""

    def answer(command: bytes, response: bytes) -> bytes:
        if command[0] & 0x0C or command[1] != _EXTERNAL_AUTHENTICATE:
            return response
        return change(response)

    return lambda: basic_access().having(answers=lambda: answer)


def other_cryptogram(response: bytes) -> bytes:
    """A cryptogram that decrypts to rubbish, under a right MAC."""
    seed = hashlib.sha1(information().encode(), usedforsecurity=False).digest()[:16]
    mac_key = derive_key(seed, KeyPurpose.MAC, SessionCipher.TRIPLE_DES)
    cryptogram = bytes((response[0] ^ 1,)) + response[1:32]
    return cryptogram + triple_des.retail_mac(mac_key, triple_des.pad(cryptogram)) + response[40:]


def protected(change: Callable[[bytes], bytes]) -> Callable[[], CardDraft]:
    """A card whose protected answer with the beginning of EF.DG1 is changed; ``change`` sees all of it."""

    def meddle() -> Answers:
        reads = 0

        def answer(command: bytes, response: bytes) -> bytes:
            nonlocal reads
            if not command[0] & 0x0C or command[1] != _READ_BINARY:
                return response
            reads += 1
            return change(response) if reads == 4 else response

        return answer

    return lambda: CardDraft(answers=meddle)


def without(tag: int) -> Callable[[bytes], bytes]:
    """A data object of secure messaging is left out."""

    def change(response: bytes) -> bytes:
        parts = tlv.parse_all(response[:-2])
        assert tag in {part.tag for part in parts}
        return b"".join(part.to_bytes() for part in parts if part.tag != tag) + response[-2:]

    return change


def flipped(tag: int) -> Callable[[bytes], bytes]:
    """The last bit of a data object of secure messaging is changed."""

    def change(response: bytes) -> bytes:
        parts = []
        for part in tlv.parse_all(response[:-2]):
            value = part.value
            if part.tag == tag:
                value = value[:-1] + bytes((value[-1] ^ 1,))
            parts.append(tlv.encode(part.tag, value))
        return b"".join(parts) + response[-2:]

    return change


def first_read(change: Callable[[bytes], bytes]) -> Callable[[], CardDraft]:
    """A card whose first answer with EF.CardAccess, in plain, is changed."""

    def meddle() -> Answers:
        is_first = True

        def answer(command: bytes, response: bytes) -> bytes:
            nonlocal is_first
            if not is_first or command[1] != _READ_BINARY:
                return response
            is_first = False
            return change(response)

        return answer

    return lambda: CardDraft(answers=meddle)


def without_application() -> CardDraft:
    fault = Fault(
        kind=FaultKind.INSTRUCTION_REFUSED, instruction=_SELECT, p1=0x04, status_word=0x6A82
    )
    return CardDraft(image=lambda image: replace(image, faults=(fault,)))


def without_file_12() -> CardDraft:
    """A card that is signed with DG12 and answers that it has none."""
    right = CardDraft()
    digest = right.security_object.digest(right.contents()["EF.DG12"])
    listed = right.security_object.having(
        lds_hashes=lambda hashed: data_group_hashes(dict(sorted({**hashed, 12: digest}.items())))
    )
    tags = (0x61, 0x75, 0x6B, 0x6C, 0x6D, 0x6E)
    return CardDraft(files={"EF.DG12": None}, security_object=listed, tag_list=tags)


def large_portrait() -> CardDraft:
    """DG2 of some 40 kB: its picture has a comment as long as a comment can be, and is no other for it."""
    image = picture("JPEG")
    comment = b"\xff\xfe" + (40_000).to_bytes(2, "big") + bytes(39_998)
    return CardDraft(
        files={"EF.DG2": Portrait.of_picture(image[:2] + comment + image[2:]).to_bytes()}
    )


class CardThatWantsTheOddInstruction(VirtualCard):
    """A chip that breaks the session off when DG11 is read and it was never read with the odd instruction before."""

    def __init__(self, image: CardImage) -> None:
        super().__init__(image)
        self._was_read_oddly = False

    def process(self, command: bytes) -> bytes:
        self._was_read_oddly |= command[1] == _READ_BINARY | 1
        is_group_11 = command[1] == _READ_BINARY and command[2] == 0x80 | 11
        if is_group_11 and not self._was_read_oddly:
            return b"\x69\x82"
        return super().process(command)


def revoked_signer() -> CardDraft:
    listed = seq(revoked_entry(2**70 + 1))
    return CardDraft(revocation_list=drafts.crl().having(revoked=listed))


def own_domain() -> CardDraft:
    """EF.CardAccess with a standard domain, and one that a PACEDomainParameterInfo writes out."""
    parameters = seq(
        oid(f"{SMARTCARD}.4.2"), seq(oid("0.4.0.127.0.7.1.2"), octets(b"")), integer(32)
    )
    return opening(pace_info(), pace_info(GENERIC, 2, 32), more=(parameters,))


CAPABILITIES = bytes.fromhex("4703 9421C0")


def atr_info(lengths: bytes, *, longest: int = 4096) -> Callable[[], CardDraft]:
    """A card whose EF.ATR/INFO announces these lengths, and that takes APDUs of ``longest`` bytes."""

    def limited(image: CardImage) -> CardImage:
        limits = replace(image.limits, max_command_bytes=longest, max_response_bytes=longest)
        return replace(image, limits=limits)

    return lambda: CardDraft(files={"EF.ATR/INFO": CAPABILITIES + lengths}, image=limited)


BASIC_ACCESS_CASES: dict[str, Case] = {
    "ISO7816_A_02": accepted(
        basic_access,
        "basic access control, as a policy with allow_bac takes it of a chip without PACE",
    ),
    "ISO7816_A_03": refused(
        without_application,
        "security-object.missing",
        reason="the chip answers 6A82 to the selection of the application",
    ),
    "ISO7816_B_01": refused(
        mutual(lambda response: response[:39] + bytes((response[39] ^ 1,)) + response[40:]),
        "access.bac-failed",
        reason="the MAC of the chip's answer to EXTERNAL AUTHENTICATE is wrong",
    ),
    "ISO7816_B_02": refused(
        mutual(other_cryptogram),
        "access.bac-failed",
        reason="the chip's answer to EXTERNAL AUTHENTICATE decrypts to rubbish under a right MAC",
    ),
    "ISO7816_B_03": unreadable(
        mutual(lambda _response: b"\x63\x00"),
        "access.wrong-password",
        reason="the chip answers 6300 to EXTERNAL AUTHENTICATE, as to a wrong machine-readable zone",
    ),
}

SECURE_MESSAGING_CASES: dict[str, Case] = {
    "ISO7816_B_04": refused(
        protected(lambda _response: b"\x69\x88"),
        SECURE_MESSAGING,
        reason="the chip answers 6988 in plain in the midst of the session",
    ),
    "ISO7816_B_05": refused(
        protected(without(0x8E)), SECURE_MESSAGING, reason="a protected answer has no MAC"
    ),
    "ISO7816_B_06": refused(
        protected(without(0x87)),
        SECURE_MESSAGING,
        reason="a protected answer has lost its cryptogram",
    ),
    "ISO7816_B_07": refused(
        protected(without(0x99)),
        SECURE_MESSAGING,
        reason="a protected answer has lost its status word",
    ),
    "ISO7816_B_08": refused(
        protected(flipped(0x8E)), SECURE_MESSAGING, reason="the MAC of a protected answer is wrong"
    ),
    "ISO7816_B_09": refused(
        protected(flipped(0x87)),
        SECURE_MESSAGING,
        reason="the cryptogram of a protected answer is wrong",
    ),
}

READING_CASES: dict[str, Case] = {
    "ISO7816_B_10": refused(
        revoked_signer, "signer.revoked", reason="the authority's revocation list names the signer"
    ),
    "ISO7816_C_01": refused(
        without_file_12,
        "data-group.missing",
        reason="the chip answers 6A82 for DG12, which EF.SOD and EF.COM name",
    ),
    "ISO7816_C_02": accepted(
        large_portrait, "DG2 has some 40,000 bytes, more than an offset of 15 bits reaches"
    ),
    "ISO7816_C_07": accepted(
        lambda: large_portrait().having(chip=CardThatWantsTheOddInstruction),
        "the end of a long DG2 is read with the odd instruction; the chip goes on only after one",
    ),
    "ISO7816_C_05": accepted(
        first_read(lambda response: response[:-2] + b"\x62\x82"),
        "the chip gives EF.CardAccess with 6282, because the file ends before what was asked for",
    ),
    "ISO7816_C_06": accepted(
        first_read(lambda response: bytes((0x6C, len(response) - 2))),
        "the chip asks with 6Cxx for EF.CardAccess to be read with its length",
    ),
    "ISO7816_G_07": accepted(
        own_domain,
        "EF.CardAccess offers a standard domain, and one of its own with its parameters: the standard one is taken",
    ),
}

LENGTH_CASES: dict[str, Case] = {
    "LDS_K_01": accepted(
        atr_info(bytes.fromhex("7F6608 02021000 02021000")),
        "EF.ATR/INFO announces the longest APDUs in numbers of two bytes",
    ),
    "LDS_K_02": accepted(
        atr_info(bytes.fromhex("7F660A 0203010000 0203010000"), longest=65536),
        "EF.ATR/INFO announces the longest APDUs in numbers of three bytes",
    ),
    "LDS_K_03": refused(
        atr_info(bytes.fromhex("7F6604 02021000")),
        "atr-info.malformed",
        reason="EF.ATR/INFO announces one longest APDU instead of two",
    ),
    "LDS_K_04": refused(
        atr_info(bytes.fromhex("7F6708 02021000 02021000")),
        "atr-info.malformed",
        reason="EF.ATR/INFO announces the longest APDUs in tag 7F67",
    ),
}
