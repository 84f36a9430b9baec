#!/usr/bin/env bash
# Packages all crates that are published, and checks that they and their examples compile from the
# packages alone: no package lacks a file, and no dependency lacks a version.
#
# `cargo package` could build them too, but only with the profile `dev`, so it would build the C core
# again.
source "$(dirname "$0")/lib.sh"

need_rust
crates="$CARGO_TARGET_DIR/package"
work="$crates/workspace"
rm -rf "$work" "$crates"/*.crate
mkdir -p "$work"

# Each dependency of a crate on another crate of the workspace is taken from that crate's package.
cargo package --quiet --locked --allow-dirty --no-verify --workspace --exclude testkit

# A workspace of the unpacked packages. Its patches lead from each crate to the others.
{
  printf '[workspace]\nresolver = "2"\nmembers = ["*-*"]\n[patch.crates-io]\n'
  for crate in "$crates"/*.crate; do
    # -m sets the present time. All files of a package have the same old time, and cargo finds
    # changes by time.
    tar -xzmf "$crate" -C "$work"
    name=$(basename "$crate" .crate)
    [ -s "$work/$name/LICENSE" ] || die "the package $name has no LICENSE"
    printf '%s = { path = "%s" }\n' "${name%-*}" "$name"
  done
} >"$work/Cargo.toml"
cp Cargo.lock "$work"

cd "$work"
cargo check --quiet --release --workspace --lib --bins --examples
