"""Reports as people see them in a terminal: the verdict first, then why, then who.

Whatever came from a card is printed as plain text: characters that steer a terminal, or hide, are replaced.
"""

import sys
from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from verifier.inspection.checks import CheckResult, CheckState
from verifier.inspection.codes import CodeExplanation, explain
from verifier.inspection.holder import Holder, PortraitFacts
from verifier.inspection.report import Assurance, Report, Verdict
from verifier.services.inspect_batch import BatchEntry
from verifier.services.inspect_card import Inspection

__all__ = [
    "batch_table",
    "explanation",
    "headline",
    "holder_view",
    "printable",
    "report_view",
    "standard_error",
    "standard_output",
    "timings",
]

_PLAIN_WIDTH: Final = 160

_VERDICT_STYLES: Final = {
    Verdict.ACCEPTED: "green",
    Verdict.REFUSED: "red",
    Verdict.UNREADABLE: "yellow",
}
_VERDICT_SENTENCES: Final = {
    Verdict.ACCEPTED: "The card passed every check that the policy requires.",
    Verdict.REFUSED: "Do not accept this card.",
    Verdict.UNREADABLE: "The card could not be read; that says nothing about it.",
}
_ASSURANCE_SENTENCES: Final = {
    Assurance.NONE: "Nothing is proven.",
    Assurance.DATA: "The data is genuine; the chip is not proven.",
    Assurance.DATA_AND_CHIP: "The data is genuine, and so is the chip.",
}
_STATES: Final = {
    CheckState.PASSED: ("passed", "green"),
    CheckState.FAILED: ("FAILED", "bold red"),
    CheckState.NOT_PERFORMED: ("not performed", "yellow"),
}
_HOLDER_LABELS: Final = {
    "full_name": "Name",
    "birth_date": "Born",
    "sex": "Sex",
    "place_of_birth": "Place of birth",
    "home_town": "Home town",
    "ethnic_group": "Ethnic group",
    "citizen_number": "Citizen number",
    "card_number": "Card number",
    "record_number": "Record number",
    "organisation_name": "Organisation",
    "organisation_code": "Organisation code",
    "admission_date": "Admitted",
    "recognition_date": "Recognised",
    "kind": "Kind of card",
    "ordinal": "Card no. of member",
    "document_number": "Document number",
    "issuing_committee": "Issued by",
    "date_of_issue": "Issued on",
    "valid_from": "Valid from",
    "valid_until": "Valid until",
    "portrait": "Portrait",
}


def standard_output() -> Console:
    """Where reports go; wide and without colours where it is not a terminal."""
    return _console(stderr=False)


def standard_error() -> Console:
    """Where errors and progress go."""
    return _console(stderr=True)


def printable(text: str) -> str:
    """The text with every character that prints nothing replaced; line ends included."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def report_view(
    inspection: Inspection, *, show_unverified: bool, is_terminal: bool
) -> RenderableType:
    """One card: verdict, checks with their clauses, codes with what to do, and the holder where there is one."""
    report = inspection.report
    parts: list[RenderableType] = [
        headline(report, is_terminal=is_terminal),
        _checks(report, is_terminal),
    ]
    for code in (*report.codes, *report.notes):
        entry = explain(code)
        parts += [
            Text.assemble((code, "bold"), "  ", entry.cause),
            Text.assemble("  ", (f"What to do: {entry.remedy}", "dim")),
        ]
    holder = holder_view(report, show_unverified=show_unverified)
    if holder is not None:
        parts += [Text(), holder]
    parts += [Text(), Text(timings(inspection), "dim")]
    return Group(*parts)


def batch_table(
    results: Sequence[tuple[BatchEntry, Inspection]], *, show_unverified: bool, is_terminal: bool
) -> RenderableType:
    """Many cards, a row each, and the sum of the verdicts."""
    table = Table(box=box.SIMPLE_HEAD if is_terminal else None, pad_edge=False)
    table.add_column("card", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("assurance", no_wrap=True)
    table.add_column("name", overflow="fold")
    table.add_column("card number", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    is_any_in_the_way = any(
        inspection.report.codes or inspection.report.notes for _, inspection in results
    )
    if is_any_in_the_way:
        table.add_column("why not", overflow="fold")
    for entry, inspection in results:
        report = inspection.report
        holder = report.unverified_holder if show_unverified else report.holder
        table.add_row(
            entry.label,
            Text(_verdict_words(report.verdict), _VERDICT_STYLES[report.verdict]),
            report.assurance.value,
            Text(printable((holder.full_name if holder else None) or "")),
            Text(printable((holder.card_number if holder else None) or "")),
            f"{sum(report.phase_seconds.values()) + inspection.judge_seconds:.2f}",
            *([Text(", ".join((*report.codes, *report.notes)))] if is_any_in_the_way else []),
        )
    counts = dict.fromkeys(Verdict, 0)
    for _, inspection in results:
        counts[inspection.report.verdict] += 1
    summary = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)
    return Group(table, Text(f"{len(results)} cards: {summary}", "bold"))


def explanation(entry: CodeExplanation) -> RenderableType:
    """One code of docs/codes.md."""
    table = Table.grid(padding=(0, 2))
    table.add_row(Text("code", "dim"), Text(entry.code, "bold"))
    table.add_row(Text("means", "dim"), Text(entry.severity.value))
    table.add_row(Text("clause", "dim"), Text(f"{entry.clause} of card_layout/SPEC.md"))
    table.add_row(Text("cause", "dim"), Text(entry.cause))
    table.add_row(Text("what to do", "dim"), Text(entry.remedy))
    return table


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr,
        highlight=False,
        markup=False,
        emoji=False,
        width=None if stream.isatty() else _PLAIN_WIDTH,
    )


def headline(report: Report, *, is_terminal: bool) -> RenderableType:
    """The verdict and the assurance, before everything else."""
    style = _VERDICT_STYLES[report.verdict]
    words = _verdict_words(report.verdict)
    sentences = f"{_VERDICT_SENTENCES[report.verdict]} {_ASSURANCE_SENTENCES[report.assurance]}"
    if not is_terminal:
        return Text(f"{words}: {sentences}\n")
    return Panel(
        Text(f"{words}\n", f"bold {style}", justify="center").append(sentences, "default"),
        border_style=style,
        box=box.HEAVY,
    )


def _verdict_words(verdict: Verdict) -> str:
    # Words and signs beside the colour: not everybody sees red and green apart.
    sign = {Verdict.ACCEPTED: "\u2713", Verdict.REFUSED: "\u2717", Verdict.UNREADABLE: "?"}[verdict]
    return f"{sign} {verdict.value.upper()}"


def _checks(report: Report, is_terminal: bool) -> Table:  # noqa: FBT001 - a fact, not a switch
    table = Table(box=box.SIMPLE_HEAD if is_terminal else None, pad_edge=False)
    table.add_column("clause", justify="right")
    for heading in ("check", "result", ""):
        table.add_column(heading, overflow="fold")
    for check in report.checks:
        words, style = _STATES[check.state]
        table.add_row(check.clause, check.name.value, Text(words, style), _sentence(check, report))
    return table


def _sentence(check: CheckResult, report: Report) -> Text:
    text = Text(printable(check.sentence))
    if check.code is not None:
        text.append(f" [{check.code}]", "dim")
    if check.name not in report.required_checks:
        text.append(" (not required)", "dim")
    return text


def holder_view(report: Report, *, show_unverified: bool) -> RenderableType | None:
    """Who the card belongs to, where that may be shown."""
    holder = report.unverified_holder if show_unverified else report.holder
    if holder is None:
        return None
    return _holder(holder, is_verified=report.verdict is Verdict.ACCEPTED)


def _holder(holder: Holder, *, is_verified: bool) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.title = None if is_verified else Text("UNVERIFIED: nobody vouches for this", "bold red")
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, label in _HOLDER_LABELS.items():
        value = getattr(holder, name)
        if isinstance(value, PortraitFacts):
            value = f"{value.format}, {value.width} x {value.height}, {value.size_bytes} bytes"
        if value is not None:
            table.add_row(label, Text(printable(str(value))))
    return table


def timings(inspection: Inspection) -> str:
    """The way in, the number of commands, and what each phase took."""
    report = inspection.report
    phases = [
        f"{phase.value} {seconds:.3f} s" for phase, seconds in report.phase_seconds.items()
    ] + [f"judge {inspection.judge_seconds:.3f} s"]
    return f"{report.access.path.value}; {report.apdu_count} commands; {', '.join(phases)}"
