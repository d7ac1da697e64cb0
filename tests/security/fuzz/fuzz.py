"""Feeds the targets what coverage suggests: `python -m tests.security.fuzz.fuzz SECONDS` (extra `fuzz`).

`python -m tests security --long` starts it. What it finds ends it with a traceback and is written to `crash-…` in
the folder it runs in: put that file into `corpus/` with the fix.
"""

from __future__ import annotations

import sys
import tempfile

import atheris

with atheris.instrument_imports(include=["chat_app", "markdown_it", "html", "msgspec"]):
    from tests.security.fuzz import targets


def main() -> None:
    seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
    with tempfile.TemporaryDirectory() as grown:
        options = [f"-max_total_time={seconds}", "-max_len=2048", "-timeout=5", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, grown, str(targets.CORPUS)], targets.everything)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
