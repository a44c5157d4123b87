"""Counts in words, for people. Pure."""


def counted(n: int, one: str, many: str = "") -> str:
    """So many of something: `1 paper`, `2 papers`, `1,000 papers`; `many` where it is not `one` and an s."""
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"
