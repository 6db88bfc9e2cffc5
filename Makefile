# `make demo` plays the main job; `make test` sets up and checks everything. Two cores are enough for both.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.PHONY: help demo build release test fmt clippy doc unit acceptance peers deny bench clean

CACHE := $(HOME)/.cache/drover
# A fresh clone in CI must not build the world again: builds share one folder between runs.
ifeq ($(origin CARGO_TARGET_DIR), undefined)
ifeq ($(CI),true)
export CARGO_TARGET_DIR := $(CACHE)/target
endif
endif
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
export PATH := $(CACHE)/tools/bin:$(PATH)
# Some machines point this at a bundle that programs with their own TLS roots trip over.
unexport AWS_CA_BUNDLE

help: ## Say what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: ## Build and play the main job, from the first version to a refused one
	@echo "building (the first time takes some minutes) ..."
	cargo build --quiet --package drover --package shop --package drover-demo
	"$(TARGET)/debug/drover-demo" --drover "$(TARGET)/debug/drover" --shop "$(TARGET)/debug/shop"

build: ## Build the debug binary
	cargo build

release: ## Build the release binary
	cargo build --release

test: peers fmt clippy doc unit acceptance ## Set up and check everything

peers: ## Install what the tests talk to: Consul and RustyVault
	@scripts/setup-peers.sh

fmt:
	cargo fmt --all -- --check

clippy:
	cargo clippy --workspace --all-targets --quiet -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --document-private-items --quiet

unit: ## Unit, property and simulation tests, and the checks of the house's own rules
	cargo test --workspace --quiet

acceptance: ## The main job against the embedded default, and against real Consul and Vault
	cargo build --quiet --workspace --bins
	DROVER_ACCEPTANCE=1 cargo test --workspace --test acceptance -- --nocapture --test-threads=1

deny: ## Licences, bans and sources of third-party crates (needs cargo-deny)
	cargo deny check bans licenses sources

bench: ## The benchmarks of the scheduler, the log and the renderer
	cargo bench --workspace

clean:
	cargo clean
