"""Prepare film: cut it into shots, find the face in each, and keep clips of consecutive frames as line drawings.

Per shot: the largest face is followed from frame to frame; where it fades or jumps a run ends; the longest run in which
it stays in nearly the same place becomes the clip. All its frames get one common crop, so that between neighbours only
the film moves. Landmarks are smoothed over time; lines are drawn from frames and mattes that are averaged over time
where they agree (:mod:`lightning_modules.drawing.film_lines`). Films that are drawn already are kept as they are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from datamodules.prepare.clip_record import KIND, PreparedClip, write_clip
from datamodules.prepare.crop_pictures import gray
from datamodules.prepare.film_clips import (
    clearly_seen,
    common_frame,
    cropped,
    drawn_lines,
    face_runs,
    faces_in_frames,
    smoothed,
    steady_run,
)
from datamodules.prepare.films import Film, find_films
from datamodules.prepare.photos import DEFAULT_LOOK
from datamodules.prepare.preparation import Facts, SourceItem
from datamodules.prepare.prepared_set import fingerprint
from datamodules.prepare.provenance import PortraitSource
from datamodules.prepare.report import Entry, PreparationReport
from datamodules.prepare.runner import Progress
from datamodules.prepare.setting_checks import (
    check_channels,
    check_landmarks,
    check_limit,
    check_size,
    settings_facts,
)
from datamodules.prepare.shots import find_shots
from datamodules.prepare.sources import FoundFiles, TermsFinder, record_id
from datamodules.prepare.whole_set import SetBuilder, checked_workers, prepare_set
from lightning_modules.errors import ConfigError, InkspeakError, NoFaceError, PhotoError, VideoError
from lightning_modules.faces.face import FaceAnalyzer
from lightning_modules.faces.matte_choice import check_matte_weights
from lightning_modules.geometry.alignment import portrait_frame, to_crop

if TYPE_CHECKING:
    from lightning_modules.drawing.drawer import StaticDrawer
    from lightning_modules.faces.matter import Matter
    from lightning_modules.pipeline.video_reader import FrameMark

SET_KIND: Final = "film"
EDITION: Final = 1
"""Part of the settings; raise it whenever the same film would be prepared differently."""

COLOUR_LOOKS: Final = ("cartoon",)
"""Looks whose drawings have three channels."""

SMALLEST_FRAME: Final = 80
"""Clips whose single frames' crops are smaller than this many film pixels are rejected."""


@dataclass(frozen=True)
class FilmSettings:
    """What shapes prepared clips.

    Args:
        size: side of the frames in pixels, 64 to 2048.
        lines: draw lines; False keeps the frames of a film that is drawn already.
        channels: 1 or, for a film that is drawn already or a look in colour, 3.
        shortest: clips of fewer frames are rejected, at least 2.
        longest: longer shots are cut into pieces of so many frames.
        landmarks: face backend, a name of ``lightning_modules.faces.face_analyzers.make_face_analyzer``.
        matte: matte backend, a name of ``lightning_modules.faces.matter.make_matter``.
        look: of the lines, a name of ``lightning_modules.drawing.drawer.make_drawer``.
        matte_weights: file of the matting network, for the matte backends that are one.

    Raises:
        ConfigError: a value is out of its range.
    """

    size: int = 256
    lines: bool = True
    channels: int = 1
    shortest: int = 5
    longest: int = 48
    landmarks: str = "mediapipe"
    matte: str = "selfie"
    look: str = DEFAULT_LOOK
    matte_weights: Path | None = None

    def __post_init__(self) -> None:
        check_size(self.size)
        check_matte_weights(self.matte, self.matte_weights)
        check_channels(self.channels)
        if self.lines and self.channels == 3 and self.look not in COLOUR_LOOKS:
            found = f"lines of the look {self.look!r} have no colour"
            raise ConfigError(found, "give 1 channel or the look cartoon, or keep a drawn film as it is")
        if not 2 <= self.shortest <= self.longest <= 1000:
            found = f"clips of {self.shortest} to {self.longest} frames were asked for"
            raise ConfigError(found, "give lengths from 2 to 1000, the shortest first")
        check_landmarks(self.landmarks, many="film")


@dataclass(frozen=True)
class FilmTools:
    """The backends that one process works with; drawer and matter are None for a film that is drawn already."""

    analyzer: FaceAnalyzer
    matter: Matter | None
    drawer: StaticDrawer | None

    def facts(self) -> dict[str, Any]:
        """Return names and settings of the backends, JSON values."""
        facts: dict[str, Any] = {"landmarks": self.analyzer.name}
        if self.matter is not None and self.drawer is not None:
            from lightning_modules.drawing.film_lines import METHOD

            lines = {"name": self.drawer.name, "film": METHOD, **self.drawer.settings()}
            facts |= {"matte": self.matter.name, "lines": lines}
        return facts


FilmToolMaker = Callable[[FilmSettings], FilmTools]


def make_film_tools(settings: FilmSettings) -> FilmTools:
    """Build the backends that the settings name.

    Raises:
        ConfigError: a name is unknown.
        BackendError: a backend is not installed or lacks its weights.
    """
    from lightning_modules.faces.face_analyzers import make_face_analyzer

    analyzer = make_face_analyzer(settings.landmarks)
    if not settings.lines:
        return FilmTools(analyzer, None, None)
    from lightning_modules.drawing.drawer import make_drawer
    from lightning_modules.faces.matter import make_matter

    return FilmTools(analyzer, make_matter(settings.matte, weights=settings.matte_weights), make_drawer(settings.look))


@dataclass(frozen=True)
class ShotItem(SourceItem):
    """One shot, or piece of a long one: what becomes one clip or is rejected.

    Args:
        film: where it is.
        film_sha256: of the film.
        scene: name of the shot.
        first: number of its first frame in the film.
        stop: number of the frame after its last.
        fps: of the film; None if unknown.
        refusal: why the film cannot be read; empty if it can.
        mark: by which its first frame is found without reading the film up to there; None where that takes no time.
    """

    film: Film
    film_sha256: str = ""
    scene: str = ""
    first: int = 0
    stop: int = 0
    fps: float | None = None
    refusal: tuple[str, str] | None = None
    mark: FrameMark | None = None


def plan_shots(films: Sequence[Film], terms: TermsFinder, settings: Facts, longest: int) -> list[ShotItem]:
    """Cut films into shots, and long shots into pieces; a film that cannot be read becomes one item to be rejected."""
    return [item for film in films for item in _shots_of(film, terms, settings, longest)]


def _shots_of(film: Film, terms: TermsFinder, settings: Facts, longest: int) -> list[ShotItem]:
    own = terms.terms_of(film.name if not film.pictures else f"{film.name}/any")

    def item(name: str, digest: str, **facts: Any) -> ShotItem:
        mark = fingerprint(name, digest, own.licence, own.attribution, settings)
        # Shots of one film are different contents, although the film has one hash.
        return ShotItem(record_id(name), name, film.path, mark, own, mark, film, digest, **facts)

    marks: list[FrameMark | None] = []

    def marked(film: Film) -> Iterator[npt.NDArray[np.uint8]]:
        for frame, mark in film.marked_frames():
            marks.append(mark)
            yield frame

    try:
        digest, fps = film.sha256(), film.fps()
        shots = find_shots(marked(film))
    except InkspeakError as error:
        return [item(f"{film.name}/all.clip", "", refusal=(error.found, error.remedy))]
    except OSError as error:
        return [item(f"{film.name}/all.clip", "", refusal=(f"cannot be read ({error.strerror})", "make it readable"))]
    items = []
    for number, shot in enumerate(shots, start=1):
        pieces = -(-len(shot) // longest)
        edges = [shot.first + len(shot) * k // pieces for k in range(pieces + 1)]
        for first, stop in itertools.pairwise(edges):
            name = f"{film.name}/frames_{first:06d}-{stop - 1:06d}.clip"
            scene = f"{film.name}/shot_{number:04d}"
            items.append(item(name, digest, scene=scene, first=first, stop=stop, fps=fps, mark=marks[first]))
    return items


def clip_of(item: ShotItem, settings: FilmSettings, tools: FilmTools) -> PreparedClip:
    """Compute the record of one shot.

    Raises:
        NoFaceError: no face is seen in enough consecutive frames.
        PhotoError: the face is tiny.
        VideoError: the film cannot be read.
    """
    if item.refusal is not None:
        raise VideoError(*item.refusal, item.path)
    film, count = item.film, item.stop - item.first
    if count < settings.shortest:
        raise VideoError(f"has only {count} frames", f"clips need {settings.shortest}", item.path)
    find = partial(faces_in_frames, analyzer=tools.analyzer, drawn=not settings.lines)
    shot = film.frames(item.first, item.stop, item.mark)
    runs = face_runs(clearly_seen(shot, find) if settings.lines else find(shot))
    run = max((steady_run(run) for run in runs), key=len, default=None)
    if run is None:
        raise NoFaceError(
            f"no face is seen clearly in any of {count} frames", "nothing to do: not every shot shows one", item.path
        )
    if len(run) < settings.shortest:
        seen = sum(len(one) for one in runs)
        reason = f"a face holds still in at most {len(run)} consecutive frames (seen in {seen} of {count})"
        raise NoFaceError(reason, f"clips need {settings.shortest}", item.path)
    single = float(np.median([portrait_frame(points).side for points in run.landmarks]))
    if single < SMALLEST_FRAME:
        raise PhotoError(f"the face's crop is only {single:.0f} px wide", "use a larger copy of the film", item.path)
    points = smoothed(run.landmarks)
    frame = common_frame(points)
    first = item.first + run.first
    pictures, inside = cropped(film.frames(first, first + len(run), item.mark), frame, settings.size)
    landmarks = np.asarray(to_crop(points, frame, settings.size), np.float32)
    if tools.drawer is not None and tools.matter is not None:
        pictures = drawn_lines(pictures, inside, landmarks, tools.drawer, tools.matter)
    if settings.channels == 1 and pictures.ndim == 4:
        pictures = gray(pictures)
    height, width = _film_size(film)
    return PreparedClip(
        id=item.id,
        frames=pictures,
        landmarks=landmarks,
        scene=item.scene,
        first=first,
        fps=item.fps,
        frame=frame,
        source=PortraitSource(
            name=film.name,
            sha256=item.film_sha256,
            width=width,
            height=height,
            notes=(),
            licence=item.terms.licence,
            attribution=item.terms.attribution,
        ),
        tools=tools.facts(),
        fingerprint=item.fingerprint,
    )


def _film_size(film: Film) -> tuple[int, int]:
    first = next(iter(film.frames(0, 1)))
    return first.shape[0], first.shape[1]


@dataclass(frozen=True)
class FilmWork:
    """The work function of one process: shot in, record written."""

    settings: FilmSettings
    tools: FilmTools
    records: Path

    def __call__(self, item: SourceItem) -> str:
        """Prepare one shot; return the id of its record."""
        if not isinstance(item, ShotItem):
            raise TypeError(f"expected a shot, got {type(item).__name__}")
        return write_clip(self.records, clip_of(item, self.settings, self.tools)).name


def make_film_work(settings: FilmSettings, make_tools: FilmToolMaker, records: Path) -> FilmWork:
    """Build the work function; called once in each process."""
    return FilmWork(settings, make_tools(settings), records)


def prepare_film(
    source: str | Path,
    destination: str | Path,
    settings: FilmSettings | None = None,
    *,
    licence: str | None = None,
    workers: int | None = None,
    limit: int | None = None,
    contact_sheets: bool = True,
    progress: Progress | None = None,
    make_tools: FilmToolMaker = make_film_tools,
) -> PreparationReport:
    """Prepare all films of a folder into a set of clips with manifest, report and contact sheets.

    An item of the report is a shot. Run again, it finds the shots again and works only on those whose clip is missing
    or has changed. The records do not depend on the number of processes.

    Args:
        source: a folder, searched with all folders below it: each video file and each folder of pictures is a film; or
            one video file.
        destination: folder of the prepared set, outside of the source; made if missing.
        settings: what shapes the clips; None for the defaults.
        licence: of all films; None looks for it in the nearest ``SOURCE.md`` above each.
        workers: number of processes; None for one a processor, 0 to work in this process.
        limit: prepare only the first so many films.
        contact_sheets: whether to write pages to look at under ``sheets/``.
        progress: told after every shot.
        make_tools: builds the backends in each process; must be picklable.

    Returns:
        The report, also written as ``report.json`` and ``report.md``.

    Raises:
        VideoError: there is no film in the source.
        OutputError: the destination cannot be written, or is or holds something else.
        PreparedSetError: the destination was prepared with other settings or in another format.
        ConfigError: a setting is out of its range.
        BackendError: a backend is not installed or lacks its weights.
    """
    source, destination = Path(source), Path(destination)
    chosen = settings or FilmSettings()
    check_limit(limit, "films")
    workers = checked_workers(workers)
    films, others = find_films(source)
    root = source if source.is_dir() else source.parent

    def plan(facts: Facts) -> tuple[FoundFiles, list[SourceItem]]:
        items = plan_shots(films[:limit], TermsFinder(root, licence), facts, chosen.longest)
        return FoundFiles(root, tuple(item.name for item in items), others), list(items)

    builder = SetBuilder(
        kind=SET_KIND,
        record_kind=KIND,
        settings={"edition": EDITION, **settings_facts(chosen)},
        tools=lambda: make_tools(chosen).facts(),
        plan=plan,
        make_work=lambda records: partial(make_film_work, chosen, make_tools, records),
        findings=film_findings,
    )
    return prepare_set(builder, source, destination, workers=workers, contact_sheets=contact_sheets, progress=progress)


def film_findings(accepted: Sequence[tuple[SourceItem, Mapping[str, Any]]]) -> Mapping[str, tuple[Entry, ...]]:
    """Return what each accepted shot gave, and which films gave the same shot more than one clip."""
    clips = []
    for item, facts in accepted:
        clip, frame = facts["clip"], facts["frame"]
        last = clip["first"] + clip["count"] - 1
        text = f"frames {clip['first']} to {last}, {clip['scene']}, crop of {frame['side']} px"
        clips.append(Entry(item.name, text))
    return {"Clips": tuple(clips)}
