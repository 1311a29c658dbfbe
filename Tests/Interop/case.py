# SPDX-License-Identifier: Apache-2.0
# What the test cases share: one suite for all tests of a class, checks on times, checks at the same time.

import concurrent.futures
import unittest


class Case(unittest.TestCase):
    """Checks that tests of all kinds have use for."""

    def each(self, items, check):
        """Runs check(item) for all items at the same time; each failure is one subtest's."""
        with concurrent.futures.ThreadPoolExecutor(len(items)) as pool:
            checks = [(item, pool.submit(check, item)) for item in items]
            for item, running in checks:
                with self.subTest(str(item)):
                    running.result()

    def assert_monotonic(self, times, what):
        """Each time is greater than the one before."""
        for index, (before, after) in enumerate(zip(times, times[1:])):
            if after <= before:
                self.fail(f"{what}: number {index + 1} is {after}, after {before}")

    def assert_steady(self, times, interval, what, tolerance=0.5):
        """Neighbours are one interval apart, give or take a part of it."""
        for index, (before, after) in enumerate(zip(times, times[1:])):
            if not interval * (1 - tolerance) <= after - before <= interval * (1 + tolerance):
                self.fail(f"{what}: {after - before:.4f} s between number {index} and {index + 1}, not {interval:.4f} s")


class SharedSuite(Case):
    """Starts one suite for all tests of a class, made by the class's make_apus()."""

    @classmethod
    def make_apus(cls):
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        cls.apus = cls.make_apus().start()

    @classmethod
    def tearDownClass(cls):
        cls.apus.destroy()

    def run(self, result=None):
        # The log helps when a test fails, and only then.
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(f"---- the end of Apus's log\n{self.apus.log(15)}")


def longest_gap(times):
    """The longest time between neighbours."""
    return max((after - before for before, after in zip(times, times[1:])), default=float("inf"))
