"""Decisions, pure: what is (`observed`), what to do about it (`plan`). No async, clock, kopf or I/O here."""
