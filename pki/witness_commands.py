"""The commands ``membercard-pki log witness ...`` at a witness, and what the log's keeper does with cosignatures."""

from pathlib import Path
from typing import Annotated, Final

import typer

from pki.cli_context import command_context
from pki.errors import RecordError
from pki.log_files import read_file, read_log_key, read_witness_key, write_file
from pki.presentation import FormatOption, OutputFormat, print_document, print_warning
from pki.record.transparency_note import MAX_NOTE_BYTES, Checkpoint
from pki.record.transparency_policy import MAX_POLICY_BYTES, LogPolicy
from pki.record.transparency_proof import MAX_PROOF_BYTES
from pki.services.log_evidence import CardProof, collect_cosignatures, export_proofs
from pki.services.log_reading import log_key
from pki.witness_home import WitnessHome

__all__ = ["mount_evidence"]

_MAX_COPIES: Final = 32

witness_app = typer.Typer(
    help="A witness of a log: somebody else's machine, which never lets the log go back.",
    rich_markup_mode=None,
)

DirectoryOption = Annotated[Path, typer.Option("--directory", help="The witness's directory.")]
WitnessOption = Annotated[
    list[Path],
    typer.Option("--witness", help="File with a witness's key; may be given several times."),
]


def mount_evidence(log: typer.Typer) -> None:
    """Add the commands to ``log``."""
    log.add_typer(witness_app, name="witness")
    log.command("collect", epilog=_COLLECT_EXAMPLES)(log_collect)
    log.command("policy", epilog=_POLICY_EXAMPLES)(log_policy)
    log.command("export", epilog=_EXPORT_EXAMPLES)(log_export)


_COLLECT_EXAMPLES = """\b
Examples:
  membercard-pki --home pki log collect from-archive.checkpoint from-auditor.checkpoint --witness archive.key --witness auditor.key
"""

_POLICY_EXAMPLES = """\b
Examples:
  membercard-pki --home pki log policy --witness archive.key --witness auditor.key --threshold 2 --out log.policy
"""

_EXPORT_EXAMPLES = """\b
Examples:
  membercard-pki --home pki log export --signer ds-1 --policy log.policy --to trust
"""


@witness_app.command(
    "create",
    epilog="""\b
Examples:
  membercard-pki log witness create --directory witness --name archive.example/witness --log log.key --pin-file witness.pin
""",
)
def witness_create(
    *,
    directory: DirectoryOption,
    name: Annotated[
        str, typer.Option(help="A name like a URL without its scheme, which no other witness has.")
    ],
    log: Annotated[Path, typer.Option(help="File with the log's key, as `log key` shows it.")],
    pin_file: Annotated[
        Path, typer.Option(help="File with the PIN; made with a random one where it is not there.")
    ],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make a witness of one log, with a key of its own."""
    settings = WitnessHome(directory).create(name=name, log=read_log_key(log), pin_file=pin_file)
    print_warning(
        "the key lies in an encrypted file; give its public half to those who trust the witness"
    )
    print_document(
        {
            "name": settings.key.name,
            "key_id": settings.key.key_id.hex(),
            "key": settings.key.to_text(),
            "log": settings.log.name,
        },
        output_format,
    )


@witness_app.command(
    "key",
    epilog="""\b
Examples:
  membercard-pki log witness key --directory witness > archive.key
""",
)
def witness_key(
    *, directory: DirectoryOption, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """Show the public key that verifies this witness's cosignatures, as signed notes write keys."""
    key = WitnessHome(directory).settings().key
    if output_format is OutputFormat.JSON:
        print_document(
            {"name": key.name, "key_id": key.key_id.hex(), "key": key.to_text()}, output_format
        )
        return
    typer.echo(key.to_text())


@witness_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-pki log witness show --directory witness
""",
)
def witness_show(
    *, directory: DirectoryOption, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """Show what the witness has seen last."""
    home = WitnessHome(directory)
    settings, seen = home.settings(), home.read_seen()
    print_document(
        {
            "name": settings.key.name,
            "log": settings.log.name,
            "size": None if seen is None else seen.size,
            "root": None if seen is None else seen.root.hex(),
            "time": None if seen is None else f"{seen.time:%Y-%m-%dT%H:%M:%SZ}",
        },
        output_format,
    )


@witness_app.command(
    "cosign",
    epilog="""\b
Examples:
  membercard-pki log witness cosign first.checkpoint --directory witness --out cosigned.checkpoint
  membercard-pki log witness cosign growth.tlog-proof --directory witness --out cosigned.checkpoint
""",
)
def witness_cosign(
    *,
    request: Annotated[
        Path,
        typer.Argument(
            help="A growth proof (`log prove --since`) from the last checkpoint, or a first checkpoint."
        ),
    ],
    directory: DirectoryOption,
    out: Annotated[
        Path, typer.Option(help="Where the checkpoint is written, with the cosignature added.")
    ],
    pin_file: Annotated[
        Path | None,
        typer.Option(help="File with the PIN; the one given at creation is remembered."),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Cosign a checkpoint that continues all that this witness has seen; anything else is refused."""
    home = WitnessHome(directory)
    with home.open(pin_file=pin_file) as witness:
        note = witness.cosign(read_file(request, MAX_PROOF_BYTES))
        seen = home.read_seen()
    write_file(out, note.to_bytes())
    checkpoint = Checkpoint.from_text(note.text)
    print_document(
        {
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
            "time": None if seen is None else f"{seen.time:%Y-%m-%dT%H:%M:%SZ}",
            "file": str(out),
        },
        output_format,
    )


def log_collect(
    context: typer.Context,
    copies: Annotated[
        list[Path], typer.Argument(help="Copies of one checkpoint, each with a cosignature.")
    ],
    *,
    witness: WitnessOption,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Keep a checkpoint with the cosignatures that witnesses gave: proofs of how old a signature is stand on it."""
    if len(copies) > _MAX_COPIES:
        raise typer.BadParameter(f"expected at most {_MAX_COPIES} files")
    checkpoint = collect_cosignatures(
        command_context(context).home,
        [read_file(path, MAX_NOTE_BYTES) for path in copies],
        witnesses=[read_witness_key(path) for path in witness],
    )
    print_document(
        {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()},
        output_format,
    )


def log_policy(
    context: typer.Context,
    *,
    witness: WitnessOption,
    threshold: Annotated[int, typer.Option(min=1, help="How many of them must have cosigned.")],
    out: Annotated[Path, typer.Option(help="Where to write it: log/log.policy of a terminal.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write which log and witnesses terminals believe (C2SP tlog-policy), and how many of these."""
    policy = LogPolicy.of_threshold(
        log=log_key(command_context(context).home),
        witnesses=[read_witness_key(path) for path in witness],
        threshold=threshold,
    )
    write_file(out, policy.to_bytes())
    print_document(
        {
            "log": policy.logs[0].name,
            "witnesses": len(policy.witnesses),
            "threshold": threshold,
            "file": str(out),
        },
        output_format,
    )


def log_export(
    context: typer.Context,
    *,
    signer: Annotated[str, typer.Option(help="The signer whose cards' proofs are wanted.")],
    policy: Annotated[Path, typer.Option(help="Which log and witnesses count: `log policy`.")],
    to: Annotated[Path, typer.Option(help="The terminals' trust directory.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write the policy and a proof for every card of a signer that a cosigned checkpoint covers: log/ and proofs/."""
    found = LogPolicy.from_bytes(read_file(policy, MAX_POLICY_BYTES))
    directory = to / "proofs"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (to / "log").mkdir(exist_ok=True)
    except OSError as error:
        raise RecordError(
            f"{to} cannot be written: {error.strerror}", code="log.unwritable"
        ) from error

    def take(proof: CardProof) -> None:
        write_file(directory / f"{proof.digest}.tlog-proof", proof.content)

    report = export_proofs(command_context(context).home, signer, policy=found, take=take)
    write_file(to / "log" / "log.policy", found.to_bytes())
    if report.not_covered:
        print_warning(
            f"{report.not_covered} cards have no proof: no checkpoint with enough cosignatures covers them"
        )
    print_document(
        {
            "signer": signer,
            "proofs": report.proven,
            "without_proof": report.not_covered,
            "directory": str(to),
        },
        output_format,
    )
