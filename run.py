"""Starts Roomlog from a clone: `python run.py [COMMAND …]`; `python run.py --help` lists the commands.

With nothing installed it first makes `.venv` beside this file; see chat_app/bootstrap.py.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (this line is what an older Python gets to say)
    sys.stderr.write(
        "roomlog: Python 3.11 or newer is needed; this is Python {}.{}\n".format(*sys.version_info)
    )
    sys.exit(2)

from chat_app import bootstrap

if __name__ == "__main__":
    bootstrap.enter(sys.argv)

    from chat_app.cli import main

    sys.exit(main(sys.argv[1:]))
