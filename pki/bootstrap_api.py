"""The composition root of the HTTP API: the service's database, the log's files, the way to the signer; no key."""

import json
from collections.abc import Callable
from pathlib import Path

from pki.api.app import bounded, create_app, describe
from pki.api.ports import ApiServices, CertificateHeader
from pki.api.serving import serve_api
from pki.bootstrap_service import ServiceDatabase
from pki.errors import KeystoreError
from pki.services.log_reading import LogProver
from pki.signer_service.renewal_client import renew_over_socket
from pki.signer_service.serving import open_listener

__all__ = ["api_description", "api_services", "serve"]


def api_services(
    service: ServiceDatabase, *, signer_socket: Path | None, header: CertificateHeader
) -> ApiServices:
    """What the API needs, over an open database."""
    home = service.home
    prover = LogProver(home)

    def renew(request: bytes) -> bytes:
        if signer_socket is None:
            raise KeystoreError(
                "this service was started without a signer",
                code="signer.unreachable",
                hint="membercard-pki --home DIR api serve --signer-socket PATH",
            )
        return renew_over_socket(signer_socket, request)

    return ApiServices(
        desk=service.desk,
        ledger=service.ledger,
        look_up=service.projection,
        catch_up=lambda: service.catch_up().sequence,
        renew_terminal=renew,
        checkpoint=home.read_checkpoint,
        prove_inclusion=lambda index: prover.inclusion(index=index).to_bytes(),
        prove_inclusion_of=lambda reference: prover.inclusion(reference=reference).to_bytes(),
        prove_growth=lambda note: prover.growth(note).to_bytes(),
        now=service.now,
        certificate_header=header,
    )


def serve(
    service: ServiceDatabase,
    socket_path: Path,
    *,
    allowed_uids: frozenset[int],
    signer_socket: Path | None,
    header: CertificateHeader,
    on_ready: Callable[[], None],
) -> None:
    """Serve the API on a Unix socket until the process is told to stop.

    Raises:
        RecordError: ``signer.socket-unusable``; the database or the journal fails, so that nothing could be served.
        PkiRefusedError: ``signer.socket-in-use``.
    """
    # Whoever calls first should not wait for the journal of years.
    service.catch_up()
    with open_listener(socket_path, is_for_group=True) as listener:
        app = create_app(api_services(service, signer_socket=signer_socket, header=header))
        try:
            serve_api(bounded(app), listener, allowed_uids=allowed_uids, on_ready=on_ready)
        finally:
            socket_path.unlink(missing_ok=True)


def api_description() -> str:
    """The description of the API (OpenAPI 3.1) as it stands in the documents."""
    return json.dumps(describe(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
