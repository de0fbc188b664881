"""``inkspeak evaluate portraits``: held-out photos that are made to talk, looked at and measured."""
