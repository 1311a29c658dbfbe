/* SPDX-License-Identifier: Apache-2.0 */
/* Host names, looked up without waiting. */
#pragma once
#include <sys/socket.h>

/// A lookup on its way; the resolver's own thread writes into it.
struct apus_lookup;
/// getaddrinfo_a(GAI_NOWAIT) for stream sockets; NULL if there is no memory, or no thread.
///
/// The one shim that allocates: what the resolver writes into must stay when nobody waits for it any more.
struct apus_lookup *apus_lookup_start(const char *host);
/// gai_error(): 1 on its way, 0 done, else -1 with `reason` set to a text that lives for ever.
int apus_lookup_state(struct apus_lookup *lookup, const char **reason);
/// The address at `index` of a lookup that is done; -1 if there are fewer.
int apus_lookup_address(const struct apus_lookup *lookup, int index, struct sockaddr_storage *address,
                        socklen_t *length);
/// Frees the lookup; one that cannot be cancelled any more is left to the resolver.
void apus_lookup_end(struct apus_lookup *lookup);
