/* SPDX-License-Identifier: Apache-2.0 */
/* Umbrella of the Linux shims: only what Swift cannot say (macros, variadics, unions, GNU-only calls). */
#pragma once
#include "linux_devices.h"
#include "linux_events.h"
#include "linux_files.h"
#include "linux_landlock.h"
#include "linux_names.h"
#include "linux_process.h"
#include "linux_sockets.h"
#include "v4l2_controls.h"
#include "v4l2_list.h"
#include "v4l2_shim.h"
#include "v4l2_signal.h"
