#!/usr/bin/env bash
# Makes the C core of gRPC that the other scripts build with, once, outside the clone. The binding
# itself carries one of 2023, which a plain `cargo build` builds instead.
#
#   scripts/core.sh            compiles the sources that the gRPC project has released, for the
#                              system's OpenSSL and zlib
#   scripts/core.sh --system   takes the gRPC that the system has, if it is new enough
#   scripts/core.sh --env      makes nothing; prints the variables with which cargo uses the core and
#                              what the other scripts have built
#
# GRPC_SOURCE is a folder with the unpacked sources, for machines that cannot reach PyPI.
# GREETER_CORE says which core --env and the other scripts use: current, bundled or system.
source "$(dirname "$0")/lib.sh"

# Older cores of a system were not tried.
OLDEST=1.80

usage="usage: scripts/core.sh [--system | --env]"
[ $# -le 1 ] || die "$usage"
case "${1-}" in
  '') CORE=current ;;
  --system) CORE=system ;;
  --env)
    [ "$CORE" = bundled ] || [ -d "$(core_place)" ] ||
      die "there is no C core in $(core_place) yet; GREETER_CORE=$CORE scripts/demo.sh makes it"
    core_variables
    exit
    ;;
  *) die "unknown argument '$1'; $usage" ;;
esac

need cmake ninja c++ pkg-config openssl zlib
place=$(core_place)
if [ -d "$place" ]; then
  echo "The C core is in $place"
  exit
fi

# Tells each tenth step.
each_tenth() {
  local step n=0
  while IFS='|' read -r step _; do
    [[ $step == *steps ]] || continue
    n=$((n + 1))
    [ $((n % 10)) -ne 0 ] || echo "$step"
  done
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$CORE" = current ]; then
  say "Compiling gRPC's C core; this takes 4 to 6 minutes on two cores, once"
  # This script has changed the folder.
  [[ -z ${GRPC_SOURCE-} || $GRPC_SOURCE == /* ]] || GRPC_SOURCE=$OLDPWD/$GRPC_SOURCE
  what=(-DGRPC_SOURCE="${GRPC_SOURCE-}")
else
  # grpc.pc has another number.
  found=$(pkg-config --modversion grpc++ 2>/dev/null || echo "none")
  pkg-config --exists "grpc++ >= $OLDEST" ||
    die "the system's gRPC is $found, and $OLDEST or newer is needed; GREETER_CORE=current compiles one"
  what=(-DGRPC_SYSTEM=ON)
fi
begun=$SECONDS
cmake -G Ninja -S scripts/core -B "$work" -Wno-dev -DCMAKE_BUILD_TYPE=None "${what[@]}" >"$work/log" ||
  die "cmake failed; its messages are above"
NINJA_STATUS='%es: %f of %t steps|' ninja -C "$work" | tee "$work/log" | each_tenth || {
  grep -A 40 FAILED "$work/log" >&2 || tail -n 40 "$work/log" >&2
  die "the C core cannot be compiled; the first errors are above"
}
# In one step, so that an interrupted run leaves nothing that looks complete.
mkdir -p "$CACHE"
new=$(mktemp -d "$CACHE/new-core.XXXXXX")
cmake --install "$work" --prefix "$new" >/dev/null
if [ -d "$place" ]; then rm -rf "$new"; else mv "$new" "$place"; fi
echo "The C core is in $place, after $((SECONDS - begun)) s"
