"""How long a photo takes until it can talk: reading, face, matte, static drawing, background."""

from __future__ import annotations

from functools import partial
from typing import Any

from experiments.benchmarks.timing import time_repeatedly


def run(*, quick: bool) -> dict[str, Any]:
    """Prepare the demo photo at 256 and 512 pixels, uncached.

    Args:
        quick: one repeat of the 256-pixel case only.

    Returns:
        Seconds (median, quartiles) per size, and the seconds the face analyzer needs once to load.
    """
    import time

    from experiments.demo import DEMO_PHOTO
    from lightning_modules.drawing.drawer import make_drawer
    from lightning_modules.faces.face import choose_face
    from lightning_modules.faces.face_analyzers import make_face_analyzer
    from lightning_modules.faces.matter import make_matter
    from lightning_modules.faces.photo import read_photo
    from lightning_modules.pipeline.portrait import prepare_portrait

    start = time.perf_counter()
    analyzer, matter, drawer = make_face_analyzer(), make_matter(), make_drawer()
    loading = time.perf_counter() - start

    def prepare(size: int) -> None:
        photo = read_photo(DEMO_PHOTO)
        face = choose_face(analyzer.find_faces(photo.rgb), "largest", photo)
        prepare_portrait(photo, face, drawer=drawer, matter=matter, size=size)

    sizes = (256,) if quick else (256, 512)
    seconds = {str(size): time_repeatedly(partial(prepare, size), repeats=1 if quick else 5) for size in sizes}
    return {"seconds_to_load_the_analyzers": loading, "seconds_to_prepare": seconds}
