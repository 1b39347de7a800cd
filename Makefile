# Two commands: `make demo` and `make test`. Each sets up all it needs in .venv.
# On Windows, or to install by hand, see README.md.

PY := .venv/bin/python

.PHONY: demo test check unit gui env lint format clean help

help:
	@echo "make demo    set up, then run the main job on the sample slides"
	@echo "make test    set up, then run every check and test"
	@echo "make unit    unit tests only, in an environment without Qt"
	@echo "make gui     the other tests, under a virtual screen"
	@echo "make lint    formatting, types, layering, manifest"
	@echo "make format  let ruff put the files in form"
	@echo "make clean   remove environments and caches"

env:
	@sh scripts/setup.sh

demo: env
	.venv/bin/napari-her2 demo --out her2-demo

test: env
	$(PY) scripts/run_tests.py

lint unit gui: env
	$(PY) scripts/run_tests.py $@

format: env
	$(PY) -m ruff check --fix-only src tests benchmarks scripts
	$(PY) -m ruff format src tests benchmarks scripts

clean:
	rm -rf .venv .venv-noqt .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
