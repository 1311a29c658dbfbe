// SPDX-License-Identifier: Apache-2.0
// To be replaced by the first real file of these tests.
