"""Terminals whose own certificates are for SHA-1: their store is refused before any card is spoken to."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from conformance_vectors.bench import Case
from conformance_vectors.terminal_cases import hierarchy, protected

from card_layout import der, tlv
from pki.card_verifiable.certificate import CvCertificate
from verifier.errors import TrustError
from verifier.inspection.report import Verdict
from verifier.trust.credentials import CredentialsSource, open_credentials

_ARC = "0.4.0.127.0.7.2.2.2"
_RSA_KEY = tlv.encode(0x81, b"\x80" + bytes(126) + b"\x01") + tlv.encode(0x82, b"\x01\x00\x01")
_BODY, _PUBLIC_KEY, _OBJECT_IDENTIFIER = 0x7F4E, 0x7F49, 0x06
NOT_ALLOWED = "cv-certificate.algorithm-not-allowed"


def with_key(certificate: CvCertificate, oid: str, key: bytes | None = None) -> bytes:
    """The certificate with another public key, or only another algorithm for the same."""
    body, signature = tlv.parse(certificate.to_bytes()).children()
    parts = []
    for part in body.children():
        value = part.value
        if part.tag == _PUBLIC_KEY:
            _, *rest = part.children()
            own = b"".join(item.to_bytes() for item in rest) if key is None else key
            value = tlv.encode(_OBJECT_IDENTIFIER, der.encode_object_identifier(oid)) + own
        parts.append(tlv.encode(part.tag, value))
    return tlv.encode(0x7F21, tlv.encode(_BODY, b"".join(parts)) + signature.to_bytes())


@dataclass(frozen=True, kw_only=True)
class StoreCase(Case):
    """A vector whose terminal never gets as far as the card."""

    oid: str
    key: bytes | None = None

    def run(self) -> None:
        """Open the store with the one certificate changed; the right store is refused for nothing but its key's absence."""
        own = hierarchy()
        rest = [own.root().to_bytes(), own.office().to_bytes()]
        assert _refusal([*rest, own.terminal().to_bytes()])[0] == "terminal.key-unavailable"
        code, text = _refusal([*rest, with_key(own.terminal(), self.oid, self.key)])
        assert code == "terminal.malformed"
        assert text.endswith(f"[{NOT_ALLOWED}]")


def _refusal(certificates: list[bytes]) -> tuple[str, str]:
    with TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "certificates").mkdir()
        for number, certificate in enumerate(certificates):
            (directory / "certificates" / f"{number}.cvcert").write_bytes(certificate)
        pin_file = directory / "pin"
        pin_file.write_text("123456\n", encoding="ascii")
        pin_file.chmod(0o600)
        try:
            with open_credentials(CredentialsSource(directory=directory, pin_file=pin_file)):
                raise AssertionError("a store without a key was opened")
        except TrustError as error:
            return error.code, str(error)


def _refused(oid: str, reason: str, key: bytes | None = None) -> StoreCase:
    return StoreCase(
        card=protected,
        verdict=Verdict.REFUSED,
        codes=frozenset({NOT_ALLOWED}),
        reason=f"{reason}; its store is refused whatever the policy, because collisions of SHA-1 can be made "
        "(the catalogue's own verdict is older)",
        oid=f"{_ARC}.{oid}",
        key=key,
    )


TERMINAL_STORE_CASES: dict[str, Case] = {
    "ISO7816_E_01": _refused(
        "1.1", "the terminal's certificate is for RSASSA-PKCS1-v1_5 with SHA-1", _RSA_KEY
    ),
    "ISO7816_E_03": _refused(
        "1.3", "the terminal's certificate is for RSASSA-PSS with SHA-1", _RSA_KEY
    ),
    "ISO7816_E_05": _refused("2.1", "the terminal's certificate is for ECDSA with SHA-1"),
}
