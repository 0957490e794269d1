"""The table ``[[anchors]]`` of policy.toml: what each authority is trusted for (docs/policy.md)."""

from collections.abc import Collection, Mapping

from pki.certificates import anchor_policy
from pki.certificates.anchor_scope import AnchorScope
from pki.errors import PkiDataError
from verifier.errors import TrustError

__all__ = ["read_anchors"]


def read_anchors(
    value: object, *, states: Mapping[str, str], document_codes: Collection[str]
) -> dict[str, AnchorScope]:
    """The scopes by fingerprint; states and document codes of member cards are among those that the policy knows.

    Raises:
        TrustError: ``policy.malformed``.
    """
    try:
        return anchor_policy.read_anchors(value, states=states, document_codes=document_codes)
    except PkiDataError as error:
        raise TrustError(str(error), code="policy.malformed") from error
