# The commands a person types. What CI runs is .ci/run, which calls these.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# PyTorch's own CPU build, for users without a GPU: make demo TORCH_CPU=1
TORCH_INDEX := $(if $(TORCH_CPU),--index-url https://download.pytorch.org/whl/cpu,)

.PHONY: demo demo-reset test lint types imports lock clean

demo: $(VENV)/.installed
	@$(BIN)/postbag demo

demo-reset: $(VENV)/.installed
	@$(BIN)/postbag demo --reset

# Two at a time, each file by one of them: what a file sets up is set up once.
test: $(VENV)/.installed-dev
	$(BIN)/pytest --numprocesses=2 --dist=loadfile

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports

# torch first and by itself: a plain pin lets pip take a wheel that lies on disk, and the rest finds it there.
$(VENV)/.installed: requirements.lock pyproject.toml
	@echo "Installing pinned dependencies into $(VENV): some minutes, once."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(TORCH_INDEX) torch==2.13.0
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	$(BIN)/python -m pip install --quiet -r requirements-dev.lock
	@touch $@

# Both locks anew, after a change of dependencies in pyproject.toml. The larger one comes first, so that
# the smaller one names the same versions.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock: $(VENV)/.installed-dev
	$(LOCK) pyproject.toml --extra dev --extra training --output-file requirements-dev.lock
	$(LOCK) pyproject.toml --constraint requirements-dev.lock --output-file requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
