#!/usr/bin/env bash
# The part of an image that the Dockerfile takes from its base image, here from this machine: Node, a shell, the shared libraries that Node
# and the native client load, certificates, a user.
#   base-root.sh ROOT       ROOT/app must be there already
set -euo pipefail
. "$(dirname "$0")/../scripts/lib.sh"
ROOT=${1:?usage: base-root.sh ROOT}
need_node
need_debs busybox-static ca-certificates

mkdir -p "$ROOT"/{usr/local/bin,bin,etc/ssl/certs,tmp}
chmod 1777 "$ROOT/tmp"
cp "$(node -p process.execPath)" "$ROOT/usr/local/bin/node"
cp "$(command -v busybox)" "$ROOT/bin/busybox"
for applet in sh readlink dirname cat ls ps wget; do ln -sf busybox "$ROOT/bin/$applet"; done
cp /etc/ssl/certs/ca-certificates.crt "$ROOT/etc/ssl/certs/"
echo 'nonroot:x:65532:65532::/tmp:/bin/sh' >"$ROOT/etc/passwd"
echo 'nonroot:x:65532:' >"$ROOT/etc/group"

libraries() {
  find "$ROOT/app" "$ROOT/usr/local/bin/node" -type f \( -name '*.node' -o -name '*.so*' -o -name node \) -print0 |
    xargs -0 ldd 2>/dev/null | grep -o '/[^ ]*' | grep -v -e ':$' -e "^$ROOT" | sort -u
}
# At the path where the dynamic loader looks for them, whatever they link to.
libraries | while read -r library; do
  mkdir -p "$ROOT$(dirname "$library")"
  cp -L "$library" "$ROOT$library"
done
