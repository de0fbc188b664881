"""From a typed function with a Google docstring to a jsonargparse parser, and from its complaints to one plain line.

A command is an ordinary function. The text of its docstring becomes the description, ``Args:`` the option texts and
``Example:`` the block at the end of ``--help``. Parameters before the ``*`` are positional, a ``bool`` becomes a pair
of switches (``--cache``, ``--no-cache``), underscores become dashes. What a signature cannot say (a short name, a
heading) is given by :class:`Option`.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from docstring_parser import DocstringStyle
from docstring_parser import parse as parse_docstring
from jsonargparse import ActionYesNo, ArgumentParser

from lightning_modules.errors import ConfigError

Command = Callable[..., int | None]


@dataclass(frozen=True)
class Option:
    """What the signature of a command does not say about one of its parameters.

    Attributes:
        short: short name such as ``"-o"``.
        metavar: what stands for the value in the help.
        group: heading under which the option is listed.
        bare: value meant by giving the option without a value.
    """

    short: str | None = None
    metavar: str | None = None
    group: str | None = None
    bare: str | None = None


@dataclass(frozen=True)
class CommandText:
    """The parts of a command's docstring."""

    summary: str
    description: str
    arguments: Mapping[str, str]
    example: str


def read_docstring(command: Command) -> CommandText:
    """Take a Google docstring apart."""
    parsed = parse_docstring(inspect.getdoc(command) or "", style=DocstringStyle.GOOGLE)
    description = parsed.description or ""
    examples = (meta.description or "" for meta in parsed.meta if meta.args == ["examples"])
    return CommandText(
        summary=description.partition("\n\n")[0].strip(),
        description=description.strip(),
        arguments={p.arg_name: " ".join((p.description or "").split()) for p in parsed.params},
        example="\n".join(examples),
    )


def command_parser(command: Command, name: str, options: Mapping[str, Option] | None = None) -> ArgumentParser:
    """Build the parser of one command from its signature and docstring.

    Args:
        command: the function.
        name: how the user calls it, e.g. ``"animate"`` or ``"weights list"``.
        options: extras by parameter name.

    Returns:
        A parser that raises ``argparse.ArgumentError`` instead of leaving the process.
    """
    options = options or {}
    text = read_docstring(command)
    parameters = [p for p in inspect.signature(command).parameters.values() if p.name != "debug"]
    hints = get_type_hints(command)
    parser = ArgumentParser(
        prog=f"inkspeak {name}",
        usage=_usage(name, parameters, options),
        description=text.description,
        epilog=f"example:\n{_indent(text.example)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
    )
    groups: dict[str, Any] = {}
    for parameter in parameters:
        option = options.get(parameter.name, Option())
        target: Any = parser
        if option.group is not None:
            if option.group not in groups:
                groups[option.group] = parser.add_argument_group(option.group)
            target = groups[option.group]
        _add_argument(target, parameter, hints[parameter.name], text.arguments.get(parameter.name, ""), option)
    parser.add_argument("--debug", action="store_true", help="show the full traceback of an error")
    return parser


class _Given(list[Any]):
    """Values of an option from the command line, told from its default by their type."""


class _Adding(argparse.Action):
    """A list: given, it stands in place of the default; given again, it adds to what was given before."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        """Keep the values."""
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, _Given([*(before if isinstance(before, _Given) else []), *values]))


def _add_argument(target: Any, parameter: inspect.Parameter, hint: Any, text: str, option: Option) -> None:
    """Add one parameter of the function to a parser or to one of its groups."""
    if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
        many = get_origin(hint) is list
        target.add_argument(
            parameter.name,
            type=get_args(hint)[0] if many else hint,
            nargs="*" if many else None,
            metavar=option.metavar or parameter.name.upper(),
            help=text,
        )
        return
    name = "--" + parameter.name.replace("_", "-")
    names = (name,) if option.short is None else (option.short, name)
    default = parameter.default
    if default not in (None, []) and not isinstance(default, bool):
        text = f"{text} (default: {default})"
    extra: dict[str, Any] = {"default": default, "help": text}
    if hint is bool and default is False:
        target.add_argument(*names, action="store_true", help=text)
        return
    if hint is bool:
        target.add_argument(*names, **(extra | {"action": ActionYesNo(yes_prefix="", no_prefix="no-")}))
        return
    if option.bare is not None:
        extra |= {"nargs": "?", "const": option.bare}
    if get_origin(hint) is list:
        hint = get_args(hint)[0]
        extra |= {"nargs": "+", "action": _Adding}
    if get_origin(hint) is not Literal:
        extra["metavar"] = option.metavar or _metavar(hint)
    target.add_argument(*names, type=hint, **extra)


def _usage(name: str, parameters: list[inspect.Parameter], options: Mapping[str, Option]) -> str:
    inputs = [
        options.get(parameter.name, Option()).metavar or parameter.name.upper()
        for parameter in parameters
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    return " ".join(["inkspeak", name, *inputs, "[options]"])


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _parts(hint: Any) -> list[Any]:
    """The alternatives of a union without ``None``, or the type itself."""
    if get_origin(hint) in (Union, UnionType):
        return [part for part in get_args(hint) if part is not NoneType]
    return [hint]


def _metavar(hint: Any) -> str:
    names = {int: "N", float: "X", Path: "PATH", str: "TEXT"}
    words = []
    for part in _parts(hint):
        words += [str(value) for value in get_args(part)] if get_origin(part) is Literal else [names.get(part, "VALUE")]
    return "|".join(words)


def _expected(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", Path: "a path", str: "a text"}
    words = []
    for part in _parts(hint):
        values = [f"'{v}'" for v in get_args(part)] if get_origin(part) is Literal else [names.get(part, str(part))]
        words += values
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def explain_parsing_error(message: str, command: Command, parser: ArgumentParser, name: str) -> ConfigError:
    """Turn a parser's complaint, often several lines about types, into one sentence about an option.

    Args:
        message: text of the ``argparse.ArgumentError``.
        command: the function that was being parsed for; its annotations say what was expected.
        parser: the parser that complained.
        name: how the user calls the command, for the hint.

    Returns:
        The error to raise instead.
    """
    see = f"see inkspeak {name} --help"
    if unknown := re.search(r"unrecognized arguments: (--?[^\s=]+)", message):
        known = [string for action in parser._actions for string in action.option_strings]  # noqa: SLF001
        near = difflib.get_close_matches(unknown[1], known, n=1, cutoff=0.5)
        return ConfigError(f"there is no option {unknown[1]}", f"did you mean {near[0]}?" if near else see)
    wrong = re.search(r'key "([\w.]+)":(?:.*(?:Given value|Got value): (.*))?', message, flags=re.DOTALL)
    if wrong and (hint := get_type_hints(command).get(wrong[1])) is not None:
        option = "--" + wrong[1].replace("_", "-")
        return ConfigError(f"{option} is '{(wrong[2] or '').strip()}'", f"give {_expected(hint)}")
    plain = message.replace("argument ", "", 1) if message.startswith("argument ") else message
    return ConfigError(plain.rstrip(". "), see)
