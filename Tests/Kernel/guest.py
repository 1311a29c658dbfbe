# SPDX-License-Identifier: Apache-2.0
# Runs in the machine: the test modules in order, each line of the result as it comes, the figures at the end.

import importlib
import json
import os
import pathlib
import sys
import time
import traceback
import unittest

from Tests.Interop import settings

from . import devices, suite

class Lines(unittest.TestResult):
    """Says how each test went, in one line."""

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def say(self, word, test, text=""):
        took = time.monotonic() - getattr(self, "began", time.monotonic())
        name = test.id().removeprefix(f"{__package__}.")
        print(f"{word} {name} ({took:.1f} s, at {uptime():.0f} s){text}", flush=True)

    def addSuccess(self, test):
        self.say("ok  ", test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.say("FAIL", test, "\n" + "".join(traceback.format_exception(*error)[-2:]))

    def addError(self, test, error):
        super().addError(test, error)
        self.say("FAIL", test, "\n" + "".join(traceback.format_exception(*error)))

    def addSkip(self, test, reason):
        # A machine that is made for the tests has what they need.
        self.addFailure(test, (AssertionError, AssertionError(f"skipped: {reason}"), None))

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.say("FAIL", subtest, "\n" + "".join(traceback.format_exception(*error)[-1:]))


def uptime():
    return float(pathlib.Path("/proc/uptime").read_text().split()[0])


def main():
    plan = json.loads(pathlib.Path(sys.argv[1]).read_text())
    os.environ["CI"] = "true"
    settings.PROGRAMS = pathlib.Path(plan["programs"])
    print(f"booted in {uptime():.1f} s", flush=True)
    drivers = devices.Drivers(plan["folder"], plan["modules"])
    tests = unittest.TestSuite()
    suite.SLOWNESS = max(1.0, uptime() / suite.BOOT)
    for name, chosen in plan["tests"].items():
        module = importlib.import_module(f".{name}", __package__)
        module.DRIVERS = drivers
        tests.addTests(unittest.TestLoader().loadTestsFromNames(chosen, module))
    result = Lines()
    tests.run(result)
    suite.print_report()
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun} tests, {failed} failures, {uptime():.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
