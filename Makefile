# Seqlink's commands; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Version control stamps would make the build depend on who owns the checkout.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

TOOLS := go tool -modfile $(CURDIR)/internal/tools/go.mod
DISTRIBUTION := build/otelcol-seqlink
BINARY := bin/otelcol-seqlink
BENCH_BINARY := build/otelcol-bench/otelcol-bench
JAEGER := bin/jaeger
JAEGER_MODULE := github.com/jaegertracing/jaeger@v1.76.0
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.6.2
# Everything that goes into the binary.
SOURCES := $(shell find bpf internal receiver processor exporter -name '*.go' -not -name '*_test.go') $(wildcard bpf/*.o)
RECORDING := receiver/ebpfspanreceiver/testdata/chain.jsonl.gz
BACKEND ?= tree
FUZZTIME ?= 30s
BENCH_FLAGS ?=
TRACES ?=
COMPRESS ?= 1,4,16
SCORE_FLAGS ?=
KERNELS_FLAGS ?=
ACCURACY_FLAGS ?=

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-zA-Z0-9_-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: $(BINARY) ## Build bin/otelcol-seqlink with ocb (5 to 10 minutes the first time)

$(BINARY): builder-config.yaml go.mod go.sum $(SOURCES)
	@echo "==> building $@ (the first time takes 5 to 10 minutes)"
	@mkdir -p build bin
	@CGO_ENABLED=0 $(TOOLS) builder --config builder-config.yaml
	@cp $(DISTRIBUTION)/otelcol-seqlink $@

# Jaeger's module has replace lines, which `go install` refuses.
$(JAEGER):
	@echo "==> building $@ (the first time takes about 5 minutes)"
	@mkdir -p bin
	@dir=$$(go mod download -json $(JAEGER_MODULE) | sed -n 's/^\t"Dir": "\(.*\)",$$/\1/p'); \
		CGO_ENABLED=0 go build -C "$$dir" -o "$(CURDIR)/$@" ./cmd/jaeger

.PHONY: demo
demo: demo-needs $(BINARY) $(if $(filter jaeger,$(BACKEND)),$(JAEGER)) ## Trace four real services; BACKEND=jaeger shows them in a real Jaeger
	@go run ./examples/demo -bin $(BINARY) -backend $(BACKEND) -jaeger-bin $(JAEGER) -recording $(RECORDING)

.PHONY: demo-needs
demo-needs:
	@scripts/need nginx=nginx-light python3=python3 node=nodejs

.PHONY: test
test: test-needs check $(BINARY) $(JAEGER) ## Run every check and test that CI runs; installs and builds what they need
	@echo "==> testing packages"
	@SEQLINK_BIN=$(CURDIR)/$(BINARY) $(TOOLS) gotestsum --format pkgname -- \
		-race -timeout 20m $$(go list ./... | grep -v /test/e2e)
	@$(MAKE) --no-print-directory kernels-load
	@$(MAKE) --no-print-directory e2e

.PHONY: e2e
e2e: demo-needs $(BINARY) $(JAEGER) ## Run the end-to-end tests alone; SEQLINK_E2E_LONG=1 makes each 30 s long
	@echo "==> testing the whole pipeline on this kernel"
	@SEQLINK_BIN=$(CURDIR)/$(BINARY) SEQLINK_JAEGER_BIN=$(CURDIR)/$(JAEGER) \
		$(TOOLS) gotestsum --format standard-verbose -- -count 1 -timeout 20m ./test/e2e

.PHONY: test-needs
test-needs: demo-needs generate-needs
	@scripts/need gcc=gcc /usr/include/stdlib.h=libc6-dev nft=nftables ip=iproute2 gunicorn=gunicorn \
		redis-server=redis-server redis-cli=redis-tools redis-benchmark=redis-tools \
		/usr/lib/postgresql=postgresql psql=postgresql-client pgbench=postgresql-client setpriv=util-linux \
		mariadbd=mariadb-server-core mariadb=mariadb-client-core /usr/lib/python3/dist-packages/pymysql/__init__.py=python3-pymysql \
		dnsmasq=dnsmasq-base dig=bind9-dnsutils unshare=util-linux node=nodejs \
		/usr/bin/python3=python3 javac=openjdk-17-jdk-headless curl=curl h2load=nghttp2-client \
		/usr/lib/python3/dist-packages/grpc/__init__.py=python3-grpcio

.PHONY: check
check: generate-needs ## Check formatting, vet, generated files and the builds for other platforms
	@echo "==> checking"
	@test -z "$$($(TOOLS) gofumpt -l $$(git ls-files '*.go' | grep -v generated_))" || \
		{ echo "==> not formatted: run make format"; exit 1; }
	@go vet ./...
	@GOOS=darwin go build ./...
	@GOOS=linux GOARCH=arm64 go build ./...
	@scripts/check-generated

.PHONY: format
format: ## Format the Go sources
	@$(TOOLS) gofumpt -w $$(git ls-files '*.go' | grep -v generated_)

.PHONY: lint
lint: ## Run golangci-lint (built on first use)
	@go run $(GOLANGCI_LINT) run ./...

.PHONY: generate
generate: generate-needs ## Rebuild the BPF objects and what mdatagen generates
	@go generate ./...

.PHONY: generate-needs
generate-needs:
	@scripts/need clang-16=clang-16 llvm-strip-16=llvm-16 /usr/include/bpf/bpf_helpers.h=libbpf-dev \
		/usr/include/linux/bpf.h=linux-libc-dev

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (default 30s)
	@for file in $$(git ls-files '*_test.go' | xargs grep -l '^func Fuzz'); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do \
			echo "==> $$target in $$(dirname $$file)"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file); \
		done; done

.PHONY: bench-linker
bench-linker: $(BENCH_BINARY) ## Measure the linker against the same collector without it and stock processors (about half an hour)
	@go run ./test/linker/bench -bin $(BENCH_BINARY) $(BENCH_FLAGS)

.PHONY: soak
soak: $(BENCH_BINARY) ## Run the linker for 10 minutes under load; fails when it loses a span or its memory is not bounded
	@go run ./test/linker/bench -bin $(BENCH_BINARY) -phases sustained -sustained 10m -rate 40000 -max-rss 2048 \
		-out build/bench/soak.json

$(BENCH_BINARY): test/linker/builder-config.yaml go.mod go.sum $(SOURCES)
	@echo "==> building $@ (the first time takes some minutes)"
	@mkdir -p build
	@CGO_ENABLED=0 $(TOOLS) builder --config test/linker/builder-config.yaml

.PHONY: bench-overhead
bench-overhead: $(BINARY) ## Measure what tracing costs nginx, Redis, Go and Node under full load (about ten minutes)
	@scripts/need wrk=wrk nginx=nginx-light redis-server=redis-server redis-benchmark=redis-tools node=nodejs
	@go run ./test/overhead/bench -bin $(BINARY) $(BENCH_FLAGS)

.PHONY: kernels
kernels: kernels-needs $(BINARY) ## Boot Debian's kernels in QEMU, load every program and trace requests there (20 minutes)
	@go run ./test/kernels -bin $(BINARY) $(KERNELS_FLAGS)

.PHONY: kernels-load
kernels-load: kernels-needs ## Load every program on one of Debian's kernels in QEMU
	@echo "==> loading the BPF programs on Debian's 6.12"
	@go run ./test/kernels -kernels 6.12 -tasks load

.PHONY: kernels-needs
kernels-needs:
	@scripts/need qemu-system-x86_64=qemu-system-x86 cpio=cpio /usr/share/keyrings/debian-archive-keyring.gpg=debian-archive-keyring

.PHONY: accuracy
accuracy: accuracy-needs $(BINARY) ## Compare links with the truth for every runtime and shape (about 20 minutes); writes docs/accuracy.md
	@go run ./test/accuracy -bin $(BINARY) -page docs/accuracy.md $(ACCURACY_FLAGS)

.PHONY: accuracy-needs
accuracy-needs: demo-needs
	@scripts/need javac=openjdk-17-jdk-headless gunicorn=gunicorn haproxy=haproxy puma=puma \
		/usr/lib/python3/dist-packages/aiohttp/__init__.py=python3-aiohttp \
		/usr/lib/python3/dist-packages/redis/__init__.py=python3-redis \
		/usr/lib/python3/dist-packages/asyncpg/__init__.py=python3-asyncpg \
		/usr/lib/python3/dist-packages/grpc/__init__.py=python3-grpcio npm=npm \
		redis-server=redis-server /usr/lib/postgresql=postgresql mariadbd=mariadb-server-core \
		/usr/share/java/tomcat10-embed-core.jar=libtomcat10-embed-java \
		/usr/share/java/jakarta-annotation-api.jar=libjakarta-annotation-api-java \
		/usr/share/java/netty-codec-http.jar=libnetty-java \
		apache2=apache2 /usr/lib/apache2/modules/libphp8.2.so=libapache2-mod-php8.2 \
		/usr/lib/php/20220829/curl.so=php8.2-curl

.PHONY: accuracy-traces
accuracy-traces: ## Score the statistical rung on Jaeger JSON with parents hidden: TRACES=<folder or .tar.xz>, COMPRESS=1,4,16
	@$(if $(filter %.xz,$(TRACES)),scripts/need xz=xz-utils)
	@go run ./receiver/ebpfspanreceiver/internal/causality/statistical/score -traces "$(TRACES)" -compress "$(COMPRESS)" $(SCORE_FLAGS)

.PHONY: clean
clean: ## Remove what was built
	@rm -rf bin build
