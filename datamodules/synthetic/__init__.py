"""Procedural faces, drawings and film clips, made at run time. Everything in here is synthetic: no real person."""
