# The targets people use. Everything is built below build/.
SHELL := /bin/bash
BUILD := build
CUDA := $(BUILD)/cuda
JOBS ?= $(shell nproc)
# Of each fuzzer; the nightly figure.
FUZZ_RUNS ?= 10000000
CTEST := ctest --test-dir $(BUILD) --output-on-failure

# Those that need no libtorch and no gRPC, and the worker's: what memory errors would hide in first.
SANITIZED := common_test experiment_test statistics_test claims_test corpus_test model_test report_test core_test \
  core_search_test policy_test state_test store_test checkpoint_test controller_test trainer_protocol_test \
  trainer_quantize_test trainer_data_test trainer_cuda_test worker_test

.PHONY: help setup build check tidy quickstart test test-sanitizers test-container test-parity test-chaos \
  check-cuda check-kernels cuda-build cuda-programs bench-gpu fuzz bench bench-packs bench-scoring bench-tokens bench-trials lint clean
help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup:  ## install missing packages and the torch wheel
	@scripts/setup.sh packages torch

$(BUILD)/build.ninja:
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release $(CMAKE_FLAGS) > $(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@mv $(BUILD).log $(BUILD)/configure.log

build: setup $(BUILD)/build.ninja  ## build every program and test below build/bin
	@ninja -C $(BUILD) -j $(JOBS)

quickstart: setup $(BUILD)/build.ninja  ## run the sample experiment, from the data check to the report
	@scripts/setup.sh model
	@ninja -C $(BUILD) -j $(JOBS) programs
	@scripts/quickstart.sh

test: build  ## every test but parity and chaos
	@scripts/setup.sh test-packages model
	@$(CTEST) -j $(JOBS) -LE chaos

test-sanitizers: setup  ## unit tests under AddressSanitizer and UndefinedBehaviourSanitizer
	@cmake -S . -B $(BUILD)/sanitized -G Ninja -DCMAKE_BUILD_TYPE=Release -DSCM_WITH_TORCH=OFF \
	  -DSCM_SANITIZE=ON > /dev/null
	@ninja -C $(BUILD)/sanitized -j $(JOBS) $(SANITIZED)
	@UBSAN_OPTIONS=print_stacktrace=1 SCM_SIMULATION_SEEDS=4 ctest --test-dir $(BUILD)/sanitized \
	  --output-on-failure -j $(JOBS) -R '^($(subst $() $(),|,$(SANITIZED)))$$'

test-container: setup  ## what deploy/Dockerfile runs, in a fresh Debian of its own (as root)
	@scripts/setup.sh container
	@python3 tests/container/test_dockerfile.py

test-parity: build  ## against transformers, peft and others
	@scripts/setup.sh model parity
	@python3 tests/parity/run.py --bin-dir $(BUILD)/bin

test-chaos: build  ## the long rounds of killed processes
	@$(CTEST) --verbose -L chaos

# torch's CUDA wheel and the folder that is built with it. The wheel must come before CMake looks for it.
cuda-build: setup
	@scripts/setup.sh cuda
	@cmake -S . -B $(CUDA) -G Ninja -DCMAKE_BUILD_TYPE=Release -DSCM_TORCH_PYTHON=$(CURDIR)/.venv-cuda/bin/python \
	  -DSCM_BUILD_BENCH=ON $(CMAKE_FLAGS) > /dev/null

cuda-programs: cuda-build
	@ninja -C $(CUDA) -j $(JOBS) programs train-bench score-bench device-check

check-cuda: cuda-build  ## build the trainer with torch's CUDA wheel and start it, compile its kernels; needs no GPU
	@ninja -C $(CUDA) -j $(JOBS) scm-trainer scm-evaluator gpu-probe kernel-table train-bench score-bench device-check
	@python3 scripts/check_cuda.py --bin-dir $(CUDA)/bin --wheel .venv-cuda $(if $(WRITE),--write)

bench-gpu: ## correctness and speed on this machine's GPU, in eight minutes; says so where there is none
	@bench/gpu.sh

check-kernels: setup $(BUILD)/build.ninja  ## compile the CUDA kernels alone, with 110 MB of the wheel (WRITE=1: renew the table)
	@scripts/setup.sh nvrtc
	@ninja -C $(BUILD) -j $(JOBS) kernel-table
	@python3 scripts/check_cuda.py --bin-dir $(BUILD)/bin $(if $(WRITE),--write)

fuzz:  ## hostile files against their readers, under sanitizers: the nightly run (FUZZ_RUNS, FUZZERS)
	@scripts/setup.sh packages fuzz
	@cmake -S . -B $(BUILD)/fuzz -G Ninja -DCMAKE_BUILD_TYPE=Release -DSCM_WITH_TORCH=OFF -DSCM_BUILD_TESTS=OFF \
	  -DSCM_BUILD_FUZZERS=ON -DCMAKE_CXX_COMPILER=$$(scripts/find_clang.sh) > /dev/null
	@ninja -C $(BUILD)/fuzz -j $(JOBS) fuzzers
	@python3 scripts/fuzz.py --build-dir $(BUILD)/fuzz --runs $(FUZZ_RUNS) --jobs $(JOBS) $(FUZZERS)

bench: build  ## training speed beside peft
	@scripts/setup.sh parity
	@cmake -S . -B $(BUILD) -DSCM_BUILD_BENCH=ON > /dev/null && ninja -C $(BUILD) -j $(JOBS) train-bench
	@.venv-parity/bin/python bench/bench.py --bin-dir $(BUILD)/bin

bench-packs: build  ## five seeds in one process beside five one after the other
	@scripts/setup.sh model
	@for precision in fp32 bf16; do python3 bench/pack_bench.py --bin-dir $(BUILD)/bin \
	  --model models/SmolLM2-135M-Instruct.Q4_1.gguf --precision $$precision || exit 1; done

bench-scoring: build  ## scoring choices beside lm-evaluation-harness
	@scripts/setup.sh parity harness
	@cmake -S . -B $(BUILD) -DSCM_BUILD_BENCH=ON > /dev/null && ninja -C $(BUILD) -j $(JOBS) score-bench
	@.venv-parity/bin/python bench/scoring.py --bin-dir $(BUILD)/bin

bench-trials: setup $(BUILD)/build.ninja  ## no-op trials a second; BASE=DIR: in turn with the programs there
	@cmake -S . -B $(BUILD) -DSCM_BUILD_BENCH=ON > /dev/null && ninja -C $(BUILD) -j $(JOBS) programs noop-trainer
	@python3 bench/noop_trials.py --bin-dir this=$(BUILD)/bin $(if $(BASE),--bin-dir base=$(BASE))

bench-tokens: setup $(BUILD)/build.ninja  ## tokenising beside tokenizers, a thread each
	@scripts/setup.sh model parity
	@cmake -S . -B $(BUILD) -DSCM_BUILD_BENCH=ON > /dev/null && ninja -C $(BUILD) -j $(JOBS) tokenize-bench
	@.venv-parity/bin/python bench/tokenizer_speed.py --bin-dir $(BUILD)/bin

check:  ## layers, formatting, that every documented option configures
	@scripts/setup.sh packages torch lint
	@python3 scripts/check_layers.py
	@python3 scripts/count_arrows.py > /dev/null
	@git ls-files '*.cc' '*.h' | xargs clang-format --dry-run -Werror
	@scripts/check_options.sh

tidy: build  ## clang-tidy on what the last commit changed (or since SCM_BASE)
	@scripts/setup.sh lint
	@scripts/tidy.sh $(BUILD) $${SCM_BASE:-HEAD~1}

lint: build check  ## the same, and clang-tidy on every file
	@scripts/tidy.sh $(BUILD)

clean:  ## remove the build folder
	@rm -rf $(BUILD) $(BUILD).log
