# Needs Python 3.11 or newer and nothing else. `make` alone says what there is.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run demo test mutants lint format lock

PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$name; break; }; done)
PIP = .venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
# Values that only let the settings load: nothing is stored or signed with them. New ones each time, because those that
# anybody can read here would be refused
RANDOM = $(shell head -c 32 /dev/urandom | base64 | tr '+/' '-_')
CHECKS = SECRET_KEY=$(RANDOM)$(RANDOM) VAULT_KEYS=$(RANDOM) DATABASE_URL=sqlite://:memory:

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/requirements.txt.installed ## Set up what is missing and serve on 127.0.0.1 (PORT=8000 DATA_DIR=./data)
	@.venv/bin/python -m licensing_portal.quickstart

demo: .venv/requirements.txt.installed ## Play every documented request against a portal of its own and check the answers
	@.venv/bin/python -m licensing_portal.demo

test: .venv/requirements-dev.txt.installed ## Run the suite on PostgreSQL, and on SQLite what differs there (ARGS="-k verify" goes to pytest)
	@.venv/bin/python -m tests.run $(ARGS)

mutants: .venv/requirements-dev.txt.installed ## Change the rules a little and see whether a test notices (ARGS='licenses.signing.*')
	@TEST_SQLITE_FILE=:memory: .venv/bin/python -m mutmut run $(ARGS)

lint: .venv/requirements-dev.txt.installed ## Check style, types, migrations and Django's own checks
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	$(CHECKS) .venv/bin/mypy
	$(CHECKS) .venv/bin/python manage.py makemigrations --check --dry-run
	$(CHECKS) .venv/bin/python manage.py check

format: .venv/requirements-dev.txt.installed ## Bring the code into the common form
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

lock: ## Resolve pyproject.toml again into the requirements files (needs uv; ARGS=--upgrade takes newer versions)
	$(LOCK) $(ARGS) pyproject.toml --output-file requirements.txt
	$(LOCK) $(ARGS) pyproject.toml --group dev --output-file requirements-dev.txt

# Installed again only when the lock file has changed
.venv/%.installed: % | .venv/bin/pip
	@echo "Installing what $< names; the first time this takes about a minute."
	@$(PIP) -r $<
	@touch $@

# One whose Python has gone, by an upgrade of the system for example, is made anew
$(shell test -x .venv/bin/python || rm -rf .venv)

.venv/bin/pip:
	@test -n "$(PYTHON)" || { echo "The portal needs Python 3.11 or newer, and there is none on this PATH" \
		"(python3 is $$(python3 --version 2>&1)). Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "The portal needs Python 3.11 or newer; $(PYTHON) is older." >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv
