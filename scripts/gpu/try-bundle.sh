#!/bin/sh
# Runs the bundle of scripts/gpu-bundle.mjs on this machine as a bare one would: in a root of its own
# with a C library, a shell and the usual small tools, no Node, no FFmpeg, no network, an empty
# environment. Needs root. Says which libraries were used and fails where one came from elsewhere.
#   try-bundle.sh BUNDLE.tar.xz OUTDIR [ROOT]
# ROOT is a folder with a distribution's root (debootstrap --variant=minbase makes one) to copy.
# A bundle made with --emulated brings a driver along, which is laid where the loader does not look.
set -eu
bundle=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
root=$(mktemp -d)
mounted=
trap '[ -z "$mounted" ] || umount "$root/proc"; rm -rf "$root"' EXIT

# What any Linux has; each with the libraries that it needs.
make_root() {
  mkdir -p "$root/bin" "$root/dev" "$root/usr"
  ln -s bin "$root/sbin"
  ln -s ../bin "$root/usr/bin"
  for tool in sh bash cat cp cut date dirname env find grep head ldd ln ls mkdir mktemp nproc ps rm \
    sed sleep sort tail tar tee timeout touch tr uname wc xz; do
    file=$(command -v "$tool") || continue
    cp -L "$file" "$root/bin/$tool"
    ldd "$file" 2>/dev/null | sed -n 's/.* => \(\/[^ ]*\).*/\1/p; s/^\s*\(\/[^ ]*ld-linux[^ ]*\).*/\1/p'
  done | sort -u >"$root/libraries"
  # Node and the tests need these of the C library, and nothing else.
  for name in libc.so.6 libm.so.6 libdl.so.2 librt.so.1 libpthread.so.0; do
    ldconfig -p | sed -n "s|.*$name (libc6,x86-64.* => ||p" | head -n 1
  done >>"$root/libraries"
  sort -u "$root/libraries" | while read -r file; do
    mkdir -p "$root$(dirname "$file")"
    cp -L "$file" "$root$file"
  done
  # As on machines that have merged /lib and /usr/lib.
  [ -e "$root/lib64" ] || { mkdir -p "$root/lib64" && cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"; }
  for device in null zero urandom; do cp -a /dev/$device "$root/dev/"; done
}
if [ -n "${3:-}" ]; then cp -a "$3/." "$root/"; else make_root; fi
mkdir -p "$root/tmp" "$root/out" "$root/proc"
mount -t proc proc "$root/proc"
mounted=yes
# Without a network where namespaces may be made.
alone=
unshare -n true 2>/dev/null && alone='unshare -n'
enter() {
  $alone chroot "$root" /bin/env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin \
    ${CPS_GPU_CHECK_SECONDS:+CPS_GPU_CHECK_SECONDS="$CPS_GPU_CHECK_SECONDS"} "$@"
}

# A minimal distribution has no xz.
archive=/bundle.tar.xz
if enter /bin/sh -c 'command -v xz' >/dev/null; then
  cp "$bundle" "$root$archive"
else
  archive=/bundle.tar
  xz -dc "$bundle" >"$root$archive"
fi
tar -xJf "$bundle" -C "$root"
unpacked=/codec-patch-stream-gpu
status=0
if [ -e "$root$unpacked/lib/libcps_fake_driver.so" ]; then
  # One is found by where drivers are mounted, the other by the driver's version.
  fake=$unpacked/lib/libcps_fake_driver.so
  mkdir -p "$root/usr/local/nvidia/lib64" "$root/opt/elsewhere"
  ln -s $fake "$root/usr/local/nvidia/lib64/libcuda.so.1"
  ln -s $fake "$root/usr/local/nvidia/lib64/libnvidia-ml.so.1"
  ln -s $fake "$root/opt/elsewhere/libnvcuvid.so.550.54.14"
  enter /bin/env CPS_DRIVER_VERSION=550.54.14 /bin/sh $unpacked/gpu-check.sh /out || status=$?
else
  enter /bin/sh $unpacked/gpu-check.sh $archive /out || status=$?
fi
cp "$root"/out/* "$out/"

# Which libraries the addon and the tests really load, in the same root.
enter /bin/sh -c '
  cd /codec-patch-stream-gpu
  for file in bin/node tests/* package/build/Release/*.node; do
    LD_LIBRARY_PATH=$PWD/lib ldd "$file"
  done' | sed 's/ (0x.*//; s/^[ \t]*//' | sort | uniq -c >"$out/libraries.txt"
cat "$out/libraries.txt"
if grep -q 'not found' "$out/libraries.txt"; then
  echo "try-bundle.sh: libraries are missing" >&2
  exit 1
fi
grep 'libav\|libdav1d\|libstdc++' "$out/libraries.txt" | grep -v /codec-patch-stream-gpu/lib/ && exit 1
exit $status
