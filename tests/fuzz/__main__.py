"""Fuzz targets one after another: ``python -m tests.fuzz [TARGET ...] --seconds 300``; what breaks is kept."""

import argparse
import os
import sys
from pathlib import Path

import atheris

# Instrumenting takes seconds. It is done once; each target then runs in a fork of this process.
with atheris.instrument_imports(include=["card_layout", "pki", "verifier", "issuer"]):
    from tests.fuzz.targets import MAX_BYTES, TARGETS

CORPUS = Path(__file__).with_name("corpus")
UNIT_SECONDS = 1
"""No bytes may keep a reader busy for longer."""


def main() -> int:
    """Run libFuzzer in a process of its own for each target, with its words in ``FOUND/TARGET/log``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help="all of them where none is named")
    parser.add_argument("--seconds", type=int, default=300, help="for each target")
    parser.add_argument(
        "--runs", type=int, help="for each target but slow ones, instead of seconds"
    )
    parser.add_argument("--unit-seconds", type=int, default=UNIT_SECONDS, help="for one input")
    parser.add_argument("--found", type=Path, default=Path("fuzz"), help="where findings are kept")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.targets) - set(TARGETS))
    if unknown:
        parser.error(f"got {', '.join(unknown)}, expected some of {', '.join(TARGETS)}")
    failed = []
    for name in arguments.targets or TARGETS:
        sys.stdout.write(f"{name}: ")
        sys.stdout.flush()
        folder: Path = arguments.found / name
        (folder / "learnt").mkdir(parents=True, exist_ok=True)
        end = (
            # The seed of the short run is always the same: it finds today what it found yesterday.
            [f"-runs={arguments.runs // TARGETS[name].share}", "-seed=1"]
            if arguments.runs
            else [f"-max_total_time={arguments.seconds}"]
        )
        options = [
            *end,
            f"-max_len={MAX_BYTES}",
            f"-timeout={arguments.unit_seconds}",
            f"-artifact_prefix={folder}/",
            "-print_final_stats=1",
            str(folder / "learnt"),
            str(CORPUS / name),
        ]
        log = folder / "log"
        if _run(name, options, log):
            failed.append(name)
            sys.stdout.write(f"broke, see {log}\n")
        else:
            sys.stdout.write("nothing broke\n")
    return 1 if failed else 0


def _run(name: str, options: list[str], log: Path) -> int:
    """The exit status of one fork."""
    child = os.fork()
    if not child:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        atheris.Setup([sys.argv[0], *options], TARGETS[name].try_on)
        # It ends the process itself.
        atheris.Fuzz()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
