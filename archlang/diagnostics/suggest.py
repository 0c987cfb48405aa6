"""Suggestions for misspelt names."""

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Hints that offer the closest known names, or none when nothing is close."""
    from difflib import get_close_matches  # only a mistake needs it

    close = get_close_matches(name, list(dict.fromkeys(other for other in known if other != name)), n=2, cutoff=0.65)
    return (f"did you mean {' or '.join(f'`{other}`' for other in close)}?",) if close else ()
