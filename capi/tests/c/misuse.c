// Tests wrong arguments: each gives a status and a message, and nothing crashes.
#include "check.h"

static void misuse_structs(flowmask_session *session, const flowmask_image *image) {
  flowmask_options options = options_of(DIAMETER);
  flowmask_result *result = NULL;
  const uint32_t sizes[] = {0, 1, 4, 39, 1u << 20, UINT32_MAX};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    options.size = sizes[i];
    BAD(FLOWMASK_ERROR_ARGUMENT, "options: its field size", flowmask_segment(session, image, &options, &result));
    BAD(FLOWMASK_ERROR_ARGUMENT, "options: its field size", flowmask_options_default(&options, sizes[i]));
    flowmask_image wrong = *image;
    wrong.size = sizes[i];
    BAD(FLOWMASK_ERROR_ARGUMENT, "image: its field size", flowmask_segment(session, &wrong, NULL, &result));
    flowmask_model_options load;
    BAD(FLOWMASK_ERROR_ARGUMENT, "model_options", flowmask_model_options_default(&load, sizes[i]));
  }
  BAD(FLOWMASK_ERROR_ARGUMENT, "136 or more", flowmask_options_default(&options, 135));
  options = options_of(DIAMETER);
  options.memory = 1 << 20;
  BAD(FLOWMASK_ERROR_MEMORY, "1.0 M", flowmask_segment(session, image, &options, &result));
  options = options_of(DIAMETER);
  options.reserved = 1;
  BAD(FLOWMASK_ERROR_ARGUMENT, "reserved or reserved2 is not 0", flowmask_segment(session, image, &options, &result));
  // A struct of a newer header: its unknown fields must be 0, and nothing is written beyond its end.
  struct {
    flowmask_options known;
    uint64_t later, after;
  } grown;
  memset(&grown, 0xff, sizeof grown);
  GOOD(flowmask_options_default(&grown.known, sizeof grown - sizeof grown.after));
  CHECK(grown.later == 0 && grown.after == UINT64_MAX, "wrote beyond");
  grown.known.diameter = DIAMETER;
  GOOD(flowmask_segment(session, image, &grown.known, &result));
  GOOD(flowmask_result_free(result));
  grown.later = 1;
  BAD(FLOWMASK_ERROR_ARGUMENT, "does not know", flowmask_segment(session, image, &grown.known, &result));
}

static void misuse_options(flowmask_session *session, const flowmask_image *image) {
  flowmask_result *result = NULL;
#define WRONG(field, value)                                                                             \
  do {                                                                                                  \
    flowmask_options options_ = options_of(DIAMETER);                                                   \
    options_.field = value;                                                                             \
    BAD(FLOWMASK_ERROR_OPTION, "option ", flowmask_segment(session, image, &options_, &result));       \
    CHECK(!result, "a result");                                                                         \
  } while (0)
  WRONG(sampling, 3);
  WRONG(sampling, -1);
  WRONG(compat, 2);
  WRONG(bsize, 100);
  WRONG(bsize, UINT32_MAX);
  WRONG(niter, -1);
  WRONG(diameter, -2);
  WRONG(diameter, (double)UINT64_MAX * 1e300);
  WRONG(percentile_low, 99.5);
  WRONG(percentile_high, 101);
  WRONG(max_size_fraction, 0);
  WRONG(tile_overlap, 0.9);
  flowmask_options options = options_of(DIAMETER);
  options.channel = UINT32_MAX;
  BAD(FLOWMASK_ERROR_IMAGE, "is not there", flowmask_segment(session, image, &options, &result));
}

static void misuse_images(flowmask_session *session, const flowmask_image *image) {
  flowmask_result *result = NULL;
  for (int axis = 0; axis < 3; axis++) {
    const uint64_t sides[] = {0, UINT64_MAX, 1ull << 40};
    for (int i = 0; i < 3; i++) {
      flowmask_image wrong = *image;
      *(axis == 0 ? &wrong.height : axis == 1 ? &wrong.width : &wrong.channels) = sides[i];
      BAD(FLOWMASK_ERROR_IMAGE, "image: ", flowmask_segment(session, &wrong, NULL, &result));
    }
    flowmask_image wrong = *image;
    *(axis == 0 ? &wrong.stride_y : axis == 1 ? &wrong.stride_x : &wrong.stride_c) = axis == 2 ? INT64_MIN : INT64_MAX;
    BAD(FLOWMASK_ERROR_IMAGE, "too large", flowmask_segment(session, &wrong, NULL, &result));
  }
  for (int32_t type = -1; type < 9; type++) {
    if (type >= FLOWMASK_U8 && type <= FLOWMASK_F64) continue;
    flowmask_image wrong = *image;
    wrong.type = type;
    BAD(FLOWMASK_ERROR_ARGUMENT, "is not a flowmask_type", flowmask_segment(session, &wrong, NULL, &result));
  }
  flowmask_image nowhere = *image;
  nowhere.data = NULL;
  BAD(FLOWMASK_ERROR_ARGUMENT, "data of the image: is NULL", flowmask_segment(session, &nowhere, NULL, &result));
  CHECK(!result, "a result");
}

// Calls every function with NULL, and with a handle of another type, for each argument.
static void misuse_handles(flowmask_model *model, flowmask_session *session, const flowmask_image *image) {
  const flowmask_status A = FLOWMASK_ERROR_ARGUMENT, H = FLOWMASK_ERROR_HANDLE;
  flowmask_result *result = NULL, *results[1];
  flowmask_session *other = NULL;
  flowmask_model *loaded = NULL;
  flowmask_options options = options_of(DIAMETER);
  GOOD(flowmask_segment(session, image, &options, &result));
  GOOD(flowmask_model_free(NULL));
  GOOD(flowmask_session_free(NULL));
  GOOD(flowmask_result_free(NULL));
  BAD(H, "model: ", flowmask_model_free((flowmask_model *)session));
  BAD(H, "session: ", flowmask_session_free((flowmask_session *)result));
  BAD(H, "result: ", flowmask_result_free((flowmask_result *)model));

  BAD(A, "options: is NULL", flowmask_options_default(NULL, sizeof options));
  BAD(A, "multiple of 8", flowmask_options_default((flowmask_options *)((char *)&options + 1), sizeof options));
  BAD(A, "model_options: is NULL", flowmask_model_options_default(NULL, sizeof(flowmask_model_options)));
  BAD(A, "name: is NULL", flowmask_model_load(NULL, NULL, &loaded));
  BAD(A, "model: is NULL", flowmask_model_load("nuclei", NULL, NULL));
  BAD(A, "UTF-8", flowmask_model_load("\xff\xfe", NULL, &loaded));
  BAD(FLOWMASK_ERROR_MODEL, "no such file", flowmask_model_load("no such file", NULL, &loaded));
  BAD(FLOWMASK_ERROR_FILE, "/", flowmask_model_load("/", NULL, &loaded));
  BAD(A, "bytes: is NULL", flowmask_model_load_bytes(NULL, 5, NULL, NULL, &loaded));
  BAD(A, "model: is NULL", flowmask_model_load_bytes("bytes", 5, NULL, NULL, NULL));
  BAD(A, "length", flowmask_model_load_bytes("bytes", UINT64_MAX, NULL, NULL, &loaded));
  flowmask_model_options load;
  GOOD(flowmask_model_options_default(&load, sizeof load));
  load.device = "gpu";
  BAD(FLOWMASK_ERROR_OPTION, "option device: gpu", flowmask_model_load("nuclei", &load, &loaded));
  load.device = "cuda:99";
  BAD(FLOWMASK_ERROR_DEVICE, "cuda", flowmask_model_load("nuclei", &load, &loaded));
  load.device = "cpu";
  load.precision = 7;
  BAD(FLOWMASK_ERROR_OPTION, "precision", flowmask_model_load("nuclei", &load, &loaded));
  load.precision = 0;
  load.kernels = "sm_80";
  BAD(FLOWMASK_ERROR_OPTION, "sm_80 is for GPUs", flowmask_model_load("nuclei", &load, &loaded));
  load.kernels = NULL;
  load.threads = UINT32_MAX;
  BAD(FLOWMASK_ERROR_OPTION, "threads", flowmask_model_load("nuclei", &load, &loaded));
  load.threads = 0;
  load.pool = (const flowmask_pool *)session;
  BAD(H, "pool: ", flowmask_model_load("nuclei", &load, &loaded));
  load.pool = NULL;
  flowmask_pool *pool = NULL;
  BAD(A, "pool: is NULL", flowmask_pool_new(1, NULL));
  BAD(FLOWMASK_ERROR_OPTION, "threads", flowmask_pool_new(UINT32_MAX, &pool));
  BAD(H, "pool: ", flowmask_pool_free((flowmask_pool *)session));
  GOOD(flowmask_pool_free(NULL));
  load.reserved = 1;
  BAD(A, "reserved", flowmask_model_load("nuclei", &load, &loaded));
  CHECK(!loaded, "a model");
  flowmask_model_info about;
  about.size = 3;
  BAD(A, "model_info: its field size", flowmask_model_describe(model, &about));
  BAD(A, "model_info: is NULL", flowmask_model_describe(model, NULL));
  BAD(H, "is NULL", flowmask_model_describe(NULL, &about));
  BAD(H, "another type", flowmask_model_describe((flowmask_model *)session, &about));

  BAD(A, "session: is NULL", flowmask_session_new(model, NULL));
  BAD(H, "is NULL", flowmask_session_new(NULL, &other));
  BAD(H, "another type", flowmask_session_new((flowmask_model *)result, &other));
  CHECK(!other, "a session");
  flowmask_session *const wrong[] = {NULL, (flowmask_session *)model, (flowmask_session *)image};
  const flowmask_image *const images[] = {image};
  float style[1];
  uint32_t label_of_nobody = 0;
  for (int i = 0; i < 3; i++) {
    flowmask_result *none = NULL;
    BAD(H, "session: ", flowmask_segment(wrong[i], image, NULL, &none));
    BAD(H, "session: ", flowmask_segment_many(wrong[i], images, 1, NULL, results, NULL));
    BAD(H, "session: ", flowmask_style(wrong[i], image, NULL, style, 1));
    if (i) CHECK(strstr(flowmask_last_error(wrong[i]), "not a live"), "%s", flowmask_last_error(wrong[i]));
    CHECK(strstr(flowmask_image_error(wrong[i], 0), "not a live"), "%s", flowmask_image_error(wrong[i], 0));
  }
  const float one_flow[2] = {0, 0};
  for (int i = 0; i < 3; i++)
    BAD(H, "session: ", flowmask_masks_from_flows(wrong[i], one_flow, one_flow, 1, 1, NULL, results));
  BAD(A, "flows: is NULL", flowmask_masks_from_flows(session, NULL, one_flow, 1, 1, NULL, results));
  BAD(A, "cellprob: is NULL", flowmask_masks_from_flows(session, one_flow, NULL, 1, 1, NULL, results));
  BAD(A, "result: is NULL", flowmask_masks_from_flows(session, one_flow, one_flow, 1, 1, NULL, NULL));
  BAD(FLOWMASK_ERROR_IMAGE, "empty", flowmask_masks_from_flows(session, one_flow, one_flow, 0, 1, NULL, results));
  BAD(FLOWMASK_ERROR_IMAGE, "too large",
      flowmask_masks_from_flows(session, one_flow, one_flow, UINT64_MAX, 2, NULL, results));

  // The message is that of the last call: the next one resets it, but for those that free a handle.
  CHECK(*flowmask_last_error(NULL) && *flowmask_last_error(session), "no message");
  GOOD(flowmask_session_free(NULL));
  CHECK(*flowmask_last_error(NULL), "freeing took the message");
  flowmask_options fresh;
  GOOD(flowmask_options_default(&fresh, sizeof fresh));
  CHECK(!*flowmask_last_error(NULL) && *flowmask_last_error(session), "%s", flowmask_last_error(NULL));
  flowmask_result *found = NULL;
  GOOD(flowmask_segment(session, image, NULL, &found));
  GOOD(flowmask_result_free(found));
  CHECK(!*flowmask_last_error(session), "%s", flowmask_last_error(session));

  BAD(A, "image: is NULL", flowmask_segment(session, NULL, NULL, results));
  BAD(A, "result: is NULL", flowmask_segment(session, image, NULL, NULL));
  BAD(A, "images: is NULL", flowmask_segment_many(session, NULL, 1, NULL, results, NULL));
  BAD(A, "results: is NULL", flowmask_segment_many(session, images, 1, NULL, NULL, NULL));
  BAD(A, "count", flowmask_segment_many(session, images, UINT64_MAX, NULL, results, NULL));
  BAD(A, "style: is NULL", flowmask_style(session, image, NULL, NULL, 256));
  BAD(A, "image: is NULL", flowmask_style(session, NULL, NULL, style, 1));

  // The model is on the processor.
  flowmask_device_labels target = {sizeof target, 0, &label_of_nobody, 0};
  const flowmask_device_labels *const targets[] = {&target};
  flowmask_status statuses[1];
  for (int i = 0; i < 3; i++)
    BAD(H, "session: ", flowmask_segment_on_device(wrong[i], 0, NULL, images, targets, 1, NULL, results, NULL));
  BAD(A, "images: is NULL", flowmask_segment_on_device(session, 0, NULL, NULL, NULL, 1, NULL, results, NULL));
  BAD(A, "results: is NULL", flowmask_segment_on_device(session, 0, NULL, images, NULL, 1, NULL, NULL, NULL));
  BAD(A, "count", flowmask_segment_on_device(session, 0, NULL, images, NULL, UINT64_MAX, NULL, results, NULL));
  BAD(FLOWMASK_ERROR_DEVICE, "cuda:0: the model was not loaded onto it",
      flowmask_segment_on_device(session, 0, NULL, images, targets, 1, NULL, results, statuses));
  CHECK(!results[0], "a result");

  flowmask_result_info info;
  info.size = sizeof info;
  const uint32_t *words = NULL;
  const float *floats = NULL;
  uint32_t label = 0;
  uint64_t n = 0;
  flowmask_result *const wrong_results[] = {NULL, (flowmask_result *)model};
  for (int i = 0; i < 2; i++) {
    const flowmask_result *r = wrong_results[i];
    BAD(H, "result: ", flowmask_result_describe(r, &info));
    BAD(H, "result: ", flowmask_result_labels(r, &words));
    BAD(H, "result: ", flowmask_result_flows(r, &floats));
    BAD(H, "result: ", flowmask_result_cellprob(r, &floats));
    BAD(H, "result: ", flowmask_result_style(r, &floats));
    BAD(H, "result: ", flowmask_result_polygon_count(r, &n));
    BAD(H, "result: ", flowmask_result_polygon(r, 0, &label, &words, &n));
    BAD(H, "result: ", flowmask_result_copy(r, FLOWMASK_LABELS, NULL, 0, &n));
  }
  CHECK(!words && !floats && !n, "an output was set");
  BAD(A, "result_info: is NULL", flowmask_result_describe(result, NULL));
  info.size = 0;
  BAD(A, "result_info: its field size", flowmask_result_describe(result, &info));
  BAD(A, "labels: is NULL", flowmask_result_labels(result, NULL));
  BAD(A, "flows: is NULL", flowmask_result_flows(result, NULL));
  BAD(A, "cellprob: is NULL", flowmask_result_cellprob(result, NULL));
  BAD(A, "style: is NULL", flowmask_result_style(result, NULL));
  BAD(A, "count: is NULL", flowmask_result_polygon_count(result, NULL));
  BAD(A, "label: is NULL", flowmask_result_polygon(result, 0, NULL, &words, &n));
  BAD(A, "points: is NULL", flowmask_result_polygon(result, 0, &label, NULL, &n));
  BAD(A, "count: is NULL", flowmask_result_polygon(result, 0, &label, &words, NULL));
  BAD(A, "index", flowmask_result_polygon(result, UINT64_MAX, &label, &words, &n));
  BAD(A, "8 is not a flowmask_array", flowmask_result_copy(result, 8, NULL, 0, &n));
  BAD(A, "-1 is not a flowmask_array", flowmask_result_copy(result, -1, NULL, 0, &n));
  BAD(A, "buffer: is NULL", flowmask_result_copy(result, FLOWMASK_LABELS, NULL, 8, NULL));

  flowmask_device device;
  device.size = 5;
  BAD(A, "count: is NULL", flowmask_device_count(NULL));
  BAD(A, "device: is NULL", flowmask_device_describe(0, NULL));
  BAD(A, "device: its field size", flowmask_device_describe(0, &device));
  device.size = sizeof device;
  CHECK(flowmask_device_describe(UINT32_MAX, &device) != FLOWMASK_OK && *flowmask_last_error(NULL), "a device");
  CHECK(!strcmp(flowmask_status_name(-5), "unknown status"), "%s", flowmask_status_name(-5));

  // Handles that are freed twice, or used after they were freed.
  GOOD(flowmask_result_free(result));
  BAD(H, "freed before", flowmask_result_free(result));
  BAD(H, "was freed", flowmask_result_labels(result, &words));
}

void test_misuse(flowmask_model *model, const scene *s) {
  flowmask_session *session = NULL;
  GOOD(flowmask_session_new(model, &session));
  CHECK(!*flowmask_last_error(session), "%s", flowmask_last_error(session));
  flowmask_image image = image_of(s->pixels, FLOWMASK_U8, s->height < 64 ? s->height : 64, s->width < 40 ? s->width : 40, 1);
  image.stride_y = (int64_t)s->width;
  misuse_structs(session, &image);
  misuse_options(session, &image);
  misuse_images(session, &image);
  misuse_handles(model, session, &image);
  GOOD(flowmask_session_free(session));
  flowmask_result *result = NULL;
  BAD(FLOWMASK_ERROR_HANDLE, "was freed", flowmask_segment(session, &image, NULL, &result));
}
