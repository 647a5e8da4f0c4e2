# Seqlink's commands; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

TOOLS := go tool -modfile $(CURDIR)/internal/tools/go.mod
DISTRIBUTION := build/otelcol-seqlink
BINARY := bin/otelcol-seqlink
JAEGER := bin/jaeger
JAEGER_MODULE := github.com/jaegertracing/jaeger@v1.76.0
GO_SOURCES := $(shell find bpf receiver processor exporter -name '*.go' -not -name '*_test.go') $(wildcard bpf/*.o)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-zA-Z_-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: $(BINARY) ## Build bin/otelcol-seqlink with ocb (5-10 minutes the first time)

$(BINARY): builder-config.yaml go.mod go.sum $(GO_SOURCES)
	@echo "==> building $@ (the first time takes 5 to 10 minutes)"
	@mkdir -p build bin
	CGO_ENABLED=0 $(TOOLS) builder --config builder-config.yaml
	@cp $(DISTRIBUTION)/otelcol-seqlink $@
