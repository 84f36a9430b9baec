#!/usr/bin/env bash
# Regenerates everything that is made from proto/: src/generated/ (Rust) and
# tests/interop/go/new_stream/proto/ (Go, for the interop tests).
#
#   scripts/gen.sh           write the files
#   scripts/gen.sh --check   write nothing; fail where a checked-in file differs
#
# The generators are pinned here and installed, when missing, into a cache folder
# outside the repository. Building the crate needs none of them.
source "$(dirname "$0")/lib.sh"

PROTOC_CRATE=3.2.0 # protoc-bin-vendored: protoc 31.1 as released, for Linux, macOS and Windows
PROTOC_GEN_RS=3.7.2
GRPC_RUST_PLUGIN=0.13.0
PROTOC_GEN_GO=v1.36.12
PROTOC_GEN_GO_GRPC=v1.6.2

case "${1-}" in
  '' | --check) ;;
  *) die "unknown argument '$1'; usage: scripts/gen.sh [--check]" ;;
esac

have cargo || die "Rust is missing; install it from https://rustup.rs"
need_go

# protoc comes as a crate: cargo fetches and verifies it for every platform alike.
protoc_program() {
  local root="$TOOLS/protoc-$PROTOC_CRATE" platform
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) platform=linux-x86_64 ;;
    Linux-aarch64) platform=linux-aarch_64 ;;
    Darwin-x86_64) platform=macos-x86_64 ;;
    Darwin-arm64) platform=macos-aarch_64 ;;
    *) die "no pinned protoc for $(uname -s)-$(uname -m)" ;;
  esac
  if [ ! -x "$root/bin/protoc" ]; then
    echo "installing protoc" >&2
    rm -rf "$root"
    mkdir -p "$root/src"
    printf '[package]\nname = "fetch-protoc"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[dependencies]\nprotoc-bin-vendored-%s = "=%s"\n' \
      "$platform" "$PROTOC_CRATE" >"$root/Cargo.toml"
    : >"$root/src/lib.rs"
    (cd "$root" && cargo vendor --quiet vendor >/dev/null)
    cp -r "$root/vendor/protoc-bin-vendored-$platform/bin" "$root/bin"
    cp -r "$root/vendor/protoc-bin-vendored-$platform/include" "$root/include" 2>/dev/null || true
    chmod +x "$root/bin/protoc"
  fi
  echo "$root/bin/protoc"
}

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
mkdir -p "$out/rust" "$out/go"

protoc=$(protoc_program)
gen_rs=$(rust_tool protobuf-codegen $PROTOC_GEN_RS protoc-gen-rs)
gen_grpc=$(rust_tool grpcio-compiler $GRPC_RUST_PLUGIN grpc_rust_plugin)
gen_go=$(go_tool google.golang.org/protobuf/cmd/protoc-gen-go $PROTOC_GEN_GO)
gen_go_grpc=$(go_tool google.golang.org/grpc/cmd/protoc-gen-go-grpc $PROTOC_GEN_GO_GRPC)

"$protoc" --proto_path=proto \
  --plugin=protoc-gen-rs="$gen_rs" --rs_out="$out/rust" \
  --plugin=protoc-gen-grpc="$gen_grpc" --grpc_out="$out/rust" \
  proto/greeter.proto
"$protoc" --proto_path=proto --proto_path="$(dirname "$protoc")/../include" \
  --plugin=protoc-gen-rs="$gen_rs" --rs_out="$out/rust" \
  proto/rich_status.proto
# Of the standard services the messages, each file called after its package.
for package in channelz/v1 health/v1 reflection/v1 reflection/v1alpha; do
  service=$(dirname "$package")
  mkdir -p "$out/$package"
  "$protoc" --proto_path=proto --proto_path="$(dirname "$protoc")/../include" \
    --plugin=protoc-gen-rs="$gen_rs" --rs_out="$out/$package" \
    "proto/grpc/$package/$service.proto"
  mv "$out/$package/$service.rs" "$out/rust/grpc_${package/\//_}.rs"
done
"$protoc" --proto_path=proto \
  --plugin=protoc-gen-go="$gen_go" --go_out="$out/go" \
  --plugin=protoc-gen-go-grpc="$gen_go_grpc" \
  --go-grpc_out="$out/go" --go-grpc_opt=require_unimplemented_servers=false \
  proto/greeter.proto

cat >"$out/rust/mod.rs" <<'RS'
//! Made by `scripts/gen.sh` from `proto/`; never edited by hand.
//!
//! [`greeter`] holds the messages, [`greeter_grpc`] the plain client and service
//! trait of the binding, [`rich_status`] what a status may carry. The others hold the messages of
//! the standard services, a module for each proto package.
#![allow(missing_docs, elided_lifetimes_in_paths, renamed_and_removed_lints)]
#![allow(unreachable_pub, clippy::all, clippy::panic, clippy::unwrap_used)]

#[rustfmt::skip]
pub mod greeter;
#[rustfmt::skip]
pub mod greeter_grpc;
#[rustfmt::skip]
pub mod grpc_channelz_v1;
#[rustfmt::skip]
pub mod grpc_health_v1;
#[rustfmt::skip]
pub mod grpc_reflection_v1;
#[rustfmt::skip]
pub mod grpc_reflection_v1alpha;
#[rustfmt::skip]
pub mod rich_status;
RS

# The plugins ask for leave to use unsafe code, which the crate forbids and they do not use.
sed -i.orig '/allow(unsafe_code)/d' "$out"/rust/*.rs
rm "$out"/rust/*.orig

compare() { diff -r -u "$1" "$2" || die "$1 is not what proto/ generates; run scripts/gen.sh"; }
if [ "${1-}" = --check ]; then
  compare src/generated "$out/rust"
  compare tests/interop/go/new_stream/proto "$out/go"
  echo "generated sources are up to date"
else
  rm -rf src/generated tests/interop/go/new_stream/proto
  mkdir -p src tests/interop/go/new_stream
  cp -r "$out/rust" src/generated
  cp -r "$out/go" tests/interop/go/new_stream/proto
  echo "wrote src/generated and tests/interop/go/new_stream/proto"
fi
