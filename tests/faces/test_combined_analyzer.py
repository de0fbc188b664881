"""MediaPipe first, the starter where it finds nothing; records of drawings say who found the face."""

from __future__ import annotations

import numpy as np

from lightning_modules.audio.face_axes import average_face
from lightning_modules.faces.combined_analyzer import MediaPipeThenStarter
from lightning_modules.faces.face import FaceList, make_face

FACE = average_face() * 40 + [100, 100, 0]
PICTURE = np.full((200, 200, 3), 255, np.uint8)


class Sees:
    """Sees one face in pictures of certain brightnesses; counts how often it is asked."""

    def __init__(self, name, *brightnesses, hint=""):
        self.name, self.brightnesses, self.hint, self.asked = name, brightnesses, hint, 0

    def find_faces(self, rgb):
        self.asked += 1
        seen = int(rgb[0, 0, 0]) in self.brightnesses
        return FaceList([make_face(FACE, 0.9)] if seen else [], tried=("a look",), hint="" if seen else self.hint)


def frame(brightness):
    return np.full_like(PICTURE, brightness)


def test_the_second_is_asked_only_where_the_first_finds_nothing():
    first, second = Sees("first", 255), Sees("second", 255, 0)
    both = MediaPipeThenStarter((first, second))
    faces = both.find_faces(PICTURE)
    assert (len(faces), faces.found_by, faces.tried, second.asked) == (1, "first", ("first: a look",), 0)
    faces = both.find_faces(frame(0))
    assert (len(faces), faces.found_by, faces.tried) == (1, "second", ("first: a look", "second: a look"))


def test_where_none_finds_a_face_the_first_hint_is_kept():
    both = MediaPipeThenStarter((Sees("first", hint="turn it"), Sees("second", hint="burn it")))
    faces = both.find_faces(PICTURE)
    assert (len(faces), faces.found_by, faces.hint) == (0, "", "turn it")


def test_frames_are_followed_by_the_first_and_gaps_filled_by_the_second():
    class Follows(Sees):
        def find_faces_in_frames(self, frames):
            yield from map(self.find_faces, frames)

    first, second = Follows("first", 255), Sees("second", 0)
    both = MediaPipeThenStarter((first, second))
    found = list(both.find_faces_in_frames(map(frame, (255, 0, 255, 9))))
    assert [faces.found_by for faces in found] == ["first", "second", "first", ""]
    assert [len(faces) for faces in found] == [1, 1, 1, 0]
    assert (first.asked, second.asked) == (4, 2)
