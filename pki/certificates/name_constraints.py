"""Name constraints: in which subtrees the names below an authority must stand, and in which they must not (RFC 5280, 4.2.1.10)."""

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from card_layout import der, tlv
from card_layout.errors import CardDataError
from pki.certificates.certificate import Certificate, CertificateError
from pki.certificates.general_names import (
    GeneralName,
    NameKind,
    decode_general_names,
    is_host_name,
    read_general_name,
)
from pki.certificates.name_matching import email_addresses, is_name_within, relative_names

__all__ = ["NAME_CONSTRAINTS", "NameConstraints", "names_of"]

NAME_CONSTRAINTS: Final = "2.5.29.30"
_SUBJECT_ALTERNATIVE_NAME: Final = "2.5.29.17"
_PERMITTED: Final = 0xA0
_EXCLUDED: Final = 0xA1


@dataclass(frozen=True, slots=True, kw_only=True)
class NameConstraints:
    """The subtrees of one certificate; a kind of name that ``permitted`` does not mention is not restricted by it."""

    permitted: tuple[GeneralName, ...]
    excluded: tuple[GeneralName, ...]

    @classmethod
    def from_bytes(cls, encoded: bytes) -> "NameConstraints":
        """Read a DER ``NameConstraints``.

        Raises:
            CertificateError: ``certificate.malformed``: also a base that no name of its kind could match.
        """
        try:
            parts = tlv.parse(encoded, expected_tag=der.SEQUENCE).children()
            trees = {part.tag: tuple(_base(item) for item in part.children()) for part in parts}
        except (CardDataError, ValueError) as error:
            raise CertificateError(
                "name constraints are not what RFC 5280, 4.2.1.10 says"
            ) from error
        if [part.tag for part in parts] not in ([_PERMITTED], [_EXCLUDED], [_PERMITTED, _EXCLUDED]):
            raise CertificateError("name constraints hold neither permitted nor excluded subtrees")
        if not all(trees.values()):
            raise CertificateError("name constraints hold no subtree")
        return cls(permitted=trees.get(_PERMITTED, ()), excluded=trees.get(_EXCLUDED, ()))

    @property
    def comparisons(self) -> int:
        """How many comparisons one name costs at the most."""
        return len(self.permitted) + len(self.excluded)

    def violated_by(self, names: Iterable[GeneralName]) -> GeneralName | None:
        """The first name that stands in an excluded subtree, or in none of the permitted ones of its kind."""
        for name in names:
            permitted = [base for base in self.permitted if base.kind is name.kind]
            excluded = [base for base in self.excluded if base.kind is name.kind]
            within = _WITHIN.get(name.kind)
            if within is None:
                # A constraint on a kind of name that is not understood refuses every name of that kind.
                if permitted or excluded:
                    return name
                continue
            if permitted and not any(within(name, base) for base in permitted):
                return name
            if any(within(name, base) or _may_stand_for(name, base) for base in excluded):
                return name
            if excluded and name.kind is NameKind.URI and _host_of(name) is None:
                return name
        return None


def names_of(certificate: Certificate) -> tuple[GeneralName, ...]:
    """Every name that constraints apply to: the subject, and the alternative names, or the subject's addresses instead.

    Raises:
        CertificateError: ``certificate.malformed``.
    """
    extension = certificate.extensions.get(_SUBJECT_ALTERNATIVE_NAME)
    alternative = () if extension is None else decode_general_names(extension.value)
    names = list(alternative)
    if relative_names(certificate.subject):
        names.append(GeneralName(kind=NameKind.DIRECTORY, value=certificate.subject))
    if extension is None:
        names += [
            GeneralName(kind=NameKind.EMAIL, value=address.encode("ascii", "replace"))
            for address in email_addresses(certificate.subject)
        ]
    return tuple(names)


def _base(item: tlv.Tlv) -> GeneralName:
    """A ``GeneralSubtree``; RFC 5280 has minimum 0, left out in DER, and no maximum."""
    (name,) = item.children()
    if item.tag != der.SEQUENCE:
        raise ValueError("a subtree is no SEQUENCE")
    base = read_general_name(name)
    text = base.text if base.kind in {NameKind.HOST, NameKind.EMAIL, NameKind.URI} else ""
    if base.kind is NameKind.HOST and not is_host_name(text):
        raise ValueError("a permitted or excluded host is no host name")
    if base.kind is NameKind.EMAIL:
        local, separator, host = text.rpartition("@")
        is_mailbox = bool(separator) and bool(local) and "@" not in local
        if not is_host_name(host if separator else text.removeprefix(".")) or (
            separator and not is_mailbox
        ):
            raise ValueError("a permitted or excluded address is none")
    if base.kind is NameKind.URI and not is_host_name(text.removeprefix(".")):
        raise ValueError("a permitted or excluded host of a URI is no host name")
    if base.kind is NameKind.IP_ADDRESS:
        _network(base.value)
    return base


def _network(value: bytes) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """RFC 4632 style: as many bytes of mask as of address, ones before zeros."""
    if len(value) not in {8, 32}:
        raise ValueError(f"a range of addresses has {len(value)} bytes, expected 8 or 32")
    half = len(value) // 2
    mask = int.from_bytes(value[half:], "big")
    bits = 8 * half
    prefix = mask.bit_count()
    if mask != ((1 << prefix) - 1) << (bits - prefix):
        raise ValueError("a mask is not ones before zeros")
    address = int.from_bytes(value[:half], "big") & mask
    packed = address.to_bytes(half, "big")
    if half == 4:
        return ipaddress.IPv4Network((packed, prefix))
    return ipaddress.IPv6Network((packed, prefix))


def _is_host_within(host: str, base: str) -> bool:
    return host.lower() == base.lower() or host.lower().endswith(f".{base.lower()}")


def _host_within(name: GeneralName, base: GeneralName) -> bool:
    # A wildcard stands below a base if all it can stand for does.
    return _is_host_within(name.text.removeprefix("*."), base.text)


def _may_stand_for(name: GeneralName, base: GeneralName) -> bool:
    """Whether a wildcard could be taken for a host in the excluded subtree (CVE-2025-61727)."""
    return (
        name.kind is NameKind.HOST
        and name.text.startswith("*.")
        and _is_host_within(base.text, name.text.removeprefix("*."))
    )


def _is_host_in_domain(host: str, base: str) -> bool:
    """With a leading dot any host below, without one exactly that host."""
    if base.startswith("."):
        return host.lower().endswith(base.lower())
    return host.lower() == base.lower()


def _email_within(name: GeneralName, base: GeneralName) -> bool:
    local, _, host = name.text.rpartition("@")
    base_local, separator, base_host = base.text.rpartition("@")
    if separator:
        # RFC 5280, 7.5: the part before the sign is compared exactly.
        return local == base_local and host.lower() == base_host.lower()
    return _is_host_in_domain(host, base.text)


def _uri_within(name: GeneralName, base: GeneralName) -> bool:
    host = _host_of(name)
    return host is not None and _is_host_in_domain(host, base.text)


def _host_of(name: GeneralName) -> str | None:
    """The host of a URI; a URI without one, or with an address, satisfies no constraint (RFC 5280, 4.2.1.10)."""
    try:
        host = urlsplit(name.text).hostname or ""
    except ValueError:
        return None
    is_address = host.replace(".", "").isdigit()
    return host if is_host_name(host) and not is_address else None


def _directory_within(name: GeneralName, base: GeneralName) -> bool:
    return is_name_within(name.value, base.value)


def _address_within(name: GeneralName, base: GeneralName) -> bool:
    address = ipaddress.ip_address(name.value)
    return address in _network(base.value)


_WITHIN: Final[dict[NameKind, Callable[[GeneralName, GeneralName], bool]]] = {
    NameKind.HOST: _host_within,
    NameKind.EMAIL: _email_within,
    NameKind.URI: _uri_within,
    NameKind.DIRECTORY: _directory_within,
    NameKind.IP_ADDRESS: _address_within,
}
