# What one does with this project; `make` alone lists it.
STEPS ?= 20000
RUST_STEPS ?= 2000

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 18

build: ## release build of cachepot and its coordinator
	cargo build --release

try: build ## compile the example twice through cachepot; shows times and statistics
	examples/try/run

test: ## everything that is checked, with what it needs installed where that is allowed
	tests/run

bench: build ## measure against the budgets and against other caches; ARGS=--quick for a first look
	bench/run $(ARGS)

soak: ## the edit oracles with STEPS random steps for C and C++, RUST_STEPS for Rust
	SOAK_STEPS=$(STEPS) cargo test --release --test soak -- --nocapture
	SOAK_STEPS=$(RUST_STEPS) cargo test --release --test soak_rust -- --nocapture

install: ## install the programs where cargo puts them
	cargo install --locked --path .

.PHONY: help build try test bench soak install
