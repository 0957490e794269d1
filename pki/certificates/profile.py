"""Certificate profiles: data in TOML, validated into values whose bounds cite their source."""

import re
import tomllib
from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from importlib import resources
from pathlib import Path
from typing import Any, Final

from card_layout.curves import NamedCurve
from pki.errors import PkiDataError

__all__ = ["CertificateProfile", "ProfileKind", "add_months", "load_certificate_profile"]

_FORMAT: Final = 1
_MAX_PROFILE_BYTES: Final = 65536


class ProfileKind(Enum):
    """What a certificate of the profile is for."""

    AUTHORITY = "authority"
    DOCUMENT_SIGNER = "document-signer"


_MAX_VALIDITY_MONTHS: Final = {ProfileKind.AUTHORITY: 27 * 12, ProfileKind.DOCUMENT_SIGNER: 22 * 12}
"""Decree 68/2024/ND-CP: a CSCA is valid for at most 27 years, a document signer for at most 22."""

_MAX_KEY_USE_MONTHS: Final = {ProfileKind.AUTHORITY: 5 * 12, ProfileKind.DOCUMENT_SIGNER: 3}
"""The same: a CSCA's private key signs for at most five years, a document signer's for three months."""

_KEYS: Final = frozenset({"format", "kind", "curve", "validity_months", "private_key_use_months"})
_SIGNER_KEYS: Final = frozenset({"card_validity_months", "document_codes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateProfile:
    """Rules for one kind of certificate; durations are calendar months."""

    kind: ProfileKind
    curve: NamedCurve
    validity_months: int
    private_key_use_months: int
    card_validity_months: int = 0
    document_codes: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        longest_use = _MAX_KEY_USE_MONTHS[self.kind]
        if not 1 <= self.private_key_use_months <= longest_use:
            raise _invalid(
                f"private key use is {self.private_key_use_months} months, expected 1 to {longest_use}"
            )
        longest = _MAX_VALIDITY_MONTHS[self.kind]
        shortest = self.private_key_use_months + self.card_validity_months
        if not shortest <= self.validity_months <= longest:
            raise _invalid(
                f"validity is {self.validity_months} months, expected {shortest} to {longest}"
            )
        is_signer = self.kind is ProfileKind.DOCUMENT_SIGNER
        if is_signer != bool(self.document_codes) or is_signer != (self.card_validity_months > 0):
            raise _invalid(
                "document codes and the cards' validity belong to document signers, and only to them"
            )
        for code in self.document_codes:
            # Doc 9303-12, 7.1.1.6: one or two characters as they stand in the MRZ.
            if not re.fullmatch(r"[A-Z][A-Z<]?", code):
                raise _invalid(
                    f"document code is {code[:8]!r}, expected one or two capital letters"
                )


def load_certificate_profile(name_or_path: str) -> CertificateProfile:
    """A profile of the package (``csca``, ``document-signer``), or of a TOML file by its path.

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
    unknown = sorted(set(found) - _KEYS - _SIGNER_KEYS)
    if unknown:
        raise _invalid(f"key {unknown[0][:40]!r} is not known")
    missing = sorted(_KEYS - set(found))
    if missing:
        raise _invalid(f"key {missing[0]!r} is missing")
    kinds = {kind.value: kind for kind in ProfileKind}
    curves = {curve.label: curve for curve in NamedCurve}
    kind, curve = kinds.get(str(found["kind"])), curves.get(str(found["curve"]))
    if kind is None or curve is None:
        raise _invalid(
            f"kind is {str(found['kind'])[:40]!r} and curve {str(found['curve'])[:40]!r}, "
            f"expected one of {sorted(kinds)} and one of {sorted(curves)}"
        )
    codes = found.get("document_codes", [])
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        raise _invalid("document_codes is not a list of texts")
    return CertificateProfile(
        kind=kind,
        curve=curve,
        validity_months=_whole_number(found, "validity_months"),
        private_key_use_months=_whole_number(found, "private_key_use_months"),
        card_validity_months=_whole_number(found, "card_validity_months", default=0),
        document_codes=frozenset(codes),
    )


def _whole_number(found: dict[str, Any], key: str, *, default: int | None = None) -> int:
    value = found.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _invalid(f"{key} is {str(value)[:20]!r}, expected a whole number")
    return value


def _invalid(message: str) -> PkiDataError:
    return PkiDataError(message, code="profile.invalid")
