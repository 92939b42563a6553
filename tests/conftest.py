"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the official data sets; tests that need it skip without it."""
    folder = Path(os.environ.get("PAPERLIB_DATA", "")).expanduser()
    if not os.environ.get("PAPERLIB_DATA") or not folder.is_dir():
        pytest.skip("needs the official data sets: set PAPERLIB_DATA to their folder")
    return folder.resolve()
