# make lab    set up what is missing and open the course in JupyterLab
# make test   set up what is missing and run every test
# make monitor   open MLflow's page on the tuning runs and the registered models

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHON ?= $(shell command -v python3.11 || command -v python3)
RESULTS := build/results
TUNING := build/tuning
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
TEST_DEVICE ?= cpu

.PHONY: lab monitor setup assets test labs execute bench sweeps reproduce lint format clean-results

lab: assets
	$(BIN)/jupyter trust --log-level=ERROR notebooks/*.ipynb labs/*.ipynb >/dev/null
	$(BIN)/jupyter lab $(AS_ROOT) --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

monitor: setup
	$(BIN)/python -m utils.registry.tracking

setup: $(READY)

$(READY): environment.yml pyproject.toml utils/requirements.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "The course is made for Python 3.11: name it with make PYTHON=/path/to/python3.11, or use conda (see README)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "Python's venv module is missing: on Debian and Ubuntu run 'sudo apt-get install python3-venv', then make again"; exit 1; }
	$(PYTHON) -m utils.requirements $(VENV)/requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement $(VENV)/requirements.txt
	@for extension in @jupyter/nbgrader @jupyterlab/apputils-extension:announcements; do \
		$(BIN)/jupyter labextension disable --level=sys_prefix $$extension 2>/dev/null; done
	@touch $(READY)

assets: setup
	$(BIN)/python -m utils.storage

# Results are computed anew in every run, then shared by a lab and its master. Two workers of one thread each take less
# time than one of two: many tests wait for a process or a page.
test: assets
	rm -rf $(RESULTS) $(TUNING)
	COURSE_MODEL= COURSE_DEVICE=$(TEST_DEVICE) OMP_NUM_THREADS=1 COURSE_RESULTS=$(abspath $(RESULTS)) \
		COURSE_TUNING=$(abspath $(TUNING)) $(BIN)/python -m pytest --numprocesses=2 --dist=loadscope

labs: assets
	COURSE_MODEL= COURSE_DEVICE=cpu COURSE_TUNING=$(abspath $(TUNING)) $(BIN)/python -m utils.authoring labs

execute: assets
	COURSE_MODEL= COURSE_DEVICE=cpu COURSE_TUNING=$(abspath $(TUNING)) $(BIN)/python -m utils.authoring execute notebooks/*.ipynb labs/solutions/*.ipynb

bench: assets
	COURSE_DEVICE=cpu $(BIN)/python -m tests.bench

# The long trainings whose results lesson 08 and Lab 3 read: about two hours for what is missing.
sweeps: assets
	COURSE_MODEL= $(BIN)/python -m utils.experiments.sweeps

# The committed outputs on one thread, and with the oldest kernels that torch has.
reproduce: assets
	rm -rf $(RESULTS)-one-thread $(RESULTS)-sse4
	COURSE_MODEL= OMP_NUM_THREADS=1 COURSE_DEVICE=cpu COURSE_RESULTS=$(abspath $(RESULTS)-one-thread) \
		$(BIN)/python -m pytest notebooks labs
	COURSE_MODEL= ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 COURSE_DEVICE=cpu COURSE_RESULTS=$(abspath $(RESULTS)-sse4) \
		$(BIN)/python -m pytest notebooks labs

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean-results:
	rm -rf build/results*
