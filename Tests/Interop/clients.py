# SPDX-License-Identifier: Apache-2.0
# Real programs as clients: each function runs one, and fails on any error line or too few pictures.

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

from . import settings

# How long a client may take beyond what it watches: connecting, probing, a busy machine.
GRACE = 20


def run(command, timeout, **options):
    """Runs a client to its end; returns its standard output and error."""
    command = [str(part) for part in command]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False, **options
        )
    except subprocess.TimeoutExpired as error:
        said = (error.stderr or b"").decode(errors="replace")
        raise AssertionError(f"no end within {timeout} s: {' '.join(command)}\n{said[-2000:]}") from None
    output, errors = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    if done.returncode != 0:
        raise AssertionError(f"exit code {done.returncode}: {' '.join(command)}\n{output[-1000:]}\n{errors[-2000:]}")
    return output, errors


def expect_silence(name, errors):
    """A client that works has nothing to say at level error."""
    lines = [line for line in errors.splitlines() if line.strip()]
    if lines:
        raise AssertionError(f"{name} reports {len(lines)} lines:\n" + "\n".join(lines[:20]))


def expect_frames(name, count, rate, seconds):
    """At the source's rate, less what joining costs."""
    least = int(rate * seconds * 0.85)
    if count < least:
        raise AssertionError(f"{name} decoded {count} frames in {seconds} s, expected at least {least}")


def ffmpeg(url, rate, seconds, options=()):
    """Decodes with ffmpeg; `options` go in front of the input."""
    program = settings.need("ffmpeg", "ffmpeg")
    command = [program, "-nostdin", "-v", "error", "-progress", "-", "-nostats", *options, "-i", url]
    # The output keeps the stream's own timestamps: rounded to a frame rate that ffmpeg guesses, two pictures of a
    # camera whose rate is not exactly that can fall on one.
    output, errors = run([*command, "-an", "-t", seconds, "-enc_time_base", "-1", "-f", "null", "-"], seconds + GRACE)
    expect_silence("ffmpeg", errors)
    expect_frames("ffmpeg", int(re.findall(r"^frame=\s*(\d+)", output, re.M)[-1]), rate, seconds)


def picture(source, path, options=()):
    """Writes one decoded picture of a stream or file to `path`."""
    program = settings.need("ffmpeg", "ffmpeg")
    _, errors = run(
        [program, "-nostdin", "-v", "error", *options, "-i", source, "-frames:v", "1", "-y", path], GRACE
    )
    expect_silence("ffmpeg", errors)


def ffprobe_packets(url, seconds, options=()):
    """The video packets of a stream: a list of (presentation time, decoding time, is keyframe)."""
    program = settings.need("ffprobe", "ffmpeg")
    command = [program, "-v", "error", *options, "-select_streams", "v", "-show_packets", "-of", "json"]
    output, errors = run([*command, "-read_intervals", f"%+{seconds}", url], seconds + GRACE)
    expect_silence("ffprobe", errors)
    return [
        (float(packet["pts_time"]), float(packet.get("dts_time", packet["pts_time"])), "K" in packet["flags"])
        for packet in json.loads(output)["packets"]
        if "pts_time" in packet
    ]


def ffprobe_stream(source, options=()):
    """What ffprobe says of the first video stream."""
    program = settings.need("ffprobe", "ffmpeg")
    command = [program, "-v", "error", *options, "-select_streams", "v", "-show_streams", "-of", "json", source]
    output, errors = run(command, GRACE)
    expect_silence("ffprobe", errors)
    return json.loads(output)["streams"][0]


GSTREAMER_DECODERS = {
    "h264": ["rtph264depay", "!", "h264parse", "!", "avdec_h264"],
    "h265": ["rtph265depay", "!", "h265parse", "!", "avdec_h265"],
    "jpeg": ["rtpjpegdepay", "!", "jpegdec"],
}


def gstreamer(url, codec, rate, seconds, protocol, options=()):
    """Decodes with GStreamer's rtspsrc; protocol is tcp, udp or, with an address of rtsph://, http+tcp."""
    program = settings.need("gst-launch-1.0", "gstreamer1.0-tools")
    frames = int(rate * seconds)
    command = [program, "-v", "rtspsrc", f"location={url}", f"protocols={protocol}", "latency=200", *options, "!"]
    command += [*GSTREAMER_DECODERS[codec], "!", "fakesink", "sync=false", "silent=false", f"num-buffers={frames}"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds * 2 + GRACE,
            check=False,
            env={**os.environ, "GST_DEBUG": "1", "GST_DEBUG_NO_COLOR": "1"},
        )
    except subprocess.TimeoutExpired:
        raise AssertionError(f"no end: {' '.join(command)}") from None
    # The sink tells of each picture that reaches it.
    decoded = len(re.findall(rb"last-message = chain ", done.stdout))
    expect_frames("GStreamer", decoded, rate, seconds)
    errors = done.stderr.decode(errors="replace")
    # On a busy machine rtspsrc may send PAUSE after it has torn down and closed its own connection.
    if decoded == frames and "gst_rtspsrc_pause" in errors:
        return
    expect_silence("GStreamer", errors)


def opencv(url, rate, seconds):
    """Reads pictures with OpenCV's VideoCapture."""
    script = (
        "import sys, time, cv2\n"
        "capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG)\n"
        "end = time.monotonic() + float(sys.argv[2])\n"
        "count = 0\n"
        "while time.monotonic() < end:\n"
        "    good, picture = capture.read()\n"
        "    assert good and picture.any(), 'no picture'\n"
        "    count += 1\n"
        "print(count)\n"
    )
    need_module("cv2", "python3-opencv")
    output, errors = run(["/usr/bin/python3", "-c", script, url, seconds], seconds + GRACE)
    expect_silence("OpenCV", errors)
    expect_frames("OpenCV", int(output), rate, seconds)


def need_module(name, package):
    """Skips where Debian's Python lacks a module."""
    if subprocess.run(["/usr/bin/python3", "-c", f"import {name}"], capture_output=True, check=False).returncode != 0:
        settings.missing(f"Debian's Python has no {name}: apt-get install {package} (make setup does it)")


def mpv(url, rate, seconds, protocol="tcp"):
    """Plays with mpv."""
    program = settings.need("mpv", "mpv")
    output, errors = run(
        [program, "--no-config", "--vo=null", "--no-audio", "--msg-level=all=error", "--no-terminal"]
        + [f"--rtsp-transport={protocol}", f"--frames={int(rate * seconds)}", "--untimed", url],
        seconds * 2 + GRACE,
    )
    expect_silence("mpv", output + errors)


def vlc(url, rate, seconds):
    """Plays with VLC, which refuses to run as root and so runs as nobody.

    Debian builds VLC without its RTSP client (--disable-live555), so `url` is an HTTP address.
    """
    program = settings.need("vlc", "vlc-bin vlc-plugin-base")
    home = pathlib.Path(tempfile.mkdtemp(prefix="apus-vlc-"))
    home.chmod(0o777)
    # Every tenth picture is written to a file: the proof that it was decoded.
    command = [program, "-I", "dummy", "--no-audio", "--no-dbus", "--no-osd", "--vout=dummy", "--video-filter=scene"]
    command += ["--scene-format=png", "--scene-ratio=10", f"--scene-path={home}", url]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    try:
        with tempfile.TemporaryFile() as said:
            player = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env={**os.environ, "HOME": str(home)}
            )
            try:
                # VLC takes about a second to load its plug-ins.
                player.wait(seconds + 1)
            except subprocess.TimeoutExpired:
                player.send_signal(signal.SIGINT)
            player.wait(GRACE)
            said.seek(0)
            lines = said.read().decode(errors="replace").splitlines()
        pictures = len(list(home.glob("scene*.png")))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    # The others are about sound and windows, which a machine without a desktop does not have.
    expect_silence("VLC", "\n".join(line for line in lines if re.search(r"(demux|access|stream|http\w*) error:", line)))
    expect_frames("VLC", pictures * 10, rate, seconds - 1)


def curl(url, path, *options):
    """Fetches with curl; returns the response headers."""
    program = settings.need("curl", "curl")
    output, _ = run([program, "-sS", "--fail", "--max-time", "10", "-D", "-", "-o", path, *options, url], GRACE)
    return output


def certificate(folder):
    """Makes key.pem and crt.pem in a folder, which vouch for themselves."""
    program = settings.need("openssl", "openssl")
    command = [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    run([*command, "-keyout", folder / "key.pem", "-out", folder / "crt.pem"], GRACE)
    (folder / "key.pem").chmod(0o600)
