"""From an :class:`AnimationJob` to a finished video: the one way through the house that every front door takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lightning_modules.pipeline.animation_job import AnimationJob, AnimationReport, Progress
from lightning_modules.pipeline.backends import Backends
from lightning_modules.pipeline.garbage_collection import collector_at_rest
from lightning_modules.pipeline.landmark_driver_choice import driver_notes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lightning_modules.audio.track import LandmarkTrack
    from lightning_modules.faces.photo import Photo
    from lightning_modules.pipeline.portrait import Portrait
    from lightning_modules.pipeline.presenter import Presenter
    from lightning_modules.pipeline.renderer import Renderer


@contextmanager
def _timed(seconds: dict[str, float], stage: str, progress: Progress, total: int | None = None) -> Iterator[None]:
    progress.start(stage, total)
    start = time.perf_counter()
    yield
    seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - start


@dataclass
class Session:
    """All that is known before the first frame is drawn.

    Attributes:
        job: what was asked for.
        photo: the photo.
        portrait: its constants, on the chosen device.
        track: landmarks of every frame, portrait crop pixels.
        duration: length of the sound in seconds.
        presenter: turns drawn squares into what the video shows.
        renderer: draws the squares.
        notes: what the user should know.
        seconds: wall time per stage so far.
    """

    job: AnimationJob
    photo: Photo
    portrait: Portrait
    track: LandmarkTrack
    duration: float
    presenter: Presenter
    renderer: Renderer
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    @collector_at_rest()
    def open(cls, job: AnimationJob, progress: Progress, backends: Backends | None = None) -> Session:
        """Read the inputs, find the face, prepare the portrait and drive its landmarks with the speech.

        Inputs are refused in the order of their cost: the photo and the face before torch is imported, the sound before
        anything is drawn.

        Args:
            job: inputs, output and choices.
            progress: listener.
            backends: those of the jobs before, to be used again; ``None`` makes new ones.

        Raises:
            InkspeakError: the photo, its face, the sound or an option cannot be used.
        """
        backends = backends or Backends()
        notes: list[str] = []
        seconds: dict[str, float] = {}
        with _timed(seconds, "photo", progress):
            photo = _read_photo(job)
            notes += photo.notes
        with _timed(seconds, "face", progress):
            face, face_notes = _find_face(job, photo, backends)
            notes += face_notes
        with _timed(seconds, "speech", progress):
            from lightning_modules.audio.loading import read_speech

            speech = read_speech(job.speech)
            notes += speech.notes
        with ThreadPoolExecutor(1) as beside:
            with _timed(seconds, "drawing", progress):
                notes += backends.plan(job).notes
                driver, announced = backends.driver(job)
                renderer, trained_size = backends.renderer(job)
                from lightning_modules.geometry.alignment import portrait_frame, to_crop
                from lightning_modules.pipeline.preparation import prepare_cached
                from lightning_modules.pipeline.presenter import Surroundings, make_presenter

                frame = portrait_frame(face.landmarks)
                around = Surroundings.of(photo.rgb.shape[:2], frame) if job.paste_back else None
                size = job.size if around is None else around.square_side()
                # How the face moves depends on the face alone, so it is worked out while the portrait is drawn.
                at_rest = to_crop(face.landmarks, frame, size).astype("float32")
                driven = beside.submit(driver.drive, speech, at_rest, job.fps)
                portrait = prepare_cached(job, photo, face, size, backends)
                notes += portrait.notes
                if trained_size not in (None, portrait.size):
                    notes.append(f"the generator was trained at {trained_size} pixels and draws {portrait.size} here")
                presenter = make_presenter(
                    photo,
                    portrait,
                    look=job.look,
                    surroundings=around,
                    side_by_side=job.side_by_side,
                    matter=None if around is None else backends.matter(job),
                )
            with _timed(seconds, "motion", progress):
                track = driven.result()
                notes += [*announced, *driver_notes(driver)]
                portrait = backends.source_portrait(job, portrait)
        return cls(job, photo, portrait, track, speech.duration, presenter, renderer, notes, seconds)

    @property
    def batch(self) -> int:
        """Frames rendered together: the job's choice, else 32 on a GPU and 4 on a CPU, whose caches are small."""
        return self.job.batch or (4 if self.portrait.drawing.device.type == "cpu" else 32)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Draw every frame of the square, in batches (b, S, S, C) uint8."""
        from lightning_modules.pipeline.animator import Animator

        yield from Animator(self.renderer, self.batch).batches(self.portrait, self.track)

    def opening(self) -> list[tuple[str, NDArray[np.uint8]]]:
        """The first pictures of a contact sheet: the photo's square and its drawing at rest."""
        from lightning_modules.pipeline.portrait import image_array

        return [("photo", image_array(self.portrait.photo)[0]), ("drawing", image_array(self.portrait.drawing)[0])]


def _read_photo(job: AnimationJob) -> Photo:
    if job.photo_is_clip:
        from lightning_modules.pipeline.video_reader import photo_of_clip

        return photo_of_clip(job.photo)
    from lightning_modules.faces.photo import read_photo

    return read_photo(job.photo)


def _find_face(job: AnimationJob, photo: Photo, backends: Backends) -> tuple[Any, list[str]]:
    from lightning_modules.faces.face import choose_face, face_notes

    faces = backends.analyzer(job).find_faces(photo.rgb)
    face = choose_face(faces, job.face, photo)
    notes = list(face_notes(face, photo))
    if len(faces) > 1 and job.face == "largest":
        boxes = ", ".join(f"{number}: {found.box}" for number, found in enumerate(faces, 1))
        notes.append(f"{len(faces)} faces found ({boxes}); the largest was taken, choose another with --face N")
    return face, notes


def write_video(session: Session, progress: Progress) -> list[Any]:
    """Draw and encode all frames, with sound, and write what else the job asks for.

    Args:
        session: from :meth:`Session.open`.
        progress: told every batch.

    Returns:
        Paths of everything written, the video first. Nothing appears under its name before it is complete.

    Raises:
        OutputError: an output cannot be written.
    """
    from lightning_modules.pipeline.contact_sheet import ContactSheet
    from lightning_modules.pipeline.frame_folder import FrameFolder
    from lightning_modules.pipeline.video_writer import VideoWriter

    job, count = session.job, len(session.track.landmarks)
    written = [job.output]
    with ExitStack() as open_outputs, _timed(session.seconds, "frames", progress, count):
        video = open_outputs.enter_context(
            VideoWriter(job.output, session.presenter.size, job.fps, sound=job.speech, frames=count)
        )
        sinks: list[Any] = [video]
        if job.frames is not None:
            sources = (job.photo, job.speech)
            sinks.append(
                open_outputs.enter_context(FrameFolder(job.frames, fps=job.fps, frames=count, sources=sources))
            )
            written.append(job.frames)
        if job.contact_sheet is not None:
            sheet = ContactSheet(job.contact_sheet, frames=count, fps=job.fps, lead=session.opening(), cells=10)
            sinks.append(open_outputs.enter_context(sheet))
            written.append(job.contact_sheet)
        for batch in session.frames():
            shown = session.presenter.show(batch)
            for sink in sinks:
                sink.write(shown)
            progress.advance(len(batch))
    session.notes += video.notes
    return written


def animate_photo(job: AnimationJob, progress: Progress, backends: Backends | None = None) -> AnimationReport:
    """Make one talking drawing.

    Args:
        job: inputs, output and choices.
        progress: listener; closed at the end whatever happens.
        backends: those of the jobs before, to be used again; ``None`` makes new ones.

    Returns:
        What was made.

    Raises:
        InkspeakError: an input or output cannot be used; nothing is left half-written and no input is changed.
    """
    try:
        session = Session.open(job, progress, backends)
        told = len(session.notes)
        for note in session.notes:
            progress.note(note)
        written = write_video(session, progress)
        for note in session.notes[told:]:
            progress.note(note)
    finally:
        progress.close()
    return AnimationReport(
        output=job.output,
        frames=len(session.track.landmarks),
        fps=job.fps,
        duration=session.duration,
        seconds=session.seconds,
        written=tuple(written),
        notes=tuple(session.notes),
    )
