/* SPDX-License-Identifier: Apache-2.0 */
/* Host names, looked up by the C library's own thread. */
#include "linux_names.h"
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

struct apus_lookup {
    struct gaicb request;
    struct gaicb *list[1];
    struct addrinfo hints;
    char host[256];
};

struct apus_lookup *apus_lookup_start(const char *host) {
    struct apus_lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL) return NULL;
    strncpy(lookup->host, host, sizeof lookup->host - 1);
    lookup->hints.ai_socktype = SOCK_STREAM;
    lookup->request = (struct gaicb){.ar_name = lookup->host, .ar_request = &lookup->hints};
    lookup->list[0] = &lookup->request;
    if (getaddrinfo_a(GAI_NOWAIT, lookup->list, 1, NULL) == 0) return lookup;
    free(lookup);
    return NULL;
}

int apus_lookup_state(struct apus_lookup *lookup, const char **reason) {
    int error = gai_error(&lookup->request);
    if (error == EAI_INPROGRESS) return 1;
    if (error == 0) return 0;
    *reason = gai_strerror(error);
    return -1;
}

int apus_lookup_address(const struct apus_lookup *lookup, int index, struct sockaddr_storage *address,
                        socklen_t *length) {
    const struct addrinfo *info = lookup->request.ar_result;
    while (info != NULL && index-- > 0) info = info->ai_next;
    if (info == NULL || info->ai_addrlen > sizeof *address) return -1;
    memcpy(address, info->ai_addr, info->ai_addrlen);
    *length = info->ai_addrlen;
    return 0;
}

void apus_lookup_end(struct apus_lookup *lookup) {
    if (gai_error(&lookup->request) == EAI_INPROGRESS && gai_cancel(&lookup->request) == EAI_NOTCANCELED) return;
    if (lookup->request.ar_result != NULL) freeaddrinfo(lookup->request.ar_result);
    free(lookup);
}
