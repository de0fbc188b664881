"""Synthetic speech with known mouth motion: what is said, by which voice, how the face moves, how it was recorded."""
