#!/bin/sh
# Adds to the virtual environment what Spark jobs need: PySpark and, where it is missing, Java.
# Without Java everything but Spark works, so that is said and is no error. Argument: the file that
# marks that all is there.
set -eu

LOCK=spark/requirements.lock

has_java() {
	version=$("${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
	[ "${version:-0}" -ge 17 ]
}

if ! has_java && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	apt-get update -qq && apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless
fi
if ! has_java; then
	echo "set-up: Spark jobs need Java 17 or newer (Debian's openjdk-17-jre-headless), which is" \
		"missing here; everything else works." >&2
	exit 0
fi

install() {
	"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
		--require-hashes --no-deps --no-compile "$@"
}

# PySpark comes as source only: what builds it is taken from the lock, and is there first.
builder=$(mktemp)
trap 'rm -f "$builder"' EXIT
sed -n '/^setuptools==/,/^[^ ].*==/{/^setuptools==/p;/^ /p}' "$LOCK" >"$builder"
install -r "$builder"
install --no-build-isolation -r "$LOCK"
touch "$1"
