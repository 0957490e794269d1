"""Write docs/conformance.csv and docs/conformance.md anew from the suites."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # The vectors share the drafts of certificates with the lint's.
    sys.path.insert(0, str(Path(__file__).parents[1] / "lint"))
    from conformance_vectors.table import DOCS, all_rows, to_csv, to_markdown

    rows = all_rows()
    (DOCS / "conformance.csv").write_text(to_csv(rows), "utf-8")
    (DOCS / "conformance.md").write_text(to_markdown(rows), "utf-8")
