/* SPDX-License-Identifier: Apache-2.0 */
/* libseccomp: which system calls a process may make (seccomp(2)). */
#pragma once
#include <seccomp.h>
