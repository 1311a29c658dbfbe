# SPDX-License-Identifier: Apache-2.0
# Runs in the machine: loads the drivers and runs the tests, each line of the result as it comes.

import json
import os
import pathlib
import sys
import time
import traceback
import unittest

from Tests.Interop import settings

from . import devices


class Lines(unittest.TestResult):
    """Says how each test went, in one line."""

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def say(self, word, test, text=""):
        print(f"{word} {test.id().split('.', 2)[-1]} ({time.monotonic() - self.began:.1f} s){text}", flush=True)

    def addSuccess(self, test):
        self.say("ok  ", test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.say("FAIL", test, "\n" + "".join(traceback.format_exception(*error)[-2:]))

    def addError(self, test, error):
        super().addError(test, error)
        self.began = getattr(self, "began", time.monotonic())
        self.say("FAIL", test, "\n" + "".join(traceback.format_exception(*error)))

    def addSkip(self, test, reason):
        # A machine that is made for the tests has what they need.
        self.addFailure(test, (AssertionError, AssertionError(f"skipped: {reason}"), None))

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.say("FAIL", subtest, "\n" + "".join(traceback.format_exception(*error)[-1:]))


def main():
    plan = json.loads(pathlib.Path(sys.argv[1]).read_text())
    os.environ["CI"] = "true"
    settings.PROGRAMS = pathlib.Path(plan["programs"])
    drivers = devices.Drivers(plan["folder"], plan["loopback"], plan["modules"])
    with open("/proc/uptime", encoding="ascii") as file:
        print(f"booted in {file.read().split()[0]} s", flush=True)
    # Two cameras with planes in one buffer, and in several; a capture board whose signal may fail.
    drivers.load("vivid", "n_devs=3", "node_types=0x1,0x1,0x1", "num_inputs=1,1,1", "input_types=0x0,0x0,0x3",
                 "multiplanar=1,2,1", "allocators=0,0,0")
    print(f"vivid: {' '.join(devices.cameras())}", flush=True)
    from . import test_cameras

    test_cameras.DRIVERS = drivers
    result = Lines()
    loader = unittest.TestLoader()
    suite = unittest.TestSuite()
    for group in loader.loadTestsFromModule(test_cameras):
        for test in group:
            if any(word in test.id() for word in plan["text"].split(",")):
                suite.addTest(test)
    if suite.countTestCases() == 0:
        print("no test has that in its name")
        return 1
    suite.run(result)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun} tests, {failed} failures", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
