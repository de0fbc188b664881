"""Pipeline: inference without a Trainer — portrait, renderers, composition, video files."""
