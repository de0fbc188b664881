"""The paper's section 4.1 as a command: first frame and sound in, drawings out, every method measured alike."""
