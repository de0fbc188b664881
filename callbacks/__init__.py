"""Callbacks, thin, named by what they watch."""
