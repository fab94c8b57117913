#!/bin/sh
# Everything a GPU machine can tell about this package, in one run. Needs neither Node nor FFmpeg nor
# a network there, only the NVIDIA driver:
#
#   sh gpu-check.sh [codec-patch-stream-gpu.tar.xz] [OUTDIR]
#
# Unpacks the bundle (scripts/gpu-bundle.mjs makes it), or runs from within an unpacked one. Prints a
# table last and writes OUTDIR/gpu-results.json; OUTDIR/*.log have the details. Exit status: 0 when
# nothing failed, 3 when there is no usable GPU (the CPU part ran), 1 otherwise.
# The GPU's settings are left alone.
set -u

here=$(cd "$(dirname "$0")" && pwd)
bundle=
out=
for arg in "$@"; do
  case $arg in
  *.tar.xz) bundle=$arg ;;
  *) out=$arg ;;
  esac
done
if [ -n "$bundle" ]; then
  work=${TMPDIR:-/tmp}/codec-patch-stream-gpu.$$
  mkdir -p "$work"
  tar -xJf "$bundle" -C "$work" || exit 1
  here=$work/codec-patch-stream-gpu
fi
out=${out:-$PWD/gpu-check-results}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$here" || exit 1
[ -x bin/node ] || { echo "gpu-check.sh: no bundle here; pass codec-patch-stream-gpu.tar.xz" >&2; exit 1; }

export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export CPS_FIXTURES="$here/fixtures"
steps=$out/steps.tsv
: >"$steps"

# step NAME COMMAND...: runs it into NAME.log and notes its exit status and time.
step() {
  name=$1
  shift
  printf '%-28s' "$name" >&2
  begin=$(date +%s)
  "$@" >"$out/$name.log" 2>&1
  status=$?
  end=$(date +%s)
  printf '%s\t%s\t%s\n' "$name" "$status" "$((end - begin))" >>"$steps"
  echo "exit $status, $((end - begin)) s" >&2
}

machine() {
  uname -a
  ldd --version 2>&1 | head -1
  grep -m1 'model name' /proc/cpuinfo
  nproc
  cat VERSION
  command -v nvidia-smi >/dev/null && nvidia-smi -q
  ls -l /usr/lib/x86_64-linux-gnu/libnvcuvid* /usr/lib64/libnvcuvid* 2>/dev/null
  return 0
}

facts() { tests/gpu_check --facts >"$out/facts.json"; }

benchmark() {
  monitor=
  if command -v nvidia-smi >/dev/null; then
    nvidia-smi dmon -s u -d 1 >"$out/dmon.log" 2>&1 &
    monitor=$!
  fi
  tests/gpu_check clips/* >"$out/benchmark.json"
  status=$?
  [ -n "$monitor" ] && kill "$monitor"
  return $status
}

gtest() { "tests/$1" --gtest_output="json:$out/$1.json"; }

# CUDA's memory checker over everything but the long runs: out-of-bounds, races, leaks.
memcheck() {
  "$sanitizer" --tool "$1" --error-exitcode 1 $2 tests/gpu_equality_test
}

step machine machine
step facts facts
gpu=$(grep -c '"whyNotProcess":""' "$out/facts.json")
step cpu_core gtest core_test
step cpu_ops gtest ops_test
step gpu_equality gtest gpu_equality_test
step gpu_decode gtest gpu_decode_test
step js bin/node js-check.cjs
if [ "$gpu" = 1 ]; then
  sanitizer=
  for candidate in "$(command -v compute-sanitizer)" /usr/local/cuda/bin/compute-sanitizer; do
    [ -x "$candidate" ] && sanitizer=$candidate && break
  done
  if [ -n "$sanitizer" ]; then
    step memcheck memcheck memcheck --leak-check=full
    step racecheck memcheck racecheck ""
  else
    printf 'memcheck\tskipped: no compute-sanitizer\t0\n' >>"$steps"
  fi
  step benchmark benchmark
fi

bin/node report.cjs "$out"
failed=$(awk -F '\t' '$2 ~ /^[0-9]+$/ && $2 != 0 && !($1 == "facts" && $2 == 3)' "$steps" | wc -l)
[ "$failed" -gt 0 ] && exit 1
[ "$gpu" = 1 ] || exit 3
