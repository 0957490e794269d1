"""Certificate profiles: data in TOML, validated into values whose bounds cite their source."""

import re
import tomllib
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from importlib import resources
from pathlib import Path
from typing import Any, Final

from card_layout.curves import NamedCurve
from pki.errors import PkiDataError
from pki.keys.keystore import RSA_KEY_BITS

__all__ = [
    "CertificateProfile",
    "ProfileKind",
    "ProfileVariant",
    "add_months",
    "load_certificate_profile",
]

_FORMAT: Final = 1
_MAX_PROFILE_BYTES: Final = 65536


class ProfileKind(Enum):
    """What a certificate of the profile is for."""

    AUTHORITY = "authority"
    DOCUMENT_SIGNER = "document-signer"
    MASTER_LIST_SIGNER = "master-list-signer"
    STATUS_LIST_SIGNER = "status-list-signer"
    STOP_LIST_SIGNER = "stop-list-signer"
    TRUST_BUNDLE_SIGNER = "trust-bundle-signer"
    JOB_BUNDLE_SIGNER = "job-bundle-signer"
    JOURNAL_SIGNER = "journal-signer"
    SERVICE_AUTHORITY = "service-authority"
    SERVICE = "service"
    OPERATOR = "operator"
    STATION = "station"
    INSTANCE = "instance"
    INSTANCE_SIGNER = "instance-signer"

    @property
    def is_authority(self) -> bool:
        """Whether it signs certificates."""
        return self in _AUTHORITIES

    @property
    def is_under_service_authority(self) -> bool:
        """Whether the service authority issues it; all other end entities are the CSCA's."""
        return self in _UNDER_SERVICE_AUTHORITY

    @property
    def is_sealed_to(self) -> bool:
        """Whether its key opens what others seal, and signs nothing."""
        return self in {ProfileKind.STATION, ProfileKind.INSTANCE}

    @property
    def extended_key_usage(self) -> tuple[str, ...]:
        """The extended key usages of the kind, object identifiers; document signers and the CSCA have none."""
        return _EXTENDED_KEY_USAGE.get(self, ())


_PROFILED_BY_DOC_9303: Final = frozenset(
    {ProfileKind.AUTHORITY, ProfileKind.DOCUMENT_SIGNER, ProfileKind.MASTER_LIST_SIGNER}
)
"""The kinds that Doc 9303-12, table 6 has a column for; the others are ours alone."""

_AUTHORITIES: Final = frozenset({ProfileKind.AUTHORITY, ProfileKind.SERVICE_AUTHORITY})

_UNDER_SERVICE_AUTHORITY: Final = frozenset(
    {
        ProfileKind.SERVICE,
        ProfileKind.OPERATOR,
        ProfileKind.STATION,
        ProfileKind.INSTANCE,
        ProfileKind.INSTANCE_SIGNER,
    }
)

_EXTENDED_KEY_USAGE: Final = {
    # Doc 9303-12, 7.1.1, note on extKeyUsage: the master list signer's.
    ProfileKind.MASTER_LIST_SIGNER: ("2.23.136.1.1.3",),
    # Our own stand under ARC 4 (docs/pki.md).
    ProfileKind.STATUS_LIST_SIGNER: ("1.3.6.1.4.1.32473.51.4.1",),
    ProfileKind.TRUST_BUNDLE_SIGNER: ("1.3.6.1.4.1.32473.51.4.2",),
    ProfileKind.JOB_BUNDLE_SIGNER: ("1.3.6.1.4.1.32473.51.4.3",),
    ProfileKind.JOURNAL_SIGNER: ("1.3.6.1.4.1.32473.51.4.4",),
    ProfileKind.STOP_LIST_SIGNER: ("1.3.6.1.4.1.32473.51.4.5",),
    # RFC 5280, 4.2.1.12: serverAuth and clientAuth.
    ProfileKind.SERVICE: ("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"),
    ProfileKind.OPERATOR: ("1.3.6.1.5.5.7.3.2",),
    ProfileKind.STATION: ("1.3.6.1.4.1.32473.51.4.6",),
    ProfileKind.INSTANCE_SIGNER: ("1.3.6.1.4.1.32473.51.4.7",),
    ProfileKind.INSTANCE: ("1.3.6.1.4.1.32473.51.4.8",),
}


class ProfileVariant(Enum):
    """How CSCA and document signers name their curves; chosen when an authority is made."""

    ICAO = "icao"
    """Domain parameters written out, with cofactor (Doc 9303-12, 4.1.6)."""

    PRIVATE = "private"
    """Named curves, as every X.509 library reads them."""


_YEAR: Final = 12

_MAX_VALIDITY_MONTHS: Final = {
    # Decree 68/2024/ND-CP (domain.md, Certificates): a CSCA at most 27 years, a document signer at most 22.
    ProfileKind.AUTHORITY: 27 * _YEAR,
    ProfileKind.DOCUMENT_SIGNER: 22 * _YEAR,
    # Not found for a root of services: ours.
    ProfileKind.SERVICE_AUTHORITY: 10 * _YEAR,
}

_MAX_SUBSCRIBER_MONTHS: Final = 5 * _YEAR
"""Decree 68/2024/ND-CP: people and services, which is what everything else here is, at most five years."""

_MAX_KEY_USE_MONTHS: Final = {
    # The same: a CSCA's private key signs for at most five years, a document signer's for three months.
    ProfileKind.AUTHORITY: 5 * _YEAR,
    ProfileKind.DOCUMENT_SIGNER: 3,
}

_KEYS: Final = frozenset({"format", "kind", "validity_months", "private_key_use_months"})
_OPTIONAL_KEYS: Final = frozenset(
    {"curve", "rsa_bits", "card_validity_months", "signer_validity_months", "document_codes"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateProfile:
    """Rules for one kind of certificate; durations are calendar months.

    The key is an elliptic one on ``curve``, or an RSA key of ``rsa_bits``: exactly one of them is set.
    ``card_validity_months`` is how long a card signed on the key's last day is valid, ``signer_validity_months``
    the longest validity of a signer under an authority.
    """

    kind: ProfileKind
    curve: NamedCurve | None = None
    rsa_bits: int | None = None
    validity_months: int
    private_key_use_months: int
    card_validity_months: int = 0
    signer_validity_months: int = 0
    document_codes: frozenset[str] = frozenset()
    has_explicit_parameters: bool = False

    def __post_init__(self) -> None:
        self._check_key()
        longest = _MAX_VALIDITY_MONTHS.get(self.kind, _MAX_SUBSCRIBER_MONTHS)
        longest_use = _MAX_KEY_USE_MONTHS.get(self.kind, longest)
        if not 1 <= self.private_key_use_months <= longest_use:
            raise _invalid(
                f"private key use is {self.private_key_use_months} months, expected 1 to {longest_use}"
            )
        # Doc 9303-12, 4.1: whoever signs outlives what the key signed on its last day.
        shortest = (
            self.private_key_use_months + self.card_validity_months + self.signer_validity_months
        )
        if not shortest <= self.validity_months <= longest:
            raise _invalid(
                f"validity is {self.validity_months} months, expected {shortest} to {longest}"
            )
        is_signer = self.kind is ProfileKind.DOCUMENT_SIGNER
        if is_signer != bool(self.document_codes) or is_signer != (self.card_validity_months > 0):
            raise _invalid(
                "document codes and the cards' validity belong to document signers, and only to them"
            )
        if self.signer_validity_months < 0 or (
            self.signer_validity_months and not self.kind.is_authority
        ):
            raise _invalid("the signers' validity belongs to authorities, and is not negative")
        for code in self.document_codes:
            # Doc 9303-12, 7.1.1.6: one or two characters as they stand in the MRZ.
            if not re.fullmatch(r"[A-Z][A-Z<]?", code):
                raise _invalid(
                    f"document code is {code[:8]!r}, expected one or two capital letters"
                )

    @property
    def key_label(self) -> str:
        """The key in one word: ``secp256r1``, ``rsa3072``."""
        return self.curve.label if self.curve is not None else f"rsa{self.rsa_bits}"

    def with_key(self, label: str) -> "CertificateProfile":
        """The same profile for another kind of key, named by a label of ``key_label``.

        Raises:
            PkiDataError: ``profile.invalid``.
        """
        for curve in NamedCurve:
            if curve.label == label:
                return replace(self, curve=curve, rsa_bits=None)
        for bits in RSA_KEY_BITS:
            if f"rsa{bits}" == label:
                return replace(self, curve=None, rsa_bits=bits, has_explicit_parameters=False)
        known = [curve.label for curve in NamedCurve] + [f"rsa{bits}" for bits in RSA_KEY_BITS]
        raise _invalid(f"key is {label[:40]!r}, expected one of {known}")

    def in_variant(self, variant: ProfileVariant) -> "CertificateProfile":
        """The same profile as an authority of this variant issues it (Doc 9303-12, 4.1.6: CSCA and signers)."""
        is_explicit = (
            variant is ProfileVariant.ICAO
            and self.curve is not None
            and self.kind in _PROFILED_BY_DOC_9303
        )
        return replace(self, has_explicit_parameters=is_explicit)

    def _check_key(self) -> None:
        if (self.curve is None) == (self.rsa_bits is None):
            raise _invalid("exactly one of curve and rsa_bits says what the key is")
        if self.rsa_bits is not None and self.rsa_bits not in RSA_KEY_BITS:
            raise _invalid(f"rsa_bits is {self.rsa_bits}, expected one of {RSA_KEY_BITS}")
        if self.has_explicit_parameters and self.curve is None:
            raise _invalid("an RSA key has no domain parameters to write out")


def load_certificate_profile(name_or_path: str) -> CertificateProfile:
    """A profile of the package (``csca``, ``document-signer`` ...), or of a TOML file by its path.

    Raises:
        PkiDataError: ``profile.invalid``.
    """
    try:
        if re.fullmatch(r"[a-z0-9-]{1,40}", name_or_path):
            source = resources.files("pki.certificates") / "profiles" / f"{name_or_path}.toml"
            text = source.read_text("utf-8")
        else:
            with Path(name_or_path).open("rb") as file:
                text = file.read(_MAX_PROFILE_BYTES).decode()
        return _parse(tomllib.loads(text))
    except (OSError, ValueError, RecursionError) as error:
        raise _invalid(f"profile {name_or_path[:80]!r} cannot be read") from error


def add_months(moment: datetime, months: int) -> datetime:
    """The same day and time so many months later, or the last day of a month that is too short."""
    index = moment.year * 12 + moment.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return moment.replace(year=year, month=month, day=min(moment.day, monthrange(year, month)[1]))


def _parse(found: dict[str, Any]) -> CertificateProfile:
    if found.get("format") != _FORMAT:
        raise _invalid(f"format is {str(found.get('format'))[:20]}, expected {_FORMAT}")
    unknown = sorted(set(found) - _KEYS - _OPTIONAL_KEYS)
    if unknown:
        raise _invalid(f"key {unknown[0][:40]!r} is not known")
    missing = sorted(_KEYS - set(found))
    if missing:
        raise _invalid(f"key {missing[0]!r} is missing")
    kinds = {kind.value: kind for kind in ProfileKind}
    kind = kinds.get(str(found["kind"]))
    if kind is None:
        raise _invalid(f"kind is {str(found['kind'])[:40]!r}, expected one of {sorted(kinds)}")
    codes = found.get("document_codes", [])
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        raise _invalid("document_codes is not a list of texts")
    return CertificateProfile(
        kind=kind,
        curve=_curve(found.get("curve")),
        rsa_bits=None if "rsa_bits" not in found else _whole_number(found, "rsa_bits"),
        validity_months=_whole_number(found, "validity_months"),
        private_key_use_months=_whole_number(found, "private_key_use_months"),
        card_validity_months=_whole_number(found, "card_validity_months", default=0),
        signer_validity_months=_whole_number(found, "signer_validity_months", default=0),
        document_codes=frozenset(codes),
    )


def _curve(label: object) -> NamedCurve | None:
    if label is None:
        return None
    curves = {curve.label: curve for curve in NamedCurve}
    curve = curves.get(str(label))
    if curve is None:
        raise _invalid(f"curve is {str(label)[:40]!r}, expected one of {sorted(curves)}")
    return curve


def _whole_number(found: dict[str, Any], key: str, *, default: int | None = None) -> int:
    value = found.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _invalid(f"{key} is {str(value)[:20]!r}, expected a whole number")
    return value


def _invalid(message: str) -> PkiDataError:
    return PkiDataError(message, code="profile.invalid")
