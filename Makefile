# `make demo` shows the main job, `make test` checks everything. Both set up `.venv` on their own.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CODE := src tests examples benchmarks

.PHONY: demo test bench clean

demo: $(READY)
	@$(BIN)/python examples/cartpole.py

# One thread each: two xdist workers already fill two cores.
test: export OMP_NUM_THREADS ?= 1
test: $(READY)
	@echo "ruff check" && $(BIN)/ruff check --quiet $(CODE)
	@echo "ruff format --check" && $(BIN)/ruff format --check --quiet $(CODE)
	@echo "mypy --strict" && $(BIN)/mypy --strict --no-error-summary
	@echo "pytest" && $(BIN)/python -m pytest -q -n 2 $(PYTEST_ARGS)

bench: $(VENV)/.bench
	@set -e; for script in $(shell grep -l '^if __name__' benchmarks/*.py); do \
		echo "$$script"; $(BIN)/python "$$script"; \
	done

# What Suture is measured against is needed here alone.
$(VENV)/.bench: $(READY)
	@echo "installing what benchmarks compare with"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
		--editable '.[torch,rl,dev,bench]' --constraint constraints.txt
	@touch $@

# Leaves $(VENV): it takes minutes to make. Delete it by hand to start over.
clean:
	@echo "removing caches and build output"
	@rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find src tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# A `python3.11` on PATH may be a shim that does not run, so each candidate is run to be asked.
$(READY): pyproject.toml constraints.txt
	@set -e; if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		python=; \
		for name in python3.11 python3; do \
			if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
				python=$$name; break; \
			fi; \
		done; \
		if [ -z "$$python" ]; then \
			echo "Suture needs Python 3.11 or newer; neither python3.11 nor python3 on PATH is." >&2; \
			exit 1; \
		fi; \
		echo "making $(VENV) with $$($$python --version)"; \
		$$python -m venv $(VENV); \
	fi
	@echo "installing the pinned packages into $(VENV) (minutes the first time)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
		--editable '.[torch,rl,dev]' --constraint constraints.txt
	@touch $@
