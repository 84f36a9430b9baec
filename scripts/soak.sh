#!/usr/bin/env bash
# Runs all kinds of clients and faults against the server for a number of minutes
# (tests/it/lifecycle/soak.rs). Fails when a client gets something wrong, or when the server keeps
# memory, descriptors or threads of clients that have gone.
#
#   scripts/soak.sh 10
source "$(dirname "$0")/lib.sh"

[[ ${1-} =~ ^[1-9][0-9]*$ ]] || die "'${1-}' is not a number of minutes; usage: scripts/soak.sh MINUTES"
need_rust
build
say "Soaking for $1 minutes"
export GREETER_TEST_SOAK=$((60 * $1))
run_test lifecycle::soak::everything_at_once_is_right_and_leaves_nothing_behind
