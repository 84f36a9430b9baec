#!/usr/bin/env bash
# Runs the server under valgrind and looks for lost memory, and for memory that grows with the
# number of calls. Runs it once for 10 calls of each kind, and once for many more.
#
#   scripts/leaks.sh         a short run: 10 and 110 of each of the three calls
#   scripts/leaks.sh 333     10 and 10 + 333 of each
source "$(dirname "$0")/lib.sh"

more=${1:-100}
[[ $more =~ ^[1-9][0-9]*$ ]] || die "'$more' is not a number of calls; usage: scripts/leaks.sh [CALLS]"
need_rust
need valgrind
build

work=$(mktemp -d)
trap 'rm -rf "$work"; [ -z "${server-}" ] || kill "$server" 2>/dev/null || true' EXIT
client="$CARGO_TARGET_DIR/release/greeter-client"

# Runs a server for N calls of each kind and prints two numbers: lost bytes, and bytes in use at
# exit.
measure() {
  local calls=$1 log="$work/$1.log" out="$work/$1.out" address
  # Undefined values are not checked, because the optimised C core causes false alarms. valgrind's
  # allocator replaces the server's own.
  valgrind --undef-value-errors=no --soname-synonyms=somalloc=NONE \
    --leak-check=full --show-leak-kinds=definite \
    --errors-for-leak-kinds=definite --error-exitcode=99 --log-file="$log" \
    "$CARGO_TARGET_DIR/release/greeter-server" --listen 127.0.0.1:0 --ticks 3 --tick-interval 1ms \
    >"$out" 2>"$work/$1.err" &
  server=$!
  until grep -q listening "$out"; do
    kill -0 "$server" || die "the server did not start: $(tail -n 3 "$work/$1.err")"
    read -rt 0.1 <> <(:) || :
  done
  address=$(sed -n 's/^listening on //p' "$out")
  for ((i = 0; i < calls; i++)); do
    "$client" --server "$address" get aaa >/dev/null
    seq 20 | "$client" --server "$address" put >/dev/null
    seq 20 | "$client" --server "$address" all >/dev/null
  done
  kill -TERM "$server"
  wait "$server" || die "valgrind found errors: $(grep -A 12 'definitely lost in' "$log" | head -40)"
  server=
  local lost used
  lost=$(sed -n 's/.*definitely lost: \([0-9,]*\) bytes.*/\1/p' "$log" | tr -d ,)
  used=$(sed -n 's/.*in use at exit: \([0-9,]*\) bytes.*/\1/p' "$log" | tr -d ,)
  echo "${lost:-0} ${used:?}"
}

read -r lost_few used_few < <(measure 10)
read -r lost_many used_many < <(measure $((10 + more)))
echo "$((3 * 10)) calls: $lost_few bytes lost, $used_few in use at exit"
echo "$((3 * (10 + more))) calls: $lost_many bytes lost, $used_many in use at exit"
grown=$((used_many - used_few))
# The C core keeps some memory per connection for statistics. A leak of each call would be far
# larger.
[ "$lost_many" -eq "$lost_few" ] || die "memory is lost with every call"
[ "$grown" -lt $((more * 3 * 64)) ] || die "memory in use grew by $grown bytes in $((3 * more)) calls"
echo "nothing grows with the calls"
