"""Synthetic speech with known mouth motion: what is said, a voice, how the face moves, and the recording's conditions."""
