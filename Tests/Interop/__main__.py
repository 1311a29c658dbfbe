# SPDX-License-Identifier: Apache-2.0
# Runs the interop tests: python3 -m Tests.Interop [module…] [-k text] [--seconds N] [--programs PATH]
"""Runs the interop tests and closes with one line of counts."""

import argparse
import pathlib
import sys
import time
import unittest

from . import settings, together

MODULES = sorted(path.stem.removeprefix("test_") for path in pathlib.Path(__file__).parent.glob("test_*.py"))


class Result(unittest.TextTestResult):
    """Prints one line a test with its duration, and counts tests, not subtests."""

    def __init__(self, stream, descriptions, verbosity):
        super().__init__(stream, descriptions, verbosity)
        self.showAll = self.dots = False
        self.failed = set()
        self.skipped_tests = set()

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def stopTest(self, test):
        verdict = "FAIL" if test.id() in self.failed else "skip" if test.id() in self.skipped_tests else "ok"
        # Those that ran beside others know how long they took.
        own = getattr(test, "seconds", None)
        seconds = time.monotonic() - self.began if own is None else own
        beside = "" if own is None else ", beside others"
        self.stream.writeln(f"{verdict:4}  {test.id().split('Interop.')[-1]:60} {seconds:5.1f} s{beside}")
        self.stream.flush()
        super().stopTest(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._fail(test, self.failures)

    def addError(self, test, err):
        super().addError(test, err)
        self._fail(test, self.errors)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            kind = self.failures if issubclass(err[0], test.failureException) else self.errors
            self._fail(test, kind, name=subtest)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.skipped_tests.add(test.id())
        self.stream.writeln(f"      SKIPPED: {reason}")

    def _fail(self, test, kind, name=None):
        self.failed.add(test.id())
        self.stream.writeln(f"---- {name or test}\n{kind[-1][1]}")

    def printErrors(self):
        """Nothing: each failure was printed when it happened."""


def arguments():
    parser = argparse.ArgumentParser(prog="python3 -m Tests.Interop", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="module", help=f"any of {', '.join(MODULES)}; all by default")
    parser.add_argument("-k", metavar="text", help="only tests whose name contains this")
    parser.add_argument("--seconds", type=float, default=5, help="how long each stream is watched (default %(default)s)")
    parser.add_argument(
        "--programs",
        type=pathlib.Path,
        default=settings.ROOT / ".build/release",
        help="the folder with the programs to test (default .build/release)",
    )
    return parser.parse_args()


def tests_of(suite):
    """All tests of a suite of suites."""
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from tests_of(part)
        else:
            yield part


def main():
    options = arguments()
    settings.SECONDS = options.seconds
    settings.PROGRAMS = options.programs.resolve()
    if not (settings.PROGRAMS / "apus").exists():
        sys.exit(f"interop: no apus in {settings.PROGRAMS}; run: make build")
    chosen = [name for name in MODULES if not options.modules or any(name.startswith(m) for m in options.modules)]
    if not chosen:
        sys.exit(f"interop: no module is called {' or '.join(options.modules)}; there are {', '.join(MODULES)}")

    loader = unittest.TestLoader()
    if options.k:
        loader.testNamePatterns = [f"*{options.k}*"]
    suite = unittest.TestSuite(loader.loadTestsFromName(f"Tests.Interop.test_{name}") for name in chosen)
    together.chosen = {test.id() for test in tests_of(suite)}
    runner = unittest.TextTestRunner(stream=sys.stdout, resultclass=Result, verbosity=0)
    began = time.monotonic()
    result = runner.run(suite)

    print(f"interop: {time.monotonic() - began:.0f} s")
    failed = len(result.failed)
    skipped = len(result.skipped_tests)
    # A module that cannot be set up fails without a test having started.
    passed = max(0, result.testsRun - failed - skipped)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)


main()
