# Cordon's house: `make run` shows it at work, `make test` proves it.

PREFIX ?= /usr/local
SWIFT ?= swift
CORDON := .build/release/cordon
STYLED := Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Sources

# Kernel tests make network namespaces, which only root may; what is built belongs to whoever builds.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo) env "PATH=$$PATH:/usr/sbin:/sbin"

.PHONY: run test golden bench format lint install install-files deb clean setup build

run: build
	$(AS_ROOT) Tools/run-example $(CORDON)

# An optimized binary that carries the Swift runtime: where it runs only Debian's C libraries are needed.
build: setup
	$(SWIFT) build -c release --static-swift-stdlib --product cordon

setup:
	@Tools/setup pkg-config libnftables-dev libnetfilter-conntrack-dev nftables iproute2

# Everything: style, units, goldens, packets through kernels, the documents, and other people's cases where there are any.
test: lint build
	$(SWIFT) build --build-tests
	$(AS_ROOT) $(if $(CI),CI=$(CI)) $(SWIFT) test --skip-build
	Tools/documents check $(CORDON)
	@if [ -n "$$CORDON_CONFORMANCE" ]; then set -x; $(AS_ROOT) "$$CORDON_CONFORMANCE/check" $(CORDON); fi

# Rewrites what is expected in fixtures/ and shown in the documents: look at the difference before you commit it.
golden: build
	$(SWIFT) build --build-tests
	CORDON_UPDATE_GOLDENS=1 $(SWIFT) test --skip-build --skip KernelTests
	Tools/documents update $(CORDON)

# Seven minutes; `make bench SIZES="10 large huge"` takes a quarter of an hour. docs/performance.md tells what is measured.
bench: build
	@Tools/setup hyperfine time jq
	$(SWIFT) build -c release --package-path Benchmarks
	$(AS_ROOT) Benchmarks/run $(CORDON) $(SIZES)

format:
	$(SWIFT) format --in-place --recursive $(STYLED)

lint:
	$(SWIFT) format lint --strict --recursive $(STYLED)

# The command, a unit that restores at boot what was confirmed (`systemctl enable cordon`), an example and the operator's page.
install:
	@test -x $(CORDON) || $(MAKE) build
	@$(MAKE) --no-print-directory install-files

install-files:
	install -D -m 755 $(CORDON) "$(DESTDIR)$(PREFIX)/bin/cordon"
	install -D -m 644 packaging/example.yaml "$(DESTDIR)$(PREFIX)/share/doc/cordon/example.yaml"
	install -D -m 644 docs/operations.md "$(DESTDIR)$(PREFIX)/share/doc/cordon/operations.md"
	install -d -m 755 "$(DESTDIR)$(PREFIX)/lib/systemd/system"
	sed 's|@PREFIX@|$(PREFIX)|g' packaging/cordon.service >"$(DESTDIR)$(PREFIX)/lib/systemd/system/cordon.service"
	chmod 644 "$(DESTDIR)$(PREFIX)/lib/systemd/system/cordon.service"

# A Debian package, in .build/.
deb: build
	packaging/build-deb $(CORDON) .build

clean:
	rm -rf .build Benchmarks/.build
