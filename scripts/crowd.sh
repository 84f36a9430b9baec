#!/usr/bin/env bash
# Has a number of clients in Go upload at full speed for a number of seconds, each on a connection of its
# own, first without and then with a topic each (tests/it/limits/crowd.rs). Fails when one is reset or not
# answered with the right count, and when the server takes more than 600 MiB.
#
#   scripts/crowd.sh 1000 30
source "$(dirname "$0")/lib.sh"

usage="usage: scripts/crowd.sh CLIENTS SECONDS"
[[ ${1-} =~ ^[1-9][0-9]{0,4}$ && $1 -le 16000 ]] ||
  die "'${1-}' is not a number of clients from 1 to 16000, the server's limit of connections; $usage"
[[ ${2-} =~ ^[1-9][0-9]{0,4}$ ]] || die "'${2-}' is not a number of seconds; $usage"
need_rust
need_go
build
export GREETER_TEST_CROWD=$1 GREETER_TEST_CROWD_SECONDS=$2
# A connection is a file in the client and in the server.
ulimit -n "$(ulimit -H -n)"
say "$1 clients upload for $2 seconds"
run_test limits::crowd::everyone_in_a_crowd_is_answered
say "$1 clients upload for $2 seconds, with a topic each"
run_test limits::crowd::everyone_in_a_crowd_with_a_topic_each_is_answered
