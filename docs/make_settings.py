"""Writes settings.md beside this file from the table in chat_app/settings.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chat_app.settings import SETTINGS, Setting

HEAD = """# Settings

<!-- Made by docs/make_settings.py from the table in chat_app/settings.py; a test compares. -->

Each setting is a flag, else an environment variable, else a default. An empty variable counts as not set.
Flags stand before or after the command. A value that cannot be used ends the program with one line on
standard error and exit code 2.

| variable | flag | default | meaning |
|---|---|---|---|
"""

TAIL = """
`PORT` and `DATA` in a default stand for those settings. An origin is what a browser sends: scheme, host and
port, without a path; upper case and the scheme's own port do not matter. An international name is given in
its `xn--` form.

## Secrets

`CHAT_COOKIE_SECRET` and `CHAT_METRICS_TOKEN` have no flag, since other users of a machine can read its
command lines. To change the cookie secret without signing everybody out, put the new one in front of the
old one with a comma between them, and drop the old one a month later. The file `cookie_secret` in the data
folder may hold the same: newest first, separated by commas. It must have mode 0600.
"""


def page() -> str:
    return HEAD + "".join(map(row, SETTINGS)) + TAIL


def row(setting: Setting) -> str:
    default = setting.default_text()
    flag = f"`{setting.flag}`" if setting.flag else "none"
    shown = "none" if default is None else f"`{default}`"
    return f"| `{setting.variable}` | {flag} | {shown} | {setting.meaning} |\n"


if __name__ == "__main__":
    Path(__file__).with_name("settings.md").write_text(page(), encoding="utf-8")
