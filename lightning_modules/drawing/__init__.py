"""Drawing: static drawers that turn a photo into a line drawing d_s."""
