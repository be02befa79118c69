# SPDX-License-Identifier: Apache-2.0
# Targets: build demo test deps gpu reproduce lint ptx ptx-check fuzz sim simnet twins explore model traces mutants fx-exhaustive crash e2e join compare compare-test kernels kernels-check bench bench-peers clean

SHELL  := /usr/bin/env bash
BIN    := bin/openledger
GOBUILD := go build -ldflags='-buildid= -B none'
SEEDS  ?= 1000
SEED   ?= 0
# One set of flags for build and tests, so that they share compiled packages.
export GOFLAGS := -trimpath -buildvcs=false
export CGO_ENABLED := 0
FUZZTIME ?= 5s
RACE   := ./node/... ./p2p/... ./rpc/... ./gpu/proc
# What binds the driver of a card needs cgo and our header of its interface, not the vendor's toolkit; its folder leaves no trace.
CUDA   := CGO_ENABLED=1 CGO_CFLAGS="-O2 -I$(CURDIR)/gpu/driver/include -ffile-prefix-map=$(CURDIR)=."

.PHONY: build demo test deps gpu reproduce lint ptx ptx-check fuzz sim simnet twins explore model traces mutants fx-exhaustive crash e2e join compare compare-test kernels kernels-check bench bench-peers clean

# With a C compiler that finds its headers, on Linux, the program can bind the driver of NVIDIA cards; without, it is the same node
# on the CPU.
build:
	@echo "building $(BIN) (the first build compiles all modules: about two minutes on two cores)"
	@mkdir -p bin
	@set -o pipefail; tags=none; \
	if printf '#include <dlfcn.h>\n' | $$(go env CC) -x c -fsyntax-only - 2>/dev/null && go env GOOS GOARCH | paste -s | grep -qE '^linux.(amd64|arm64)$$'; then \
	  tags=cuda; export $(CUDA); else echo "no C compiler with headers here: the node is built for the CPU, without NVIDIA cards"; fi; \
	$(GOBUILD) -tags $$tags -v -o $(BIN) ./cmd/openledger 2>&1 | \
	  awk '/^#|^go: |\.go:[0-9]+:/ {print; next} {if (++n % 50 == 0) printf "  %d packages compiled\n", n}'
	@echo "built $(BIN)"

demo: build
	@$(BIN) demo

# What the tests need beside Go: a C compiler (race detector) and Python 3 (independent checks of the vectors).
deps:
	@missing=""; command -v cc >/dev/null || missing="$$missing gcc libc6-dev"; command -v python3 >/dev/null || missing="$$missing python3"; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then echo "installing$$missing"; apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing; \
	  else echo "make test needs:$$missing; install them and run it again" >&2; exit 1; fi; fi

test: deps build
	go test $$(go list ./... | grep -vE '/(node|p2p|rpc)(/|$$)')
	CGO_ENABLED=1 go test -race -timeout 20m $(RACE)
	$(CUDA) go test -tags cuda ./gpu/driver ./gpu/cuda ./gpu/host ./gpu/train ./gpu/ask ./node/worker
	$(CUDA) go test -tags cuda ./cmd/openledger -run '^TestGPU0[57]' -args -binary $(CURDIR)/$(BIN)

# A real card against the definition: every operation on many cases, a training task, and how fast it is.
CARD ?= 0
gpu: build
	@$(BIN) gpu list
	@$(BIN) gpu list --output json | grep -qE '"backend": *"cuda"' || { echo "make gpu needs an NVIDIA card and its driver, and a C compiler to build with; see the line above" >&2; exit 1; }
	$(BIN) gpu selftest --device $(CARD) --exhaustive
	OPENLEDGER_TEST_CARD=1 $(CUDA) go test -tags cuda ./gpu/train ./gpu/ask -run '^TestCHK04EveryDevice' -v -count=1
	$(BIN) gpu bench --device $(CARD)

# What is committed, built in two folders, is the same program to the byte (GPU-05).
reproduce: build
	@set -e; dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; for i in a b/c; do mkdir -p $$dir/$$i; git archive HEAD | tar -x -C $$dir/$$i; $(MAKE) -s -C $$dir/$$i build; done; \
	cmp $$dir/a/$(BIN) $$dir/b/c/$(BIN); sha256sum $$dir/a/$(BIN) | cut -d' ' -f1

# The kernels for cards, from C by clang-19; what it makes is committed. ptx-check compares the bytes.
PTX := clang-19 -x cuda --cuda-device-only -nocudainc -nocudalib -O3 -ffp-contract=off -S -Wall -Wno-unused-function
ptx:
	cd gpu/kernels && $(PTX) --cuda-gpu-arch=sm_75 --cuda-feature=+ptx63 src/kernels.cu -o fx_sm75.ptx
	cd gpu/kernels && $(PTX) --cuda-gpu-arch=sm_80 --cuda-feature=+ptx70 src/tensor.cu -o tensor_sm80.ptx

ptx-check: ptx
	git diff --exit-code --stat -- gpu/kernels/*.ptx

lint:
	gofmt -l . | tee /dev/stderr | wc -l | grep -qx 0
	go vet ./...
	go mod tidy -diff

fuzz:
	@go test -list '^Fuzz' ./... | awk '/^Fuzz/ {f[n++]=$$1} /^ok/ {for (i=0;i<n;i++) print $$2, f[i]; n=0}' | while read -r pkg target; do \
	  echo "fuzz $$pkg $$target"; go test "$$pkg" -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x || exit 1; done

# FAULTY=over: more than f collude; every fork must convict power above f, and nobody honest.
sim:
	@set -o pipefail; go test ./consensus/coretest -run '$(if $(filter over,$(FAULTY)),^TestOver$$,^TestSim$$)' -v -count=1 -timeout 60m \
	  -args -seeds $(SEEDS) -over $(SEEDS) | grep -vE '^ *(--- PASS|=== )'

# Every way to split four validators, one of whom exists twice, over VIEWS views; and SAMPLE scenarios of 8 views.
VIEWS  ?= 4
SAMPLE ?= 10000
twins:
	go test ./consensus/twins -run '^Test(Enumeration|Sample)$$' -v -count=1 -timeout 120m -args -views $(VIEWS) -sample $(SAMPLE)

# FMA32 against the machine's on 4·10⁸ triples, and every function of fx/1 on all 2³² inputs against C: about 15 minutes of
# one core. ONLY=exp takes one of them, SLICE=3/16 a part.
fx-exhaustive:
	go test ./internal/fx -run '^TestFX09EveryValueEqualsC$$' -v -count=1 -timeout 24h -args -exhaustive -only '$(ONLY)' -slice $(or $(SLICE),0/1)
	go test ./gpu/cpu/kern -run '^TestFX09FunctionsOfEveryPathEqualFx$$' -v -count=1 -timeout 24h -args -exhaustive -only '$(ONLY)' -slice $(or $(SLICE),0/1)

# One broken rule of the core at a time: which check notices, and in which run.
mutants:
	@set -o pipefail; go test -tags mutant -count=1 -timeout 60m -run '^TestMutants$$' ./consensus/coretest -v | grep -vE '^ *(=== RUN|--- PASS)'

# Whole nodes in one process on virtual time, KILLS kills of four loaded validators, and 20 epochs in which validators
# join and leave. A seed that fails is printed with the command that repeats it.
simnet:
	@set -o pipefail; go test ./testnet/sim -count=1 -timeout 120m -v -args -seed $(SEED) -seeds $(SEEDS) -kills $(KILLS) | grep -vE '^ *(--- PASS|=== |sim_test.go:[0-9]+: +[0-9.]+s)'

# Validators killed at random points under load, KILLS times: in one process with disks that lose what was not synced
# (CONS-63), then PROCS times a real process with SIGKILL.
KILLS ?= 1000
PROCS ?= 20
crash:
	go test ./node/driver -run '^TestCONS63KilledAtRandomPointsUnderLoad$$' -v -count=1 -timeout 60m -args -kills $(KILLS)
	go test ./node -run '^TestAValidatorKilledAtAnyMomentNeverContradictsItself$$' -v -count=1 -timeout 60m -args -kills $(PROCS)

# Every state that three honest cores and a faulty key reach in three views, up to STATES for each place of the key.
STATES ?= 1000000
explore:
	go test ./consensus/twins -run '^TestExplore$$' -v -count=1 -timeout 120m -args -states $(STATES)

# The model docs/spec/simplex.qnt: its invariants on random runs. Needs Quint, which is no part of the gate:
#   npm install @informalsystems/quint@0.33.0 antlr4ts@0.5.0-alpha.4; make model QUINT=node_modules/.bin/quint
QUINT  ?= quint
TRACES ?= 2000
model:
	@command -v $(QUINT) >/dev/null || { echo "make model: no quint here; see the lines above it in the Makefile"; exit 1; }
	$(QUINT) typecheck docs/spec/simplex.qnt
	$(QUINT) run docs/spec/simplex.qnt --backend=typescript --invariant=safe --max-samples=$(TRACES) --max-steps=50 --verbosity=1

# Runs of the model anew for consensus/twins, which plays them on cores (CONS-61): KEEP of TRACES. SEED makes others.
KEEP   ?= 110
traces:
	@command -v $(QUINT) >/dev/null || { echo "make traces: no quint here; see the lines above make model in the Makefile"; exit 1; }
	@dir=$$(mktemp -d) && $(QUINT) run docs/spec/simplex.qnt --backend=typescript --init=initCore --step=stepCore --invariant=safe --mbt \
	  --max-samples=$(TRACES) --n-traces=$(TRACES) --max-steps=60 --seed=$(SEED) --verbosity=1 --out-itf=$$dir/{seq}.itf.json && \
	  python3 consensus/twins/testdata/itf.py $(KEEP) $$dir > consensus/twins/testdata/traces.txt && rm -r $$dir
	go test ./consensus/twins -run '^TestCONS61TracesOfTheModelOnTheCore$$' -v -count=1

# Real processes under load; one is killed and comes back. RATE transfers a second for SECS seconds. As root on
# Linux also 4 and 7 processes in network namespaces, through faults of FAULTSECS seconds each.
RATE ?= 200
SECS ?= 20
FAULTSECS ?= 10
e2e: build
	go test ./testnet/e2e -v -count=1 -timeout 30m -args -binary $(CURDIR)/$(BIN) -rate $(RATE) -seconds $(SECS) -fault-seconds $(FAULTSECS) -pause-seconds 30
	go test ./testnet/e2e -v -count=1 -timeout 30m -run TestFaults -args -validators 7 -fault-seconds $(FAULTSECS) -pause-seconds 30

# This program and CometBFT side by side; its module fetches CometBFT. RATES="500,2000"; ARGS are further flags of testnet/compare.
PAIRS ?= 5
RATES ?= 500,2000
compare: SECS := $(if $(filter command% environment%,$(origin SECS)),$(SECS),30)
compare: build
	cd testnet/compare && go build -mod=mod -o ../../bin/compare . && ../../bin/compare -binary ../../$(BIN) -pairs $(PAIRS) -secs $(SECS) -rates $(RATES) \
	  -markdown ../../docs/bench/consensus.md $(ARGS)

compare-test:
	cd testnet/compare && go vet -mod=mod ./... && go test -mod=mod ./...

# A fresh node joins a chain of BLOCKS blocks, once by snapshot and once by blocks (minutes).
BLOCKS ?= 100000
join:
	@set -o pipefail; go test ./node -run '^TestNODE12AFreshNodeJoinsALongChain$$' -v -count=1 -timeout 60m -args -join-blocks $(BLOCKS) -join-people 2000 2>&1 | grep --line-buffered -v '^time='

# The assembly of gpu/cpu/kern, written by gpu/cpu/kern/gen; kernels-check compares it with the tree.
kernels kernels-check:
	go test -tags kerngen -count=1 ./gpu/cpu/kern/gen $(if $(filter kernels,$@),-args -write)

# The tensor engine against the limits of this machine; and beside PEERS, as far as PYTHON has them installed: what is missing is
# named with the command that installs it. Alone on the machine, or the figures mean little.
PEERS  ?= openblas torch llama.cpp
PYTHON ?= python3
bench:
	@$(PYTHON) docs/bench/peers.py

bench-peers:
	@$(PYTHON) docs/bench/peers.py --pairs $(PAIRS) --peers $(PEERS)

clean:
	rm -rf bin openledger-demo
