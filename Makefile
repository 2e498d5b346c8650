# Daily commands. `make` builds build/belfry and build/belfry-bench and returns.

.PHONY: build run test bench bench-full bench-micro bench-peers asan tsan fmt tidy clean

build:
	@bash script/setup
	@bash script/build belfry belfry-bench

run:
	@bash script/run

test:
	@bash script/test

# Every figure beside its limit or peer, in one table: build/bench/standard.md. bench/README.md says
# how to read it. `bench-full` goes to 100 million timers and takes hours; `bench-micro` runs the
# micro-benchmarks; `bench-peers` compares with other timer services.
bench:
	@bash script/bench standard

bench-full:
	@bash script/bench full

bench-micro:
	@bash script/bench micro

# Beside other systems, see bench/README.md; ARGS="--rounds 1 --duration 5 --warmup 2" for a look.
bench-peers:
	@bash script/setup
	@bash script/build belfry belfry-bench peer-load
	@python3 -B bench/peers/run.py $(ARGS)

asan:
	@bash script/setup
	@bash script/sanitize asan

tsan:
	@bash script/setup
	@bash script/sanitize tsan

fmt:
	@bash script/setup tools
	@git ls-files --cached --others --exclude-standard '*.h' '*.cc' | xargs clang-format -i

tidy:
	@bash script/setup tools
	@bash script/tidy

clean:
	rm -rf build build-asan build-tsan
