"""Benchmarks: warm-up, median and spread, hardware and versions in JSON."""
