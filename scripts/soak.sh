#!/usr/bin/env bash
# Mixed work with faults against the server for so many minutes (tests/it/lifecycle/soak.rs): fails
# when a client got something wrong, or when memory, descriptors or threads are left behind.
#
#   scripts/soak.sh 10
source "$(dirname "$0")/lib.sh"

[[ ${1-} =~ ^[1-9][0-9]*$ ]] || die "'${1-}' is not a number of minutes; usage: scripts/soak.sh MINUTES"
need_rust
build
say "Soaking for $1 minutes"
GREETER_TEST_SOAK=$((60 * $1)) cargo test --release --locked --test it -- \
  --exact lifecycle::soak::everything_at_once_is_right_and_leaves_nothing_behind --nocapture
