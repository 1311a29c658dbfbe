# SPDX-License-Identifier: Apache-2.0
# What a run is told on its command line, and how a missing program is treated.

import os
import pathlib
import shutil
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / ".build/release"
# How long a client watches a stream.
SECONDS = 5.0
FILM = ROOT / ".build/fixtures/bigbuckbunny.mp4"
SCHEMATHESIS = ROOT / ".build/fixtures/schemathesis"


def need(program, package):
    """The path of a client; where it is missing the test is skipped, or fails in CI."""
    path = shutil.which(program)
    if path is None:
        missing(f"{program} is not installed: apt-get install {package} (make setup does it)")
    return path


def film():
    """The test film, or the same treatment as a missing program."""
    if not FILM.exists():
        missing(f"{FILM.relative_to(ROOT)} is not there: run make setup")
    return FILM


def missing(what):
    if os.environ.get("CI"):
        raise AssertionError(what)
    raise unittest.SkipTest(what)


def schemathesis():
    """The folder of schemathesis with all that it needs, or the same treatment as a missing program."""
    if not SCHEMATHESIS.exists():
        missing(f"{SCHEMATHESIS.relative_to(ROOT)} is not there: run make setup")
    return SCHEMATHESIS
