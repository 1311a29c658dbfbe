/* SPDX-License-Identifier: Apache-2.0 */
/* libsrtp: SRTP and SRTCP (RFC 3711). */
#pragma once
#include <srtp2/srtp.h>
