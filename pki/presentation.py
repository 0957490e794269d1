"""What the command line shows of an authority: documents for programs, tables for people."""

import json
import sys
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.text import Text

from pki.certificates import extensions as ext
from pki.certificates.certificate import CertificateList, load_certificate
from pki.certificates.certificate import load_certificate_list as load_list
from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.names import name_text
from pki.certificates.profile import ProfileKind
from pki.certificates.trust import Authority, DocumentSignerCertificate
from pki.errors import PkiRefusedError
from pki.services.state import PkiState, SignerRecord
from pki.signed.stop_list import StopList

__all__ = [
    "Document",
    "FormatOption",
    "OutputFormat",
    "authority_document",
    "crl_document",
    "print_document",
    "print_json",
    "print_table",
    "print_warning",
    "service_document",
    "signer_document",
    "stop_list_document",
]

_PLAIN_WIDTH = 200
"""Columns of a table that does not go to a terminal: wide enough that nothing of ours breaks."""

Document = dict[str, str | int | bool | None]


class OutputFormat(StrEnum):
    """How results are written."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[
    OutputFormat,
    typer.Option("--format", help="How results are written: for people or for programs."),
]


def authority_document(state: PkiState) -> Document:
    """The authority, its certificate and its CRL.

    Raises:
        PkiRefusedError: ``authority.missing``.
    """
    if state.authority_certificate is None:
        raise PkiRefusedError(
            "there is no authority yet",
            code="authority.missing",
            hint="membercard-pki authority create",
        )
    authority = Authority.from_bytes(state.authority_certificate)
    period = ext.decode_private_key_usage_period(authority.certificate.extensions)
    crl = None if state.crl is None else load_list(state.crl)
    return {
        "id": state.authority_id,
        "name": authority.name,
        "test": authority.is_test,
        "serial_number": f"{authority.certificate.serial_number:x}",
        "key_identifier": authority.key_identifier.hex(),
        "valid_from": _moment(authority.not_before),
        "valid_until": _moment(authority.not_after),
        "key_use_until": None if period is None else _moment(period[1]),
        "profile": None if state.authority is None else state.authority.variant.value,
        "signers": len(state.signers),
        "crl_number": None if crl is None else ext.decode_crl_number(crl.extensions),
        "crl_next_update": None if crl is None else _moment(crl.next_update),
        "crl_due": _moment(state.crl_due),
        "quorum": _quorum(state),
    }


def signer_document(record: SignerRecord) -> Document:
    """One signer; the state is *usable*, *destroyed*, *revoked*, *compromised* or *unfinished*."""
    document: Document = {
        "id": record.signer_id,
        "kind": record.kind.value,
        "state": "usable",
        "serial_number": f"{record.serial_number:x}",
        "objects_signed": record.objects_signed,
    }
    if record.certificate is None:
        document["state"] = "unfinished"
    else:
        certificate = (
            DocumentSignerCertificate.from_bytes(record.certificate)
            if record.kind is ProfileKind.DOCUMENT_SIGNER
            else ListSignerCertificate.from_bytes(record.certificate, kind=record.kind)
        )
        document |= {
            "name": certificate.name,
            "valid_from": _moment(certificate.not_before),
            "valid_until": _moment(certificate.not_after),
            "key_use_until": _moment(certificate.key_use_not_after),
        }
    if record.destroyed_at is not None:
        document |= {"state": "destroyed", "destroyed_at": _moment(record.destroyed_at)}
    if record.revoked_at is not None:
        document |= {
            "state": "revoked" if record.compromised_at is None else "compromised",
            "revoked_at": _moment(record.revoked_at),
            "reason": record.reason,
        }
    if record.compromised_since is not None:
        document["compromised_since"] = _moment(record.compromised_since)
    return document


def crl_document(crl: CertificateList) -> Document:
    """One CRL."""
    return {
        "number": ext.decode_crl_number(crl.extensions),
        "this_update": _moment(crl.this_update),
        "next_update": _moment(crl.next_update),
        "revoked": len(crl.revoked),
    }


def stop_list_document(stop_list: StopList) -> Document:
    """One stop list."""
    return {
        "number": stop_list.number,
        "this_update": _moment(stop_list.this_update),
        "next_update": _moment(stop_list.next_update),
        "stopped": len(stop_list.stopped),
    }


def service_document(state: PkiState, service_id: str | None) -> Document:
    """The certificate of one service or operator, or of their root; the state is *usable*, *revoked*, *unfinished*."""
    record = None if service_id is None else state.services[service_id]
    der = state.service_authority_certificate if record is None else record.certificate
    document: Document = {
        "id": state.service_authority_id if record is None else record.service_id,
        "kind": ProfileKind.SERVICE_AUTHORITY.value if record is None else record.kind.value,
        "state": "unfinished" if der is None else "usable",
    }
    if der is not None:
        certificate = load_certificate(der)
        document |= {
            "name": name_text(certificate.subject),
            "serial_number": f"{certificate.serial_number:x}",
            "valid_from": _moment(certificate.not_before),
            "valid_until": _moment(certificate.not_after),
        }
    if record is not None and record.revoked_at is not None:
        document |= {
            "state": "revoked",
            "revoked_at": _moment(record.revoked_at),
            "reason": record.reason,
        }
    return document


def print_document(document: Document, output_format: OutputFormat) -> None:
    """One document, as JSON or as lines of name and value."""
    if output_format is OutputFormat.JSON:
        print_json(document)
        return
    width = max(len(name) for name in document)
    for name, value in document.items():
        text = "-" if value is None else str(value)
        print_table(Text(f"{name.replace('_', ' '):{width}}  {text}"))


def print_json(document: Document | list[Document]) -> None:
    """JSON for programs."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def print_table(renderable: RenderableType) -> None:
    """Something for people; plain and unbroken where it does not go to a terminal."""
    is_terminal = sys.stdout.isatty()
    console = Console(
        highlight=False, soft_wrap=not is_terminal, width=None if is_terminal else 200
    )
    console.print(renderable)


def print_warning(sentence: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"warning: {sentence}\n")


def _quorum(state: PkiState) -> str | None:
    """How many of how many custodians open the root's key."""
    quorum = state.ceremonies.quorum
    return None if quorum is None else f"{quorum.threshold} of {len(quorum.custodians)}"


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
