"""A plugin of pytest: importing the tests makes some million objects that stay.

Python would visit them again and again while it imports, and in each full collection of garbage
afterwards. So it collects nothing meanwhile, and what is there in the end is frozen.
"""

import gc
from collections.abc import Generator

import pytest
from waypost.adapters import collector


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Around the import of all tests, in each worker."""
    with collector.paused():
        found = yield
    gc.freeze()
    return found
