#!/usr/bin/env bash
# Measures the server beside the same hub on Go, tonic and C++, under the same load.
# Builds all of them first. What follows goes to the measurement: --help shows it.
# The whole takes about 40 minutes on two cores. This is about topics in memory; those on disk are
# measured beside them by: cargo bench --bench durable -- --help
source "$(dirname "$0")/lib.sh"

need_rust
need_go
[ "$(uname)" = Linux ] || die "the processor time of a server is read from Linux's /proc"
need grpc++

peers=$CACHE/peers
here=$PWD/benches/peers

build
say "Building the peers"
mkdir -p "$peers"
(cd "$here/go" && go build -o "$peers/go" .)
(cd "$here/tonic" && CARGO_TARGET_DIR=$peers/tonic cargo build --release --locked --quiet)
make --silent -C "$here/cpp" BUILD="$peers/cpp"

# 10,000 connections are as many files, for each of the two.
ulimit -n "$(ulimit -H -n)"
say "Measuring"
exec cargo bench --locked --bench peers -- \
  --peer go="$peers/go" \
  --peer tonic="$peers/tonic/release/tonic-peer" \
  --peer cpp="$peers/cpp/hub" \
  "$@"
