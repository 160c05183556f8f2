# Two commands, each enough on a fresh machine with python3 (3.11 or newer), pip and make:
#   make paper   every notebook, every figure and table, and the site (profile demo, embedded simulation)
#   make test    the tests
PY ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Containers often forbid Python to keep compiled modules; every kernel would compile torch anew (13 s instead of 6).
unexport PYTHONDONTWRITEBYTECODE

.PHONY: paper test types tests-alone fuzz faults audit lab figures lock clean setup
.DEFAULT_GOAL := paper

paper: setup
	$(BIN)/python run_all.py --profile demo --site

# Types are checked beside the tests: mypy has one core only.
test: setup
	$(BIN)/ruff check .
	@$(MAKE) --no-print-directory -j 2 types tests-alone

types:
	$(BIN)/mypy

tests-alone:
	$(BIN)/python -m pytest

# Damaged files by the thousand; counts go on from night to night (results/reference/fuzz.csv).
fuzz: setup
	$(BIN)/python -m benchmarks.fuzz --keep

# A plan killed, starved, damaged and edited, then started again; counts go on (results/reference/faults.csv).
faults: setup
	$(BIN)/python -m benchmarks.faults --keep

# Known vulnerabilities of what requirements.lock pins; where advisories can't be reached, a line says so.
audit: setup | .uv/bin/uv
	@$(BIN)/python -m benchmarks.audit

# JupyterLab on copies: what is run and saved there leaves the notebooks of the repository as they are.
# A copy is made once and never overwritten; delete it to get it anew.
COPIES := $(patsubst notebooks/%,results/lab/%,$(wildcard notebooks/*.ipynb notebooks/tools/*.ipynb))

results/lab/%.ipynb: | notebooks/%.ipynb
	@mkdir -p $(@D)
	@cp $| $@

lab: setup $(COPIES)
	@echo "These are copies, in results/lab; delete one to get it anew. The originals: notebooks/"
	$(BIN)/jupyter lab --notebook-dir results/lab

figures: setup
	$(BIN)/riqa figures

setup: .venv/.stamp

# Bootstrap: uv goes into a local folder (no root, no PEP 668 conflict), then installs the hash-pinned lock.
.uv/bin/uv: requirements.uv
	$(PY) -m pip install -q --upgrade --target .uv --require-hashes -r requirements.uv
	@touch $@

.venv/.stamp: requirements.lock pyproject.toml | .uv/bin/uv
	@echo "Downloading and installing about $$(grep -c '^[a-zA-Z0-9].*==' requirements.lock) packages (nothing is shown until they are there)"
	.uv/bin/uv venv -q --clear --python $(PY) .venv
	.uv/bin/uv pip install -q --python .venv/bin/python --require-hashes -r requirements.lock
	.uv/bin/uv pip install -q --python .venv/bin/python --no-deps --no-build-isolation -e .
	@touch $@

# For maintainers: pyproject.toml is the only list; the lock and environment.yml follow from it (without what is a
# user's choice: parquet, heic, dicom, cluster).
lock: | .uv/bin/uv
	.uv/bin/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --python-version 3.11 --extra dev --extra site pyproject.toml -o requirements.lock
	$(BIN)/python -m riqa_lib environment

clean:
	rm -rf .venv .uv results/demo results/smoke results/runs figures/demo figures/smoke docs/_build site
