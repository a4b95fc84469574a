# Hutong: a city's government services on one ledger. `make` alone prints this help.
#
# Everything needs only Go, git, make and a C compiler (for the race detector, and for PKCS#11: CGO_ENABLED=1 make build).

SHELL     := /bin/sh
BIN       := bin
STATE     := state
GO        := go
GOFLAGS   ?=
FUZZTIME  ?= 20s
# Packages whose tests run on the one database that HUTONG_TEST_DATABASE chooses; others run on both by themselves.
KEEPING   := ./gateway/app/... ./gateway/feed/... ./gateway/serve/...
TIMES     ?= 10
VERSION   := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
LDFLAGS   := -s -w -X github.com/hutong-gov/hutong/chaincode/build.version=$(VERSION)

export CGO_ENABLED ?= 0
export GOFLAGS

.DEFAULT_GOAL := help
.PHONY: help demo up down purge status build fabric test test-unit test-network test-postgresql test-faults test-conflicts test-webhooks bench bench-soak bench-overload bench-revocation bench-anchor bench-log bench-verify lint fuzz generate clean bench-use test-model

help: ## print this help
	@awk 'BEGIN {FS = ":.*## "; print "usage: make <target>\n"} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## build, start the network, run one real case end to end, leave it running
	@$(BIN)/story --prepare
	@$(BIN)/hutong up
	@$(BIN)/story

up: build ## start (or heal) the network, the gateways and the development identity provider
	@$(BIN)/hutong up

down: ## stop every process; the ledger stays
	@if [ -x $(BIN)/hutong ]; then $(BIN)/hutong down; else echo "nothing built, nothing running"; fi

purge: ## stop every process and remove the network's state folder
	@if [ -x $(BIN)/hutong ]; then $(BIN)/hutong down --purge; else echo "nothing built, nothing running"; fi

status: ## every process, its port, version and channel height
	@$(BIN)/hutong status

build: ## build Hutong's own binaries into bin/
	@mkdir -p $(BIN)
	@$(GO) build -trimpath -ldflags "$(LDFLAGS)" -o $(BIN)/ ./chaincode/cmd/chaincode ./gateway/cmd/gateway ./gateway/cmd/devidp ./network/cmd/hutong ./test/story/cmd/story

fabric: build ## build the pinned Fabric peer and orderer into bin/fabric (once; FABRIC_BIN uses others)
	@$(BIN)/hutong build

test: lint test-unit test-network ## everything CI runs

test-unit: ## pure rules, contracts on the in-memory ledger, handlers; with the race detector
	CGO_ENABLED=1 $(GO) test -race -short ./...
	HUTONG_TEST_DATABASE=postgresql $(GO) test -short $(KEEPING) # these keep things: on PostgreSQL too, where there is one

test-postgresql: ## the whole suite with every gateway, those of the networks too, on PostgreSQL (started by the tests)
	HUTONG_TEST_DATABASE=postgresql HUTONG_REQUIRE=$(HUTONG_REQUIRE),postgresql $(MAKE) test-unit test-network

test-network: build fabric ## everything that crosses a process, on real networks
	CGO_ENABLED=1 $(GO) test -count 1 -p 1 -timeout 30m -run 'Network|Story' ./chaincode/... ./gateway/... ./network/... ./test/...

test-model: ## RUNS (default 1000) random histories of data exchange, each held to the model command by command
	$(GO) test ./chaincode/exchange/contract -run '^TestModel$$' -count 1 -timeout 2h -args -rapid.checks $(or $(RUNS),1000)

test-webhooks: fabric ## a webhook's receiver is down for DOWN (default 60s) and the gateway killed; every event arrives, in order
	$(GO) test ./test/e2e -run TestNetworkEventsArrive -count 1 -v -args -down $(or $(DOWN),60s)

test-faults: fabric ## kill -9 of every kind of process under load, TIMES (default 10) each; then test-webhooks
	$(GO) run ./test/fault/cmd/fault --times $(TIMES)
	@$(MAKE) test-webhooks

test-conflicts: fabric ## 64 officers on one case, 64 writers on 64 records, 8 on one: no lost update, no error because of a conflict
	$(GO) test ./test/fault -run 'TestNetworkConflicts' -count 1 -v -args -officers 64 -rounds 10

bench: build fabric ## throughput and latency: direct client, our chaincode, REST; prints `ratio NAME VALUE`
	@$(GO) build -trimpath -o $(BIN)/ ./test/bench/baseline
	$(GO) run ./test/bench/cmd/bench

bench-soak: fabric ## five minutes at 80 % of the limit: no error, memory flat, the projection never a second behind
	$(GO) run ./test/bench/cmd/steady soak

bench-overload: fabric ## four times the limit: at least 80 % of it is still done, the rest refused with Retry-After
	$(GO) run ./test/bench/cmd/steady overload

bench-revocation: fabric ## two hundred consents revoked under use: no use behind a revocation, effect within a second of the click (p95)
	$(GO) run ./test/bench/cmd/revocation
bench-use: fabric ## whole uses over REST, 10 kB from PostgreSQL: p50 of one client under 1.5 s, 100 a second for a minute
	$(GO) run ./test/bench/cmd/use

bench-log: build fabric ## the log of one subject over 100,000 uses: a page in 50 ms (p95), completeness verified with the certificates alone
	$(GO) run ./test/bench/cmd/log -hutong $(BIN)/hutong
bench-verify: fabric ## verifications a second: by an agency with evidence on the ledger, and of one's own record without; prints `measure NAME VALUE`
	$(GO) run ./test/bench/cmd/verify

bench-anchor: fabric ## 3,000,000 logistics records anchored in under 5 minutes, killed twice on the way, 10,000 proofs verified
	$(GO) run ./test/bench/cmd/anchor

lint: ## gofmt, go vet, staticcheck; what differs on macOS as macOS sees it
	@unformatted=$$(gofmt -l chaincode gateway network test); if [ -n "$$unformatted" ]; then echo "gofmt these files:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	CGO_ENABLED=1 $(GO) vet ./gateway/key/
	GOOS=darwin GOARCH=arm64 $(GO) vet ./network/process/
	$(GO) tool staticcheck ./...

fuzz: ## every fuzz target for FUZZTIME (default 20s) each
	@for package in $$(grep -rl --include='*_test.go' 'func Fuzz' chaincode gateway network test | xargs -n1 dirname | sort -u); do \
	  for target in $$(grep -ho 'func Fuzz[A-Za-z0-9_]*' $$package/*_test.go | cut -c6-); do \
	    echo "== $$package $$target"; $(GO) test ./$$package -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x || exit 1; \
	  done; \
	done

generate: ## write the generated reference pages and golden files anew
	$(GO) generate ./...

clean: down ## stop everything and remove bin/ and state/
	rm -rf $(BIN) $(STATE)
