/* SPDX-License-Identifier: Apache-2.0 */
/* libcamera is C++: pkg-config's flags are all that is taken from here; CLibCamera includes its headers. */
#pragma once
