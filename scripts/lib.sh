# Shared by the scripts of this folder: where tools live, how they are found, how progress is shown. Source it, do not run it.
# Order of search for every tool: environment, PATH, our cache outside the work tree, download or build into that cache.

SLUICE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SLUICE_CACHE=${SLUICE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice}
NODE_VERSION=24.21.0
KAFKA_VERSION=4.1.1
KUBERNETES_VERSION=1.36.3
HELM_VERSION=3.19.2
CONFLUENT_KAFKA_VERSION=2.16.1

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Two checkouts (or two make jobs) may ask for the same tool at once: the second waits for the first.
with_lock() { # NAME COMMAND...
  mkdir -p "$SLUICE_CACHE"
  local name=$1; shift
  (flock 9; "$@") 9>"$SLUICE_CACHE/.$name.lock"
}

# Installs missing Debian packages as root, after saying so; otherwise prints the exact command and stops.
need_debs() {
  command -v dpkg-query >/dev/null 2>&1 || { say "no dpkg here: make sure you have the equivalents of: $*"; return 0; }
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -eq 0 ]; then
    say "installing Debian packages: ${missing[*]}"
    local log=$SLUICE_CACHE/apt.log
    mkdir -p "$SLUICE_CACHE"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 ||
      { tail -20 "$log" >&2; die "apt-get could not install: ${missing[*]}"; }
  else
    die "missing Debian packages; run:  sudo apt-get install --no-install-recommends ${missing[*]}"
  fi
}

# With its headers: the native client is built against them.
node_is_24() {
  [ "$("$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null)" = 24 ] &&
    [ -e "$(dirname "$(dirname "$(readlink -f "$1")")")/include/node/node.h" ]
}

# Puts a Node 24 first in PATH and names the folder with its headers in NODE_HOME.
need_node() {
  local own=$SLUICE_CACHE/node-$NODE_VERSION/node_modules/node-linux-$(node_arch)
  if command -v node >/dev/null 2>&1 && node_is_24 "$(command -v node)"; then
    NODE_HOME=$(node -p 'require("path").resolve(process.execPath, "../..")')
  else
    [ -x "$own/bin/node" ] || with_lock node install_node "$own"
    NODE_HOME=$own
    PATH=$own/bin:$PATH
  fi
  export PATH NODE_HOME
}
node_arch() { case $(uname -m) in aarch64 | arm64) echo arm64 ;; *) echo x64 ;; esac; }
install_node() {
  [ -x "$1/bin/node" ] && return 0
  command -v npm >/dev/null 2>&1 || need_debs npm
  say "Node $NODE_VERSION (this machine's is $(node --version 2>/dev/null || echo absent); about 10 s)"
  mkdir -p "$SLUICE_CACHE/node-$NODE_VERSION"
  npm install --silent --no-audit --no-fund --prefix "$SLUICE_CACHE/node-$NODE_VERSION" "node-linux-$(node_arch)@$NODE_VERSION" >&2 ||
    die "could not install Node $NODE_VERSION"
}
