# Daily commands. `make` builds build/belfry and build/belfry-bench and returns.

.PHONY: build run test bench bench-peers asan tsan fmt tidy clean

build:
	@bash script/setup
	@bash script/build belfry belfry-bench

run:
	@bash script/run

test:
	@bash script/test

# The micro-benchmarks; the load driver is build/belfry-bench, see bench/README.md.
bench:
	@bash script/setup
	@bash script/bench

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
