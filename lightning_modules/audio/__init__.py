"""Audio: reading speech, mel features, and the envelope driver (sanity baseline of stage 1)."""
