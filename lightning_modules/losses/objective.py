"""The generator's objective: the weighted sum of all terms (paper Eq. 9), and what it tells about each of them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor

from lightning_modules.errors import ConfigError

Term = Callable[[], Tensor]
"""Computes one term, unweighted, when asked."""

NEED_A_NETWORK: Final = {
    "geometry": "no landmark detector is given",
    "identity": "no network for face features is given",
}
"""Terms that ask a frozen network, and what is said when they are not among the terms."""


class TermOffWarning(UserWarning):
    """A term of the objective that cannot be computed, because the network it asks is not at hand."""


class Objective:
    """Weights of the terms: lambda1 ... lambda6 of the paper are 5, 50, 50, 3, 10, 0.5, as the published run sets them.

    A term with weight 0 is an ablation: it is still measured, without gradient, and reported as such, so that its curve
    can be compared. A term whose frozen network is not at hand is off: said once, and missing from every report.

    The terms are handed in unweighted. Published, the terms ``adversarial``, ``local``, ``geometry`` and ``lip_line``
    are *sums* over both targets, ``local`` also over nose, eyes and lips; ``content`` and ``identity`` see the first
    target only. The functions of this room give means over the batch: with both targets in one batch their value has
    to be doubled to be that sum.

    Args:
        adversarial: weight of the drawing discriminator D_g (Eq. 2).
        local: weight of the local discriminators D_ln, D_le, D_ll together.
        content: lambda1, Eq. 3.
        geometry: lambda2, Eq. 4.
        lip_line: lambda3, Eq. 5.
        identity: lambda4, Eq. 6.
        coherence_warp: lambda5, Eq. 7.
        coherence: lambda6, Eq. 8.

    Raises:
        ConfigError: if a weight is negative or not finite, or all are 0.
    """

    def __init__(
        self,
        *,
        adversarial: float = 1.0,
        local: float = 0.5,
        content: float = 5.0,
        geometry: float = 50.0,
        lip_line: float = 50.0,
        identity: float = 3.0,
        coherence_warp: float = 10.0,
        coherence: float = 0.5,
    ) -> None:
        self.weights = {
            "adversarial": float(adversarial),
            "local": float(local),
            "content": float(content),
            "geometry": float(geometry),
            "lip_line": float(lip_line),
            "identity": float(identity),
            "coherence_warp": float(coherence_warp),
            "coherence": float(coherence),
        }
        wrong = {term: weight for term, weight in self.weights.items() if not 0 <= weight < math.inf}
        if wrong:
            raise ConfigError(f"weights of the objective are out of range: {wrong}", "give numbers from 0 upwards")
        if not any(self.weights.values()):
            raise ConfigError("all weights of the objective are 0", "give at least one term a weight")
        self.off: dict[str, str] = {}

    @property
    def ablated(self) -> tuple[str, ...]:
        """Terms with weight 0 that are measured all the same."""
        return tuple(term for term, weight in self.weights.items() if weight == 0 and term not in self.off)

    def switch_off(self, term: str, because: str) -> str:
        """Leave a term out that cannot be computed, and say so with a :class:`TermOffWarning` the first time.

        Args:
            term: its name.
            because: why, as a clause: ``"no weights of the landmark detector are given"``.

        Returns:
            The note, for a log or a report.

        Raises:
            ConfigError: if there is no such term.
        """
        self._require_known([term])
        note = f"the {term} term is off: {because}"
        if term not in self.off:
            self.off[term] = note
            warnings.warn(note, TermOffWarning, stacklevel=2)
        return self.off[term]

    def total(self, terms: Mapping[str, Term]) -> tuple[Tensor, dict[str, Tensor]]:
        """Add the weighted terms up.

        Args:
            terms: name to a function that computes the term. Terms with weight 0 are called without gradient, and may
                be left out where they cannot be measured; terms that are switched off are not called. A term of
                :data:`NEED_A_NETWORK` that is left out is switched off here.

        Returns:
            The loss, a float32 scalar (float64 where a term is), and the report: detached scalars ``raw/<term>`` and
            ``weighted/<term>`` for the terms with a weight, ``ablated/<term>`` for those without. Reading a number out
            of them waits for the device, so leave that to the logging.

        Raises:
            ConfigError: if another term with a weight is missing, or one is not known: nothing is left out silently.
            ValueError: if a term is not one number.
        """
        self._require_known(terms)
        missing = [term for term, weight in self.weights.items() if weight and term not in {*terms, *self.off}]
        for term in missing:
            if term not in NEED_A_NETWORK:
                raise ConfigError(f"the objective lacks the {term} term", "compute it, or give it the weight 0")
            self.switch_off(term, NEED_A_NETWORK[term])
        summands: list[Tensor] = []
        report: dict[str, Tensor] = {}
        for term, weight in self.weights.items():
            if term in self.off or term not in terms:
                continue
            if not weight:
                with torch.no_grad():
                    report[f"ablated/{term}"] = self._scalar(term, terms[term]())
                continue
            value = self._scalar(term, terms[term]())
            summands.append(weight * value)
            report[f"raw/{term}"] = value.detach()
            report[f"weighted/{term}"] = summands[-1].detach()
        if not summands:
            raise ConfigError(
                f"no term of the objective is left: {'; '.join(self.off.values())}", "give weights or the networks"
            )
        return sum(summands[1:], summands[0]), report

    @staticmethod
    def _scalar(term: str, value: Tensor) -> Tensor:
        if value.numel() != 1:
            raise ValueError(f"the {term} term must be one number, got {tuple(value.shape)}")
        value = value.reshape(())
        return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value

    def _require_known(self, terms: Mapping[str, Term] | list[str]) -> None:
        unknown = [term for term in terms if term not in self.weights]
        if unknown:
            raise ConfigError(
                f"the objective knows no term {', '.join(unknown)}", f"its terms are {', '.join(self.weights)}"
            )
