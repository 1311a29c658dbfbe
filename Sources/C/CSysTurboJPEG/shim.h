/* SPDX-License-Identifier: Apache-2.0 */
/* libjpeg-turbo's TurboJPEG interface. */
#pragma once
#include <turbojpeg.h>
