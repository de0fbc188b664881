"""Builders of prepared sets: photos (now), drawings and film."""
