"""Freed memory is kept where the C library can do so."""

from __future__ import annotations

import platform

import pytest

from crypto.mpc.memory import keep_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps freed memory")
def test_glibc_takes_the_parameters() -> None:
    assert keep_freed_memory()
