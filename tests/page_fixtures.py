"""The page in a browser, before the real server with a planner whose thoughts are written down."""

import pytest
from browser import chromium, opened
from page_script import SCRIPT
from scripted_engine import scripted_planner
from thanos_server import thanos_server
from upstream_server import upstream_server

from thanos.serve import ServeSettings


@pytest.fixture(scope="module")  # while it is open, an event loop runs in this thread, and nobody else's can
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def upstream():
    with upstream_server() as seen:
        yield seen


@pytest.fixture(scope="module")
def site(upstream):
    with scripted_planner(SCRIPT), thanos_server(ServeSettings(upstream=upstream.url)) as url:
        yield url


@pytest.fixture
def page(browser, site):
    with opened(browser, site) as page:
        yield page
