"""Assembling a trust bundle at the centre, from what the PKI publishes; `membercard-pki trust-bundle issue` signs it."""

from pathlib import Path
from typing import Final

from pki.card_verifiable.authorisation import Role
from pki.card_verifiable.certificate import CvCertificate
from pki.errors import PkiError
from pki.record.transparency_note import SignedNote
from pki.services.terminal_export import read_certificates
from pki.signed.trust_bundle import check_bundle_files, write_bundle_draft
from verifier.errors import TrustError
from verifier.trust.directory import load_layout, read_layout_file

__all__ = ["assemble_bundle"]

_KINDS: Final = {
    "csca": ".cer",
    "crl": ".crl",
    "stop": ".stop",
    "status": ".status",
    "anchors": ".toml",
}
_MAX_CHECKPOINT_BYTES: Final = 65536


def assemble_bundle(
    trust: Path, *, card_verifiable: Path | None = None, checkpoint: Path | None = None
) -> dict[str, bytes]:
    """The files of a bundle, by their paths.

    Args:
        trust: a trust directory, as `membercard-pki trust export` writes it; it has to be one that a terminal can load.
        card_verifiable: a folder with CV certificates, of which those of CVCAs and document verifiers are taken.
        checkpoint: the log's newest checkpoint.

    Raises:
        TrustError: ``trust.missing``, ``trust.malformed``, ``policy.malformed``, ``policy.empty``, ``trust-bundle.path``.
    """
    if not trust.is_dir():
        raise TrustError(f"trust directory {str(trust)!r} is not there", code="trust.missing")
    if not load_layout(trust).policy.purposes:
        raise TrustError(
            f"{trust} holds no policy, and with it every card would be refused", code="policy.empty"
        )
    files = {"policy.toml": read_layout_file(trust / "policy.toml")}
    for folder, suffix in _KINDS.items():
        files |= _folder(trust / folder, suffix)
    if (trust / "log" / "log.policy").exists():
        files["log/log.policy"] = read_layout_file(trust / "log" / "log.policy")
    try:
        if card_verifiable is not None:
            files |= _cv_certificates(card_verifiable)
        if checkpoint is not None:
            files["log/checkpoint"] = read_layout_file(checkpoint, _MAX_CHECKPOINT_BYTES)
            SignedNote.from_bytes(files["log/checkpoint"])
        check_bundle_files(sorted(files))
        # What is too long for a bundle is found out here and not by whoever signs it.
        write_bundle_draft(files)
    except PkiError as error:
        raise TrustError(str(error), code=error.code) from error
    return files


def _folder(folder: Path, suffix: str) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    return {
        f"{folder.name}/{path.name}": read_layout_file(path)
        for path in sorted(folder.iterdir())
        if path.suffix == suffix
    }


def _cv_certificates(folder: Path) -> dict[str, bytes]:
    return {
        f"cvca/{item.body.file_name}.cvcert": item.to_bytes()
        for item in read_certificates(folder)
        if _is_for_terminals(item)
    }


def _is_for_terminals(certificate: CvCertificate) -> bool:
    """Those above terminals: a terminal's own certificate is the terminal's."""
    role = certificate.body.authorisation.role
    return role is Role.CVCA or role.is_document_verifier
