"""Micro-benchmarks of what every message passes: `python -m bench micro`."""
