# make lab       set up what is missing and open the course in JupyterLab
# make studio    open the Generative AI Studio as a page of its own, without JupyterLab
# make test      for contributors and instructors: set up what is missing and run every test
# make quick     run the tests that need no model, no browser and no other process
# make contract  hold an endpoint, ENDPOINT=http://host:port/v1, to what its clients are promised
# make serve     answer other programs with the course's model, OPTIONS="--adapter name" with registered ones, too
# make cluster   serve the model from two processes, or REPLICAS=..., on one address
# make cloud     add what reads s3:// and gs:// addresses
# make monitor   open MLflow's page on the tuning runs and the registered models

VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
READY := $(VENV)/.ready
DEV := $(VENV)/.ready-dev
CLOUD := $(VENV)/.ready-cloud
CLUSTER := $(VENV)/.ready-cluster
PYTHON ?=
ASSETS = $(BIN)/python -m utils.storage
RESULTS := build/results
TUNING := build/tuning
STUDIO := build/studio
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
TEST_DEVICE ?= cpu
# Where pip takes torch from: the index of the small CPU builds on a Linux without an NVIDIA GPU, pip's own otherwise.
TORCH_INDEX ?= $(shell sh .ci/torch_index.sh $(BIN)/python)

# Bytecode is compiled when a module is first imported: most never are.
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-compile --constraint constraints.txt
ALL := --group dev --extra cloud --extra cluster
# What an environment has, it keeps, in the versions of the lock.
SYNC = UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --quiet --frozen --inexact --no-install-package torch \
	--python $(BIN)/python $(if $(wildcard $(DEV)),$(ALL)) $(if $(wildcard $(CLOUD)),--extra cloud) \
	$(if $(wildcard $(CLUSTER)),--extra cluster)
EXPORT = $(BIN)/uv export --quiet --frozen --no-header --no-annotate --no-emit-project

.PHONY: lab studio monitor serve setup dev cloud cluster assets quick test contract mutants labs execute bench sweeps ladder \
	reproduce lint format clean-results lock newest newest-tested test-pythons python-tested

lab: assets
	$(BIN)/jupyter trust --log-level=ERROR notebooks/*.ipynb labs/*.ipynb >/dev/null
	$(BIN)/jupyter lab $(AS_ROOT) --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

# OPTIONS="--port 9000 --no-browser"
studio: assets
	$(BIN)/python -m utils.studio $(OPTIONS)

monitor: setup
	$(BIN)/python -m utils.registry.tracking

# OPTIONS="--adapter name@alias --port 0"; all of them: OPTIONS=--help
serve: assets
	$(BIN)/python -m utils.serving $(OPTIONS)

setup: $(READY)

dev: $(DEV)

cloud: $(CLOUD)

$(VENV)/pyvenv.cfg:
	@python=$$(sh .ci/find_python.sh $(PYTHON)) || exit 1; "$$python" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python's venv module is missing: on Debian and Ubuntu run 'sudo apt-get install" \
			"$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')', then make again"; exit 1; }

# pip takes torch, because uv does not see a build of it that pip is told of; the other packages come beside it. Only
# when these are there does pip look for what this build of torch needs besides.
$(READY): $(VENV)/pyvenv.cfg uv.lock pyproject.toml setup.py $(wildcard utils/labextension/* utils/labextension/*/*)
	$(PIP_INSTALL) --no-deps uv
	$(PIP_INSTALL) --no-deps torch $(addprefix --index-url ,$(TORCH_INDEX)) & torch=$$!; $(SYNC); synced=$$?; wait $$torch && exit $$synced
	$(PIP_INSTALL) torch
	@touch $(READY)

$(DEV): $(READY)
	$(SYNC) $(ALL)
	@touch $(DEV)

$(CLOUD): $(READY)
	$(SYNC) --extra cloud
	@touch $(CLOUD)

$(CLUSTER): $(READY)
	$(SYNC) --extra cluster
	@touch $(CLUSTER)

assets: setup
	$(ASSETS)

# Options stand in the environment, COURSE_SERVING_PORT=8001; `python -m utils.serving.cluster --help` lists them.
REPLICAS ?= 2
cluster: assets $(CLUSTER)
	$(BIN)/python -m utils.serving.cluster --replicas $(REPLICAS)

# Where an environment forbids bytecode, each kernel and each job would compile again what it imports: 9 s of 12.
unexport PYTHONDONTWRITEBYTECODE

# What these run is no learner's attempt.
quick test contract mutants labs execute reproduce newest-tested python-tested: export COURSE_PROGRESS := off

IN_GROUPS := --numprocesses=2 --dist=loadscope --no-loadscope-reorder

# At every save.
quick: dev
	COURSE_MODEL= COURSE_DEVICE=cpu OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests \
		-m "not model and not browser and not process and not slow" $(IN_GROUPS)

# Results are computed anew in every run, then shared by a lab and its master. Two workers of one thread each take less
# time than one of two: many tests wait for a process or a page.
test: lint assets
	rm -rf $(RESULTS) $(TUNING)
	COURSE_MODEL= COURSE_DEVICE=$(TEST_DEVICE) OMP_NUM_THREADS=1 COURSE_RESULTS=$(abspath $(RESULTS)) \
		COURSE_TUNING=$(abspath $(TUNING)) $(BIN)/python -m pytest $(IN_GROUPS)

# What every changed digit turns red: outputs are computed once, then compared with each changed reference.
mutants: dev assets
	COURSE_MODEL= COURSE_DEVICE=cpu COURSE_RESULTS=$(abspath $(RESULTS)) COURSE_TUNING=$(abspath $(TUNING)) \
		$(BIN)/python -m tests.mutants

# What an OpenAI-compatible endpoint promises, held against ENDPOINT=http://host:port/v1, the course's own if left out.
# With ENDPOINT_KEY=..., ENDPOINT_MODEL=...
contract: dev assets
	COURSE_MODEL= COURSE_DEVICE=cpu OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/serving/contract

labs: dev
	$(BIN)/python -m utils.authoring labs

execute: dev assets
	rm -rf $(STUDIO)
	COURSE_MODEL= COURSE_DEVICE=cpu COURSE_TUNING=$(abspath $(TUNING)) COURSE_STUDIO=$(abspath $(STUDIO)) \
		$(BIN)/python -m utils.authoring execute notebooks/*.ipynb labs/solutions/*.ipynb

bench: dev assets
	COURSE_DEVICE=cpu $(BIN)/python -m tests.bench

# The long trainings whose results lesson 08 and Lab 3 read: about two hours for what is missing.
sweeps: assets
	COURSE_MODEL= $(BIN)/python -m utils.experiments.sweeps

# The course's four tasks on models of several sizes, MODELS="name-or-path ..."; a record each in labs/data/models.
# With USES=1, what language models are used for; a record each in labs/data/uses.
ladder: assets
	COURSE_MODEL= COURSE_DEVICE=cpu $(BIN)/python -m utils.experiments.climb $(if $(USES),--uses) $(MODELS)

# The committed outputs on one thread, and with the oldest kernels that torch has.
reproduce: dev assets
	rm -rf $(RESULTS)-one-thread $(RESULTS)-sse4 $(TUNING)-one-thread $(TUNING)-sse4
	COURSE_MODEL= OMP_NUM_THREADS=1 COURSE_DEVICE=cpu COURSE_RESULTS=$(abspath $(RESULTS)-one-thread) \
		COURSE_TUNING=$(abspath $(TUNING)-one-thread) $(BIN)/python -m pytest notebooks labs/solutions
	COURSE_MODEL= ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 COURSE_DEVICE=cpu COURSE_RESULTS=$(abspath $(RESULTS)-sse4) \
		COURSE_TUNING=$(abspath $(TUNING)-sse4) $(BIN)/python -m pytest notebooks labs/solutions

lint: dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/ty check --python $(VENV)

format: dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean-results:
	rm -rf build/results*

# After a change of pyproject.toml; LOCK=--upgrade takes newer versions of what it does not name. The index is named, so
# that no mirror's addresses come into the lock.
lock: $(VENV)/pyvenv.cfg
	$(PIP_INSTALL) --no-deps uv
	$(BIN)/uv lock --quiet --python $(BIN)/python --default-index https://pypi.org/simple $(LOCK)
	{ echo "# Made by make lock: what a learner runs, with hashes, without torch."; \
		$(EXPORT) --no-emit-package torch; } > requirements.txt
	{ echo "# Made by make lock: the version of every package, for conda and for pip's --constraint."; \
		$(EXPORT) --no-hashes --all-extras --all-groups; } > constraints.txt

# For maintainers, once a week: which contract tests and notebooks do the newest direct dependencies break?
# torch stays as it is locked.
newest:
	rm -rf .venv-newest
	$(MAKE) newest-tested VENV=.venv-newest

newest-tested: $(VENV)/pyvenv.cfg
	$(PIP_INSTALL) --no-deps uv torch
	grep '^torch==' constraints.txt > $(VENV)/torch.txt
	sed -n 's/^    "\(.*\)==.*",/\1/p' pyproject.toml > $(VENV)/direct.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint $(VENV)/torch.txt --requirement $(VENV)/direct.txt
	$(BIN)/python -m pip install --quiet --requirement $(VENV)/torch.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	$(ASSETS)
	COURSE_MODEL= COURSE_DEVICE=cpu COURSE_RESULTS=$(abspath $(RESULTS)-newest) COURSE_TUNING=$(abspath $(TUNING)) \
		$(BIN)/python -m pytest tests/test_internals.py notebooks labs/solutions

# The quick tests, and three lessons strictly, on each other supported Python that runs, or on those named.
PYTHONS ?= python3.11 python3.12 python3.13 python3.14
test-pythons:
	@failed=; for name in $(PYTHONS); do \
		python=$$(sh .ci/find_python.sh $$name 2>/dev/null) || { echo "$$name: does not run here"; continue; }; \
		minor=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		case $$($(BIN)/python --version 2>/dev/null) in "Python $$minor."*) echo "$$name: $(VENV) has it"; continue;; esac; \
		$(MAKE) python-tested VENV=.venv-$$minor PYTHON="$$python" || failed="$$failed $$name"; \
	done; [ -z "$$failed" ] || { echo "failed on:$$failed"; exit 1; }

python-tested: dev assets
	COURSE_MODEL= COURSE_DEVICE=cpu OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests \
		-m "not model and not browser and not process and not slow" $(IN_GROUPS)
	COURSE_MODEL= COURSE_DEVICE=cpu OMP_NUM_THREADS=1 COURSE_RESULTS=off $(BIN)/python -m pytest \
		$(wildcard notebooks/00_*.ipynb notebooks/04_*.ipynb notebooks/05_*.ipynb)
