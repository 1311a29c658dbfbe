/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing to include: this library is loaded, and found by its entry. See apus_libcamera.h. */
#pragma once
