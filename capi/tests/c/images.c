// Tests pixels of all types and strides, calls with many images, callbacks and threads.
#include <pthread.h>

#include "check.h"

static void segment_and_check(flowmask_session *session, const flowmask_image *image, const scene *s) {
  flowmask_options options = options_of(DIAMETER);
  flowmask_result *result = NULL;
  GOOD(flowmask_segment(session, image, &options, &result));
  check_labels(result, s);
  GOOD(flowmask_result_free(result));
}

// A number from 0 to 255 as IEEE 754 binary16.
static uint16_t half_of(unsigned value) {
  if (!value) return 0;
  unsigned exponent = 15;
  while (value >> (exponent - 14)) exponent++;
  return (uint16_t)(exponent << 10 | ((value << (25 - exponent)) & 0x3ff));
}

void test_images(flowmask_model *model, const scene *s) {
  uint64_t height = s->height, width = s->width, n = height * width;
  flowmask_session *session = NULL;
  GOOD(flowmask_session_new(model, &session));

  flowmask_image plain = image_of(s->pixels, FLOWMASK_U8, height, width, 1);
  segment_and_check(session, &plain, s);

  // 16-bit pixels at an odd address, in padded rows.
  uint64_t row = width * 2 + 7;
  uint8_t *wide = NEW(uint8_t, row * height + 1);
  for (uint64_t i = 0; i < n; i++) {
    uint16_t value = s->pixels[i];
    memcpy(wide + 1 + i / width * row + i % width * 2, &value, 2);
  }
  flowmask_image padded = image_of(wide + 1, FLOWMASK_U16, height, width, 1);
  padded.stride_y = (int64_t)row;
  segment_and_check(session, &padded, s);
  free(wide);

  // Floats, stored from the bottom up and from right to left.
  float *floats = NEW(float, n);
  for (uint64_t i = 0; i < n; i++) floats[n - 1 - i] = s->pixels[i];
  flowmask_image flipped = image_of(floats + n - 1, FLOWMASK_F32, height, width, 1);
  flipped.stride_y = -(int64_t)(width * 4);
  flipped.stride_x = -4;
  segment_and_check(session, &flipped, s);
  free(floats);

  // Types that become floats: the same values give the same labels.
  int16_t *shorts = NEW(int16_t, n);
  double *doubles = NEW(double, n);
  uint16_t *halves = NEW(uint16_t, n);
  for (uint64_t i = 0; i < n; i++) {
    // Normalising removes the offset. Negative values must stay below the others.
    shorts[i] = (int16_t)(s->pixels[i] - 100);
    doubles[i] = s->pixels[i];
    halves[i] = half_of(s->pixels[i]);
  }
  const void *const numbers[3] = {shorts, doubles, halves};
  const int32_t types[3] = {FLOWMASK_I16, FLOWMASK_F64, FLOWMASK_F16};
  for (int i = 0; i < 3; i++) {
    flowmask_image image = image_of(numbers[i], types[i], height, width, 1);
    segment_and_check(session, &image, s);
  }
  doubles[n / 2] = 1e300;
  flowmask_image too_large = image_of(doubles, FLOWMASK_F64, height, width, 1);
  flowmask_result *nothing = NULL;
  BAD(FLOWMASK_ERROR_IMAGE, "inf", flowmask_segment(session, &too_large, NULL, &nothing));
  free(shorts), free(doubles), free(halves);

  // The second of three channels, stored as planes, then interleaved.
  uint8_t *planes = NEW(uint8_t, 3 * n), *pixels = NEW(uint8_t, 3 * n);
  for (uint64_t i = 0; i < n; i++) planes[n + i] = pixels[3 * i + 1] = s->pixels[i];
  flowmask_options options = options_of(DIAMETER);
  options.channel = 2;
  for (int planar = 0; planar < 2; planar++) {
    flowmask_image image = image_of(planar ? planes : pixels, FLOWMASK_U8, height, width, 3);
    if (planar) image.stride_x = 1, image.stride_c = (int64_t)n;
    flowmask_result *result = NULL;
    GOOD(flowmask_segment(session, &image, &options, &result));
    check_labels(result, s);
    GOOD(flowmask_result_free(result));
  }
  flowmask_image planar = image_of(planes, FLOWMASK_U8, height, width, 3);
  planar.stride_c = (int64_t)n;
  flowmask_result *none = NULL;
  BAD(FLOWMASK_ERROR_ARGUMENT, "stride_x must be set too", flowmask_segment(session, &planar, NULL, &none));
  free(planes);
  free(pixels);
  GOOD(flowmask_session_free(session));
}

void test_many(flowmask_model *model, const scene *s) {
  flowmask_session *session = NULL;
  GOOD(flowmask_session_new(model, &session));
  float not_finite[4] = {1, 2, 3, 0};
  memset(&not_finite[2], 0xff, 4);
  flowmask_image whole = image_of(s->pixels, FLOWMASK_U8, s->height, s->width, 1);
  flowmask_image broken = image_of(not_finite, FLOWMASK_F32, 2, 2, 1);
  flowmask_image pixel = image_of(s->pixels, FLOWMASK_U8, 1, 1, 1);
  flowmask_image wrong = whole;
  wrong.type = 9;
  const flowmask_image *images[6] = {&whole, &broken, &pixel, &wrong, NULL, &whole};
  flowmask_result *results[6];
  flowmask_status statuses[6];
  flowmask_options options = options_of(DIAMETER);
  BAD(FLOWMASK_ERROR_IMAGE, "image 1 of 6: image: the pixel at row 1, column 0",
      flowmask_segment_many(session, images, 6, &options, results, statuses));
  const int expected[6] = {FLOWMASK_OK, FLOWMASK_ERROR_IMAGE, FLOWMASK_OK, FLOWMASK_ERROR_ARGUMENT,
                           FLOWMASK_ERROR_ARGUMENT, FLOWMASK_OK};
  for (int i = 0; i < 6; i++) {
    CHECK((int)statuses[i] == expected[i], "%d: %s", i, flowmask_image_error(session, (uint64_t)i));
    CHECK(!results[i] == !!expected[i], "%d", i);
    CHECK(!*flowmask_image_error(session, (uint64_t)i) == !expected[i], "%d", i);
  }
  CHECK(strstr(flowmask_image_error(session, 3), "9 is not a flowmask_type"), "%s", flowmask_image_error(session, 3));
  CHECK(!*flowmask_image_error(session, 6) && !*flowmask_image_error(session, UINT64_MAX), "there is no such image");
  check_labels(results[0], s);
  check_labels(results[5], s);
  for (int i = 0; i < 6; i++) GOOD(flowmask_result_free(results[i]));
  GOOD(flowmask_segment_many(session, images, 1, &options, results, NULL));
  check_labels(results[0], s);
  GOOD(flowmask_result_free(results[0]));
  GOOD(flowmask_segment_many(session, NULL, 0, NULL, NULL, NULL));
  GOOD(flowmask_session_free(session));
}

typedef struct {
  int calls, stop_at;
  double last;
  flowmask_session *session;
  const flowmask_image *image;
  double stop_after;
} watcher;

static int32_t watch(void *user_data, double done) {
  watcher *w = (watcher *)user_data;
  CHECK(done >= w->last && done >= 0 && done <= 1, "%f after %f", done, w->last);
  w->last = done;
  if (w->session) {
    // The session is busy during its callback.
    flowmask_result *result = NULL;
    CHECK(flowmask_segment(w->session, w->image, NULL, &result) == FLOWMASK_ERROR_BUSY, "not busy");
    CHECK(!result, "a result");
  }
  return ++w->calls != w->stop_at && !(w->stop_after > 0 && done >= w->stop_after);
}

void test_callbacks(flowmask_model *model, const scene *s) {
  flowmask_session *session = NULL;
  GOOD(flowmask_session_new(model, &session));
  flowmask_image image = image_of(s->pixels, FLOWMASK_U8, s->height, s->width, 1);
  flowmask_options options = options_of(DIAMETER);
  options.batch_size = 1;
  options.progress = watch;
  flowmask_result *result = NULL;
  for (int stop_at = 0; stop_at < 3; stop_at++) {
    watcher w = {0, stop_at, 0, stop_at ? NULL : session, &image, 0};
    options.progress_user_data = &w;
    flowmask_status status = flowmask_segment(session, &image, &options, &result);
    CHECK(status == (stop_at ? FLOWMASK_ERROR_CANCELLED : FLOWMASK_OK), "%s", flowmask_last_error(session));
    CHECK(stop_at ? w.calls == stop_at && !result : w.calls > 1, "%d calls", w.calls);
    CHECK(stop_at || w.last == 1, "the last call was with %f", w.last);
    if (stop_at) CHECK(!strcmp(flowmask_last_error(session), "cancelled"), "%s", flowmask_last_error(session));
    GOOD(flowmask_result_free(result));
  }
  const flowmask_image *images[3] = {&image, &image, &image};
  flowmask_result *results[3];
  flowmask_status statuses[3];
  watcher all = {0, 0, 0, NULL, NULL, 0};
  options.progress_user_data = &all;
  GOOD(flowmask_segment_many(session, images, 3, &options, results, NULL));
  CHECK(all.last == 1 && all.calls > 3, "%d calls, the last with %f", all.calls, all.last);
  for (int i = 0; i < 3; i++) GOOD(flowmask_result_free(results[i]));
  watcher w = {0, 0, 0, NULL, NULL, 0.4};
  options.progress_user_data = &w;
  BAD(FLOWMASK_ERROR_CANCELLED, "cancelled", flowmask_segment_many(session, images, 3, &options, results, statuses));
  int done = 0;
  for (int i = 0; i < 3; i++) {
    done += statuses[i] == FLOWMASK_OK;
    if (results[i]) check_labels(results[i], s);
    GOOD(flowmask_result_free(results[i]));
  }
  CHECK(done == 1 && w.last >= 0.4 && w.last < 0.9, "%d done, stopped at %f", done, w.last);
  GOOD(flowmask_session_free(session));
}

typedef struct {
  flowmask_model *model;
  const scene *s;
  flowmask_session *shared;
} job;

static void *work(void *argument) {
  job *j = (job *)argument;
  flowmask_image image = image_of(j->s->pixels, FLOWMASK_U8, j->s->height, j->s->width, 1);
  flowmask_session *session = NULL;
  GOOD(flowmask_session_new(j->model, &session));
  segment_and_check(session, &image, j->s);
  GOOD(flowmask_session_free(session));
  // All threads use one session, so some of them find it busy.
  flowmask_options options = options_of(DIAMETER);
  flowmask_result *result = NULL;
  flowmask_status status = flowmask_segment(j->shared, &image, &options, &result);
  if (status == FLOWMASK_OK) check_labels(result, j->s);
  else CHECK(status == FLOWMASK_ERROR_BUSY, "%s", flowmask_last_error(NULL));
  GOOD(flowmask_result_free(result));
  // Each thread has a message of its own.
  BAD(FLOWMASK_ERROR_HANDLE, "model: ", flowmask_session_new(NULL, &session));
  return NULL;
}

void test_threads(flowmask_model *model, const scene *s) {
  pthread_t threads[8];
  flowmask_session *shared = NULL;
  GOOD(flowmask_session_new(model, &shared));
  job j = {model, s, shared};
  for (int i = 0; i < 8; i++) CHECK(!pthread_create(&threads[i], NULL, work, &j), "thread %d", i);
  for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
  GOOD(flowmask_session_free(shared));
}
