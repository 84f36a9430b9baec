#!/usr/bin/env bash
# Measures the server, and the same hub on Go, tonic and C++, under the same load. Builds all of
# them first. Arguments are passed to the measurement, and --help lists them. The whole run takes
# about 40 minutes on two cores. The topics are in memory. For topics on disk, see:
#   cargo bench --bench durable -- --help
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
# With the system's gRPC, which the core of this build hides.
env -u PKG_CONFIG_PATH make --silent -C "$here/cpp" BUILD="$peers/cpp"

# 10,000 connections need as many files in the client and in the server.
ulimit -n "$(ulimit -H -n)"
say "Measuring"
exec cargo bench --locked --bench peers -- \
  --peer go="$peers/go" \
  --peer tonic="$peers/tonic/release/tonic-peer" \
  --peer cpp="$peers/cpp/hub" \
  "$@"
