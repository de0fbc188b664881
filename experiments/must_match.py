"""Values that data and model must agree on: said once, under ``data``, and handed to the model.

A link is declared for every name below. It acts when both chosen classes have a parameter of that name; when one of
them has not, the other keeps its own value. jsonargparse does the handing over, but by itself it would silently replace
a value given for the model, and silently pass ``None`` to a model whose data do not know the value; both are refused.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lightning_modules.errors import ConfigError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

#: Parameter names that mean the same in a data module and in a model.
MUST_MATCH = ("image_size", "fps", "sample_rate", "landmark_count", "drawing_channels")


def link_must_match(parser: ArgumentParser, contradictions: list[ConfigError]) -> None:
    """Declare the links of one parser that has ``data`` and ``model`` as class arguments.

    Args:
        parser: the parser of one command.
        contradictions: receives an error for every value that was given differently for the model; to be raised when
            parsing is over, because inside a link jsonargparse would wrap it.
    """
    for name in MUST_MATCH:
        parser.link_arguments(
            (f"data.init_args.{name}", "model"),
            f"model.init_args.{name}",
            compute_fn=_follower(name, contradictions),
            apply_on="parse",
        )


def _follower(name: str, contradictions: list[ConfigError]) -> Callable[[Any, Any], Any]:
    def follow_data(value: Any, model: Any) -> Any:
        chosen = model.get("init_args", {}) if model is not None else {}
        given = chosen.get(name)
        # Links are applied before interpolations are resolved; one that names the same value says nothing else.
        same = given in (None, value) or (isinstance(given, str) and given.endswith(f"data.init_args.{name}}}"))
        if name in chosen and not same and given != _default(model["class_path"], name):
            contradictions.append(
                ConfigError(
                    f"'{name}' is {given} for the model and {value} for the data",
                    f"give it once, as data.init_args.{name}; the model follows",
                )
            )
        return value

    follow_data.__name__ = "follow"
    return follow_data


def require_linked_values(config: Namespace) -> None:
    """Refuse a model that needs a value which its data do not hand over.

    Args:
        config: parsed arguments of one command.

    Raises:
        ConfigError: a parameter without a default has got no value.
    """
    model, data = config.get("model"), config.get("data")
    if model is None:
        return
    for name in MUST_MATCH:
        chosen = model.get("init_args", {})
        if name in chosen and chosen[name] is None and _default(model["class_path"], name) is inspect.Parameter.empty:
            source = "there are no data" if data is None else f"{data['class_path']} does not hand it over"
            raise ConfigError(
                f"{model['class_path']} needs '{name}', and {source}", f"give it as model.init_args.{name}"
            )


def active_links(config: Namespace) -> list[str]:
    """Names that the model takes over from its data with the classes of this configuration."""
    model, data = config.get("model"), config.get("data")
    if model is None or data is None:
        return []
    return [name for name in MUST_MATCH if name in model.get("init_args", {}) and name in data.get("init_args", {})]


def _default(class_path: str, name: str) -> Any:
    """Default of a constructor parameter, also one that is passed on by ``**kwargs`` to a base class."""
    module, _, attribute = class_path.rpartition(".")
    chosen = getattr(importlib.import_module(module), attribute)
    for base in getattr(chosen, "__mro__", (chosen,)):
        parameters = inspect.signature(base).parameters
        if name in parameters:
            return parameters[name].default
    return inspect.Parameter.empty
