"""The targets share one event loop a process; nothing of it may be open when a module of tests is done."""

import pytest
from hypothesis import HealthCheck, settings

from fuzz import memory

settings.register_profile(
    "fuzz", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture(scope="module", autouse=True)
def one_loop():
    yield
    memory.close()
