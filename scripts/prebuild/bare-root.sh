#!/bin/bash
# The packed packages in a bare system: no compiler, no FFmpeg, Node and npm from their npm packages, no network.
#
#   bare-root.sh SUITE FOLDER [x64|arm64] [VIDEO…]
#
# SUITE: of Debian (buster to trixie) or Ubuntu (focal), as debootstrap knows it; MIRROR and KEYRING in the environment
# where it needs them. Needs root, debootstrap, the platform package built and, for the other processor,
# qemu-aarch64-static. What runs inside, and what must hold, is in-bare-root.cjs: the hashes that it prints are the same
# everywhere.
set -euo pipefail
suite=$1
folder=$(realpath -m "$2")
arch=${3:-x64}
clips=("${@:4}")
repository=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$folder"

root=$folder/$suite-$arch
emulator=
if [ "$arch" = arm64 ] && [ "$(uname -m)" != aarch64 ]; then emulator=/usr/bin/qemu-aarch64-static; fi
options=(--variant=minbase ${KEYRING:+--keyring="$KEYRING"})
if [ ! -e "$root/etc/debian_version" ]; then
  # Unpacked is enough to run Node: nothing of the other processor is configured, which takes long.
  [ -z "$emulator" ] || options+=(--foreign --arch=arm64)
  debootstrap "${options[@]}" "$suite" "$root" ${MIRROR:+"$MIRROR"} > "$folder/$suite-$arch.log"
  if [ -n "$emulator" ]; then
    # dpkg-deb -x would put a folder in the place of the link /lib.
    for package in "$root"/var/cache/apt/archives/lib*.deb; do
      dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$root"
    done
  fi
fi
rm -rf "$root"/var/cache/apt/archives/*.deb
[ -z "$emulator" ] || cp "$emulator" "$root$emulator"

# Node 22's programs need glibc 2.28, as ours does.
node=$folder/node-$arch
if [ ! -e "$node/node_modules/npm" ]; then
  mkdir -p "$node"
  echo '{ "private": true }' > "$node/package.json"
  (cd "$node" && npm install --silent --force --ignore-scripts --no-audit --no-fund "node-linux-$arch@22" npm@11)
fi
# debootstrap links it to the system's where it may not mount.
[ ! -L "$root/proc" ] || rm "$root/proc"
mkdir -p "$root/usr/local/bin" "$root/usr/local/lib" "$root/proc"
cp "$node/node_modules/node-linux-$arch/bin/node" "$root/usr/local/bin/node"
chmod +x "$root/usr/local/bin/node"
rm -rf "$root/usr/local/lib/npm" "$root/opt/tarballs" "$root/opt/project" "$root/root/.npm"
mkdir -p "$root/opt/tarballs" "$root/opt/project" "$root/root" "$root/tmp"
cp -a "$node/node_modules/npm" "$root/usr/local/lib/npm"

for package in . "packages/linux-$arch"; do
  (cd "$repository/$package" && npm pack --silent --ignore-scripts --pack-destination "$root/opt/tarballs" > /dev/null)
done
echo '{ "private": true }' > "$root/opt/project/package.json"
cp "$repository/assets/sample.mp4" "$root/opt/project/video.mp4"
rm -rf "$root/opt/clips"
mkdir "$root/opt/clips"
[ ${#clips[@]} = 0 ] || cp "${clips[@]}" "$root/opt/clips"
awk '/^```ts$/ { inside = 1; next } /^```$/ && inside { exit } inside' "$repository/README.md" \
  > "$root/opt/project/five-lines.mjs"
cp "$repository/scripts/prebuild/in-bare-root.cjs" "$root/opt/in-bare-root.cjs"

unshare --mount --net sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" ${1:+"$1"} /usr/local/bin/node /opt/in-bare-root.cjs "$1"' \
  "$root" "$emulator"
[ -z "$emulator" ] || exit 0

# The same without a system: as a distroless image, read-only but for /tmp as in AWS Lambda.
small=$folder/$suite-small
rm -rf "$small"
mkdir -p "$small"/{opt,tmp,usr/local/bin,dev}
mknod -m 444 "$small/dev/urandom" c 1 9
for library in $(chroot "$root" ldd /usr/local/bin/node | grep -o '/[^ ]*'); do
  mkdir -p "$small$(dirname "$library")"
  chroot "$root" cat "$library" > "$small$library"
  chmod +x "$small$library"
done
cp "$root/usr/local/bin/node" "$small/usr/local/bin/node"
cp -a "$root/opt/project" "$small/opt/project"
cp "$repository/scripts/prebuild/read-only.mjs" "$small/opt/project/read-only.mjs"
unshare --mount --net sh -c 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && mount -t tmpfs tmpfs "$0/tmp" &&
  exec chroot --userspec=65532:65532 "$0" /usr/local/bin/node /opt/project/read-only.mjs' "$small"
