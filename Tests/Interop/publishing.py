# SPDX-License-Identifier: Apache-2.0
# Publishers for tests: ffmpeg and GStreamer send a film in which each second begins with a flash and a beep; and a
# viewer that says when it saw and heard them.

import math
import os
import re
import statistics
import subprocess
import threading

from . import clients, settings
from .apus import until

RATE = 25
# Pitch of the beep, in Hz.
PITCH = 1000
FILM_SECONDS = 30
# How bright a flash is at least, and the moving picture at most, as mean luma.
BRIGHT = 190
# In its first two seconds a publisher's sound is put in step with its picture; then it goes on without a gap.
SETTLED = 2
# The length of one measurement of loudness, in samples at 48 kHz.
WINDOW = 480

VIDEO = {
    # What libx264 makes by default: B-frames, three of them in a row.
    "h264": ["-c:v", "libx264", "-b:v", "300k"],
    "h265": ["-c:v", "libx265", "-preset", "ultrafast", "-b:v", "300k", "-x265-params", "log-level=none:bframes=3"],
    # RTP has no room for Huffman tables of one's own.
    "mjpeg": ["-c:v", "mjpeg", "-huffman", "default", "-pix_fmt", "yuvj420p", "-q:v", "5"],
}
AUDIO = {
    "aac": ["-c:a", "aac", "-ar", "48000"],
    "opus": ["-c:a", "libopus", "-ar", "48000"],
    "pcmu": ["-c:a", "pcm_mulaw", "-ar", "8000"],
    "pcma": ["-c:a", "pcm_alaw", "-ar", "8000"],
    "l16": ["-c:a", "pcm_s16be", "-ar", "16000"],
}


def film(video, audio):
    """The path of a film of these codings; made where it is missing."""
    path = settings.ROOT / f".build/fixtures/flash-{video}-{audio}.{'mov' if audio == 'l16' else 'mkv'}"
    if path.exists():
        return path
    program = settings.need("ffmpeg", "ffmpeg")
    path.parent.mkdir(parents=True, exist_ok=True)
    beep = f"aevalsrc='if(lt(mod(t\\,1)\\,0.1)\\,0.5*sin(2*PI*{PITCH}*t)\\,0)':s=48000"
    command = [program, "-nostdin", "-v", "error", "-f", "lavfi", "-i", beep]
    if (video, audio) == ("h264", "aac") or video != "h264":
        flash = "drawbox=t=fill:color=white:enable='lt(mod(t\\,1)\\,0.1)'"
        command += ["-f", "lavfi", "-i", f"testsrc2=s=320x180:r={RATE},{flash}", "-g", RATE, *VIDEO[video]]
    else:
        # The same pictures, which wait for AAC's first 1024 samples there.
        command += ["-itsoffset", "-0.021", "-i", film("h264", "aac"), "-map", "0:a", "-map", "1:v", "-c:v", "copy"]
    command += [*AUDIO[audio], "-t", FILM_SECONDS]
    # Complete or not at all: another run or test may be making it, too.
    scratch = path.with_stem(f"{path.stem}-{os.getpid()}-{threading.get_ident()}")
    clients.run([*command, "-y", scratch], 120)
    scratch.rename(path)
    return path


class Publisher:
    """A program that publishes from its `with` on to the end of the block, or until it is killed."""

    def __init__(self, command, url):
        self.url = url
        self.command = [str(word) for word in command]
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        return self

    def __exit__(self, *_):
        self.kill()
        self.process.stdout.close()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def said(self):
        """What the program printed, once it is dead."""
        return self.process.stdout.read().decode(errors="replace")


def ffmpeg(url, video="h264", audio="aac", transport="tcp", options=()):
    """ffmpeg, which sends the film as it is, over and over."""
    program = settings.need("ffmpeg", "ffmpeg")
    command = [program, "-nostdin", "-v", "error", "-re", "-i", film(video, audio), "-c", "copy"]
    return Publisher([*command, *options, "-f", "rtsp", "-rtsp_transport", transport, url], url)


GSTREAMER_PARSERS = {"h264": "h264parse", "h265": "h265parse", "aac": "aacparse", "opus": "opusparse"}


def gstreamer(url, video="h264", audio="aac", transport="tcp", options=()):
    """GStreamer's rtspclientsink, which does the same."""
    program = settings.need("gst-launch-1.0", "gstreamer1.0-tools")
    command = [program, "rtspclientsink", "name=sink", f"location={url}", f"protocols={transport}", *options]
    command += ["filesrc", f"location={film(video, audio)}", "!", "matroskademux", "name=film"]
    for pad, coding in [("video_0", video), ("audio_0", audio)]:
        command += [f"film.{pad}", "!", "queue", "!", GSTREAMER_PARSERS[coding], "!", "sink."]
    return Publisher(command, url)


class Watched:
    """What a viewer saw and heard: the pictures' times and mean luma, and per hundredth of a second the sound's."""

    def __init__(self, folder):
        self.pictures = readings(folder / "pictures", "YAVG")
        self.sound = readings(folder / "sound", "RMS_level")
        crossings = readings(folder / "sound", "Zero_crossings_rate")
        # The first and last parts of a beep are silence in part.
        loud = [rate for (_, level), (_, rate) in zip(self.sound, crossings) if level > -10]
        self.pitch = statistics.median(loud) * 48_000 / 2 if loud else 0

    @property
    def times(self):
        return [time for time, _ in self.pictures]

    def flashes(self):
        return onsets(self.pictures, BRIGHT)

    def beeps(self):
        return onsets(self.sound, -20)

    def offsets(self):
        """How much later each beep came than its flash, in seconds."""
        beeps = self.beeps()
        nearest = [min((beep - flash for beep in beeps), key=abs) for flash in self.flashes()[1:-1]] if beeps else []
        return [offset for offset in nearest if abs(offset) < 0.5]

    def gaps_of_sound(self):
        """The times between neighbouring hundredths that are not one, in seconds."""
        times = [time for time, _ in self.sound]
        return [later - time - 0.01 for time, later in zip(times, times[1:]) if abs(later - time - 0.01) > 0.005]


def is_written(path):
    return path.exists() and path.stat().st_size > 0


def onsets(values, threshold):
    """When values rise above a threshold."""
    return [
        time for (_, before), (time, value) in zip(values, values[1:]) if value > threshold and before <= threshold
    ]


def readings(path, key):
    """The pairs of time and value that FFmpeg's metadata filter wrote to a file."""
    found, time = [], None
    for line in path.read_text().splitlines() if path.exists() else []:
        if match := re.search(r"pts_time:(\S+)", line):
            time = float(match.group(1))
        elif f"{key}=" in line:
            value = float(line.split("=")[1])
            found.append((time, max(value, -200.0) if not math.isnan(value) else -200.0))
    return found


def watch(url, folder, seconds, options=("-rtsp_transport", "tcp"), sound=True):
    """Decodes a stream with ffmpeg for some time, and returns a `Watched`."""
    program = settings.need("ffmpeg", "ffmpeg")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pictures").unlink(missing_ok=True)
    command = [program, "-v", "error", *options, "-i", url, "-map", "0:v", "-fps_mode", "passthrough"]
    command += ["-enc_time_base", "-1", "-vf", f"signalstats,metadata=mode=print:direct=1:file={folder}/pictures"]
    command += ["-f", "null", "-"]
    if sound:
        # None of these makes up samples where some are missing.
        measured = "measure_perchannel=Zero_crossings_rate:measure_overall=RMS_level"
        graph = f"aresample=48000,aformat=channel_layouts=mono,asetnsamples={WINDOW},astats=metadata=1:reset=1"
        graph += f":{measured},ametadata=mode=print:file={folder}/sound"
        command += ["-map", "0:a", "-af", graph, "-f", "null", "-"]
    with open(folder / "errors", "w+b") as said:
        viewer = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
        )
        try:
            # Joining and probing take their time, which is not watched.
            until(lambda: is_written(folder / "pictures") or viewer.poll() is not None, clients.GRACE, "a picture")
            viewer.wait(seconds)
        except subprocess.TimeoutExpired:
            viewer.communicate(b"q", timeout=clients.GRACE)
        finally:
            viewer.kill()
            viewer.wait()
    errors = (folder / "errors").read_text(errors="replace")
    clients.expect_silence("ffmpeg", errors)
    if viewer.returncode != 0:
        raise AssertionError(f"ffmpeg ended with exit code {viewer.returncode}")
    return Watched(folder)
