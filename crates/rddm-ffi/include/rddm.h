/* rddm: restores pictures with a model of the zoo. Made of crates/rddm-ffi/src by its tests; see there for the terms.
   A program that links librddm.a is linked with -Wl,-z,noexecstack too: it would get an executable stack. */

#ifndef RDDM_H
#define RDDM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

// Rises with every change of this header that programs have to be compiled again for; `rddm_abi()` is the library's.
#define RDDM_ABI 1

// How a call ended.
typedef enum rddm_status {
  // Done.
  RDDM_STATUS_OK = 0,
  // A pointer is null, or memory does not fit what was said of it: a mistake in the program.
  RDDM_STATUS_ARGUMENT = 1,
  // The manifest can't be read.
  RDDM_STATUS_MANIFEST = 2,
  // A network's bytes are not those that the manifest names; nothing of them was parsed.
  RDDM_STATUS_INTEGRITY = 3,
  // An option that the model can't serve, or a model that needs a newer version.
  RDDM_STATUS_OPTIONS = 4,
  // The engine is unknown, not built in, or its library can't be loaded.
  RDDM_STATUS_ENGINE = 5,
  // The device is unknown to the engine, or not there.
  RDDM_STATUS_DEVICE = 6,
  // A network is broken, or gave a value that is no number.
  RDDM_STATUS_NETWORK = 7,
  // A picture or mask that the model does not take.
  RDDM_STATUS_INPUT = 8,
  // `max_memory` is not enough even for the smallest tiles, or for the tile that was set.
  RDDM_STATUS_MEMORY = 9,
  // The progress function gave false.
  RDDM_STATUS_CANCELLED = 10,
  // A mistake in this library.
  RDDM_STATUS_UNEXPECTED = 11,
} rddm_status;

// A model that is ready to restore. It may be used by several threads at a time.
typedef struct rddm_restorer rddm_restorer;

// Bytes of the caller's.
typedef struct rddm_bytes {
  // The first of them.
  const uint8_t *data;
  // How many there are.
  size_t length;
} rddm_bytes;

// Options of a restorer. Where a field is zero the model's own way is taken, so `rddm_options options = {0};` asks for
// what the model was measured with.
typedef struct rddm_options {
  // What runs the networks: "tract", which null stands for, or "ort" (ONNX Runtime) where the library was built with it.
  const char *engine;
  // What they run on: "cpu", which null stands for, "auto", or the engine's name of a device, such as "cuda:1".
  const char *device;
  // ONNX Runtime's shared library; null for other engines.
  const char *library;
  // Seed of the noise: one seed gives one picture.
  uint64_t seed;
  // The most bytes that a restoration may take beside the caller's pictures; tiles get smaller to keep it, but not a `tile` that
  // is set. 0: as many as it takes.
  uint64_t max_memory;
  // Sampling steps. 0: the model's own number.
  uint32_t steps;
  // Tiles that are worked on at a time. 0: one for each processor core.
  uint32_t threads;
  // Height and width of a tile in pixels. 0: the model's own.
  uint32_t tile;
  // Whether the networks are asked about mirror images too, which is better and twice as slow: 1 yes, -1 no, 0 as published.
  int32_t mirror;
  // How much of the restoration is applied, up to 4. 0: all of it, as 1.
  float strength;
  // Whether a change stands only where a look at the picture at half of its size sees it too: 1 yes, -1 no, 0 as published.
  int32_t confirm;
} rddm_options;

// A picture of the caller's: rows from the top, in a row pixels from the left, in a pixel its channels, red first.
typedef struct rddm_picture {
  // The first byte of the first row.
  const uint8_t *data;
  // Pixels in a row, at least 1.
  size_t width;
  // Rows, at least 1.
  size_t height;
  // 3 for colour, 1 for grey and for masks.
  size_t channels;
  // Bytes from one row to the next, at least `width * channels`.
  size_t stride;
} rddm_picture;

// Told how far a restoration is, from 0 to 1, after each tile, by the thread that asked for it. It stops where this gives
// false. Nothing may be thrown out of it.
typedef bool (*rddm_progress)(void *user, double fraction);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of this header's functions and structures that the library has.
uint32_t rddm_abi(void);

// Makes a model that restores pictures ready; one that draws them is refused. Reads its manifest (TOML, UTF-8), hashes its
// networks (ONNX files, in any order) against it and loads them. Writes a restorer to `restorer`, null where it fails;
// `rddm_close` ends it. `options` may be null. All that is pointed to may go once this returns.
//
// # Safety
// `networks` points to `count` structures, they and `manifest` to as many bytes as they say, the strings of `options` end
// with a zero, and `restorer` can be written to.
enum rddm_status rddm_open(struct rddm_bytes manifest,
                           const struct rddm_bytes *networks,
                           size_t count,
                           const struct rddm_options *options,
                           struct rddm_restorer **restorer);

// Ends a restorer, which nothing may use any more; null is left alone.
//
// # Safety
// `restorer` is of `rddm_open` and was not closed before.
void rddm_close(struct rddm_restorer *restorer);

// Whether the model needs a mask; false for null.
//
// # Safety
// `restorer` is of `rddm_open` and was not closed.
bool rddm_needs_mask(const struct rddm_restorer *restorer);

// Writes to `bytes` what restoring a picture of this size takes at its peak, beside the caller's pictures and what the
// program holds already. With "ort" and no `max_memory` it may take more; and where tract, which tells for both engines, does not
// run a network, this gives `RDDM_STATUS_NETWORK`, and `rddm_restore` may work.
//
// # Safety
// `restorer` is of `rddm_open` and was not closed; `bytes` can be written to.
enum rddm_status rddm_memory(const struct rddm_restorer *restorer,
                             size_t width,
                             size_t height,
                             uint64_t *bytes);

// Restores a picture. The output has its width, height and channels; rows of it begin `output_stride` bytes after each other,
// and from its first row to its last it may not overlap the picture or the mask, not even in what lies between their rows: it is
// no part of the frame that the picture is a part of. `mask`, of the picture's size and one channel, is for models that need one:
// what is 0 in it is kept; null for the others. `progress` may be null; `user` is handed to it. Where this fails, the output
// holds some rows or none. A thread that calls this or `rddm_open` has 256 KiB of
// stack or more.
//
// # Safety
// `restorer` is of `rddm_open` and was not closed; `picture` and `mask` point to as many bytes as they say, which nobody
// writes to until this returns; `output` can be written to from its first row to its last, and nobody uses it until then.
enum rddm_status rddm_restore(const struct rddm_restorer *restorer,
                              const struct rddm_picture *picture,
                              const struct rddm_picture *mask,
                              uint8_t *output,
                              size_t output_stride,
                              rddm_progress progress,
                              void *user);

// What the last call of this thread that gave a status failed with, in words (UTF-8); empty where it did not fail. The
// text goes with the thread's next call.
const char *rddm_error(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* RDDM_H */
