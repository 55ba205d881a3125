# Thin doors to meson; see CONTRIBUTING.md.
.PHONY: all check quick san fuzz bench distcheck clean
all:
	@tools/build build
check:
	@./test
quick:
	@./test quick
san:
	@CC=clang CXX=clang++ tools/build build-san -Db_sanitize=address,undefined -Db_lundef=false --buildtype=debugoptimized
fuzz:
	@CC=clang CXX=clang++ tools/build build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false --buildtype=debugoptimized
bench: all
	@bench/run
distcheck: check
clean:
	rm -rf build build-san build-fuzz
