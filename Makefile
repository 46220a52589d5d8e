# livegate: `make run` starts everything on this machine; `make help` lists the rest.
.PHONY: help run test screenshots test-manifests test-containers chaos soak attack alerts bench check format metrics-page monitoring lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

run: ## install what is missing, start everything, Ctrl-C stops it (PORT= WORKERS= REDIS_URL= TLS=1)
	@scripts/install run
	@exec .venv/bin/livegate run

test: ## every test, browser included
	@scripts/install dev
	@scripts/test-tools
	@scripts/manifest-tools
	@scripts/quietly "types of the page (tsc)" tests/frontend/js/node_modules/.bin/tsc -p tests/frontend/jsconfig.json
	@node --test --test-reporter=dot tests/frontend/*.test.mjs
	@.venv/bin/python -m pytest -n 2 --dist loadfile --ignore tests/system --ignore tests/chaos --ignore tests/attack --ignore tests/containers --ignore tests/contract --ignore tests/e2e
	@.venv/bin/python -m pytest -n 2 --dist loadfile tests/system tests/chaos tests/attack tests/contract tests/e2e

screenshots: ## the pictures of the page in docs/screenshots
	@scripts/install dev
	@scripts/test-tools
	@.venv/bin/python -m tests.e2e.screenshots

test-manifests: ## deployment files: schemas, checkov, and whether they fit the code
	@scripts/install dev
	@scripts/manifest-tools
	@.venv/bin/python -m pytest -n 2 --dist loadfile tests/manifests

test-containers: ## images and docker-compose.yml, built and run (needs a Docker engine)
	@scripts/install dev
	@scripts/test-tools
	@scripts/container-tools
	@.venv/bin/python -m pytest tests/containers

chaos: ## every fault over forty conversations, half an hour (ONLY=fault,fault SEED= SESSIONS= QUICK=1)
	@scripts/install dev
	@.venv/bin/python -m tests.chaos

soak: ## half an hour of sessions that come and go, and restarts; plots (QUICK=1 SESSIONS= SEED= KEEP=folder)
	@scripts/install dev
	@.venv/bin/python -m tests.soak

attack: ## what must not be let in, or harm others, tried over real sockets, ten minutes (ONLY=attack,attack SEED= QUICK=1)
	@scripts/install dev
	@.venv/bin/python -m tests.attack

alerts: ## every alert provoked for real and seen to fire, five minutes (ONLY=alert,alert)
	@scripts/install dev
	@scripts/test-tools
	@.venv/bin/python -m tests.monitoring

bench: ## what livegate costs beside other ways, 25 minutes (ONLY=part,part SESSIONS= CHUNK_MS=40 VIDEO=1 QUICK=1 DRAW=1)
	@scripts/install dev
	@scripts/bench-tools
	@.venv/bin/python -m tests.bench

check: ## format, lint, types, import rules, dependencies
	@scripts/install dev
	@scripts/quietly "format (ruff)" .venv/bin/ruff format --check .
	@scripts/quietly "lint (ruff)" .venv/bin/ruff check .
	@scripts/quietly "types (mypy)" .venv/bin/mypy
	@scripts/quietly "import rules (import-linter)" .venv/bin/lint-imports --no-cache --no-logo
	@.venv/bin/python scripts/audit

format: ## rewrite what `make check` would complain about, where a tool can
	@scripts/install dev
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

metrics-page: ## write docs/metrics.md again from what the code declares
	@scripts/install dev
	@.venv/bin/python scripts/metrics-page > docs/metrics.md

monitoring: ## write the dashboards and Google's copy of the alerts again
	@scripts/install dev
	@.venv/bin/python scripts/monitoring

lock: ## make every lock again from the pyproject files
	@scripts/install dev
	@.venv/bin/python requirements/compile

clean: ## remove environment and caches
	@rm -rf .venv .run .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/contract/js/node_modules tests/manifests/crds/node_modules tests/frontend/js/node_modules
