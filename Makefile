# make demo   set up, then run the main job on a loopback website
# make test   set up, then check everything
# make spark  set up what Spark jobs need besides: PySpark, and Java where root may install it
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ROOMS := libs/fingerprint libs/tagging libs/contracts libs/matching libs/servicekit libs/client .

# What is imported is compiled once, whatever the caller's environment says: the services and their
# tests start hundreds of processes, which would spend most of their time on it.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test lint types rooms unit spark openapi bench lock clean help

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo: $(VENV)/ready
	$(BIN)/python -m demo

# What reads the source runs beside what installs PySpark, and beside the tests, which often wait.
test: $(VENV)/ready
	@$(MAKE) --no-print-directory --jobs=2 unit lint types rooms

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/ready
	$(BIN)/mypy

rooms: $(VENV)/ready
	$(BIN)/lint-imports

unit: $(VENV)/ready $(VENV)/spark
	$(BIN)/python -m pytest --numprocesses=2

# Everything pinned and checked by hash; our own packages are linked, not copied.
$(VENV)/ready: requirements.lock tools/setup.sh $(ROOMS:%=%/pyproject.toml)
	PYTHON="$(PYTHON)" VENV="$(VENV)" sh tools/setup.sh $(ROOMS)
	@touch $@

# By itself: PySpark is as large as all the rest together, and only Spark jobs need it. Where Java is
# missing nothing is marked as done, so that it is tried again.
spark: $(VENV)/spark

$(VENV)/spark: spark/requirements.lock tools/setup_spark.sh $(VENV)/ready
	VENV="$(VENV)" sh tools/setup_spark.sh $@

# Write down the services' interfaces.
openapi: $(VENV)/ready
	$(BIN)/python -m tools.openapi

# What the measurements in bench/ need besides: other fingerprints, and plots.
bench: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --no-deps --no-compile -r bench/requirements.lock

# Choose the versions anew (needs uv).
COMPILE = uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
	--python-version 3.11 --python-platform x86_64-unknown-linux-gnu \
	$(foreach room,fingerprint tagging contracts matching servicekit client services,--no-emit-package srpitp-$(room)) \
	$(ROOMS:%=%/pyproject.toml) --extra demo --extra dev --extra embedded

lock:
	$(COMPILE) -o requirements.lock
	$(COMPILE) --extra bench --constraint requirements.lock -o bench/requirements.lock
	$(COMPILE) --extra spark --constraint requirements.lock -o spark/requirements.lock

clean:
	rm -rf $(VENV) .cache out
