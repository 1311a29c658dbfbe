# SPDX-License-Identifier: Apache-2.0
# Tests that run the built programs and point real clients at them; Python's standard library only.
