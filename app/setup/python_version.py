"""Which versions of Python the application runs on, and the sentence for all others.

Runs before the version is known, so it must be readable for any Python 3.
"""

OLDEST = (3, 11)
NEWEST = (3, 13)


def is_supported(version):  # type: (tuple[int, int]) -> bool
    """Tell whether `version`, a pair (major, minor), lies in the supported range."""
    return OLDEST <= version <= NEWEST


def refusal(version):  # type: (tuple[int, int]) -> str
    """Return the sentence for a Python that is not supported, empty for one that is."""
    if is_supported(version):
        return ""
    return (
        "Consilium needs Python {}.{} to {}.{}; this is Python {}.{}. "
        "Start it with one of those, for example: python{}.{} run.py"
    ).format(*(OLDEST + NEWEST + version + OLDEST))
