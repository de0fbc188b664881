"""Faces: photo reading, face detection with 68×3 landmarks, and foreground mattes (NumPy only, no torch)."""
