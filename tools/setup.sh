#!/bin/sh
# Makes the virtual environment from requirements.lock. Arguments: the workspace's packages.
set -eu

say() { printf 'set-up: %s\n' "$*" >&2; exit 1; }

"$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' 2>/dev/null ||
	say "Python 3.11 or newer is needed; name one with PYTHON=..., as in 'make demo PYTHON=python3.11'."

# Debian ships venv apart from Python.
if ! "$PYTHON" -c 'import ensurepip' 2>/dev/null; then
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
		say "Python's venv module is missing; install Debian's python3-venv."
	apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv
fi

rm -rf "$VENV"
"$PYTHON" -m venv "$VENV"
# The lock is whole, so nothing is left to be resolved; and most modules are never imported, so
# they are compiled when they are.
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
	--require-hashes --no-deps --no-compile -r requirements.lock

# Each package by itself; its build back end comes from the lock too.
for package in "$@"; do
	set -- "$@" -e "$package"
	shift
done
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation "$@"
