"""The command line (``inkspeak``, ``python -m experiments``), experiment YAMLs and benchmarks."""
