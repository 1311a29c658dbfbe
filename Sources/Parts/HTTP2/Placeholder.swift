// SPDX-License-Identifier: Apache-2.0
// Holds the place until the module is written.
