"""The console of a command: progress and complaints, on standard error."""

from __future__ import annotations

from rich.console import Console


def progress() -> Console:
    """The console of progress lines and complaints."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def complain(sentence: str) -> None:
    """Say on standard error what is wrong."""
    progress().print(f"[bold]consilium:[/bold] {sentence}", markup=True)


def counted(number: int, word: str) -> str:
    """`1 difference`, `2 differences`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
