"""Shared places and limits."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every machine: a failure that a test finds, it finds again.
settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=80)
settings.load_profile("repeatable")

ROOT = Path(__file__).parent.parent

# A job in the background ignores Ctrl-C, and so would every process that the tests start, and send one to.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def shared() -> Path:
    """The folder with real dialogues, which the project doesn't contain; tests that need it are skipped without it."""
    path = Path(os.environ.get("THANOS_SHARED", ROOT.parent / "shared"))
    if not (path / "data").is_dir():
        pytest.skip("no shared data: set THANOS_SHARED to the folder that holds data/sources")
    return path


@pytest.fixture(scope="module")
def one_thread():
    """For tests of tiny models: threads would wait for each other longer than they compute."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
