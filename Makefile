# SPDX-License-Identifier: Apache-2.0
# Targets only call the command lines; what is missing is installed first.

PYTHON ?= python3.11
VENV   := .venv
RUN    := $(VENV)/bin/python
STAMP  := $(VENV)/.installed
CONFIG ?= demo
TORCH  ?=
JOBS   ?= 2
INDEX   = $(if $(filter cpu,$(TORCH)),--extra-index-url https://download.pytorch.org/whl/cpu)

.DEFAULT_GOAL := help
.PHONY: help setup demo build accelerator explore bitstream overlay-package bench report hls-sim hls-ip test test-slow coverage formal lint docs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) ## make the environment in .venv (Python 3.11, a few minutes); TORCH=cpu: without CUDA

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is missing: install python3.11 with its venv module, or set PYTHON=" >&2; exit 1; }
	@for tool in g++ make perl; do command -v $$tool >/dev/null || { echo "$$tool is missing: apt-get install g++ make perl" >&2; exit 1; }; done
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet $(INDEX) -c constraints.txt -e '.[host,build,sweep,rtl,dev,browser,mqtt,video]'
	@touch $@

demo: $(STAMP) ## one real face through simulated hardware: build/demo/face.png, report.json
	$(RUN) -m build_flows build --config demo

build: $(STAMP) ## run the flow for CONFIG=name
	$(RUN) -m build_flows build --config $(CONFIG)

accelerator: $(STAMP) ## the full-width network on the KV260, built and simulated: build/kv260_1x/report.json
	$(RUN) -m build_flows build --config kv260_1x

explore: CONFIG := kv260_1x
explore: $(STAMP) ## foldings from 60 FPS to the most that fits: build/kv260_1x/explore
	$(RUN) -m build_flows explore --config $(CONFIG)

bitstream: CONFIG := kv260_eyes
bitstream: $(STAMP) ## with Vivado: overlays/CONFIG for the KV260; CONFIG=name, CLK_MHZ=clock
	$(RUN) -m build_flows bitstream --config $(CONFIG) $(if $(CLK_MHZ),--clk-mhz $(CLK_MHZ))

overlay-package: CONFIG := kv260_eyes
overlay-package: $(STAMP) ## tarball of an overlay with host/ for the board
	$(RUN) -m build_flows overlay-package --config $(CONFIG)

hls-sim: $(STAMP) ## the C++ of both widths compiled and compared on 3 faces each
	$(RUN) -m build_flows hls-sim --config demo
	$(RUN) -m build_flows hls-sim --config kv260_1x

hls-ip: CONFIG := kv260_1x
hls-ip: $(STAMP) ## with Vitis HLS: the C++ of CONFIG=name as an IP for Vivado
	$(RUN) -m build_flows hls-ip --config $(CONFIG)

bench: $(STAMP) ## speed of this machine: build/bench/this.json, 6 minutes
	@mkdir -p build/bench
	$(RUN) host/bench.py --json build/bench/this.json

report: $(STAMP) ## all machines in build/bench and simulated builds compared: build/report/platforms.html
	$(RUN) host/comparison.py $(wildcard build/bench/*.json) \
	  $(addprefix --build ,$(wildcard build/kv260_1x/report.json build/kv260_025x/report.json))

test: $(STAMP) lint ## everything that needs no vendor tool; JOBS=1: one file after the other
	$(RUN) -m pytest -n $(JOBS) --dist loadfile -m 'not slow'

test-slow: $(STAMP) ## the long simulations and trainings
	$(RUN) -m pytest -m slow

coverage: $(STAMP) ## lines that the tests reach, as a table
	$(RUN) -m pytest --cov --cov-report=term:skip-covered -m 'not slow'

formal: $(STAMP) ## proofs of the stream, credit and weight modules by yosys and z3, with their mutants
	$(RUN) -m hw.formal

lint: $(STAMP) ## Python by ruff and mypy; SystemVerilog by Verible and slang; C++ by clang-format; spelling
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m hw.lint
	$(VENV)/bin/codespell

$(VENV)/.docs: $(STAMP)
	$(RUN) -m pip install --quiet -c constraints.txt -e '.[docs]'
	@touch $@

docs: $(VENV)/.docs ## the pages as a site, links checked, warnings are errors: build/docs/site
	$(RUN) -m docs_builder check
	$(RUN) -m docs_builder pages
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet --strict -f docs_builder/mkdocs.yml

clean: ## remove build products, keep the environment
	rm -rf build
