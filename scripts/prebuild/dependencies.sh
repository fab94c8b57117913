#!/bin/bash
# zlib, dav1d and FFmpeg as static libraries for one processor and glibc 2.28; LGPL parts only.
# Called by scripts/prebuild.mjs:
#
#   dependencies.sh FOLDER PROCESSOR      (x86_64 or aarch64)
#
# FOLDER has src/{zlib,dav1d,ffmpeg} and bin/zig-{cc,c++,ar,ranlib}; prefix/ is what comes out.
set -euo pipefail
folder=$1
processor=$2
prefix=$folder/prefix
jobs=$(nproc)
# One section for each function and datum: what nothing calls is left out when the addon is linked.
cflags="-fvisibility=hidden -ffunction-sections -fdata-sections -fstack-protector-strong"
export PATH=$folder/bin:$PATH PKG_CONFIG_LIBDIR=$prefix/lib/pkgconfig PKG_CONFIG_PATH=

(
  cd "$folder/src/zlib"
  CC=zig-cc AR=zig-ar RANLIB=zig-ranlib CFLAGS="-O3 -fPIC $cflags" \
    ./configure --static --prefix="$prefix"
  make -j"$jobs" libz.a
  make install
)

cat > "$folder/cross.txt" <<CROSS
[binaries]
c = 'zig-cc'
ar = 'zig-ar'
ranlib = 'zig-ranlib'
nasm = 'nasm'
pkg-config = 'pkg-config'
[built-in options]
c_args = [$(printf "'%s'," $cflags)]
[host_machine]
system = 'linux'
cpu_family = '$processor'
cpu = '$processor'
endian = 'little'
CROSS
(
  cd "$folder/src/dav1d"
  meson setup build --cross-file "$folder/cross.txt" --prefix "$prefix" --libdir lib \
    --default-library static --buildtype release -Denable_tools=false -Denable_tests=false \
    -Db_staticpic=true
  ninja -C build install
)

(
  cd "$folder/src/ffmpeg"
  ./configure --prefix="$prefix" \
    --cc=zig-cc --cxx=zig-c++ --ld=zig-cc --ar=zig-ar --ranlib=zig-ranlib --nm=nm \
    --pkg-config=pkg-config --pkg-config-flags=--static \
    --enable-cross-compile --arch="$processor" --target-os=linux \
    --disable-autodetect --disable-network --disable-programs --disable-doc --disable-debug \
    --disable-avdevice --disable-avfilter --disable-swresample --disable-postproc \
    --disable-everything --enable-decoders --enable-demuxers --enable-parsers --enable-bsfs \
    --enable-zlib --enable-libdav1d \
    --enable-static --disable-shared --enable-pic --disable-stripping \
    --extra-cflags="-I$prefix/include $cflags" --extra-ldflags="-L$prefix/lib"
  # glibc has the symbol still, its header is gone.
  sed -i 's/#define HAVE_SYSCTL 1/#define HAVE_SYSCTL 0/' config.h
  grep -q '#define FFMPEG_LICENSE "LGPL version 2.1 or later"' config.h
  make -j"$jobs"
  make install
)
