"""Measurements side by side with bare Jobs: `make bench`. Nothing here gates anything; see docs/performance.md."""
