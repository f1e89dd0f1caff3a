# Everything goes through here; a bare `make` lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run test check stories screenshots contract firmware fuzz mutants bench dist package lock cover clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/run.stamp  ## set up what is needed, then start the gateway and its page (a twin if no meter is configured)
	@$(BIN)/wattrail run $(ARGS)

test: $(VENV)/dev.stamp $(VENV)/hass.stamp $(VENV)/esphome.stamp $(VENV)/tuyamock.stamp  ## set up what is needed, then run every test
	@tools/system-packages chromium libatomic1 mosquitto postgresql systemd gcc-arm-none-eabi gdb-multiarch libslirp0  # a browser, what its driver needs, an MQTT broker, a database server, systemd-analyze; a compiler, a debugger and a network for the emulated module
	@$(BIN)/pytest -n auto --dist worksteal $(ARGS)

check: $(VENV)/dev.stamp  ## format, lint, types, rooms, spelling, docs, names of tests, words
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell
	@$(BIN)/python tools/check_docs.py
	@$(BIN)/python tools/check_tests.py
	@$(BIN)/python tools/check_words.py

stories: $(VENV)/dev.stamp  ## only the user journeys
	@$(BIN)/pytest tests/stories -v

screenshots: $(VENV)/dev.stamp  ## pictures of every page, by day and by night, for phones and screens: build/screenshots
	@tools/system-packages chromium libatomic1
	@SCREENSHOTS=1 $(BIN)/pytest tests/web -m browser -n auto --dist worksteal $(ARGS)

contract: $(VENV)/dev.stamp $(VENV)/hass.stamp $(VENV)/esphome.stamp $(VENV)/tuyamock.stamp  ## Home Assistant, Node-RED and Prometheus take our meters, ESPHome our boards; HASS_PYTHON, NODE_RED and PROMETHEUS name them (CONTRIBUTING.md)
	@tools/system-packages mosquitto
	@HASS_PYTHON="$(HASS_PYTHON)" NODE_RED="$(NODE_RED)" PROMETHEUS="$(PROMETHEUS)" $(BIN)/pytest tests/contract -v -rs $(ARGS)

firmware: $(VENV)/dev.stamp  ## boot the images of a folder on the emulated board, read and update OpenBeken; FIRMWARE=folder, SECONDS=20, CUTS=50
	@FIRMWARE="$(FIRMWARE)" SECONDS="$(or $(SECONDS),20)" CUTS="$(or $(CUTS),0)" $(BIN)/pytest tests/twin_cbu/test_real_images.py tests/twin_cbu/test_uart_partners.py tests/twin_cbu/test_genuine_openbeken.py tests/twin_cbu/test_board_supply.py tests/twin_cbu/test_genuine_bootloader.py tests/twin_cbu/test_genuine_setup.py tests/twin_cbu/test_genuine_log.py tests/twin_cbu/test_genuine_update.py -v -rs $(ARGS)

fuzz: $(VENV)/dev.stamp  ## every decoder under damaged bytes and every property, on other examples each time
	@$(BIN)/python -m tests.fuzz $(ARGS)

mutants: $(VENV)/dev.stamp  ## change the code and see whether a test fails; ARGS="'wattrail.ledger.split*'" for a part
	@tools/mutants $(ARGS)

bench: $(VENV)/dev.stamp  ## measure, beside peers, in one run; ARGS=day for one module
	@$(BIN)/python -m bench $(ARGS)

dist: $(VENV)/dev.stamp  ## build the wheel and say how to install it
	@$(BIN)/python -m build --no-isolation --outdir dist >/dev/null
	@ls dist/*.whl | tail -n 1 | sed "s/.*/install it anywhere with: pip install '&[run]'/"

package: $(VENV)/dev.stamp  ## build the Debian package, the add-on folder, and the container where a builder is there
	@packaging/build $(BIN)/python

lock: $(VENV)/dev.stamp  ## renew the pinned dependencies (asks the package index)
	@tools/lock

clean:  ## remove what was built
	@rm -rf $(VENV) build dist mutants

$(VENV)/run.stamp: requirements/run.lock pyproject.toml
	@tools/set-up $(PYTHON) $(VENV) requirements/run.lock
	@touch $@

$(VENV)/dev.stamp: requirements/dev.lock pyproject.toml
	@tools/set-up $(PYTHON) $(VENV) requirements/dev.lock
	@touch $@ $(VENV)/run.stamp

$(VENV)/hass.stamp: requirements/home-assistant.lock | $(VENV)/dev.stamp
	@tools/set-up-home-assistant $(VENV)
	@touch $@

$(VENV)/esphome.stamp: requirements/esphome.lock | $(VENV)/dev.stamp
	@tools/set-up-esphome $(VENV)
	@touch $@

$(VENV)/tuyamock.stamp: requirements/tuyamock.lock | $(VENV)/dev.stamp
	@tools/set-up-tuyamock $(VENV)
	@touch $@
