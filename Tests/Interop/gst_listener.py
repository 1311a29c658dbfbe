# SPDX-License-Identifier: Apache-2.0
# Listens to a stream with GStreamer: python3 gst_listener.py URL DECODER FILE SECONDS
"""Writes the sound of a stream to a file, decoded: 16-bit samples, 16,000 a second.

gst-launch is not up to it: it links pads that appear by what is free at that moment, and when picture and sound appear
in two threads at once, the sound is now and then linked to nothing ("Delayed linking failed").
"""

import sys

import gi

gi.require_version("Gst", "1.0")

from gi.repository import Gst

url, decoder, path, seconds = sys.argv[1:]
Gst.init(None)
pipeline = Gst.parse_launch(
    f"rtspsrc name=server location={url} protocols=tcp latency=200 "
    # Without anybody for the picture, rtspsrc fails if that comes before the first sound.
    "fakesink name=video async=false sync=false "
    # A file sink by itself writes 64 kB at a time, which is two seconds.
    f"{decoder} ! audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=16000,channels=1 ! "
    f"filesink buffer-mode=unbuffered location={path}"
)


def link(_, pad):
    """Links each stream to its own."""
    media = pad.get_current_caps().get_structure(0).get_string("media")
    pad.link(pipeline.get_by_name(media).get_static_pad("sink"))


pipeline.get_by_name("server").connect("pad-added", link)
pipeline.set_state(Gst.State.PLAYING)
ending = Gst.MessageType.ERROR | Gst.MessageType.EOS
message = pipeline.get_bus().timed_pop_filtered(int(float(seconds) * Gst.SECOND), ending)
if message is not None:
    reason = message.parse_error() if message.type == Gst.MessageType.ERROR else "the stream ended"
    print(f"ERROR: {reason}", file=sys.stderr)
pipeline.set_state(Gst.State.NULL)
