from pathlib import Path


def built() -> list[Path]:
    return []
