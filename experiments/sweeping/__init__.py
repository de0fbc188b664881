"""Sweeps: many trainings from one file, wherever they run, and the table that they end in."""
