"""``inkspeak landmarks``: the landmark track alone, for other renderers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.progress import make_progress
from experiments.signature_parser import Option
from lightning_modules.errors import ConfigError
from lightning_modules.pipeline.animation_job import DriverName, DriverPreset, LandmarkSource, MotionGains
from lightning_modules.pipeline.landmark_driver_choice import chosen_driver, driver_note, driver_notes, make_driver
from lightning_modules.pipeline.output_checks import check_output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FACE, _MOTION = "face", "motion"
OPTIONS = {
    "speech": Option(metavar="SPEECH"),
    "output": Option(short="-o", metavar="TRACK"),
    "photo": Option(metavar="PHOTO", group=_FACE),
    "face": Option(metavar="FILE", group=_FACE),
    "finder": Option(group=_FACE),
    "weights": Option(metavar="FILE", group=_MOTION),
    **dict.fromkeys(("driver", "preset", "seed", "fps"), Option(group=_MOTION)),
    **dict.fromkeys(("mouth_x", "mouth_y", "head", "brows", "blink_rate"), Option(group=_MOTION)),
}

PICTURE = 256
"""Side in pixels of the picture in which the average face stands, eyes 90 pixels apart."""


def landmarks(  # noqa: PLR0913 - every choice of the user is an argument
    speech: Path,
    *,
    output: Path = Path("track.npz"),
    photo: Path | None = None,
    face: Path | None = None,
    finder: LandmarkSource = "mediapipe",
    driver: DriverName = "auto",
    weights: Path | None = None,
    preset: DriverPreset = "default",
    fps: float = 25.0,
    seed: int = 0,
    mouth_x: float = 1.0,
    mouth_y: float = 1.0,
    head: float = 1.0,
    brows: float = 1.0,
    blink_rate: float = MotionGains.blink_rate,
    quiet: bool = False,
) -> int:
    """Turn speech into the motion of 68 facial landmarks.

    TRACK is an .npz file with landmarks (T, 68, 3) in pixels, fps, units and conventions. Without --photo and --face
    an average face moves, in a picture of 256 by 256 pixels.

    Args:
        speech: any sound or video file
        output: the track to write (default: track.npz)
        photo: the face of this photo moves, in the photo's pixels
        face: the face of this file of 68 landmarks moves (txt, csv, npy, npz, json, pts)
        finder: who finds the landmarks of the photo
        driver: who moves the face, a trained model or the loudness of the voice; auto takes the model if there is one
        weights: a speech-to-landmark model of your own (see inkspeak weights export), instead of the starter
        preset: how the trained model is used; paper is the published order of work, flaws included
        fps: frames per second, 1 to 240; 62.5 is the networks' own rate
        seed: seed of blinks and sway; the same seed gives the same track
        mouth_x: how far the lips spread and round, 0 to 3
        mouth_y: how far the mouth opens, 0 to 3
        head: how far the head sways, 0 to 3
        brows: how far the brows move, 0 to 3
        blink_rate: blinks per minute, 0 to 60
        quiet: no progress and no notes

    Returns:
        0.

    Raises:
        InkspeakError: an option, the speech, the photo or the output is wrong; nothing has been written then.

    Example:
        inkspeak landmarks hello.wav -o hello.npz
        inkspeak landmarks hello.wav --photo me.jpg --fps 62.5 -o hello.npz
    """
    gains = MotionGains(jaw=mouth_y, lips=mouth_x, head=head, brows=brows, blink_rate=blink_rate)
    if photo is not None and face is not None:
        raise ConfigError("both a photo and a file of landmarks are given", "give one face")
    if finder == "file" or (photo is None and finder != "mediapipe"):
        raise ConfigError(f"landmarks are to be found by '{finder}', and there is no photo", "give --photo or --face")
    if seed < 0:
        raise ConfigError(f"the seed is {seed}", "choose 0 or a positive whole number")
    check_output(output, inputs=[path for path in (speech, photo, face) if path is not None], suffixes=(".npz",))
    _, file = chosen_driver(driver, weights)
    progress = make_progress(quiet=quiet)
    try:
        progress.start("face")
        rest, notes = resting_face(photo, face, finder)
        progress.start("speech")
        from lightning_modules.audio.loading import read_speech

        sound = read_speech(speech)
        progress.start("motion")
        model = None
        if file is not None:
            from lightning_modules.export.landmark_model_file import load_landmark_model

            model = load_landmark_model(file)
        made = make_driver(model, preset=preset, seed=seed, gains=gains)
        track = made.drive(sound, rest, fps)
        for note in (*sound.notes, *notes, driver_note(file, preset), *driver_notes(made)):
            progress.note(note)
    finally:
        progress.close()
    from lightning_modules.audio.track import save_track

    save_track(track, output)
    if not quiet:
        print(f"{output}: {len(track)} frames at {fps:g} per second ({track.duration:.2f} s)")
    return 0


def resting_face(
    photo: Path | None, face: Path | None, finder: LandmarkSource
) -> tuple[NDArray[np.floating], tuple[str, ...]]:
    """The face that is to move.

    Args:
        photo: a photo, or None.
        face: a file of landmarks, or None.
        finder: who finds the landmarks of the photo.

    Returns:
        (68, 3) pixels, and what the user should know.

    Raises:
        PhotoError: the photo or the file cannot be used.
    """
    import numpy as np

    if photo is not None:
        from lightning_modules.faces.face import choose_face, face_notes
        from lightning_modules.faces.face_analyzers import make_face_analyzer
        from lightning_modules.faces.photo import read_photo

        picture = read_photo(photo)
        found: Any = choose_face(make_face_analyzer(finder).find_faces(picture.rgb), "largest", picture)
        return found.landmarks, (*picture.notes, *face_notes(found, picture))
    if face is not None:
        from lightning_modules.faces.landmark_file import read_landmarks

        faces = read_landmarks(face)
        points = faces[0] if faces.shape[2] == 3 else np.pad(faces[0], ((0, 0), (0, 1)))
        notes = () if len(faces) == 1 else (f"the file holds {len(faces)} faces; the first one moves",)
        return points, notes
    from lightning_modules.geometry.frontal_face import frontal_face

    return frontal_face() * 90.0 + np.array([(PICTURE - 1) / 2, 94.0, 0.0]), ()
