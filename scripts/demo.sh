#!/usr/bin/env bash
# Installs what is missing, builds, and shows the server and the client at work.
source "$(dirname "$0")/lib.sh"

[ $# -eq 0 ] || die "unknown argument '$1'; usage: scripts/demo.sh"
need_rust
build

bin="$CARGO_TARGET_DIR/release"
out=$(mktemp -d)
trap '[ -z "${server-}" ] || kill "$server" 2>/dev/null || true; rm -rf "$out"' EXIT

say "Starting the server on a free port: greeter-server --listen 127.0.0.1:0"
"$bin/greeter-server" --listen 127.0.0.1:0 >"$out/server" 2>"$out/log" &
server=$!
until grep -q listening "$out/server"; do
  kill -0 "$server" 2>/dev/null || die "the server did not start: $(tail -n 1 "$out/log")"
  read -rt 0.1 <> <(:) || :
done
address=$(sed -n 's/^listening on //p' "$out/server")
echo "it is listening on $address"

say "The original client's three calls, in about half a minute: greeter-client demo --for 5s"
"$bin/greeter-client" --server "$address" demo --for 5s

say "A file through PutStream, a line a message: greeter-client put LICENSE"
echo "the server received $("$bin/greeter-client" --server "$address" put LICENSE) of $(grep -c '' LICENSE) lines"

say "Stopping the server: kill -TERM"
kill -TERM "$server"
wait "$server"
server=
echo "it exited with 0; what it logged of the calls:"
grep Stream "$out/log"

say "Now yours: the programs are in $bin"
