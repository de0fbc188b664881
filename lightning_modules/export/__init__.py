"""Export: trained networks as files of their own that say what they hold and run no code when read."""
