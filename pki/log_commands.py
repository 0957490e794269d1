"""The commands ``membercard-pki log ...``: checkpoints, checks and proofs of the transparency log."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from pki.bootstrap import open_log_keeper, rebuild
from pki.cli_context import command_context
from pki.errors import PkiDataError
from pki.log_files import read_file, read_log_key, read_witness_key, write_file
from pki.presentation import (
    Document,
    FormatOption,
    OutputFormat,
    print_document,
    print_warning,
)
from pki.record.transparency_note import MAX_NOTE_BYTES, Checkpoint, NoteVerifier
from pki.record.transparency_proof import (
    MAX_PROOF_BYTES,
    GrowthProof,
    InclusionProof,
    is_growth_proof,
)
from pki.services.log_keeper import read_checkpoint
from pki.services.log_reading import LogProver, log_key, verify_log

__all__ = ["log_app"]

_REFERENCE_BYTES: Final = 16

log_app = typer.Typer(help="The transparency log of every signature.", rich_markup_mode=None)

KeyOption = Annotated[
    Path | None,
    typer.Option(
        "--key", help="File with the log's key, kept elsewhere; else the one in the home's journal."
    ),
]
CosignerOption = Annotated[
    list[Path] | None,
    typer.Option("--cosigner", help="File with a witness's key that must have signed, too."),
]


@log_app.command(
    "checkpoint",
    epilog="""\b
Examples:
  membercard-pki --home pki log checkpoint --out /media/usb/2026-11-21.checkpoint
  membercard-pki --home pki log checkpoint --format json
""",
)
def checkpoint_sign(
    context: typer.Context,
    *,
    out: Annotated[
        Path | None, typer.Option(help="A copy to be kept elsewhere, by somebody else.")
    ] = None,
    pin_file: Annotated[
        Path | None,
        typer.Option(help="File with the keystore's PIN; the one given at creation is remembered."),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Sign a checkpoint: what was recorded until now cannot be changed any more without its keeper noticing."""
    with open_log_keeper(command_context(context).home, pin_file=pin_file) as keeper:
        note = keeper.sign_checkpoint()
    if out is not None:
        write_file(out, note.to_bytes())
    checkpoint = Checkpoint.from_text(note.text)
    print_document(
        {
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
            "key_id": note.signatures[0].key_id.hex(),
            "file": None if out is None else str(out),
        },
        output_format,
    )


@log_app.command(
    "key",
    epilog="""\b
Examples:
  membercard-pki --home pki log key > /media/usb/log.key
""",
)
def key_show(context: typer.Context, *, output_format: FormatOption = OutputFormat.TEXT) -> None:
    """Show the public key that verifies checkpoints, as signed notes write keys."""
    key = log_key(command_context(context).home)
    if output_format is OutputFormat.JSON:
        print_document(
            {"name": key.name, "key_id": key.key_id.hex(), "key": key.to_text()}, output_format
        )
        return
    typer.echo(key.to_text())


@log_app.command(
    "verify",
    epilog="""\b
Examples:
  membercard-pki --home pki log verify
  membercard-pki --home pki log verify --checkpoint /media/usb/2026-11-21.checkpoint --key /media/usb/log.key
""",
)
def verify(
    context: typer.Context,
    *,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint that was kept elsewhere; may be given several times."),
    ] = None,
    key: KeyOption = None,
    cosigner: CosignerOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Check journal and log: find every edit, deletion, other order or cut tail since a checkpoint."""
    kept = [read_file(path, MAX_NOTE_BYTES) for path in checkpoint or ()]
    report = verify_log(
        command_context(context).home,
        kept=kept,
        key=None if key is None else read_log_key(key),
        cosigners=[_read_cosigner(path) for path in cosigner or ()],
    )
    if not kept:
        print_warning(
            "without a checkpoint that was kept elsewhere, a journal and a log that were both rewritten pass"
        )
    if report.waiting:
        print_warning(
            f"{report.waiting} leaves are waiting in the journal; the next command that signs appends them"
        )
    print_document(
        {
            "entries": report.head.sequence,
            "head": report.head.to_text(),
            "torn_bytes": report.head.torn_bytes,
            "leaves": report.leaves,
            "root": report.root.hex(),
            "waiting": report.waiting,
            "sealed": report.sealed,
            "checkpoints_kept_elsewhere": report.checkpoints,
        },
        output_format,
    )


@log_app.command(
    "prove",
    epilog="""\b
Examples:
  membercard-pki --home pki log prove 17 --out card.tlog-proof
  membercard-pki --home pki log prove --reference 5f0c9d3e5f0c9d3e5f0c9d3e5f0c9d3e --out card.tlog-proof
  membercard-pki --home pki log prove 17 --under cosigned.checkpoint --out card.tlog-proof
  membercard-pki --home pki log prove --since /media/usb/2026-11-21.checkpoint --out growth.tlog-proof
""",
)
def prove(
    context: typer.Context,
    index: Annotated[int | None, typer.Argument(min=0, help="A leaf of the log.")] = None,
    *,
    out: Annotated[Path, typer.Option(help="Where the proof is written.")],
    reference: Annotated[
        str | None, typer.Option(help="A card's reference: 32 hexadecimal digits.")
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option(help="An older checkpoint: prove that the newest one only added to it."),
    ] = None,
    under: Annotated[
        Path | None,
        typer.Option(
            help="A checkpoint that was kept, with its cosignatures; else the newest one."
        ),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write the proof that a record stands in the log, or that the log only grew since a checkpoint."""
    home = command_context(context).home
    if [index, reference, since].count(None) != 2 or (since is not None and under is not None):
        raise typer.BadParameter("give one of INDEX, --reference and --since; --under not with it")
    if since is not None:
        growth = LogProver(home).growth(read_file(since, MAX_NOTE_BYTES))
        write_file(out, growth.to_bytes())
        size = Checkpoint.from_text(growth.note.text).size
        print_document({"old_size": growth.old_size, "size": size, "file": str(out)}, output_format)
        return
    proof = LogProver(home).inclusion(
        index=index,
        reference=None if reference is None else _read_reference(reference),
        under=None if under is None else read_file(under, MAX_NOTE_BYTES),
    )
    write_file(out, proof.to_bytes())
    size = Checkpoint.from_text(proof.note.text).size
    print_document({"index": proof.index, "size": size, "file": str(out)}, output_format)


@log_app.command(
    "check",
    epilog="""\b
Examples:
  membercard-pki log check card.tlog-proof --key /media/usb/log.key
  membercard-pki log check growth.tlog-proof --key /media/usb/log.key --since /media/usb/2026-11-21.checkpoint
""",
)
def check(
    context: typer.Context,
    proof: Annotated[Path, typer.Argument(help="A file that `log prove` wrote.")],
    *,
    since: Annotated[
        Path | None, typer.Option(help="The older checkpoint that was kept, for a proof of growth.")
    ] = None,
    key: KeyOption = None,
    cosigner: CosignerOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Check a proof; with --key it needs nothing of the authority's."""
    data = read_file(proof, MAX_PROOF_BYTES)
    log = log_key(command_context(context).home) if key is None else read_log_key(key)
    keys: Sequence[NoteVerifier] = [log, *(_read_cosigner(path) for path in cosigner or ())]
    if is_growth_proof(data):
        if since is None:
            raise typer.BadParameter("a proof of growth needs the older checkpoint: --since FILE")
        old = read_checkpoint(read_file(since, MAX_NOTE_BYTES), [log])
        new = GrowthProof.from_bytes(data).verify(old, keys)
        print_document(
            {"origin": new.origin, "old_size": old.size, "size": new.size, "root": new.root.hex()},
            output_format,
        )
        return
    entry, checkpoint = InclusionProof.from_bytes(data).verify(keys)
    document: Document = {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "sequence": entry.sequence,
        "time": f"{entry.time:%Y-%m-%dT%H:%M:%SZ}",
        "kind": entry.kind,
    }
    # The salt has done its work; whoever wants it has the proof.
    document |= {
        f"record_{name}": value for name, value in entry.fields.items() if name != "log_salt"
    }
    print_document(document, output_format)


@log_app.command(
    "rebuild",
    epilog="""\b
Examples:
  membercard-pki --home pki log rebuild --checkpoint /media/usb/2026-11-21.checkpoint
""",
)
def log_rebuild(
    context: typer.Context,
    *,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint that was kept elsewhere; may be given several times."),
    ] = None,
    key: KeyOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make a damaged log anew from the journal, if the journal fits every checkpoint; the old files are kept."""
    leaves = rebuild(
        command_context(context).home,
        kept=[read_file(path, MAX_NOTE_BYTES) for path in checkpoint or ()],
        key=None if key is None else read_log_key(key),
    )
    print_document({"leaves": leaves}, output_format)


def _read_cosigner(path: Path) -> NoteVerifier:
    """A witness's key, which gives times, or another log's."""
    try:
        return read_witness_key(path)
    except PkiDataError:
        return read_log_key(path)


def _read_reference(text: str) -> bytes:
    try:
        reference = bytes.fromhex(text)
    except ValueError:
        reference = b""
    if len(reference) != _REFERENCE_BYTES:
        raise typer.BadParameter(
            f"expected {2 * _REFERENCE_BYTES} hexadecimal digits", param_hint="--reference"
        )
    return reference
