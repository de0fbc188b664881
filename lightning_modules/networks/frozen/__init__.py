"""Published networks that are only asked, never trained: the landmark detector and the identity features."""
