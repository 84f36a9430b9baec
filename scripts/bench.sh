#!/usr/bin/env bash
# Measures the server on both C cores, and the same hub on Go, tonic and C++, under the same load. Builds
# all of them first. Arguments are passed to the measurement, and --help lists them. The whole run took
# about 40 minutes on two cores when it measured one C core. The topics are in memory. For topics on disk,
# see:
#   cargo bench --bench durable -- --help
source "$(dirname "$0")/lib.sh"

system_pkg_config_path=$PKG_CONFIG_PATH
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
# With the system's gRPC, which the core of this build would hide.
PKG_CONFIG_PATH=$system_pkg_config_path make --silent -C "$here/cpp" BUILD="$peers/cpp"

other=bundled
[ "$CORE" != bundled ] || other=current
say "Building the server on the $other C core"
other_server=$(
  export GREETER_CORE=$other
  source scripts/lib.sh
  need_rust >&2
  build --bin greeter-server >&2
  echo "$CARGO_TARGET_DIR/release/greeter-server"
)

# 10,000 connections need as many files in the client and in the server.
ulimit -n "$(ulimit -H -n)"
say "Measuring"
exec cargo bench --locked --bench peers -- \
  --peer go="$peers/go" \
  --peer tonic="$peers/tonic/release/tonic-peer" \
  --peer cpp="$peers/cpp/hub" \
  --peer "$other core=$other_server" \
  "$@"
