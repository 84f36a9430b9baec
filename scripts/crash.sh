#!/usr/bin/env bash
# Kills a server with topics on disk a number of times while clients publish and subscribe
# (tests/it/disk/crash/). Fails when a message that was acknowledged or seen is lost, changed or doubled.
#
#   scripts/crash.sh 200
source "$(dirname "$0")/lib.sh"

[[ ${1-} =~ ^[1-9][0-9]*$ ]] || die "'${1-}' is not a number of kills; usage: scripts/crash.sh KILLS"
need_rust
build
say "Killing a server $1 times"
export GREETER_TEST_CRASHES=$1
run_test disk::crash::a_server_that_is_killed_loses_nothing_and_takes_nothing_back
