#!/bin/bash
# UNFINISHED: the first half of what builds the platform package. Not run to its end yet.
#
# zlib, dav1d and FFmpeg of Debian 12's sources as static libraries for glibc 2.28, LGPL parts only,
# compiled by PyPI's ziglang: dependencies.sh FOLDER. Needs apt-get, python3, make, pkg-config, ninja.
set -euo pipefail
work=$(realpath -m "${1:?a folder to build in}")
prefix=$work/prefix
tools=$work/bin
target=x86_64-linux-gnu.2.28
jobs=$(nproc)
mkdir -p "$prefix" "$tools" "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
cd "$work"

# An apt of its own: the system's sources may have no deb-src. Signatures are checked as ever.
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
cat > apt/sources.list <<LIST
deb-src [signed-by=$keyring] http://deb.debian.org/debian bookworm main
deb-src [signed-by=$keyring] http://deb.debian.org/debian-security bookworm-security main
deb [signed-by=$keyring] http://deb.debian.org/debian bookworm main
LIST
apt=(-o "Dir::Etc::sourcelist=$work/apt/sources.list" -o Dir::Etc::sourceparts=/nonexistent
  -o "Dir::State::lists=$work/apt/lists" -o "Dir::Cache=$work/apt/cache")
apt-get "${apt[@]}" update -q
apt-get "${apt[@]}" source -q ffmpeg=7:5.1.9-0+deb12u1 dav1d=1.0.0-2+deb12u1 zlib=1:1.2.13.dfsg-1
apt-get "${apt[@]}" download -q nasm
dpkg -x nasm_*.deb nasm
ln -sf "$work/nasm/usr/bin/nasm" "$tools/nasm"
python3 -m venv venv
venv/bin/pip -q install ziglang meson

# One word for each tool: configure scripts do not take commands with arguments.
for tool in cc c++ ar ranlib; do
  case $tool in cc | c++) flags="-target $target" ;; *) flags= ;; esac
  printf '#!/bin/sh\nexec %s -m ziglang %s %s "$@"\n' "$work/venv/bin/python" "$tool" "$flags" \
    > "$tools/zig-$tool"
  chmod +x "$tools/zig-$tool"
done
export PATH=$tools:$work/venv/bin:$PATH ZIG_GLOBAL_CACHE_DIR=$work/zig-cache

(
  cd zlib-1.2.13.dfsg
  CC=zig-cc AR=zig-ar RANLIB=zig-ranlib CFLAGS="-O2 -fPIC -fvisibility=hidden" \
    ./configure --static --prefix="$prefix"
  make -j"$jobs" libz.a && make install
)
cat > cross.txt <<CROSS
[binaries]
c = 'zig-cc'
cpp = 'zig-c++'
ar = 'zig-ar'
ranlib = 'zig-ranlib'
strip = 'strip'
nasm = 'nasm'
pkg-config = 'pkg-config'
[host_machine]
system = 'linux'
cpu_family = 'x86_64'
cpu = 'x86_64'
endian = 'little'
CROSS
meson setup dav1d-1.0.0/build dav1d-1.0.0 --cross-file cross.txt --prefix "$prefix" --libdir lib \
  --default-library static --buildtype release -Denable_tools=false -Denable_tests=false \
  -Db_staticpic=true
ninja -C dav1d-1.0.0/build install
(
  cd ffmpeg-5.1.9
  PKG_CONFIG_LIBDIR=$prefix/lib/pkgconfig ./configure --prefix="$prefix" \
    --cc=zig-cc --cxx=zig-c++ --ld=zig-cc --ar=zig-ar --ranlib=zig-ranlib --nm=nm \
    --pkg-config=pkg-config --pkg-config-flags=--static \
    --enable-cross-compile --arch=x86_64 --target-os=linux \
    --disable-autodetect --disable-programs --disable-doc --disable-network --disable-everything \
    --disable-avdevice --disable-avfilter --disable-swresample --disable-postproc \
    --enable-decoders --enable-demuxers --enable-parsers --enable-bsfs \
    --enable-libdav1d --enable-zlib --enable-pic --enable-static --disable-shared --disable-debug \
    --disable-stripping --extra-cflags="-I$prefix/include -fvisibility=hidden" \
    --extra-ldflags="-L$prefix/lib"
  # The symbol is in glibc, its header is gone.
  sed -i 's/#define HAVE_SYSCTL 1/#define HAVE_SYSCTL 0/' config.h
  make -j"$jobs" && make install
)
