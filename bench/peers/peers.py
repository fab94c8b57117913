"""Python peers: sampled frames of one video as uint8 RGB, by every library that can be imported.

    python peers.py VIDEO THREADS FPS ID...

Prints one JSON line that names the methods and versions found, and what is absent. Each line on
stdin names a method and is answered with its time; `check METHOD FILE` writes every 16th pixel of
every 16th row of its frames to FILE instead, so that the caller can see whether they are the right
ones. Every request opens the video anew.
"""

import json
import resource
import sys
import time

video, threads, fps = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
ids = [int(a) for a in sys.argv[4:]]
last, wanted = ids[-1], set(ids)
methods, absent = {}, {}


def method(name, label):
    def register(function):
        methods[name] = (label, function)
        return function

    return register


try:
    import av

    def open_av():
        container = av.open(video)
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        return container, stream

    @method("pyav-stream", f"PyAV {av.__version__}, read on")
    def pyav_stream():
        container, stream = open_av()
        out = []
        with container:
            for i, frame in enumerate(container.decode(stream)):
                if i in wanted:
                    out.append(frame.to_ndarray(format="rgb24"))
                if i == last:
                    break
        return out

    @method("pyav-seek", f"PyAV {av.__version__}, seek to each frame")
    def pyav_seek():
        container, stream = open_av()
        out = []
        with container:
            start = stream.start_time or 0
            for i in ids:
                # Half a frame early: containers round timestamps.
                target = start + int((i - 0.5) / fps / float(stream.time_base))
                container.seek(max(start, target), stream=stream)
                for frame in container.decode(stream):
                    if frame.pts >= target:
                        out.append(frame.to_ndarray(format="rgb24"))
                        break
        return out

except ImportError as error:
    absent["PyAV"] = str(error)

try:
    import cv2

    def open_cv():
        cv2.setNumThreads(threads)
        options = [cv2.CAP_PROP_N_THREADS, threads] if hasattr(cv2, "CAP_PROP_N_THREADS") else []
        return cv2.VideoCapture(video, cv2.CAP_FFMPEG, options)

    @method("opencv-grab", f"OpenCV {cv2.__version__}, grab and retrieve")
    def opencv_grab():
        capture = open_cv()
        out = []
        for i in range(last + 1):
            if not capture.grab():
                break
            if i in wanted:
                out.append(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))
        capture.release()
        return out

    @method("opencv-seek", f"OpenCV {cv2.__version__}, seek to each frame")
    def opencv_seek():
        capture = open_cv()
        out = []
        for i in ids:
            capture.set(cv2.CAP_PROP_POS_FRAMES, i)
            ok, frame = capture.read()
            if ok:
                out.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        capture.release()
        return out

except ImportError as error:
    absent["OpenCV"] = str(error)

try:
    import decord

    @method("decord", f"decord {decord.__version__}")
    def decord_batch():
        reader = decord.VideoReader(video, num_threads=threads)
        return list(reader.get_batch(ids).asnumpy())

except ImportError as error:
    absent["decord"] = str(error)

try:
    import torchcodec
    from torchcodec.decoders import VideoDecoder

    def torchcodec_with(mode):
        def run():
            decoder = VideoDecoder(
                video, dimension_order="NHWC", num_ffmpeg_threads=threads, seek_mode=mode
            )
            return list(decoder.get_frames_at(indices=ids).data.numpy())

        return run

    for mode in ("exact", "approximate"):
        label = f"torchcodec {torchcodec.__version__}, seek_mode={mode}"
        method(f"torchcodec-{mode}", label)(torchcodec_with(mode))

except ImportError as error:
    absent["torchcodec"] = str(error)


def cpu_ms():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e3


def answer(value):
    print(json.dumps(value), flush=True)


answer({"methods": {name: label for name, (label, _) in methods.items()}, "absent": absent})
for line in sys.stdin:
    words = line.split()
    check = words[0] == "check"
    try:
        function = methods[words[1] if check else words[0]][1]
        cpu, start = cpu_ms(), time.perf_counter()
        frames = function()
        spent = {"ms": (time.perf_counter() - start) * 1e3, "cpuMs": cpu_ms() - cpu}
        if check:
            with open(words[2], "wb") as file:
                for frame in frames:
                    file.write(frame[::16, ::16].tobytes())
        answer({**spent, "frames": len(frames)})
        del frames
    except Exception as error:  # a peer that fails is a result, not the end of the run
        answer({"error": f"{type(error).__name__}: {error}"})
