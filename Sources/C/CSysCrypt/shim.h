/* SPDX-License-Identifier: Apache-2.0 */
/* libxcrypt: crypt(3) with yescrypt. */
#pragma once
#include <crypt.h>
#include <stdlib.h>
