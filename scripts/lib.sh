# Shared by the scripts of this folder, which source it. Not a program of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Everything that takes long to build lives outside the clone, so that the next
# clone finds it: the C core alone takes 10 to 15 minutes on two cores.
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/greeter-stream"
TOOLS="$CACHE/tools"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$CACHE/target}"
export PATH="$PATH:/usr/local/go/bin"

say() { printf '\n==> %s\n' "$*"; }
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Prints the path of a program that a crate installs, installing it first when it is missing.
# Each version has a folder of its own, so that another pin never finds the wrong program.
rust_tool() { # crate, version, program
  local root="$TOOLS/$1-$2"
  if [ ! -x "$root/bin/$3" ]; then
    echo "installing $1 $2" >&2
    # A folder to build in, so that the target folder of the crate stays as it is.
    CARGO_TARGET_DIR="$CACHE/tools-build" cargo install --quiet --locked --root "$root" "$1@$2" >&2
  fi
  echo "$root/bin/$3"
}
