"""What the API needs of the service; ``pki.bootstrap_api`` puts it together. No key is among it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pki.services.look_up import LookUp
from pki.services.operator_requests import RequestDesk, RequestLedger

__all__ = ["ApiServices", "CertificateHeader"]


class CertificateHeader(StrEnum):
    """The one header in which the proxy hands over the certificate that it saw the client use."""

    CLIENT_CERT = "client-cert"
    """RFC 9440: the DER in base64 between colons."""

    NGINX_ESCAPED = "x-client-cert-escaped"
    """nginx's ``$ssl_client_escaped_cert``: the PEM, URL-encoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServices:
    """Requests, look-ups, files and the way to the signer process.

    ``catch_up`` follows the journal; ``renew_terminal`` asks the signer process; ``checkpoint`` and the proofs come
    from the log's files; ``now`` is the clock.
    """

    desk: RequestDesk
    ledger: RequestLedger
    look_up: LookUp
    catch_up: Callable[[], int]
    renew_terminal: Callable[[bytes], bytes]
    checkpoint: Callable[[], bytes | None]
    prove_inclusion: Callable[[int], bytes]
    prove_inclusion_of: Callable[[bytes], bytes]
    prove_growth: Callable[[bytes], bytes]
    now: Callable[[], datetime]
    certificate_header: CertificateHeader
