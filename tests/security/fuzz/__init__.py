"""The fuzzer, its seeds, and what it holds."""
