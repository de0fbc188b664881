"""The benchmarks by name. Each module has ``run(*, quick: bool) -> dict`` and measures itself, warm-up included."""

from __future__ import annotations

BENCHMARKS: dict[str, str] = {
    "portrait": "experiments.benchmarks.portrait_preparation",
    "starter_faces": "experiments.benchmarks.starter_faces",
    "frames": "experiments.benchmarks.frames_per_second",
    "first_frame": "experiments.benchmarks.first_frame",
    "rendering_order": "experiments.benchmarks.rendering_order",
    "memory": "experiments.benchmarks.memory_by_length",
    "speech_to_landmarks": "experiments.benchmarks.speech_to_landmarks",
    "landmark_training": "experiments.benchmarks.landmark_training",
    "flow_pairs": "experiments.benchmarks.flow_pairs",
    "clip_evaluation": "experiments.benchmarks.clip_evaluation",
    "training_step": "experiments.benchmarks.training_step",
    "training_resources": "experiments.benchmarks.training_resources",
}
