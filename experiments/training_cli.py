"""``inkspeak fit | validate | test | predict``: Lightning's own command line, made strict, safe and repeatable.

What it adds: values that must match are said once (:mod:`experiments.must_match`); ``${...}`` resolves across files and
follows overrides; every run logs to CSV and keeps its resolved configuration beside its checkpoints; checkpoints are
read without running code in them, and never choose classes; ``--dry_run`` shows what would run.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from jsonargparse import set_parsing_settings

from lightning_modules.errors import BackendError, ConfigError, InkspeakError, WeightsError

try:
    from lightning.fabric.utilities.exceptions import MisconfigurationException
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
    from lightning.pytorch.loggers import CSVLogger, Logger
except (ImportError, RuntimeError) as error:  # a torchvision that does not fit raises RuntimeError
    why = " ".join(str(error).split())
    raise BackendError(f"lightning cannot be imported ({why})", "see what inkspeak doctor says") from error

from experiments.lightning_remarks import drop_lightning_remarks
from experiments.must_match import MUST_MATCH, active_links, link_must_match, require_linked_values

RUNS = "runs"
CONFIG_NAME = "config.yaml"
_WHAT = """{what}

What can be trained, each with a file of its folder in experiments/configs: stage 1, speech to landmarks
(audio_to_landmark); the portrait GAN of stage 2 (portrait_gan); the networks that they ask: flow map A
(flow_regression), the landmark detector (landmark_regression), identity features (identity_features), the matting
network (portrait_matting), the static drawer (static_drawing); and any LightningModule and LightningDataModule of
yours, by class path.

Each run gets a folder runs/MODEL/version_N with metrics.csv, config.yaml (everything resolved; run it again with
--config) and checkpoints. These values are given once, under data, and the model follows: {names}.
"""
_EXAMPLE = """example:
  inkspeak {name} --model mine.Model --data mine.Data --data.image_size 128 --trainer.max_epochs 3
  inkspeak {name} --config model.yaml --config trainer.yaml --dry_run
  inkspeak {name} --model.help mine.Model
"""
_SUMMARIES = {
    "fit": "Train a model.",
    "validate": "Run a model's validation once.",
    "test": "Run a model's test once.",
    "predict": "Run a model's prediction once.",
}


def run_command_line(arguments: list[str]) -> int:
    """Parse and run one of the four commands.

    Args:
        arguments: the command's name and what follows it.

    Returns:
        0.

    Raises:
        ConfigError: an argument, a file or a combination of values is wrong.
        WeightsError: a checkpoint is damaged or could run code.
    """
    # Without this, an absolute path such as ${data.init_args.image_size} is not found below the name of the command.
    set_parsing_settings(omegaconf_absolute_to_relative_paths=True)
    drop_lightning_remarks()
    try:
        TrainingCLI(arguments)
    except argparse.ArgumentError as error:
        raise ConfigError(one_sentence(str(error)), f"see inkspeak {arguments[0]} --help") from error
    except MisconfigurationException as error:
        raise ConfigError(one_sentence(str(error)), "correct the model, the data or the trainer's options") from error
    except ValueError as error:
        said = told_while_building(error)
        if said is None:
            raise
        raise said from error
    except Exception as error:
        if type(error).__name__ != "UnpicklingError":  # by name: nothing here imports pickle
            raise
        found = "the checkpoint is damaged, or holds more than tensors and plain values"
        raise WeightsError(found, "give a checkpoint that inkspeak wrote") from error
    return 0


def told_while_building(error: BaseException) -> InkspeakError | None:
    """The error of ours behind one of the parser's, which tells it as one of several types that did not fit.

    Args:
        error: what came out of building data and model.

    Returns:
        What a class of the configuration raised, if it was one of ours.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, InkspeakError):
        cause = cause.__cause__
    return cause


def one_sentence(message: str) -> str:
    """A parser's message, which may be a small essay about types, as one line with what matters.

    Args:
        message: text of the error. Where alternatives of a type were tried, only those that say something are kept.
    """
    lines = [line.strip().removeprefix("- ") for line in message.splitlines() if line.strip()]
    if "Errors:" in lines:
        key = re.search(r'key "([^"]+)"', message)
        tried = lines[lines.index("Errors:") + 1 :]
        told = [line for line in tried if not line.startswith(("Expected a <class 'NoneType'>", "Given value"))]
        lines = ([f"{key[1]}:"] if key else []) + told
    return " ".join(lines).replace('Parser key "', '"').rstrip(". ")


class SaveResolvedConfig(SaveConfigCallback):
    """Keep the resolved configuration in the run's folder and beside checkpoints that go elsewhere.

    What a model follows from its data is left out, so that an override of the saved file reaches both again.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the files once per run, on the first process only."""
        if self.already_saved:
            return
        log_folder = trainer.log_dir  # asks all processes
        if trainer.is_global_zero:
            elsewhere = [getattr(callback, "dirpath", None) for callback in trainer.checkpoint_callbacks]
            text = resolved_yaml(self.parser, self.config)
            for folder in dict.fromkeys(Path(one) for one in [log_folder, *elsewhere] if one is not None):
                folder.mkdir(parents=True, exist_ok=True)
                aside = folder / f".{CONFIG_NAME}.tmp"
                aside.write_text(text, encoding="utf-8")
                aside.replace(folder / CONFIG_NAME)
        self.already_saved = True


def resolved_yaml(parser: Any, config: Any) -> str:
    """A configuration as YAML that gives the same run again.

    Args:
        parser: the parser of the command.
        config: its parsed arguments.
    """
    config = config.clone()
    for name in active_links(config):
        del config["model"]["init_args"][name]
    for passing in ("config", "dry_run"):
        config.pop(passing, None)
    return str(parser.dump(config, skip_link_targets=False, skip_none=False, skip_validation=True, format="yaml"))


class TrainingCLI(LightningCLI):
    """One command of the training side, from its arguments to its end.

    Args:
        arguments: the command's name and what follows it.

    Raises:
        argparse.ArgumentError: jsonargparse refuses an argument.
        ConfigError: values contradict each other, or a checkpoint could run code.
    """

    def __init__(self, arguments: list[str]) -> None:
        self._command = arguments[0]
        self._contradictions: list[ConfigError] = []
        strict = {
            "parser_mode": "omegaconf+",
            "exit_on_error": False,
            "allow_abbrev": False,
            "formatter_class": argparse.RawDescriptionHelpFormatter,
        }
        super().__init__(
            args=arguments,
            save_config_callback=SaveResolvedConfig,
            seed_everything_default=0,
            trainer_defaults={"default_root_dir": RUNS},
            auto_configure_optimizers=False,
            parser_kwargs={
                "prog": "inkspeak",
                **strict,
                self._command: {
                    **strict,
                    "description": _WHAT.format(what=_SUMMARIES[self._command], names=", ".join(MUST_MATCH)),
                    "epilog": _EXAMPLE.format(name=self._command),
                    "usage": f"inkspeak {self._command} [--config FILE ...] [--model CLASS] [--data CLASS] [options]",
                },
            },
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """Only the chosen command: building the parsers of all four would double the start-up time."""
        return {self._command: LightningCLI.subcommands()[self._command]}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the dry run and the links of values that must match."""
        parser.add_argument(
            "--dry_run",
            action="store_true",
            help="build data and model, show the resolved configuration, and stop",
        )
        link_must_match(parser, self._contradictions)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, and refuse what parses but cannot be meant."""
        self.config = parser.parse_args(args)
        if self._contradictions:
            raise self._contradictions[0]
        chosen = self.config[self._command]
        require_linked_values(chosen)
        _check_checkpoint(chosen.get("ckpt_path"))
        if chosen.get("weights_only") is False:
            raise ConfigError("weights_only is false, which lets a checkpoint run code", "leave weights_only out")
        chosen["weights_only"] = True

    def _parse_ckpt_path(self) -> None:
        """Do nothing: a checkpoint brings weights and states; which classes are built is said by the configuration."""

    def instantiate_classes(self) -> None:
        """Build data and model; with ``--dry_run`` show the configuration then and go no further."""
        if self.config[self._command].dry_run:
            built = self.parser.instantiate(self.config)[self._command]
            count = sum(parameter.numel() for parameter in built["model"].parameters())
            chosen = self.config[self._command]
            print(resolved_yaml(self._parser(self._command), chosen), end="")
            for name in active_links(chosen):
                print(f"# model.init_args.{name} follows the data: {chosen.model.init_args[name]}")
            print(f"# dry run: data and model were built, {count:,} parameters; nothing was run")
            self.subcommand = None  # nothing to run
            return
        super().instantiate_classes()

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        """Put the CSV logger first, whatever other loggers are asked for; its folder is the folder of the run."""
        asked = config.get("logger")
        others: list[Logger] = [] if asked is None or isinstance(asked, bool) else _as_list(asked)
        if not any(isinstance(logger, CSVLogger) for logger in others):
            others.insert(0, CSVLogger(save_dir=config.get("default_root_dir") or RUNS, name=type(self.model).__name__))
        try:
            return super()._instantiate_trainer(config | {"logger": others}, callbacks)
        except (ValueError, MisconfigurationException) as error:
            raise ConfigError(one_sentence(str(error)), "correct the options of the trainer") from error


def _check_checkpoint(path: Any) -> None:
    """Refuse what Lightning would refuse only after building everything, and what it would read unsafely."""
    if path is None or str(path) in {"last", "best", "hpc"}:
        return
    if "://" in str(path):
        raise ConfigError("checkpoints are not read from the network", "download it first", path)
    if not Path(path).is_file():
        raise ConfigError("there is no such checkpoint", "check ckpt_path", path)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
