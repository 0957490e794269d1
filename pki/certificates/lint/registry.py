"""All rules, in the order in which they are applied and documented."""

from typing import Final

from pki.certificates.lint.card_verifiable import CardVerifiableView
from pki.certificates.lint.findings import EVERYTHING, Dialect, Rule, Severity
from pki.certificates.lint.master_list import MasterListView
from pki.certificates.lint.objects import CertificateView, CrlView
from pki.certificates.lint.rules_alternative_names import ALTERNATIVE_NAME_RULES
from pki.certificates.lint.rules_card_verifiable import CARD_VERIFIABLE_RULES
from pki.certificates.lint.rules_crl import CRL_RULES
from pki.certificates.lint.rules_encoding import ENCODING_RULES, EXTENSION_ENCODING_RULES
from pki.certificates.lint.rules_extensions import EXTENSION_RULES, KEY_IDENTIFIER_RULES
from pki.certificates.lint.rules_fields import FIELD_RULES
from pki.certificates.lint.rules_master_list import MASTER_LIST_RULES
from pki.certificates.lint.rules_names import CERTIFICATE_NAME_RULES, NAME_AND_TIME_RULES
from pki.certificates.lint.rules_presence import PRESENCE_RULES
from pki.certificates.lint.rules_signatures import CERTIFICATE_SIGNATURE_RULES, SIGNATURE_RULES

__all__ = [
    "ALL_RULES",
    "MALFORMED",
    "RULES_FOR_CARD_VERIFIABLE",
    "RULES_FOR_CERTIFICATES",
    "RULES_FOR_CRLS",
    "RULES_FOR_MASTER_LISTS",
    "AnyRule",
]

RULES_FOR_CERTIFICATES: Final[tuple[Rule[CertificateView], ...]] = (
    *ENCODING_RULES,
    *EXTENSION_ENCODING_RULES,
    *FIELD_RULES,
    *SIGNATURE_RULES,
    *CERTIFICATE_SIGNATURE_RULES,
    *NAME_AND_TIME_RULES,
    *CERTIFICATE_NAME_RULES,
    *PRESENCE_RULES,
    *KEY_IDENTIFIER_RULES,
    *EXTENSION_RULES,
    *ALTERNATIVE_NAME_RULES,
)
RULES_FOR_CRLS: Final[tuple[Rule[CrlView], ...]] = (
    *ENCODING_RULES,
    *EXTENSION_ENCODING_RULES,
    *SIGNATURE_RULES,
    *NAME_AND_TIME_RULES,
    *KEY_IDENTIFIER_RULES,
    *CRL_RULES,
)
RULES_FOR_MASTER_LISTS: Final[tuple[Rule[MasterListView], ...]] = (
    *ENCODING_RULES,
    *MASTER_LIST_RULES,
)
RULES_FOR_CARD_VERIFIABLE: Final[tuple[Rule[CardVerifiableView], ...]] = CARD_VERIFIABLE_RULES

MALFORMED: Final[Rule[object]] = Rule(
    code="lint.object.malformed",
    clause="ICAO 9303-12, 7.1, 7.2.2 and 9",
    demands="the bytes are a certificate, a CRL, a master list or a card-verifiable certificate; "
    "nothing else of the object is judged where they are not",
    profiles=EVERYTHING,
    severity=Severity.ERROR,
    dialects=frozenset(Dialect),
    # Bytes that are not an object have no view that a check could look at: the linter itself reports them.
    check=lambda _: (),
)

AnyRule = Rule[CertificateView] | Rule[CrlView] | Rule[MasterListView] | Rule[CardVerifiableView]


def _all() -> dict[str, AnyRule]:
    rules: dict[str, AnyRule] = {}
    groups: tuple[tuple[AnyRule, ...], ...] = (
        (MALFORMED,),
        RULES_FOR_CERTIFICATES,
        RULES_FOR_CRLS,
        RULES_FOR_MASTER_LISTS,
        RULES_FOR_CARD_VERIFIABLE,
    )
    for group in groups:
        for rule in group:
            if rules.setdefault(rule.code, rule) is not rule:
                raise ValueError(f"two rules have the code {rule.code}")
    return rules


ALL_RULES: Final = tuple(_all().values())
"""Every rule once."""
