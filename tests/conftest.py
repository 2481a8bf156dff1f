"""Fixtures that tests of several folders ask for by name; none applies by itself."""

import pytest


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch):
    """Clients go straight to servers on loopback, whatever this machine's proxy is."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
