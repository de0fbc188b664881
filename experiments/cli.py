"""Dispatch: which command was asked for, who parses its arguments, and what an error looks like to the user.

Nothing here imports torch, mediapipe or lightning; the chosen command's module does so when it gets there.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from experiments.command_table import COMMANDS, CommandEntry, find_command
from lightning_modules.errors import ConfigError, InkspeakError

INTERRUPTED = 130
TERMINATED = 143
UNEXPECTED = 1


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; every error becomes one line on standard error.

    Args:
        arguments: what the user typed after ``inkspeak``.

    Returns:
        0 when all went well, 2 for wrong input or options, 130 after Ctrl-C, 143 after SIGTERM, 1 for a bug.
    """
    debug = "--debug" in _before_separator(arguments)
    try:
        code = dispatch(list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (a pager, head) has gone: that is not an error, but Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except Exception as error:  # noqa: BLE001 - the last door before the user
        return report_error(error, debug=debug)
    return code


def report_error(error: Exception, *, debug: bool) -> int:
    """Print one error as the user should see it and return the exit code that it stands for.

    Args:
        error: what was raised.
        debug: print the traceback first.
    """
    if debug:
        traceback.print_exception(error)
    if isinstance(error, InkspeakError):
        _say(f"error: {error}")
        return error.exit_code
    text = " ".join(str(error).split())
    hint = "" if debug else "; add --debug to see where"
    _say(f"error: unexpected {type(error).__name__}{': ' if text else ''}{text}{hint}")
    return UNEXPECTED


def dispatch(arguments: list[str]) -> int:
    """Find the command and call it.

    Raises:
        ConfigError: there is no such command, or its arguments are wrong.
    """
    plain = _before_separator(arguments)
    debug = "--debug" in plain
    words = [word for word in plain if word != "--debug"] + arguments[len(plain) :]
    if not words or words[0] in {"-h", "--help", "help"}:
        print(overview())
        return 0
    if words[0] == "--version":
        print(f"inkspeak {installed_version()}")
        return 0
    entry = find_command(words[0])
    if entry is None:
        raise _no_such("command", words[0], [row.name for row in COMMANDS], "inkspeak")
    module = importlib.import_module(entry.module)
    if hasattr(module, "run_command_line"):  # it has a parser of its own
        return int(module.run_command_line(words))
    return _run_function(entry, module, words[1:], debug=debug)


def _run_function(entry: CommandEntry, module: ModuleType, words: list[str], *, debug: bool) -> int:
    """Parse the arguments of a plain function and call it; a module may carry several as ``SUBCOMMANDS``."""
    from experiments.signature_parser import command_parser, explain_parsing_error

    name = entry.name
    subcommands = getattr(module, "SUBCOMMANDS", None)
    if subcommands is None:
        command = getattr(module, entry.name)
    else:
        if not words or words[0] in {"-h", "--help"}:
            print(_subcommand_overview(entry, module))
            return 0
        if words[0] not in subcommands and hasattr(module, "WITHOUT_SUBCOMMAND") and _names_files(words[0]):
            words = [module.WITHOUT_SUBCOMMAND, *words]
        if words[0] not in subcommands:
            raise _no_such(f"'{entry.name}' command", words[0], list(subcommands), f"inkspeak {entry.name}")
        command, name, words = subcommands[words[0]], f"{entry.name} {words[0]}", words[1:]
    parser = command_parser(command, name, getattr(module, "OPTIONS", None))
    try:
        values = vars(parser.parse_args(words))
    except argparse.ArgumentError as error:
        raise explain_parsing_error(str(error), command, parser, name) from error
    values.pop("debug")
    if "debug" in command.__annotations__:
        values["debug"] = debug
    with termination_cleans_up():
        return int(command(**values) or 0)


@contextmanager
def termination_cleans_up() -> Iterator[None]:
    """Let SIGTERM leave through the same doors as an error, so that unfinished outputs are removed.

    Python's own answer to SIGTERM is to stop at once. Training keeps Lightning's answer (a checkpoint) instead.
    """

    def leave(number: int, frame: object) -> None:  # noqa: ARG001 - the signature of a handler
        _say("terminated")
        raise SystemExit(TERMINATED)

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def overview() -> str:
    """Text of ``inkspeak --help``: every command with one line, grouped."""
    lines = ["usage: inkspeak COMMAND [arguments]"]
    lines += ["", "A face photo and a voice become a talking portrait line drawing."]
    for group in dict.fromkeys(entry.group for entry in COMMANDS):
        lines += ["", f"{group}:"]
        lines += [f"  {entry.name:<10} {entry.summary}" for entry in COMMANDS if entry.group == group]
    lines += [
        "",
        "Options:",
        "  -h, --help  this text; after a command, the options of that command",
        "  --version   the version",
        "  --debug     with any command: show the full traceback of an error",
        "",
        "example:",
        "  inkspeak animate me.jpg hello.wav -o hello.mp4",
    ]
    return "\n".join(lines)


def installed_version() -> str:
    """Version of the installed distribution."""
    try:
        return version("inkspeak")
    except PackageNotFoundError:
        return "(not installed, run from its folder)"


def _subcommand_overview(entry: CommandEntry, module: ModuleType) -> str:
    from experiments.signature_parser import read_docstring

    lines = [f"usage: inkspeak {entry.name} COMMAND [arguments]"]
    lines += ["", f"{entry.summary[0].upper()}{entry.summary[1:]}.", ""]
    lines += [f"  {name:<10} {read_docstring(function).summary}" for name, function in module.SUBCOMMANDS.items()]
    examples = [read_docstring(function).example.strip() for function in module.SUBCOMMANDS.values()]
    lines += ["", "example:", *(f"  {line}" for example in examples for line in example.splitlines())]
    return "\n".join(lines)


def _names_files(word: str) -> bool:
    """Whether a word is a path or a pattern rather than a misspelt name of a command."""
    return os.path.exists(word) or any(sign in word for sign in "./\\*?[")  # noqa: PTH110 - the word may be anything


def _no_such(what: str, given: str, known: list[str], prefix: str) -> ConfigError:
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.4)
    remedy = f"did you mean '{prefix} {near[0]}'?" if near else f"see {prefix} --help"
    return ConfigError(f"there is no {what} '{given}'", remedy)


def _before_separator(arguments: Sequence[str]) -> list[str]:
    """The part in which words starting with a dash are options: all before a lone ``--``."""
    words = list(arguments)
    return words[: words.index("--")] if "--" in words else words


def _say(line: str) -> None:
    print(f"inkspeak: {line}", file=sys.stderr)
