/* What a camera's firmware does with librddm: takes frames of one size, restores each, hands it on.
 *
 *     camera MANIFEST NETWORK... < frames.ppm > restored.ppm
 *
 * Frames are binary PPM files (P6, 255) one after the other, as `ffmpeg -f image2pipe -c:v ppm` writes them. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "rddm.h"

#define NETWORKS 8
#define LONGEST 16384

/* A file's bytes, for as long as the program runs. */
static rddm_bytes contents(const char *path) {
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t length = 0, room = 0, got = 0;
    if (!file) {
        perror(path);
        exit(3);
    }
    do {
        length += got;
        if (length == room) {
            room = room ? 2 * room : 1 << 16;
            data = realloc(data, room);
            if (!data) {
                fprintf(stderr, "%s: no memory for it\n", path);
                exit(1);
            }
        }
        got = fread(data + length, 1, room - length, file);
    } while (got > 0);
    if (ferror(file)) {
        perror(path);
        exit(3);
    }
    fclose(file);
    return (rddm_bytes){data, length};
}

static void check(rddm_status status, const char *doing) {
    if (status != RDDM_STATUS_OK) {
        fprintf(stderr, "error: %s: %s\n", doing, rddm_error());
        exit(1);
    }
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

int main(int count, char **arguments) {
    rddm_bytes networks[NETWORKS];
    rddm_restorer *restorer = NULL;
    rddm_options options = {0};
    rddm_picture frame = {NULL, 0, 0, 3, 0};
    uint8_t *in = NULL, *out = NULL;
    unsigned number = 0;
    size_t width, height;
    unsigned most;
    int next;

    if (count < 3 || count > 2 + NETWORKS) {
        fprintf(stderr, "usage: camera MANIFEST NETWORK... < frames.ppm > restored.ppm\n");
        return 2;
    }
    if (rddm_abi() != RDDM_ABI) {
        fprintf(stderr, "error: this program was compiled for another librddm\n");
        return 1;
    }
    for (int i = 2; i < count; i++)
        networks[i - 2] = contents(arguments[i]);
    options.threads = 1; /* The other cores are the camera's. */
    check(rddm_open(contents(arguments[1]), networks, count - 2, &options, &restorer), "the model");
    if (rddm_needs_mask(restorer)) {
        fprintf(stderr, "error: a camera has no masks\n");
        return 1;
    }

    while ((next = getchar()) != EOF) {
        ungetc(next, stdin);
        if (scanf("P6 %zu %zu %u", &width, &height, &most) != 3 || most != 255 || getchar() == EOF) {
            fprintf(stderr, "error: frame %u: no header of a PPM file of 8 bits (P6, width, height, 255)\n", number);
            return 3;
        }
        size_t bytes = 3 * width * height;
        if (width > LONGEST || height > LONGEST) {
            fprintf(stderr, "error: frame %u: more than %d pixels wide or high\n", number, LONGEST);
            return 3;
        }
        if (!in) {
            uint64_t memory;
            check(rddm_memory(restorer, width, height, &memory), "a frame of this size");
            fprintf(stderr, "%zux%zu, at most %llu MB\n", width, height, (unsigned long long)memory / 1000000);
            in = malloc(bytes);
            out = malloc(bytes);
            frame = (rddm_picture){in, width, height, 3, 3 * width};
        }
        if (!in || !out || width != frame.width || height != frame.height) {
            fprintf(stderr, "error: frame %u: no memory, or of another size than the first\n", number);
            return 1;
        }
        if (fread(in, 1, bytes, stdin) != bytes) {
            fprintf(stderr, "error: frame %u is not whole\n", number);
            return 3;
        }
        double begun = now();
        check(rddm_restore(restorer, &frame, NULL, out, frame.stride, NULL, NULL), "a frame");
        fprintf(stderr, "frame %u: %.0f ms\n", number++, 1e3 * (now() - begun));
        printf("P6\n%zu %zu\n255\n", width, height);
        if (fwrite(out, 1, bytes, stdout) != bytes || fflush(stdout)) {
            perror("the output");
            return 7;
        }
    }
    rddm_close(restorer);
    if (number == 0) {
        fprintf(stderr, "error: no frame came; frames are binary PPM files\n");
        return 3;
    }
    return 0;
}
