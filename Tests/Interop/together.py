# SPDX-License-Identifier: Apache-2.0
# Tests that mostly watch and wait are run at the same time, and each tells its own result.

import concurrent.futures
import functools
import sys
import time
import unittest

# The names of the tests that this run was asked for; all, unless set.
chosen = None


def together(mark):
    """Marks a test that watches or waits, and that does not mind others who do so beside it.

    The first of them runs all that are ready to, each as a test of its own with its own instance, and waits until
    all have ended; the others have nothing left to do but tell what came of them. Ready are those of its class, and
    those of the module's other classes that share no suite. With a word, @together("ffmpeg"), only those with the same
    word run beside each other: for those who together are too much for a small machine.
    """

    def decorate(method, word=""):
        @functools.wraps(method)
        def test(self):
            if runs_beside_others(self):
                method(self)
                return
            if self.id() not in outcomes:
                begin_all(self, word)
            outcomes[self.id()].tell(self)

        test.word = word
        return test

    return decorate(mark) if callable(mark) else functools.partial(decorate, word=mark)


def runs_beside_others(test):
    """True for the instance that does a marked test's work, and false for the one that tells what came of it."""
    return getattr(test, "is_beside_others", False)


class Outcome:
    """What came of one test that ran beside others."""

    def __init__(self, test):
        result, began = unittest.TestResult(), time.monotonic()
        test.is_beside_others = True
        test.run(result)
        self.seconds = time.monotonic() - began
        self.skipped = [reason for _, reason in result.skipped]
        self.broken = [f"{failed}\n{trace}" for failed, trace in result.failures + result.errors]

    def tell(self, test):
        """Lets the test in whose place it ran end in the same way."""
        test.seconds = self.seconds
        if self.broken:
            raise AssertionError("\n".join(["it ran beside others:", *self.broken]))
        if self.skipped:
            raise unittest.SkipTest(self.skipped[0])


# By name of the test.
outcomes = {}


def begin_all(first, word):
    """Runs all tests that may run beside this one, each in a thread of its own."""
    tests = [test for test in marked(first, word) if test.id() not in outcomes]
    with concurrent.futures.ThreadPoolExecutor(len(tests)) as pool:
        outcomes.update(zip([test.id() for test in tests], pool.map(Outcome, tests)))


def marked(first, word):
    """New instances of the tests that carry this mark and may run now."""
    module = type(first).__module__
    for kind in vars(sys.modules[module]).values():
        if not (isinstance(kind, type) and issubclass(kind, unittest.TestCase)) or kind.__module__ != module:
            continue
        if kind is not type(first) and has_fixture(kind):
            continue
        for name in unittest.TestLoader().getTestCaseNames(kind):
            test = kind(name)
            if getattr(getattr(kind, name), "word", None) == word and (chosen is None or test.id() in chosen):
                yield test


def has_fixture(kind):
    """True if tests of this class need what is set up for all of them."""
    return kind.setUpClass.__func__ is not unittest.TestCase.setUpClass.__func__
