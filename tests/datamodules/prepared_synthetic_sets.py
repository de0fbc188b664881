"""Prepared sets of synthetic faces on disk, written with the product's own record writers."""

from __future__ import annotations

import numpy as np

from datamodules.prepare.clip_record import PreparedClip, write_clip
from datamodules.prepare.drawing_record import PreparedDrawing, write_drawing
from datamodules.prepare.manifest import RECORDS_NAME, write_manifest
from datamodules.prepare.prepared_set import write_set
from datamodules.prepare.provenance import PortraitFaces, PortraitSource
from datamodules.prepare.record import PreparedPortrait, write_portrait
from datamodules.synthetic.faces import in_crop, random_face, talking_face
from datamodules.synthetic.pictures import draw_lines, draw_matte, draw_photo, random_look
from datamodules.synthetic.portraits import mask_planes, random_portrait
from lightning_modules.faces.face import FaceBox
from lightning_modules.geometry.alignment import PortraitFrame

SIZE = 72


def common(name):
    return {
        "id": name,
        "frame": PortraitFrame(0, 0, SIZE),
        "source": PortraitSource(f"{name}.png", "0" * 64, SIZE, SIZE, (), "synthetic", ""),
        "tools": {},
        "fingerprint": name,
    }


FACES = PortraitFaces((FaceBox(0, 0, 9, 9),), 1, 1.0)


def write_photos(folder, count=6):
    folder.mkdir()
    write_set(folder, "photos", {})
    for number in range(count):
        points, look = random_portrait(np.random.default_rng([7, number]), SIZE)
        write_portrait(
            folder / RECORDS_NAME,
            PreparedPortrait(
                photo=draw_photo(points, SIZE, look),
                drawing=draw_lines(points, SIZE, look),
                matte=draw_matte(points, SIZE),
                part_masks=np.moveaxis(mask_planes(points, SIZE), 0, -1),
                landmarks=points,
                faces=FACES,
                **common(f"photo-{number}"),
            ),
        )
    write_manifest(folder)
    return folder


def write_drawings(folder, count=4, *, colour=False):
    folder.mkdir()
    write_set(folder, "drawings", {})
    for number in range(count):
        points, look = random_portrait(np.random.default_rng([8, number]), SIZE)
        write_drawing(
            folder / RECORDS_NAME,
            PreparedDrawing(
                drawing=draw_lines(points, SIZE, look, colour=colour),
                part_masks=np.moveaxis(mask_planes(points, SIZE), 0, -1),
                landmarks=points,
                faces=FACES,
                help="as it is",
                **common(f"drawing-{number}"),
            ),
        )
    write_manifest(folder)
    return folder


def write_film(folder, scenes=("one", "two", "two"), frames=4):
    folder.mkdir()
    write_set(folder, "film", {})
    for number, scene in enumerate(scenes):
        generator = np.random.default_rng([9, number])
        look = random_look(generator)
        track = in_crop(talking_face(generator, random_face(generator), frames), SIZE)
        write_clip(
            folder / RECORDS_NAME,
            PreparedClip(
                frames=np.stack([draw_lines(points, SIZE, look) for points in track]),
                landmarks=track,
                scene=scene,
                first=0,
                fps=25.0,
                **common(f"clip-{number}"),
            ),
        )
    write_manifest(folder)
    return folder
