# Two commands do everything on a fresh machine with Python >= 3.11: make reproduce, make test.
PYTHON ?= python3
EXTRAS ?= companion,test
BIN := .venv/bin
export OMP_NUM_THREADS ?= 1
# From the root of the file system, for notebooks run in their own folder; $(abspath) would cut a path at its spaces.
ifneq ($(PAPERLIB_DATA),)
ifeq ($(filter /% ~%,$(firstword $(PAPERLIB_DATA))),)
override PAPERLIB_DATA := $(CURDIR)/$(PAPERLIB_DATA)
endif
export PAPERLIB_DATA
endif

.PHONY: venv reproduce test test-fast site clean

venv: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("paperlib needs Python 3.11 or newer; this is " + sys.version.split()[0] + ": call make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check 'pip>=23.2'  # Debian 12's own, 23.0, finds no solution
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

reproduce: venv
	$(BIN)/paperlib reproduce $(ARGS)

test: venv
	$(BIN)/pytest -q -n 2 --dist loadfile tests
	@# the executed copies hold the notebooks' own code, so where they can be checked the notebooks are run in them
	@if [ -d "$$PAPERLIB_DATA" ]; then \
		PAPERLIB_SIZE=tiny $(BIN)/pytest -q -n 2 --dist loadscope --nbval --nbval-cell-timeout=300 --nbval-sanitize-with tests/sanitize.cfg results/synthetic-smoke/notebooks; \
	else \
		echo "executed copies: skipped, their scores of published predictions need PAPERLIB_DATA"; \
		PAPERLIB_SIZE=tiny $(BIN)/pytest -q -n 2 --dist loadscope --nbval-lax --nbval-cell-timeout=300 notebooks; \
	fi

test-fast: venv  # the science and the files of others; three minutes on two cores, no data
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not slow and not data and not browser" tests

site: .venv/.site
	$(BIN)/python site/build.py

.venv/.site: .venv/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[companion,site]'
	@touch $@

clean:
	rm -rf .venv site/_build runs results/*-tiny
