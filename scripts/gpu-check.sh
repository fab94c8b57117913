#!/bin/sh
# Everything a GPU machine can tell about this package, in one run. Needs neither Node nor FFmpeg nor
# a network there, only the NVIDIA driver:
#
#   sh gpu-check.sh [codec-patch-stream-gpu.tar.xz] [OUTDIR]
#
# Unpacks the bundle (scripts/gpu-bundle.mjs makes it), or runs from within an unpacked one. Every
# step has a time limit of its own and the whole run one as well (CPS_GPU_CHECK_SECONDS, 530; more of
# it stretches the steps' too); a step that fails does not stop the others. CPS_ORT names the folder of an
# onnxruntime-node with CUDA, where a DeviceSession is to be tried; CPS_DRIVER_VERSION the driver's version,
# where /proc/driver/nvidia does not say it. OUTDIR gets three files, kept up to date while it runs:
# gpu-results.json, gpu-results.txt (the table, printed last) and gpu-check.log.
# Exit status: 0 when nothing failed, 3 when there is no usable GPU (the CPU part ran, the rest is
# listed as skipped), 1 otherwise. The GPU's settings are left alone.
set -u

begin=$(date +%s)
limit=${CPS_GPU_CHECK_SECONDS:-530}
here=$(cd "$(dirname "$0")" && pwd)
bundle=
out=
for arg in "$@"; do
  case $arg in
  *.tar.xz | *.tar) bundle=$arg ;;
  *) out=$arg ;;
  esac
done
out=${out:-$PWD/gpu-check-results}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=${TMPDIR:-/tmp}/codec-patch-stream-gpu.$$
mkdir -p "$work/details"
trap 'rm -rf "$work"' EXIT
if [ -n "$bundle" ]; then
  tar -xf "$bundle" -C "$work" 2>/dev/null ||
    python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1], "r:*").extractall(sys.argv[2])' \
      "$bundle" "$work" 2>/dev/null || {
      echo "gpu-check.sh: cannot unpack $bundle here (no xz, no python3?); 'xz -d' elsewhere makes a .tar of it" >&2
      exit 1
    }
  here=$work/codec-patch-stream-gpu
fi
cd "$here" || exit 1
[ -x bin/node ] || { echo "gpu-check.sh: no bundle here; pass codec-patch-stream-gpu.tar.xz" >&2; exit 1; }

export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export CPS_FIXTURES="$here/fixtures"
if [ -n "${CPS_ORT:-}" ]; then
  mkdir -p package/node_modules
  ln -sfn "$CPS_ORT" package/node_modules/onnxruntime-node
fi
details=$work/details
export details
steps=$details/steps.tsv
: >"$steps"
: >"$out/gpu-check.log"

# note NAME STATUS SECONDS REASON
note() {
  printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" >>"$steps"
  printf '%-16s %s (%s s) %s\n' "$1" "$2" "$3" "$4" | tee -a "$out/gpu-check.log" >&2
}
skip() { note "$1" skipped 0 "$2"; }

# step NAME SECONDS COMMAND...
step() {
  name=$1
  most=$2
  [ "$limit" -le 530 ] || most=$((most * limit / 530))
  shift 2
  from=$(date +%s)
  left=$((limit - from + begin))
  if [ "$left" -lt 5 ]; then
    skip "$name" "no time left"
    return
  fi
  [ "$left" -lt "$most" ] && most=$left
  # What it prints (a line per clip) is seen as it goes.
  {
    timeout -k 5 "$most" "$@"
    echo $? >"$details/$name.status"
  } 2>&1 | tee "$details/$name.log" | grep --line-buffered '^  ' >&2
  status=$(cat "$details/$name.status")
  took=$(($(date +%s) - from))
  {
    echo "=== $name: $*"
    tail -c 200000 "$details/$name.log"
  } >>"$out/gpu-check.log"
  case $status in
  0) note "$name" ok "$took" "" ;;
  124 | 137) note "$name" failed "$took" "stopped after its $most s" ;;
  *) note "$name" failed "$took" "exit status $status" ;;
  esac
  bin/node report.cjs "$details" "$out" >/dev/null 2>&1
}
gtest() {
  name=$1
  most=$2
  shift 2
  step "$name" "$most" "$@" "--gtest_output=json:$details/$name.gtest.json"
}
# json NAME SECONDS COMMAND...: standard output is a document of its own.
json() {
  name=$1
  most=$2
  shift 2
  step "$name" "$most" sh -c 'file=$1; shift; exec "$@" >"$file"' sh "$details/$name.json" "$@"
}

# The driver's libraries may lie where the loader does not look (mounted into a container, beside other
# versions): those of the running driver's version get links of their own.
driver=${CPS_DRIVER_VERSION:-$(sed -n 's/.*Kernel Module[^.]* \([0-9][0-9]*\.[0-9.]*\).*/\1/p' \
  /proc/driver/nvidia/version 2>/dev/null)}
find_library() {
  loaded=$(ldconfig -p 2>/dev/null | sed -n "s|.*$1 (.*x86-64.*=> ||p" | head -n 1)
  [ -n "$loaded" ] && { echo "  $1: $loaded" >&2; return; }
  found=
  for folder in $(echo "$LD_LIBRARY_PATH" | tr : ' ') \
    /usr/lib/x86_64-linux-gnu /usr/lib64 /usr/lib/wsl/lib /usr/local/nvidia/lib64 \
    /run/opengl-driver/lib /usr/lib/x86_64-linux-gnu/nvidia/current /usr/local/cuda/compat; do
    [ -e "$folder/$1" ] || continue
    found=$folder/$1
    break
  done
  # Only where the running driver is known: another version's library is of no use.
  [ -n "$found" ] || [ -z "$driver" ] ||
    found=$(timeout 10 find /usr /opt /run /var /host /driver -xdev -maxdepth 8 \
      -name "${1%.1}.$driver" 2>/dev/null | head -n 1)
  if [ -n "$found" ]; then
    mkdir -p "$work/driver"
    ln -sf "$found" "$work/driver/$1"
    case :$LD_LIBRARY_PATH: in
    *":$work/driver:"*) ;;
    *) LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$work/driver ;;
    esac
    echo "  $1: $found, where the loader does not look" >&2
  else
    echo "  $1: not on this machine" >&2
  fi
}
for library in libcuda.so.1 libnvcuvid.so.1 libnvidia-ml.so.1; do find_library $library; done
export LD_LIBRARY_PATH

# What the machine is. `facts` exits with 3 where there is no GPU; that is no failure.
# shellcheck disable=SC2016
step machine 20 sh -c '
  cat VERSION; uname -a; ldd --version 2>&1 | head -n 1; nproc
  grep -m 1 "model name" /proc/cpuinfo
  if command -v nvidia-smi; then nvidia-smi -q; else echo "no nvidia-smi"; fi
  true'
json facts 60 sh -c 'tests/gpu_check facts; status=$?; [ $status = 3 ] && exit 0; exit $status'
why=$(bin/node -p 'JSON.parse(fs.readFileSync(process.argv[1])).whyNotProcess' "$details/facts.json" 2>/dev/null) ||
  why="gpu_check facts failed"
whyDecode=$(bin/node -p 'JSON.parse(fs.readFileSync(process.argv[1])).whyNotDecode' "$details/facts.json" 2>/dev/null) ||
  whyDecode="gpu_check facts failed"

step js_cpu 60 bin/node --expose-gc js-check.cjs cpu "$details/js_cpu.json"

# gpu COMMAND NAME ...: skipped where there is no GPU; nvdec: where it does not decode either.
gpu() {
  if [ -n "$why" ]; then skip "$2" "$why"; else "$@"; fi
}
nvdec() {
  if [ -z "$why" ] && [ -n "$whyDecode" ]; then
    note "$2" failed 0 "$whyDecode"
  else
    gpu "$@"
  fi
}
gpu gtest gpu_equality 90 tests/gpu_equality_test
nvdec gtest gpu_decode 150 tests/gpu_decode_test
nvdec step js_gpu 90 bin/node --expose-gc js-check.cjs gpu "$details/js_gpu.json"
gpu json stages 60 tests/gpu_check stages
nvdec json decode 120 tests/gpu_check decode clips/*
nvdec json faults 90 tests/gpu_check faults clips/h264_1080p.mp4

# What compares with recorded files, or makes clips with the ffmpeg CLI, stays at home.
gtest cpu_core 60 tests/core_test
gtest cpu_ops 90 tests/ops_test --gtest_filter=-OpsParity.*
gtest cpu_pipeline 60 tests/pipeline_test --gtest_filter=-CodecEnergy.*:PictureSteps.RecordedSizes

# CUDA's memory checker: it is slow and some machines refuse it.
sanitizer=
for candidate in "$(command -v compute-sanitizer)" /usr/local/cuda/bin/compute-sanitizer \
  /usr/local/cuda/compute-sanitizer/compute-sanitizer; do
  [ -x "$candidate" ] && sanitizer=$candidate && break
done
for tool in memcheck racecheck; do
  if [ -n "$why" ]; then
    skip $tool "$why"
  elif [ -z "$sanitizer" ]; then
    skip $tool "compute-sanitizer is not installed"
  else
    leaks=
    [ $tool = memcheck ] && leaks=--leak-check=full
    # shellcheck disable=SC2086
    CPS_TEST_SMALL=1 step $tool 60 "$sanitizer" --tool $tool --error-exitcode 1 $leaks tests/gpu_equality_test
  fi
done

gtest cpu_media 180 tests/media_frames_test

bin/node report.cjs "$details" "$out"
grep -q '	failed	' "$steps" && exit 1
[ -z "$why" ] || exit 3
