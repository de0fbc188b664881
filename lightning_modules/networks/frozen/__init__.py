"""Published networks that are only asked, never trained: the landmark detector, the identity features, the matting."""
