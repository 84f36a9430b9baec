#!/usr/bin/env bash
# Regenerates everything that is made from proto files: src/generated/, crates/grpcio-serve/src/generated/
# and tests/it/interop/official/generated/ (Rust), and tests/interop/go/new_stream/proto/ (Go, for the
# interop tests).
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

# protoc comes as a crate, which cargo fetches and verifies on every platform.
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
mkdir -p "$out/greeter" "$out/standard" "$out/official" "$out/go"

protoc=$(protoc_program)
gen_rs=$(rust_tool protobuf-codegen $PROTOC_GEN_RS protoc-gen-rs)
gen_grpc=$(rust_tool grpcio-compiler $GRPC_RUST_PLUGIN grpc_rust_plugin)
gen_go=$(go_tool google.golang.org/protobuf/cmd/protoc-gen-go $PROTOC_GEN_GO)
gen_go_grpc=$(go_tool google.golang.org/grpc/cmd/protoc-gen-go-grpc $PROTOC_GEN_GO_GRPC)

# Generates the messages of a proto file. Arguments: the import folder, the file, the output folder.
messages() {
  "$protoc" --proto_path="$1" --proto_path="$(dirname "$protoc")/../include" \
    --plugin=protoc-gen-rs="$gen_rs" --rs_out="$3" "$1/$2"
}

# Prints the head of a mod.rs. Argument: the description of its modules.
head() {
  cat <<RS
//! Made by \`scripts/gen.sh\` from \`proto/\`; never edited by hand.
//!
$1
#![allow(missing_docs, elided_lifetimes_in_paths, renamed_and_removed_lints)]
#![allow(unreachable_pub, clippy::all, clippy::panic, clippy::unwrap_used)]

RS
}

# Prints the modules of a mod.rs, one for each file of the folder.
modules() {
  local file
  for file in "$1"/*.rs; do
    file=$(basename "$file" .rs)
    [ "$file" = mod ] || printf '#[rustfmt::skip]\npub mod %s;\n' "$file"
  done
}

# The contract: messages, and the binding's own client and service trait.
messages proto greeter.proto "$out/greeter"
"$protoc" --proto_path=proto --plugin=protoc-gen-grpc="$gen_grpc" --grpc_out="$out/greeter" \
  proto/greeter.proto
messages proto rich_status.proto "$out/greeter"
{
  head "//! [\`greeter\`] holds the messages, [\`greeter_grpc\`] the plain client and service
//! trait of the binding, [\`rich_status\`] what a status may carry."
  modules "$out/greeter"
} >"$out/greeter/mod.rs"

# The messages of the standard services, each file called after its package.
for package in channelz/v1 health/v1 reflection/v1 reflection/v1alpha; do
  service=$(dirname "$package")
  mkdir -p "$out/$package"
  messages crates/grpcio-serve/proto "grpc/$package/$service.proto" "$out/$package"
  mv "$out/$package/$service.rs" "$out/standard/grpc_${package/\//_}.rs"
done
{
  head "//! The messages of the standard services, a module for each proto package."
  modules "$out/standard"
} >"$out/standard/mod.rs"

# The messages of gRPC's interop tests.
messages tests/interop/official/proto grpc_testing.proto "$out/official"
{
  head "//! [\`grpc_testing\`] holds the messages of gRPC's interop tests. Its proto file is in
//! \`tests/interop/official/\`."
  modules "$out/official"
} >"$out/official/mod.rs"

"$protoc" --proto_path=proto \
  --plugin=protoc-gen-go="$gen_go" --go_out="$out/go" \
  --plugin=protoc-gen-go-grpc="$gen_go_grpc" \
  --go-grpc_out="$out/go" --go-grpc_opt=require_unimplemented_servers=false \
  proto/greeter.proto

# The generated code allows unsafe code, which it does not use and the crates forbid.
sed -i.orig '/allow(unsafe_code)/d' "$out"/{greeter,standard,official}/*.rs
rm "$out"/{greeter,standard,official}/*.orig

# The generated folders, and the folders where they are checked in.
made=("$out/greeter" "$out/standard" "$out/official" "$out/go")
kept=(src/generated crates/grpcio-serve/src/generated tests/it/interop/official/generated
  tests/interop/go/new_stream/proto)
for n in "${!made[@]}"; do
  if [ "${1-}" = --check ]; then
    diff -r -u "${kept[n]}" "${made[n]}" ||
      die "${kept[n]} is not what the proto files generate; run scripts/gen.sh"
  else
    rm -rf "${kept[n]}"
    mkdir -p "$(dirname "${kept[n]}")"
    cp -r "${made[n]}" "${kept[n]}"
    echo "wrote ${kept[n]}"
  fi
done
[ "${1-}" != --check ] || echo "generated sources are up to date"
