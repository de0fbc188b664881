"""A small evaluation with real videos: three clips, two methods, one failure, one video that is not there."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from lightning_modules.pipeline.video_writer import VideoWriter

FPS, SIZE = 25, 64
NASTY = "<script>alert('x')</script>&\"b\""


def tone(seconds: float, pitch: float = 220.0, rate: int = 16000) -> tuple[np.ndarray, int]:
    """A sine at half of full scale, and its rate."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * math.pi * pitch * time)).astype(np.float32), rate


def write_film(path: Path, frames: int, *, shade: int = 0, sound: bool = True, size: int = SIZE) -> None:
    """A bar that moves by one pixel a frame over paper of a shade (0 white, 100 dark grey)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    film = np.full((frames, size, size), 255 - shade, np.uint8)
    for number in range(frames):
        film[number, :, number % size : number % size + 3] = 0
    with VideoWriter(path, (size, size), FPS, frames=frames, sound=tone(frames / FPS) if sound else None) as writer:
        writer.write(film)


def small_summary() -> dict:
    """What ``inkspeak evaluate clips`` writes; figures by hand: for ours b is worse than a, and c failed."""
    clips = {
        "a": {"ours": {"lmd": 2.0, "ssim": 0.95}, "upd_warp": {"lmd": 3.0, "ssim": 0.90}},
        "b": {"ours": {"lmd": 4.0, "ssim": 0.99}, "upd_warp": {"lmd": 2.5, "ssim": 0.91}},
        NASTY: {"upd_warp": {"lmd": 1.25, "ssim": None}},
    }
    folders = {"a": "a", "b": "b", NASTY: "c"}
    content = {
        "made": "2022-08-08T10:00:00",
        "command": "inkspeak evaluate clips videos --methods ours upd_warp",
        "hardware": {"processor": "a <fast> one", "cores": {"physical": 2, "logical": 4}, "gpu": None},
        "versions": {"torch": "2.13.0"},
        "protocol": {"fps": FPS, "size": SIZE, "frames_per_clip": None, "clips": 3},
        "methods": ["ours", "upd_warp"],
        "metrics": [
            {"name": "lmd", "title": "LMD", "unit": "px", "better": "lower", "paper": {"ours": 2.64}},
            {"name": "ssim", "title": "SSIM", "unit": "", "better": "higher", "paper": {}},
            {"name": "motion", "title": "motion", "unit": "px", "better": "none", "paper": {}},
        ],
        "average": {
            "ours": {
                "lmd": {"value": 3.0, "low": 2.0, "high": 4.0},
                "ssim": {"value": 0.97, "low": None, "high": None},
            },
            "upd_warp": {"lmd": {"value": 2.25, "low": 1.25, "high": 3.0}, "ssim": {"value": 0.905}},
        },
        "clips": [],
        "noise": {"lmd": 0.75},
        "remarks": ["Three clips are few; " + NASTY],
    }
    for name, methods in clips.items():
        home = f"clips/{folders[name]}"
        entry = {"name": name, "reference": f"{home}/reference.mp4", "methods": {}}
        for method in content["methods"]:
            figures = methods.get(method)
            failed = None if figures is not None else "no face was found in frame 3"
            video = None if failed else f"{home}/{method}.mp4"
            entry["methods"][method] = {"video": video, "figures": figures or {}, "failed": failed}
        content["clips"].append(entry)
    return content


def write_evaluation(folder: Path, *, sound: bool = True) -> Path:
    """Write ``summary.json`` and its videos; that of upd_warp of clip b is not there. Returns the summary's path."""
    content = small_summary()
    for number, clip in enumerate(content["clips"]):
        frames = 20 + 5 * number
        write_film(folder / clip["reference"], frames)
        for shade, result in enumerate(clip["methods"].values()):
            if result["video"] is not None:
                write_film(folder / result["video"], frames, shade=30 + 40 * shade, sound=sound)
    (folder / "clips/b/upd_warp.mp4").unlink()
    path = folder / "summary.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
