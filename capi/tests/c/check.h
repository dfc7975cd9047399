// Shared by the parts of the test. The code is C11 and C++17 at the same time.
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowmask.h"

#define CHECK(condition, ...)                                        \
  do {                                                               \
    if (!(condition)) {                                              \
      fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
      fprintf(stderr, __VA_ARGS__);                                  \
      fprintf(stderr, "\n");                                         \
      exit(1);                                                       \
    }                                                                \
  } while (0)

// Checks that the call succeeds.
#define GOOD(call)                                                                                      \
  do {                                                                                                  \
    flowmask_status status_ = (call);                                                                   \
    CHECK(status_ == FLOWMASK_OK, "%s: %s", flowmask_status_name(status_), flowmask_last_error(NULL)); \
  } while (0)

// Checks that the call fails with this status, and that its message contains this text.
#define BAD(expected, words, call)                                                                        \
  do {                                                                                                    \
    flowmask_status status_ = (call);                                                                     \
    CHECK(status_ == (expected), "%s: %s", flowmask_status_name(status_), flowmask_last_error(NULL));    \
    CHECK(strstr(flowmask_last_error(NULL), words), "%s: %s", #call, flowmask_last_error(NULL));         \
  } while (0)

#define NEW(type, count) ((type *)calloc((size_t)(count) + 1, sizeof(type)))

// An image of one channel and the labels that the library in Rust gives it.
typedef struct {
  uint64_t height, width;
  uint8_t *pixels;
  uint32_t *labels;
} scene;

extern const double DIAMETER;
extern const char *model_name;
extern int random_weights;

flowmask_image image_of(const void *pixels, int32_t type, uint64_t height, uint64_t width, uint64_t channels);
flowmask_options options_of(double diameter);
// Checks that the result has the labels of the scene.
void check_labels(const flowmask_result *result, const scene *s);

void test_images(flowmask_model *model, const scene *s);
void test_results(flowmask_model *model, const scene *s);
void test_many(flowmask_model *model, const scene *s);
void test_callbacks(flowmask_model *model, const scene *s);
void test_threads(flowmask_model *model, const scene *s);
void test_misuse(flowmask_model *model, const scene *s);
void test_files(flowmask_model *model, const scene *s, const char *path);
void test_volumes(flowmask_model *model, const scene *s, const char *path);
void test_fork(const scene *s);
void test_models(const scene *s, const char *file);

#endif
