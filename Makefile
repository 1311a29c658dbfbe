# SPDX-License-Identifier: Apache-2.0
# Short names for the project's commands; the work is in scripts/ and Package.swift.

SWIFT       ?= swift
PYTHON      ?= /usr/bin/python3
PREFIX      ?= /usr/local
DESTDIR     ?=
FUZZ_SECONDS ?= 30
CAMERA      ?=
ARGS        ?=

release     := .build/release
daemons     := apus-video apus-rtsp apus-http

.DEFAULT_GOAL := help

help: ## list these commands
	@echo 'Apus, a camera streamer. Commands:'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install every Debian package that is missing (root or sudo)
	@scripts/setup

build: ## build the programs, optimised, into .build/release
	@scripts/setup --runtime --build
	$(SWIFT) build -c release --static-swift-stdlib

run: build ## build and start; CAMERA=SOURCE takes that source, ARGS=… goes to apus up
	@exec $(release)/apus up $(if $(CAMERA),--camera 'cam=$(CAMERA)') $(ARGS)

test: build ## run all tests: the unit tests, then real clients against the built programs
	@scripts/setup
	$(SWIFT) test
	node --test Tests/Web/*.test.mjs
	$(PYTHON) -m Tests.Interop $(ARGS)

format: ## format all Swift files
	$(SWIFT) format format --in-place --parallel --recursive Package.swift Sources Tests Fuzz

lint: ## check formatting, imports, warnings, licences, links, scripts
	@scripts/setup
	@scripts/lint

fuzz: ## fuzz every parser for FUZZ_SECONDS (30) each
	@scripts/setup --build
	@FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz

bench: build ## measure the ring and the fan-out, each beside its floor; ARGS='fanout viewers=400'
	$(release)/apus-bench $(ARGS)

stress: build ## prove on this machine that no torn frame is accepted: ThreadSanitizer, then killed processes
	APUS_STRESS_FRAMES=1000000 $(SWIFT) test --sanitize thread --scratch-path .build/tsan --filter RingStressTests
	$(release)/apus-bench stress $(ARGS)

churn: build ## let 10,000 viewers of all transports come and go; the server has to be as before
	APUS_CHURN=10000 $(PYTHON) -m Tests.Interop churn $(ARGS)

chaos: build ## ten minutes of daemons, sources, disk and clock failing under viewers of all transports
	APUS_CHAOS=600 $(PYTHON) -m Tests.Interop chaos $(ARGS)

kernel: build ## capture from the cameras of a real kernel in QEMU; ARGS='-k Formats'
	@scripts/setup
	$(PYTHON) -m Tests.Kernel $(ARGS)

install: ## copy the built programs and the systemd units under DESTDIR+PREFIX (run make build first)
	@test -x $(release)/apus || { echo 'install: nothing built yet; run: make build' >&2; exit 1; }
	install -D -t $(DESTDIR)$(PREFIX)/bin $(release)/apus
	install -D -t $(DESTDIR)$(PREFIX)/libexec/apus $(addprefix $(release)/,$(daemons))
	install -m 644 -t $(DESTDIR)$(PREFIX)/libexec/apus $(release)/libApusLibCamera.so
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@bin@|$(PREFIX)/bin|' packaging/systemd/apus.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/apus.service
	install -D -m 644 packaging/systemd/apus.socket $(DESTDIR)$(PREFIX)/lib/systemd/system/apus.socket
	install -D -m 644 packaging/systemd/apus.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/apus.conf

clean: ## remove everything that was built
	rm -rf .build

.PHONY: help setup build run test format lint fuzz bench stress churn chaos kernel install clean
