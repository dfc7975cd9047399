"""The parts of `tools/gpu/first-hour`."""
