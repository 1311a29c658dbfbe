/* SPDX-License-Identifier: Apache-2.0 */
/* nghttp2: HTTP/2 framing, header compression, flow control (RFC 9113). */
#pragma once
#include <nghttp2/nghttp2.h>
