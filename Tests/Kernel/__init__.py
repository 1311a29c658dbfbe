# SPDX-License-Identifier: Apache-2.0
# Tests on a real kernel in QEMU, with its virtual cameras. See docs/testing.md.
