"""The command line: `python run.py …`, `roomlog …` and `python -m chat_app …` all come here.

It parses, has `commands` do the work and turns whatever goes wrong into one line on standard error and an
exit code.
"""

import argparse
import difflib
import errno
import itertools
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from traceback import extract_tb
from typing import NoReturn

from chat_app import __version__, commands
from chat_app.errors import ChatError
from chat_app.service_urls import database_url
from chat_app.settings import SETTINGS, Setting, Settings, SettingsError, load

ROLES = ("owner", "admin", "moderator", "member")
COMMANDS = (
    ("serve", "serve the chat; what happens when no command is given"),
    ("user add NAME --role ROLE --password-stdin", "add an account: owner, admin, moderator or member"),
    ("user list", "list the accounts"),
    ("user password NAME --password-stdin", "give an account a new password; its sessions end"),
    ("user role NAME ROLE", "give an account another role"),
    ("user disable NAME", "shut an account out; its sessions and sockets end at once"),
    ("user enable NAME", "let a disabled account in again"),
    ("user link NAME", "print a one-time sign-in link, for who forgot the password"),
    ("backup FILE", "copy the database into a new file, also while the server runs"),
    ("restore FILE", "put a backup in the database's place; the server must not run"),
    (
        "copy --from URL --to URL [--replace]",
        "copy everything from one database into another, SQLite or PostgreSQL, and compare; no server of "
        "either may run; an earlier copy is brought up to date, --replace overwrites anything else too",
    ),
    (
        "smoke --url URL --name NAME --password-stdin [--room lobby] [--timeout 5]",
        "sign in, send a message and wait until it comes back; exit code 0 when it does, else 1",
    ),
)  # fmt: skip
_OWN_FLAGS = {
    "--help", "--version", "--role", "--password-stdin", "--url", "--name", "--room", "--timeout", "--from",
    "--to", "--replace",
}  # fmt: skip
_URLS = "sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
_WIDTH = 100  # columns of the help text
_INDENT = 24  # columns before the meanings in it


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0 done, 1 `smoke` failed, 2 anything wrong."""
    arguments = _parser().parse_args(_known(sys.argv[1:] if argv is None else argv))
    try:
        settings = load(vars(arguments), os.environ)
    except SettingsError as error:
        return _complain(str(error))
    try:
        done: int = arguments.run(arguments, settings)
        return done
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        return _complain(_sentence(error, settings))


def _complain(sentence: str) -> int:
    sys.stderr.write(f"roomlog: {' '.join(sentence.split())}\n")
    return 2


def _sentence(error: BaseException, settings: Settings) -> str:
    """What went wrong, for a person; what nobody foresaw still says where in the program it was."""
    from chat_app.web.control_client import CommandRefused

    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, SettingsError | ChatError | CommandRefused):
        return str(error)
    if (cause := getattr(error, "orig", None)) is not None:  # SQLAlchemy's errors carry the database's own
        return f"The database {settings.data} cannot be used: {cause}."
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}."
    if isinstance(error, OSError):
        return _no_listening(error, settings) or f"{error.strerror or error}."
    place = next(
        (frame for frame in reversed(extract_tb(error.__traceback__)) if "chat_app" in frame.filename), None
    )
    where = f" ({Path(place.filename).name}, line {place.lineno})" if place else ""
    return f"This is a mistake in the program: {type(error).__name__}: {error}{where}."


def _no_listening(error: OSError, settings: Settings) -> str | None:
    match error.errno:
        case errno.EADDRINUSE:
            return f"Port {settings.port} of {settings.address} is in use; choose another (PORT, --port)."
        case errno.EACCES:
            return f"Port {settings.port} may not be used by this user; choose one above 1023 (PORT, --port)."
        case errno.EADDRNOTAVAIL:
            return f"{settings.address} is not an address of this machine (CHAT_ADDRESS, --address)."
    return None


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage that argparse puts in front."""

    def error(self, message: str) -> NoReturn:
        sys.exit(_complain(f"{message} (--help lists every command and flag)"))


def _parser() -> _Parser:
    flags = _flags()
    parser = _Parser(
        prog="roomlog",
        usage="%(prog)s [SETTINGS] [COMMAND]",
        description=_described_commands(),
        epilog=_described_variables(),
        formatter_class=_formatter,
        parents=[flags],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"roomlog {__version__}")
    parser.set_defaults(run=commands.serve)
    top = parser.add_subparsers(metavar="COMMAND", help=argparse.SUPPRESS)
    _add(top, flags, "serve", commands.serve)
    users = top.add_parser("user", parents=[flags], allow_abbrev=False, formatter_class=_formatter)
    actions = users.add_subparsers(metavar="ACTION", required=True, dest="action")
    add = _add(actions, flags, "add", commands.user_add, "name")
    add.add_argument("--role", choices=ROLES, required=True)
    _add_password(add)
    _add(actions, flags, "list", commands.user_list)
    _add_password(_add(actions, flags, "password", commands.user_password, "name"))
    role = _add(actions, flags, "role", commands.user_role, "name")
    role.add_argument("role", metavar="ROLE", choices=ROLES)
    _add(actions, flags, "disable", commands.user_disable, "name")
    _add(actions, flags, "enable", commands.user_enable, "name")
    _add(actions, flags, "link", commands.user_link, "name")
    _add(top, flags, "backup", commands.backup, "file")
    _add(top, flags, "restore", commands.restore, "file")
    copy = _add(top, flags, "copy", commands.copy)
    copy.add_argument("--from", dest="source", metavar="URL", type=_database, required=True, help=_URLS)
    copy.add_argument("--to", dest="target", metavar="URL", type=_database, required=True, help=_URLS)
    copy.add_argument("--replace", action="store_true", help="overwrite the target, whatever it holds")
    smoke = _add(top, flags, "smoke", commands.smoke)
    smoke.add_argument("--url", required=True, help="where the chat is, such as https://chat.example.org")
    smoke.add_argument("--name", required=True, help="the account that signs in")
    smoke.add_argument("--room", default="lobby", help="where it sends its message (default: lobby)")
    smoke.add_argument("--timeout", type=_timeout, default=5.0, help="seconds for all of it (default: 5)")
    _add_password(smoke)
    return parser


def _known(argv: Sequence[str]) -> list[str]:
    """The arguments, if every flag among them exists; argparse would complain about a wrong one's value."""
    known = {setting.flag for setting in SETTINGS if setting.flag} | _OWN_FLAGS
    for argument in itertools.takewhile(lambda argument: argument != "--", argv):
        flag = argument.partition("=")[0]
        if flag.startswith("--") and flag not in known:
            close = difflib.get_close_matches(flag, known, n=1)
            hint = f"did you mean {close[0]}?" if close else "--help lists every command and flag."
            sys.exit(_complain(f"There is no flag {flag}; {hint}"))
    return list(argv)


def _add(
    commands_: "argparse._SubParsersAction[_Parser]",
    flags: _Parser,
    name: str,
    run: commands.Command,
    *positional: str,
) -> _Parser:
    parser = commands_.add_parser(name, parents=[flags], allow_abbrev=False, formatter_class=_formatter)
    parser.set_defaults(run=run)
    for argument in positional:
        parser.add_argument(argument, metavar=argument.upper())
    return parser


def _add_password(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--password-stdin", action="store_true", help="the password is one line on standard input"
    )


def _flags() -> _Parser:
    """The settings' flags, for before and after the command; SUPPRESS lets the one that was given win."""
    flags = _Parser(add_help=False, allow_abbrev=False)
    group = flags.add_argument_group("settings: the flag, else the environment variable, else the default")
    for setting in SETTINGS:
        if setting.flag:
            group.add_argument(
                setting.flag,
                dest=setting.name,
                metavar=setting.metavar,
                default=argparse.SUPPRESS,
                help=_described(setting).replace("%", "%%"),
            )
    return flags


def _described(setting: Setting) -> str:
    default = setting.default_text()
    return f"{setting.meaning} [{setting.variable}; default: {'none' if default is None else default}]"


def _described_commands() -> str:
    return "\n".join(["A room chat that hosts itself.", "", "commands:", *_listed(COMMANDS)])


def _described_variables() -> str:
    title = "environment variables without a flag, for others can read a command line:"
    rows = [(row.variable, f"{row.meaning} [default: none]") for row in SETTINGS if not row.flag]
    return "\n".join([title, *_listed(rows)])


def _listed(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Two columns as argparse sets them; a long name has a line of its own."""
    for name, meaning in rows:
        lines = textwrap.wrap(meaning, _WIDTH - _INDENT)
        if len(name) > _INDENT - 4:
            yield f"  {name}"
        else:
            yield f"  {name:<{_INDENT - 2}}{lines.pop(0)}"
        yield from (" " * _INDENT + line for line in lines)


def _formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=_INDENT, width=_WIDTH)


def _database(text: str) -> str:
    try:
        return database_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0, at most 3600")
    return seconds
