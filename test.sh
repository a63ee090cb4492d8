#!/bin/sh
# The project's tests, on a fresh machine too: ./test.sh [PYTEST ARGUMENTS]
set -eu
cd "$(dirname "$0")"
./setup.sh dev >/dev/null
.venv/bin/ruff check .
.venv/bin/ruff format --check --quiet .
exec .venv/bin/python -m pytest "$@"
