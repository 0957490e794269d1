"""Commands that delete a person's record: ``subject propose-deletion|deletions|confirm-deletion``, and what belongs to it."""

import json
import os
import uuid
from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_subjects import deletions_of
from issuer.cli_acts import read_evidence
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_json_list,
    print_table,
    standard_output,
)
from issuer.cli_rights import needs
from issuer.domain.data_subjects import DeletionGround, DeletionProposal
from issuer.domain.member import MemberId
from issuer.domain.rights import Right
from issuer.domain.subject_extract import DeletionProof
from issuer.errors import IssuerUnavailableError
from issuer.private_files import private_text_file
from issuer.services.subject_ports import DeletionPosition
from pki.durable import replace_file

__all__ = ["MemberArgument", "ReferenceOption", "deletion_app", "write_privately"]

deletion_app = typer.Typer(rich_markup_mode=None)

MemberArgument = Annotated[
    uuid.UUID, typer.Argument(help="The member's identifier, as `members list` shows it.")
]
ReferenceOption = Annotated[
    str, typer.Option(help="The paper that it rests on, such as the number of a letter.")
]


@deletion_app.command(
    "propose-deletion",
    epilog="""\b
Examples:
  membercard-issuer --home office subject propose-deletion 0b9f... --ground membership-ended --reference "decision 31"
  membercard-issuer --home office subject propose-deletion 0b9f... --ground ordered-by-authority --reference "order 7" --evidence order.pdf
""",
)
@needs(Right.SERVE_DATA_SUBJECTS, by_use_case=True)
def propose_command(
    context: typer.Context,
    member: MemberArgument,
    *,
    ground: Annotated[DeletionGround, typer.Option(help="On what ground.")],
    reference: ReferenceOption,
    evidence: Annotated[
        Path | None,
        typer.Option(help="That paper: PDF, JPEG or PNG. An authority's order must be brought."),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Propose to destroy all that tells who a person was; another person confirms it."""
    document = None if evidence is None else read_evidence(evidence)
    with open_register_home(command_context(context).home) as opened:
        proposal = deletions_of(opened).propose(
            MemberId(member),
            ground=ground,
            reference=reference,
            evidence=document,
            actor=command_context(context).actor,
        )
    if output_format is OutputFormat.JSON:
        print_json(_document(proposal))
    else:
        standard_output().print("It is proposed; another person confirms it.")


@deletion_app.command(
    "deletions",
    epilog="""\b
Examples:
  membercard-issuer --home office subject deletions
""",
)
@needs(Right.READ_MEMBERS, by_use_case=True)
def deletions_command(
    context: typer.Context, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """List the deletions that wait for a second person."""
    actor, found = command_context(context).actor, list[DeletionProposal]()
    with open_register_home(command_context(context).home) as opened:
        office = deletions_of(opened)
        behind = None
        while page := office.waiting(actor=actor, behind=behind):
            found += page
            behind = DeletionPosition(page[-1].proposed_at, page[-1].member_id)
    documents = [_document(each) for each in found]
    if output_format is OutputFormat.JSON:
        print_json_list(documents)
    else:
        print_table(
            ("Member", "Ground", "Reference", "Document", "Proposed by", "Proposed at"),
            (
                tuple("-" if value is None else value for value in each.values())
                for each in documents
            ),
        )


@deletion_app.command(
    "deletion-document",
    epilog="""\b
Examples:
  membercard-issuer --home office subject deletion-document 0b9f... --out order.pdf
""",
)
@needs(Right.READ_MEMBERS, by_use_case=True)
def document_command(
    context: typer.Context,
    member: MemberArgument,
    *,
    out: Annotated[Path, typer.Option(help="Where it is written, for its owner only.")],
) -> None:
    """Write the document that a proposal rests on, for whoever is to confirm it."""
    with open_register_home(command_context(context).home) as opened:
        content = deletions_of(opened).document(
            MemberId(member), actor=command_context(context).actor
        )
    write_privately(out, content)
    standard_output().print(f"The document is {out}.", markup=False)


@deletion_app.command(
    "withdraw-deletion",
    epilog="""\b
Examples:
  membercard-issuer --home office subject withdraw-deletion 0b9f...
""",
)
@needs(Right.READ_MEMBERS, by_use_case=True)
def withdraw_command(context: typer.Context, member: MemberArgument) -> None:
    """Take a proposal back, or refuse it; its document is destroyed."""
    with open_register_home(command_context(context).home) as opened:
        deletions_of(opened).withdraw(MemberId(member), actor=command_context(context).actor)
    standard_output().print("Nothing is deleted.")


@deletion_app.command(
    "confirm-deletion",
    epilog="""\b
Examples:
  membercard-issuer --home office subject confirm-deletion 0b9f... --proof proof.json
""",
)
@needs(Right.DELETE_MEMBERS, by_use_case=True)
def confirm_command(
    context: typer.Context,
    member: MemberArgument,
    *,
    proof: Annotated[
        Path, typer.Option(help="Where the proof for the person is written; it is made once.")
    ],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Destroy what another person proposed to destroy; what stays, and why, is in the proof.

    Cards in the member's hand end with it. The backups hold the record until they are replaced.
    """
    if proof.exists():
        raise typer.BadParameter(f"{proof} is there already", param_hint="--proof")

    def keep(made: DeletionProof) -> None:
        with private_text_file(proof) as file:
            json.dump(made.document(), file, ensure_ascii=False, indent=2)

    with open_register_home(command_context(context).home) as opened:
        made = deletions_of(opened).confirm(
            MemberId(member), actor=command_context(context).actor, keep=keep
        )
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "member_id": str(member),
                "digest": made.erasure.digest.hex(),
                "proof": str(proof),
                "destroyed": dict(made.destroyed),
            }
        )
    else:
        standard_output().print(f"The record is deleted; the proof is {proof}.", markup=False)


@deletion_app.command(
    "finish",
    epilog="""\b
Examples:
  membercard-issuer --home office subject finish
""",
)
@needs(Right.SERVE_DATA_SUBJECTS, by_use_case=True)
def finish_command(context: typer.Context, output_format: FormatOption = OutputFormat.TEXT) -> None:
    """Destroy the pictures and documents that a deletion left behind because it was interrupted."""
    with open_register_home(command_context(context).home) as opened:
        count = deletions_of(opened).finish(actor=command_context(context).actor)
    if output_format is OutputFormat.JSON:
        print_json({"files": count})
    else:
        standard_output().print(f"{count} files destroyed.")


def write_privately(path: Path, content: bytes) -> None:
    """Write a file for its owner only.

    Raises:
        IssuerUnavailableError: it cannot be written (``file.unavailable``).
    """
    try:
        replace_file(path, content)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be written: {os.strerror(error.errno or 0)}", code="file.unavailable"
        ) from error


def _document(proposal: DeletionProposal) -> dict[str, str | None]:
    return {
        "member_id": str(proposal.member_id),
        "ground": proposal.ground.value,
        "reference": proposal.reference,
        "document": None if proposal.evidence is None else proposal.evidence.hex(),
        "proposed_by": proposal.proposed_by,
        "proposed_at": proposal.proposed_at.isoformat(),
    }
