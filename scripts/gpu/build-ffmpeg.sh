#!/bin/sh
# A minimal LGPL FFmpeg (shared) from the distribution's source package: local files, containers,
# parsers, bitstream filters and software video decoders, nothing else.
#   build-ffmpeg.sh WORKDIR    result in WORKDIR/install; what is already there is kept
# Needs: a Debian-like system with a compiler and dpkg-dev. nasm and dav1d's headers are taken from
# the distribution's packages without being installed.
set -eu
work=$1
mkdir -p "$work"
cd "$work"
work=$(pwd)
[ -e install/complete ] && exit 0

apt_lists() {
  mkdir -p apt/lists/partial apt/sources
  cat /etc/apt/sources.list.d/*debian*.sources /etc/apt/sources.list.d/*ubuntu*.sources 2>/dev/null |
    sed 's/^Types:.*/Types: deb deb-src/' >apt/sources/all.sources
  if [ -s /etc/apt/sources.list ]; then
    sed -n 's/^deb /deb-src /p; /^deb /p' /etc/apt/sources.list >apt/sources/all.list
  fi
}
apt_get() {
  apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/apt/sources" \
    -o Dir::State::Lists="$work/apt/lists" -o APT::Sandbox::User=root "$@"
}

if [ ! -e source/configure ]; then
  apt_lists
  apt_get update
  apt_get source --download-only ffmpeg
  rm -rf source
  dpkg-source -x ffmpeg_*.dsc source
fi
if [ ! -e tools/ok ]; then
  [ -d apt/lists/partial ] || { apt_lists; apt_get update; }
  rm -rf tools
  mkdir -p tools/debs
  (cd tools/debs && apt_get download nasm libdav1d-dev libdav1d6 2>/dev/null ||
    apt_get download nasm libdav1d-dev libdav1d7)
  for deb in tools/debs/*.deb; do dpkg-deb -x "$deb" tools; done
  touch tools/ok
fi
export PATH="$work/tools/usr/bin:$PATH"
libdir=$(dirname "$(find "$work/tools/usr/lib" -name 'dav1d.pc' | head -1)")
export PKG_CONFIG_PATH="$libdir" PKG_CONFIG_SYSROOT_DIR="$work/tools"

decoders=h264,hevc,vp8,vp9,av1,libdav1d,mpeg1video,mpeg2video,mpeg4,mjpeg,mjpegb,prores,dnxhd,vc1
decoders=$decoders,wmv1,wmv2,wmv3,dvvideo,ffv1,png,apng,qtrle,utvideo,gif,rawvideo,flv,h261,h263
decoders=$decoders,h263p,theora,vp3,vp6,vp6f,msmpeg4v1,msmpeg4v2,msmpeg4v3,huffyuv,ffvhuff,cinepak
decoders=$decoders,svq1,svq3,rv30,rv40,v210,v410,r210,magicyuv,cfhd,bmp,tiff,qdraw,rpza,smc,zmbv
decoders=$decoders,msrle,flic,roq
demuxers=mov,matroska,avi,mpegts,mpegtsraw,mpegps,mpegvideo,h264,hevc,av1,obu,ivf,flv,live_flv,asf
demuxers=$demuxers,asf_o,ogg,mxf,nut,gif,apng,m4v,mjpeg,dv,rm,wtv,h261,h263,vc1,vc1t,dnxhd,swf,gxf
demuxers=$demuxers,pva,yuv4mpegpipe,rawvideo,mpjpeg,flic,roq

mkdir -p build
cd build
# Relative paths: the configuration is kept in the libraries as a text.
tools=../tools/usr
../source/configure --prefix=/usr --libdir=/usr/lib --enable-shared --disable-static --disable-programs \
  --disable-doc --disable-debug --disable-autodetect --disable-network --disable-avdevice \
  --disable-avfilter --disable-swresample --disable-postproc \
  --disable-everything --enable-protocol=file --enable-parsers --enable-bsfs \
  --enable-decoder="$decoders" --enable-demuxer="$demuxers" --enable-zlib --enable-libdav1d \
  --enable-pic --extra-cflags="-I$tools/include" \
  --extra-ldflags="-L$tools/lib/$(basename "$(dirname "$libdir")")" >configure.log
nice -n 15 make -j"${JOBS:-2}" >make.log 2>&1 || { tail -30 make.log; exit 1; }
make install DESTDIR="$work/made" >install.log
mkdir -p "$work/install"
cp -a "$work/made/usr/lib" "$work/install/"
cp -L "$(dirname "$libdir")"/libdav1d.so.[0-9] "$work/install/lib/"
mkdir -p "$work/install/licences"
cp ../source/COPYING.LGPLv2.1 "$work/install/licences/FFmpeg-COPYING.LGPLv2.1"
cp "$(ls "$work"/tools/usr/share/doc/libdav1d[0-9]/copyright)" "$work/install/licences/dav1d"
{
  echo "FFmpeg from the source package $(basename "$work"/ffmpeg_*.dsc .dsc) of the distribution,"
  echo "unchanged, configured with"
  sed -n 's/^#define FFMPEG_CONFIGURATION //p' config.h
} >"$work/install/licences/FFmpeg"
touch "$work/install/complete"
