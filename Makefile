# The project's commands. `make help` lists them.
#
# Everything is built into the ignored folders `target` and `build`; nothing has to be set up by hand.

CARGO  ?= cargo
PYTHON ?= python3
CC     ?= cc
CXX    ?= c++
PREFIX ?= /usr/local

BUILD := build
VENV  := $(BUILD)/venv
VPY   := $(VENV)/bin/python
BENCH_VENV := $(BUILD)/bench/venv
GUNGRAUN := $(BUILD)/tools/bin/gungraun-runner

# What the Python package is built from.
PYTHON_SOURCES := $(shell find core/src python/src python/python -name '*.rs' -o -name '*.py' -o -name '*.pyi') \
	core/Cargo.toml python/Cargo.toml python/pyproject.toml Cargo.lock

.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# ---- what a user wants to see first

demo: $(BUILD)/demo.stamp ## shows the main job: C, C++, Python and mqttSession programs and a broker
	@sh examples/demo.sh $(BUILD) $(VPY)

$(BUILD)/demo.stamp: library broker $(VENV)/package.stamp
	@mkdir -p $(BUILD)/demo
	$(CC) -std=c11 -Wall -Wextra -Iinclude examples/c/first.c -o $(BUILD)/demo/first-c -Ltarget/debug -lmqttsession -Wl,-rpath,$(CURDIR)/target/debug
	$(CC) -std=c11 -Wall -Wextra -Iinclude examples/c/request.c -o $(BUILD)/demo/request-c -Ltarget/debug -lmqttsession -Wl,-rpath,$(CURDIR)/target/debug
	$(CC) -std=c11 -Wall -Wextra -Iinclude examples/wlanguage/first.c -o $(BUILD)/demo/first-wlanguage -Ltarget/debug -lmqttsession -Wl,-rpath,$(CURDIR)/target/debug
	$(CXX) -std=c++17 -Wall -Wextra -Iinclude examples/cpp/first.cpp -o $(BUILD)/demo/first-cpp -Ltarget/debug -lmqttsession -Wl,-rpath,$(CURDIR)/target/debug

# ---- building

library: ## the shared and static library (debug)
	$(CARGO) build --locked -p mqttsession-ffi
	@ln -sf libmqttsession.so target/debug/libmqttsession.so.0

release: ## the shared and static library (release)
	$(CARGO) build --locked --release -p mqttsession-ffi

broker: ## the embedded broker of the demo and the tests
	$(CARGO) build --locked -p mqttsession-broker

header: ## writes include/*.h and ffi/symbols.txt anew
	UPDATE_HEADER=1 $(CARGO) test --locked -q -p mqttsession-ffi --test header --test symbols

install: ## release build into PREFIX (default /usr/local), below DESTDIR if set
	$(PYTHON) ffi/install/install.py --prefix "$(PREFIX)" --destdir "$(DESTDIR)"

# ---- testing

test: setup library broker $(VENV)/package.stamp ## every test: Rust, C, C++, Python, real brokers
	MQTTSESSION_REQUIRE_BROKER=1 $(CARGO) test --locked --workspace --exclude mqttsession-python
	MQTTSESSION_BROKER=$(CURDIR)/target/debug/mqttsession-broker $(VPY) -m pytest -q tests/python

lint: $(VENV)/package.stamp ## format, warnings as errors, types of the Python package
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked -p mqttsession --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps -q -p mqttsession
	$(VPY) -m ruff check python tests/python tests/crash examples/python benches
	$(VPY) -m ruff format --check python tests/python tests/crash examples/python benches
	cd python && ../$(VPY) -m mypy --strict python/mqttsession
	cd python && ../$(VPY) -m mypy.stubtest mqttsession._native

setup: ## installs what the tests need from the system's packages, where that is possible
	@sh tests/setup.sh

$(VENV)/bin/activate:
	@mkdir -p $(BUILD)
	@sh tests/venv.sh $(PYTHON) $(VENV)

$(VENV)/tools.stamp: $(VENV)/bin/activate tests/python/requirements.txt
	$(VPY) -m pip install -q --disable-pip-version-check -r tests/python/requirements.txt
	@touch $@

# The development profile: the package is the same, and built in a tenth of the time.
$(VENV)/package.stamp: $(VENV)/tools.stamp $(PYTHON_SOURCES)
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VPY) -m pip install -q --disable-pip-version-check --no-build-isolation --force-reinstall --no-deps -C build-args="--profile dev" ./python
	@touch $@

INTEROP := $(CURDIR)/$(BUILD)/interop

interop: setup broker ## what holds at seven brokers, printed as a matrix (ROW="part of a name", BROKER=name, WRITE=file)
	@sh tests/interop/setup.sh $(PYTHON) $(INTEROP)
	@MQTTSESSION_INTEROP=$(INTEROP) \
		PATH="$(INTEROP)/debian/usr/sbin:$(INTEROP)/debian/usr/bin:$$PATH" \
		LD_LIBRARY_PATH="$$(echo $(INTEROP)/debian/usr/lib/*-linux-gnu)$${LD_LIBRARY_PATH:+:$$LD_LIBRARY_PATH}" \
		$(CARGO) test --locked -q -p mqttsession-tests --test interop -- --all \
		$(if $(BROKER),--broker $(BROKER)) $(if $(WRITE),--write $(abspath $(WRITE))) $(if $(ROW),"$(ROW)")

# With the checks that only debug builds have: they are part of what the simulation looks at.
SIM_PROFILE := CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true
SEEDS ?= 100000

sim: ## the durable session under 100,000 simulated runs (SEEDS=n, FROM=n; SEED=n tells the story of one)
	@$(SIM_PROFILE) $(CARGO) test --locked -q --release --target-dir $(BUILD)/sim -p mqttsession-tests --test sim -- \
		$(if $(SEED),--seed $(SEED),--seeds $(SEEDS) $(if $(FROM),--from $(FROM)))

mutants: ## puts deliberate faults into engine and store and shows that the simulation finds each (NAME="part of a name")
	@$(PYTHON) tests/sim/mutants/run.py . $(NAME)

CRASH := MQTTSESSION_REQUIRE_CRASH=1 MQTTSESSION_REQUIRE_MOSQUITTO=1 $(CARGO) test --locked -q -p mqttsession-tests --test crash --

crash-test: setup $(VENV)/package.stamp ## kills publishers and receivers for real, hundreds of times, and counts (KILLS=n a run, SEED=n)
	@echo "Without a store, for comparison:"
	@$(CRASH) --without-store --language c --kills 10
	@echo "With one:"
	@$(CRASH) --kills $(or $(KILLS),75) --seed $(or $(SEED),1)

# ---- measuring

instructions: $(GUNGRAUN) ## counts the instructions of the hot paths and compares them with their limits
	@sh tests/instructions.sh $(CARGO) $(GUNGRAUN)

# Of the version that the benchmark was built against: the two have to agree.
$(GUNGRAUN): Cargo.lock
	$(CARGO) install --quiet --locked gungraun-runner --root $(BUILD)/tools --version $(shell sed -n '/^name = "gungraun"$$/{n;s/version = "\(.*\)"/\1/p}' Cargo.lock)
	@touch $@

bench: release $(BENCH_VENV)/package.stamp ## measures against the raw limit and the peers that are installed, for docs/performance.md (ROW=pub/0/16 for one row)
	$(CARGO) build --locked --release -p mqttsession-benches
	$(BENCH_VENV)/bin/python benches/run.py $(if $(ROW)$(ONLY),,--document) $(if $(ROW),--row $(ROW)) $(if $(ONLY),--only $(ONLY)) $(if $(REPETITIONS),--repetitions $(REPETITIONS))

bench-peers: ## builds or installs the peers that the benchmark compares with
	$(CARGO) build --locked --release --manifest-path benches/peer/rust/Cargo.toml --target-dir $(BUILD)/bench/peers
	@sh benches/peers.sh

# The release profile, and the Python peers.
$(BENCH_VENV)/package.stamp: $(PYTHON_SOURCES) benches/requirements.txt
	@mkdir -p $(BUILD)/bench
	@sh tests/venv.sh $(PYTHON) $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install -q --disable-pip-version-check -r benches/requirements.txt ./python
	@touch $@

bench-stores: ## measures the stores that could have been chosen, for docs/store.md (COST=1 for what building costs, too)
	$(PYTHON) benches/stores/run.py $(if $(COST),--cost)

fuzz: ## fuzzes the codec in both directions and the session, a minute each (nightly Rust, cargo-fuzz)
	cd fuzz && for target in decode_from_server decode_from_client session_from_server; do $(CARGO) +nightly fuzz run $$target -- -max_total_time=60 || exit 1; done

clean: ## removes everything that was built
	$(CARGO) clean
	rm -rf $(BUILD)

.PHONY: help demo library release broker header install test lint setup interop sim mutants crash-test instructions bench bench-peers bench-stores fuzz clean
