"""Stage 1: speech becomes landmark motion (paper §3.2; reference stage1 §6 to §10). Trains one branch at a time.

``stage="content"``: the content branch C, from what is said and the static face; registered landmarks, windows in any
order. ``stage="speaker"``: C stays as it is, and the speaker-aware branch G learns what it leaves out, head motion
above all; each sample is a segment of consecutive windows, because G's attention sees all of them.

One step, on B samples of N windows each, all in one pass, without a loop over frames:

1. ``branch_phase``: step of the branch on the weighted sum of its terms.
2. ``discriminator_phase``, only with a motion discriminator D_T: step of D_T on true and made segments (LSGAN).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from lightning_modules.errors import ConfigError
from lightning_modules.export.landmark_checkpoint import networks_record, statistics_record
from lightning_modules.losses.landmark_displacement import as_points
from lightning_modules.losses.landmark_objective import LandmarkObjective
from lightning_modules.losses.motion_adversarial import motion_discriminator_loss, motion_generator_loss
from lightning_modules.metrics.landmark_error import LandmarkError
from lightning_modules.metrics.lip_landmark_distance import LipLandmarkDistance
from lightning_modules.networks.speaker_branch import EMBEDDING_SCALE
from lightning_modules.networks.speech_windows import published_windows
from lightning_modules.optimization import AdamSettings, clip_to_norm, phase, scheduled_adam, stopped_between_logs
from lightning_modules.speech_batches import SpeechBatch
from lightning_modules.weights.trained_branch import FeatureStatistics, load_content_branch

Stage = Literal["content", "speaker"]
FEATURES: Final = 80
"""Content features of a frame."""
PHASES: Final = ("branch", "discriminator")
"""Names of the phases in the order of their optimisers."""

_STATE: Final = "audio_to_landmark"


class AudioToLandmark(LightningModule):
    """Training of one branch.

    What the features were normalised with is kept beside the weights, in the buffers ``feature_mean`` and
    ``feature_std``, (80,): whoever uses the branches needs these numbers.

    Args:
        content_branch: C, called as ``ContentBranch.forward``; ``ConvolutionalBranch`` can take its place.
        speaker_branch: G, called as ``SpeakerBranch.forward``; for the speaker stage only.
        motion_discriminator: D_T, called as ``MotionDiscriminator.forward``; for the speaker stage, None: without.
        objective: weights of the terms.
        stage: which branch is trained.
        optimizer: settings for the branch.
        discriminator_optimizer: settings for D_T.
        adversarial_from_epoch: the branch follows D_T from this epoch on, counted from 0; D_T learns from the start.
        gradient_clip: largest gradient norm of each optimiser; None: no limit.
        content_checkpoint: for the speaker stage: checkpoint of the run, or the published file, that C's weights come
            from; None: C is trained already, or comes from this run's own checkpoint.

    Raises:
        ConfigError: a network that the stage needs is missing, or something is given that it does not use.
        WeightsError: the content checkpoint is wrong.
    """

    feature_mean: Tensor
    feature_std: Tensor

    def __init__(
        self,
        content_branch: nn.Module,
        speaker_branch: nn.Module | None = None,
        motion_discriminator: nn.Module | None = None,
        objective: LandmarkObjective | None = None,
        stage: Stage = "content",
        optimizer: AdamSettings | None = None,
        discriminator_optimizer: AdamSettings | None = None,
        *,
        adversarial_from_epoch: int = 5,
        gradient_clip: float | None = None,
        content_checkpoint: str | Path | None = None,
    ) -> None:
        super().__init__()
        others = (speaker_branch, motion_discriminator, content_checkpoint)
        if stage == "content" and any(other is not None for other in others):
            raise ConfigError(
                "the content stage is given a speaker_branch, motion_discriminator or content_checkpoint",
                "leave them out, or train the speaker stage",
            )
        if stage == "speaker" and speaker_branch is None:
            raise ConfigError("the speaker stage has no speaker_branch", "give one")
        self.automatic_optimization = False
        self.stage: Stage = stage
        self.content_branch = content_branch
        self.speaker_branch = speaker_branch
        self.motion_discriminator = motion_discriminator
        self.objective = objective or LandmarkObjective()
        self.optimizer_settings = optimizer or AdamSettings(learning_rate=1e-4, beta1=0.9)
        self.discriminator_settings = discriminator_optimizer or AdamSettings(learning_rate=1e-4, beta1=0.9)
        self.adversarial_from_epoch = adversarial_from_epoch
        self.gradient_clip = gradient_clip
        self.windows_seen = 0
        self.updates = dict.fromkeys(PHASES, 0)
        self.report: dict[str, Tensor] = {}
        self.lip_distance = nn.ModuleDict({name: LipLandmarkDistance() for name in ("made", "still")})
        self.landmark_error = LandmarkError()
        self.register_buffer("feature_mean", torch.zeros(FEATURES))
        self.register_buffer("feature_std", torch.ones(FEATURES))
        self.content_statistics: FeatureStatistics | None = None
        if stage == "speaker":
            if content_checkpoint is not None:
                self.content_statistics = load_content_branch(content_branch, content_checkpoint)
            # forward() puts it into evaluation mode: Lightning warns of networks that start in that mode.
            self.content_branch.requires_grad_(requires_grad=False).train()

    # What is predicted ---------------------------------------------------------------------------------------------

    def forward(self, batch: SpeechBatch) -> Tensor:
        """Landmarks of all windows: (B, N, 204), face units, float32.

        A content branch that is not trained is put into evaluation mode first.
        """
        static = batch.static[:, None]
        if self.speaker_branch is None:
            made = self.content_branch(batch.windows, batch.static).float()
        else:
            if self.content_branch.training:
                self.content_branch.eval()
            with torch.no_grad():
                said = self.content_branch(batch.windows, batch.static).float()
            seen = published_windows(batch.windows, self._past())
            made = said + self.speaker_branch(seen, EMBEDDING_SCALE * batch.embedding).float()
        return static + made  # type: ignore[no-any-return]

    def _past(self) -> int:
        return int(getattr(self.content_branch, "past", 0))

    # One step ------------------------------------------------------------------------------------------------------

    def training_step(self, batch: SpeechBatch, batch_index: int) -> None:
        """One step of the branch and, where there is one, of D_T; see the module's docstring."""
        self.report = {}
        made = self.branch_phase(batch)
        if self.motion_discriminator is not None:
            self.discriminator_phase(batch, made)
        self.windows_seen += len(batch) * batch.window_count * self.trainer.world_size
        self._log_step(len(batch))

    def branch_phase(self, batch: SpeechBatch) -> Tensor:
        """Step of the branch that is trained.

        Returns:
            What it predicted before the step, detached: (B, N, 204).
        """
        with phase(self, self._next_optimizer(0), "branch_phase") as step:
            made = self(batch)
            terms = self.objective.terms(made, batch.target)
            if self.motion_discriminator is not None and self.current_epoch >= self.adversarial_from_epoch:
                terms["adversarial"] = lambda: motion_generator_loss(self._judge(made, batch))
            loss, report = self.objective.total(terms)
            step.backward(loss)
        self.report |= {"loss/branch": loss.detach(), **report}
        return made.detach()  # type: ignore[no-any-return]

    def discriminator_phase(self, batch: SpeechBatch, made: Tensor) -> None:
        """Step of D_T: true segments are real, made ones are not.

        Args:
            batch: the true segments.
            made: (B, N, 204) what the branch predicted for them.
        """
        with phase(self, self._next_optimizer(1), "discriminator_phase") as step:
            real, fake = self._judge(batch.target, batch), self._judge(made, batch)
            loss = motion_discriminator_loss(real, fake)
            step.backward(loss)
        self.report |= {
            "loss/discriminator": loss.detach(),
            "logits/real": real.detach().mean(),
            "logits/made": fake.detach().mean(),
        }

    def _judge(self, landmarks: Tensor, batch: SpeechBatch) -> Tensor:
        speaker: Any = self.speaker_branch
        judge: Any = self.motion_discriminator
        with torch.no_grad():  # who speaks is given to D_T, not asked of it
            code = speaker.encode_speaker(EMBEDDING_SCALE * batch.embedding)
        return judge(landmarks, code).float()  # type: ignore[no-any-return]

    # Optimisers ----------------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> list[dict[str, Any]]:  # type: ignore[override]  # Lightning's union is wider
        """One optimiser for the branch and, with D_T, one for it, each with its schedule by epochs."""
        branch = self.content_branch if self.speaker_branch is None else self.speaker_branch
        chosen = [scheduled_adam(branch.parameters(), self.optimizer_settings, "lr/branch")]
        if self.motion_discriminator is not None:
            judge = self.motion_discriminator.parameters()
            chosen.append(scheduled_adam(judge, self.discriminator_settings, "lr/discriminator"))
        return chosen

    def _next_optimizer(self, index: int) -> Any:
        given: Any = self.optimizers()
        self.updates[PHASES[index]] += 1
        return given[index] if isinstance(given, list) else given

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip: here gradients are complete and exchanged, whatever the precision."""
        raw: Any = self.optimizers(use_pl_optimizer=False)
        known = raw if isinstance(raw, list) else [raw]
        name = PHASES[next(index for index, one in enumerate(known) if one is optimizer)]
        self.report[f"gradient_norm/{name}"] = clip_to_norm(optimizer, self.gradient_clip)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Log the last step of a run that its time ends."""
        if stopped_between_logs(self.trainer, self.updates[PHASES[0]]):
            self._log_report(len(batch))

    def on_train_epoch_end(self) -> None:
        """Step the schedules: Lightning does not in manual mode."""
        schedulers: Any = self.lr_schedulers()
        for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
            scheduler.step()

    # Reports -------------------------------------------------------------------------------------------------------

    def _log_step(self, samples: int) -> None:
        if self.updates[PHASES[0]] % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            self._log_report(samples)

    def _log_report(self, samples: int) -> None:
        self.log_dict({**self.report, "seen/windows": float(self.windows_seen)}, batch_size=samples)

    def _evaluate(self, batch: SpeechBatch, stage: str) -> Tensor:
        made = self(batch)
        terms = self.objective.terms(made, batch.target)
        values = {f"{stage}/{name}": term() for name, term in terms.items()}
        self.log_dict(values, batch_size=len(batch), sync_dist=True, on_step=False, on_epoch=True)
        target = as_points(batch.target.float())
        still = as_points(batch.static.float())[:, None].expand_as(target)
        self.lip_distance["made"].update(as_points(made), target)  # type: ignore[operator]
        self.lip_distance["still"].update(still, target)  # type: ignore[operator]
        self.landmark_error.update(as_points(made), target)
        return made  # type: ignore[no-any-return]

    def _report_metrics(self, stage: str) -> None:
        """Lip and landmark errors in percent of the eye distance, and the lip error as share of a still face's."""
        lips = {name: metric.compute()["eye_percent"] for name, metric in self.lip_distance.items()}  # type: ignore[operator]
        values = {
            "lip_error": lips["made"],
            "lip_error_still": lips["still"],
            "lip_error_ratio": lips["made"] / lips["still"].clamp(min=1e-9),
            "landmark_error": self.landmark_error.compute()["all"],
        }
        self.log_dict({f"{stage}/{name}": value.float() for name, value in values.items()})

    def _reset_metrics(self) -> None:
        """At the start, not at the end: Lightning evaluates in inference mode, but within training it does not."""
        for metric in (*self.lip_distance.values(), self.landmark_error):
            metric.reset()  # type: ignore[operator]

    def on_validation_epoch_start(self) -> None:
        """Measure anew."""
        self._reset_metrics()

    def validation_step(self, batch: SpeechBatch, batch_index: int) -> Tensor:
        """Measure all terms that need no discriminator, and the errors of lips and landmarks; gives (B, N, 204)."""
        return self._evaluate(batch, "validation")

    def on_validation_epoch_end(self) -> None:
        """Report what was measured over all batches and processes."""
        self._report_metrics("validation")

    def on_test_epoch_start(self) -> None:
        """Measure anew."""
        self._reset_metrics()

    def test_step(self, batch: SpeechBatch, batch_index: int) -> Tensor:
        """The same as :meth:`validation_step` under the name ``test``."""
        return self._evaluate(batch, "test")

    def on_test_epoch_end(self) -> None:
        """The same as :meth:`on_validation_epoch_end` under the name ``test``."""
        self._report_metrics("test")

    def predict_step(self, batch: SpeechBatch, batch_index: int) -> Tensor:
        """Landmarks of all windows: (B, N, 204), face units."""
        return self(batch)  # type: ignore[no-any-return]

    def setup(self, stage: str) -> None:
        """Keep what the data normalise the features with; a data module that says nothing normalises nothing.

        Raises:
            ConfigError: the windows of the data are not those that the content branch hears, or it was trained on
                features that were normalised otherwise.
        """
        data: Any = getattr(self.trainer, "datamodule", None)
        if stage == "fit" and getattr(data, "feature_mean", None) is not None:
            self.feature_mean.copy_(data.feature_mean)
            self.feature_std.copy_(data.feature_std)
        heard = tuple(getattr(data, name, None) for name in ("past", "future"))
        wanted = tuple(getattr(self.content_branch, name, None) for name in ("past", "future"))
        if None not in (*heard, *wanted) and heard != wanted:
            raise ConfigError(
                f"the windows of the data have {heard[0]} frames of past and {heard[1]} of future, and the content "
                f"branch hears {wanted[0]} and {wanted[1]}",
                "give the data module the branch's past and future",
            )
        known = self.content_statistics
        if stage == "fit" and known is not None:
            own = torch.cat((self.feature_mean, self.feature_std)).cpu()
            if not torch.allclose(own, torch.cat(known), rtol=1e-3, atol=1e-3):
                raise ConfigError(
                    "the content branch was trained on features normalised otherwise than those of these data",
                    "give the data the same training sets, or its feature_mean and feature_std",
                )

    # State ---------------------------------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the counters, what builds the networks, and the statistics of the data: plain values, for the export."""
        checkpoint[_STATE] = {
            "windows_seen": self.windows_seen,
            "updates": dict(self.updates),
            "stage": self.stage,
            **networks_record(self.content_branch, self.speaker_branch),
            "statistics": statistics_record(getattr(self.trainer, "datamodule", None)),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the counters up again.

        Raises:
            ConfigError: the checkpoint is of the other stage.
        """
        state = checkpoint[_STATE]
        if state["stage"] != self.stage:
            raise ConfigError(
                f"the checkpoint is of the {state['stage']} stage", f"resume it with that stage, not {self.stage}"
            )
        self.windows_seen = int(state["windows_seen"])
        self.updates = {name: int(state["updates"][name]) for name in PHASES}
