#!/bin/sh
# All set-up on a fresh machine, then a first prediction: ./setup.sh [EXTRAS]
# Makes .venv beside this file; EXTRAS are optional dependencies of pyproject.toml, e.g. dev or hf,serve.
set -eu
cd "$(dirname "$0")"

if [ ! -x .venv/bin/python ]; then
    for name in python3.13 python3.12 python3.11 python3; do
        # A name may be there and yet not run (a version manager's shim), or be too old.
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$name
            break
        fi
    done
    if [ -z "${python:-}" ]; then
        echo "setup.sh: Python 3.11 or newer is needed, and none was found" >&2
        exit 1
    fi
    if ! "$python" -m venv .venv; then
        rm -rf .venv
        echo "setup.sh: $python can't make a virtual environment; on Debian: apt-get install python3-venv" >&2
        exit 1
    fi
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".${1:+[$1]}"
.venv/bin/thanos predict examples/burgers.txt
