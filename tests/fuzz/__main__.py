"""Fuzz one target, or all of them one after another: ``python -m tests.fuzz [TARGET ...] --seconds 300``."""

import argparse
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import MAX_BYTES, TARGETS

CORPUS = Path(__file__).with_name("corpus")
FOUND = Path("fuzz")


def main() -> int:
    """Run libFuzzer in a process of its own for each target; what breaks is kept under ``fuzz/``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help="all of them where none is named")
    parser.add_argument("--seconds", type=int, default=300, help="for each target")
    arguments = parser.parse_args()
    failed = []
    for name in arguments.targets or TARGETS:
        sys.stdout.write(f"fuzzing {name} for {arguments.seconds} s\n")
        sys.stdout.flush()
        learnt = FOUND / name
        learnt.mkdir(parents=True, exist_ok=True)
        result = subprocess.run(
            [
                sys.executable, "-m", "tests.fuzz.one_target", name,
                f"-max_total_time={arguments.seconds}", f"-max_len={MAX_BYTES}", "-timeout=1",
                f"-artifact_prefix={FOUND}/{name}-", "-print_final_stats=1",
                str(learnt), str(CORPUS / name),
            ],
            check=False,
        )  # fmt: skip
        if result.returncode:
            failed.append(name)
    sys.stdout.write(f"failed: {', '.join(failed)}\n" if failed else "nothing broke\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
