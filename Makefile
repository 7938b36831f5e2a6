# Everything a person does with Pedigree from day to day. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready

# Day-to-day variables: make train CONFIG=tiny NAME=dogs DATA=data/dogs
DATA    ?= data
RUNS    ?= runs
NAME    ?= main
CONFIG  ?= tiny
DEVICE  ?= auto
PORT    ?= 8700
SITE    ?=
SOURCES ?=
QUERY   ?=
CONTACT ?=
PEERS   ?= .venv-peers
JOBS    ?= 3
ARGS    ?=
PACK    := $(DATA)/packs/$(NAME).h5
RUN     := $(RUNS)/$(NAME)

DEMO_DATA := data/demo
DEMO_RUNS := runs
DEMO_RUN  := $(DEMO_RUNS)/demo
DEMO_PORT ?= 8765

.PHONY: help setup demo demo-clean scrape resume status import merge duplicates quality auto curate pack train sample novelty \
        evaluate stickers watch test test-slow check format bench browser nginx peers clean

help: ## list the targets
	@echo "Pedigree: collect, judge, pack, learn, draw, check. Two commands do everything: make demo, make test"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "Variables: DATA=data RUNS=runs NAME=main CONFIG=tiny DEVICE=auto PORT=8700 SITE=sites.toml ARGS='--more options'"

setup: $(STAMP) ## build .venv with everything (done by the other targets when needed)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "setting up $(VENV) (once; it is renewed when pyproject.toml or constraints.txt change)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP) ## the whole way on a small embedded web site: collect, judge, pack, learn, draw, check
	@echo "== 1/6 collect: pictures from the demo site on 127.0.0.1:$(DEMO_PORT)"
	@$(BIN)/python -m scrape run --demo-site --port $(DEMO_PORT) --data $(DEMO_DATA)
	@echo "== 2/6 judge: one of each duplicate group, no blanks, no collages"
	@$(BIN)/python -m curate_app auto --data $(DEMO_DATA)
	@echo "== 3/6 pack: one HDF5 file that remembers where every picture came from"
	@$(BIN)/python -m dataset pack --data $(DEMO_DATA) --set name=demo
	@$(BIN)/python -m dataset verify $(DEMO_DATA)/packs/demo.h5
	@echo "== 4/6 learn: a small diffusion model (five to six minutes on two cores)"
	@$(BIN)/python -m train run --config tiny --packed $(DEMO_DATA)/packs/demo.h5 --runs $(DEMO_RUNS) --name demo
	@echo "== 5/6 draw: pictures of every class"
	@$(BIN)/python -m sample draw $(DEMO_RUN) --per-class 8 --replace
	@echo "== 6/6 check: is any of them a copy, and of whose picture?"
	@$(BIN)/python -m sample novelty $(DEMO_RUN)/samples --packed $(DEMO_DATA)/packs/demo.h5
	@$(BIN)/python -m sample summary --data $(DEMO_DATA) --run $(DEMO_RUN)

scrape: $(STAMP) ## collect pictures: SOURCES="commons openverse" QUERY="red panda", or SITE=file.toml (neither: the demo site)
	@$(BIN)/python -m scrape run $(SOURCES) $(if $(SITE),--config $(SITE)) \
	  $(if $(SOURCES)$(SITE),,--demo-site) $(if $(QUERY),--query '$(QUERY)') \
	  $(if $(CONTACT),--set crawl.contact='$(CONTACT)') --data $(DATA) $(ARGS)

resume: $(STAMP) ## go on with the last run of scrape
	@$(BIN)/python -m scrape resume --data $(DATA) $(ARGS)

status: $(STAMP) ## what was collected, and why the rest was not
	@$(BIN)/python -m scrape status --data $(DATA) $(ARGS)

import: $(STAMP) ## take a folder or tar of pictures into the catalogue: FROM=path
	@$(BIN)/python -m dataset import folder $(FROM) --data $(DATA) $(ARGS)

merge: $(STAMP) ## take in another data folder with all that is known of its pictures: FROM=../laptop/data
	@$(BIN)/python -m dataset merge $(FROM) --data $(DATA) $(ARGS)

duplicates: $(STAMP) ## how many near-duplicates every radius would fold away
	@$(BIN)/python -m dataset duplicates --data $(DATA) $(ARGS)

quality: $(STAMP) ## how many pictures are blurred, dark, collages ...: ARGS='--report quality.html'
	@$(BIN)/python -m dataset quality --data $(DATA) $(ARGS)

auto: $(STAMP) ## judge without hands: duplicates, blanks and collages go, the rest is kept
	@$(BIN)/python -m curate_app auto --data $(DATA) $(ARGS)

curate: $(STAMP) ## judge in the browser at http://127.0.0.1:8700 (PORT=8700)
	@$(BIN)/python -m curate_app serve --data $(DATA) --runs $(RUNS) --port $(PORT) $(ARGS)

pack: $(STAMP) ## pack what is kept: NAME=main, ARGS='--set size=64'
	@$(BIN)/python -m dataset pack --data $(DATA) --set 'name="$(NAME)"' $(ARGS)

train: $(STAMP) ## train on a pack, or go on where it was: CONFIG=tiny NAME=main DEVICE=auto
	@$(BIN)/python -m train run --config $(CONFIG) --packed $(PACK) --runs $(RUNS) --name $(NAME) --device $(DEVICE) $(ARGS)

sample: $(STAMP) ## draw pictures from the newest checkpoint: NAME=main, ARGS='--label dog'
	@$(BIN)/python -m sample draw $(RUN) --replace --device $(DEVICE) $(ARGS)

novelty: $(STAMP) ## compare what was drawn with what was trained on: NAME=main
	@$(BIN)/python -m sample novelty $(RUN)/samples --packed $(PACK) $(ARGS)

evaluate: $(STAMP) ## measure how near what was drawn comes to real pictures: NAME=main, ARGS='--space vae=runs/vae'
	@$(BIN)/python -m sample evaluate $(RUN)/samples --packed $(PACK) $(ARGS)

stickers: $(STAMP) ## large PNGs, SVGs and favicons of the new ones: NAME=main
	@$(BIN)/python -m sample stickers $(RUN)/samples $(ARGS)

watch: $(STAMP) ## follow a run in training and warn when it copies: NAME=main
	@$(BIN)/python -m sample watch $(RUN) --packed $(PACK) $(ARGS)

test: $(STAMP) ## run the tests, JOBS=3 at once
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

test-slow: $(STAMP) ## run the slow tests, too
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m 'not gpu' --timeout 1800 $(ARGS)

check: $(STAMP) ## format, lint, types and import order
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP) ## put the code into its format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(STAMP) ## measure speed side by side with peers: ARGS='pages judging'
	@$(BIN)/python -m tests.bench $(ARGS)

browser: ## install Debian's Chromium and its driver, for the tests of the pages
	@if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then \
	  echo "chromium and chromedriver are installed"; \
	elif command -v apt-get >/dev/null; then \
	  sudo=$$(test "$$(id -u)" = 0 || echo sudo); \
	  $$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends chromium chromium-driver; \
	else \
	  echo "error: no apt-get here; install Chromium and chromedriver and put them on the PATH" >&2; exit 4; \
	fi

nginx: ## install Debian's nginx-light, the server of the collector's benchmarks
	@if command -v nginx >/dev/null || test -x /usr/sbin/nginx; then \
	  echo "nginx is installed"; \
	elif command -v apt-get >/dev/null; then \
	  sudo=$$(test "$$(id -u)" = 0 || echo sudo); \
	  $$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends nginx-light; \
	else \
	  echo "error: no apt-get here; install nginx and put it on the PATH" >&2; exit 4; \
	fi

peers: ## install the programs that make bench compares with, into a virtual environment of their own
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(PEERS)/bin/python -m pip install --quiet img2dataset==1.47.0 \
	  pillow PyWavelets==1.9.0 scikit-learn==1.9.1 tqdm
	@# imagededup wants torch and torchvision, which its hashes do not need
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(PEERS)/bin/python -m pip install --quiet --no-deps imagededup==0.3.3.post2

demo-clean: ## forget the demo's pictures and its run
	@rm -rf $(DEMO_DATA) $(DEMO_RUN)

clean: ## remove caches and the virtual environment (never data or runs)
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
