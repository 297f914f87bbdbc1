"""Reads and writes, thin: one call each, no decisions."""
