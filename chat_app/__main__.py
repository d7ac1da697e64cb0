"""`python -m chat_app`: the same commands as `roomlog`."""

import sys

from chat_app.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
