# `make` alone lists the targets. Every target works from a clean clone with a Rust toolchain.

CARGO ?= cargo
# Every command uses the exact versions of Cargo.lock.
LOCKED ?= --locked
# Additional arguments for `make lab`, such as ARGS="--once --output json", for `make bench-session`, `make bench-growth` and
# `make instructions`.
ARGS ?=
# How many simulated clusters `make simulate` runs.
SEEDS ?= 200
# How many seconds `make soak` runs, and the seed of its changes.
SOAK_SECONDS ?= 3600
SEED ?= 1
# How many seconds `make fuzz` spends on each target.
FUZZ_SECONDS ?= 60
# The checks of `make deny`. Without a network, use DENY="bans licenses sources".
DENY ?= advisories bans licenses sources
# The files that `make mutants` changes: verdicts on messages, the state machine, who gets which address, which routes there are, and
# the leader.
FILES ?= bgp-core/src/wire/attribute/rules.rs bgp-core/src/wire/attribute/check.rs bgp-core/src/wire/error_kind.rs \
	bgp-core/src/wire/error.rs bgp-core/src/wire/update/decode.rs bgp-core/src/wire/update/findings.rs bgp-core/src/fsm/*.rs \
	lb-adapter/src/allocator/*.rs lb-adapter/src/planner/*.rs ferrolb-kubernetes/src/election.rs
# The tag or commit that `make semver` compares with.
BASELINE ?= main

# The tag that `make release` starts from.
TAG ?= --snapshot

.DEFAULT_GOAL := help
.PHONY: help simulate soak fuzz fuzz-coverage lab book test test-deps check fmt clippy docs guard unit interop instructions bench bench-growth bench-session bench-lto msrv deny semver mutants reproducible release

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lab: ## Build ferrolb and run the reference cluster on loopback addresses: no root, nothing to install
	$(CARGO) run $(LOCKED) -p ferrolb --no-default-features -- lab examples/reference $(ARGS)

test: test-deps guard check instructions unit interop ## Run all tests; installs routers and tshark with apt if they are missing
	@tail -qn 1 target/unit-tests.log target/interop-tests.log
	@echo 'make test: all passed'

test-deps: ## Install what the interoperability tests need, and print what is missing
	scripts/install-test-deps

check: fmt clippy docs ## Check formatting, lints and documentation; warnings are errors

fmt: ## Check the formatting (`cargo fmt` fixes it)
	$(CARGO) fmt --all -- --check

clippy: ## Run the lints, also on tests and examples
	$(CARGO) clippy $(LOCKED) --workspace --all-targets -- -D warnings
	$(CARGO) clippy $(LOCKED) -p ferrolb --no-default-features -- -D warnings

docs: ## Build the documentation of the code; broken links are errors
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc $(LOCKED) --workspace --no-deps

# `make unit` builds the book too, in a test, without compiling a second time what this target shares with the workspace.
book: ## Build the book of docs/ into target/book; links that lead nowhere are errors, in all pages of the repository
	$(CARGO) run $(LOCKED) -p test-book

guard: ## Check what the compiler does not: crate boundaries, file sizes, no machine paths
	scripts/check-boundaries
	scripts/check-files

unit: ## Run all tests that need no privileges, documentation tests included
	scripts/run-tests unit

simulate: ## Run simulated clusters from SEEDS seeds (200)
	scripts/simulate --seeds $(SEEDS)

soak: ## Run a cluster with BIRD and FRR under churn for SOAK_SECONDS (3600) from SEED (1), as root; checks routes and memory
	FERROLB_TEST_INTEROP=1 SOAK_SECONDS=$(SOAK_SECONDS) SEED=$(SEED) $(CARGO) test $(LOCKED) --workspace \
		--test interop_soak -- --ignored --nocapture

interop: ## Run the tests against real routers and tshark, as root or with sudo
	scripts/run-tests interop

# An optimized build of two crates and what they need. Counts do not depend on what else the machine does.
instructions: ## Count instructions and compare them with benches/growth/baseline.txt; ARGS=bless writes it again
	$(CARGO) run $(LOCKED) -q --profile growth -p bench-growth -- $(or $(ARGS),check)

bench-growth: ## Count instructions at three sizes, with the slopes; ARGS='Loc-RIB plan' for parts of names
	$(CARGO) run $(LOCKED) -q --profile growth -p bench-growth -- $(ARGS)

bench: ## Run the benchmarks
	$(CARGO) bench $(LOCKED) -p benches

bench-session: ## Measure sessions of our speaker and of BIRD, FRR, OpenBGPD and GoBGP, as root; ARGS=--quick for small tables, ARGS=--help
	$(CARGO) run $(LOCKED) --profile bench-session -p benches --bin session -- $(ARGS)

bench-lto: ## Run the benchmarks with and without link-time optimization, and compare
	scripts/bench-lto

msrv: ## Build each crate with the oldest Rust that it names; needs both versions (`rustup toolchain install 1.85.0 1.89.0`)
	$(CARGO) +1.85.0 check $(LOCKED) -p bgp-core -p bgp-session --target-dir target/msrv
	$(CARGO) +1.89.0 check $(LOCKED) -p ferrolb --target-dir target/msrv

deny: ## Check advisories, licences and sources of dependencies; needs cargo-deny (`cargo install --locked cargo-deny`)
	$(CARGO) deny $(LOCKED) check $(DENY)

semver: ## Compare the public API with BASELINE (main); needs cargo-semver-checks (`cargo install --locked cargo-semver-checks`)
	$(CARGO) semver-checks -p bgp-core -p bgp-session --baseline-rev $(BASELINE)

mutants: ## Change FILES in small ways, one at a time, and list the changes that no test notices; needs cargo-mutants
	$(CARGO) mutants --baseline=skip -j1 --timeout 300 $(foreach file,$(FILES),--file '$(file)') -- --lib

reproducible: ## Build the binary of a release twice in different folders, and compare the two; needs cargo-auditable
	scripts/check-reproducible amd64

release: ## Make a release from TAG, ready to be signed; TAG=--snapshot tries it with the latest commit; see release/README.md
	scripts/release $(TAG)

fuzz: ## Fuzz every target for FUZZ_SECONDS each (60); needs cargo-fuzz, see fuzz/README.md
	scripts/run-fuzz $(FUZZ_SECONDS)

fuzz-coverage: ## Measure which lines the corpora of the fuzz targets run; needs llvm-tools, see fuzz/README.md
	scripts/fuzz-coverage
