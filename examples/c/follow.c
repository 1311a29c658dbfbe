/* SPDX-License-Identifier: Apache-2.0 */
/* Follows a ring and prints a line a frame: follow SOCKET [FRAMES]. With "-" as third argument the frames go to
 * standard output instead, ready for ffplay.
 *
 *     cc -I Sources/C/CApusRing/include examples/c/follow.c Sources/C/CApusRing/apus_ring.c -o follow
 *     ./follow /run/apus/ring/cam.main.sock 100
 */
#include "apus_ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    if (argc < 2) return fprintf(stderr, "usage: follow SOCKET [FRAMES [-]]\n"), 2;
    long wanted = argc > 2 ? atol(argv[2]) : 0;
    int dump = argc > 3 && strcmp(argv[3], "-") == 0;
    struct apus_ring ring;
    if (apus_ring_attach(&ring, argv[1], APUS_RING_DEMAND) < 0) return perror(argv[1]), 1;
    struct apus_ring_description description;
    if (apus_ring_describe(&ring, &description) < 0) return perror("describe"), 1;
    fprintf(stderr, "%.4s %ux%u\n", (const char *)&description.codec, description.width, description.height);

    uint64_t sequence = apus_ring_newest_keyframe(&ring);
    uint8_t *copy = malloc(ring.header->data_size);
    long lost = 0, count = 0;
    while (wanted == 0 || count < wanted) {
        struct apus_ring_frame frame;
        if (apus_ring_wait(&ring, sequence, 10000) <= 0) return perror("wait"), 1;
        if (apus_ring_read(&ring, sequence, &frame) == APUS_RING_OK) {
            memcpy(copy, frame.data, frame.length);
            if (apus_ring_is_valid(&ring, &frame)) {
                if (dump) fwrite(copy, 1, frame.length, stdout);
                else printf("frame %lu %zu bytes%s, %.2f ms after its capture\n", (unsigned long)frame.sequence,
                            frame.length, frame.flags & APUS_RING_KEYFRAME ? ", keyframe" : "",
                            (frame.published - frame.captured) / 1e6);
                count++, sequence++;
                continue;
            }
        }
        lost++; /* overtaken by the writer: on from the newest keyframe */
        sequence = apus_ring_newest_keyframe(&ring);
    }
    fprintf(stderr, "%ld frames, overtaken %ld times\n", count, lost);
    free(copy);
    apus_ring_detach(&ring);
    return 0;
}
