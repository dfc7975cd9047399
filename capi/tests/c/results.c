// Tests everything that a result has, and models from memory and from files.
#include "check.h"

// Twice the area that the polygons of a label enclose; the area of holes is negative.
static int64_t doubled_area(const uint32_t *points, uint64_t count) {
  int64_t sum = 0;
  for (uint64_t i = 0; i < count; i++) {
    const uint32_t *a = points + 2 * i, *b = points + 2 * ((i + 1) % count);
    sum += (int64_t)a[0] * b[1] - (int64_t)b[0] * a[1];
  }
  return sum;
}

static void check_polygons(const flowmask_result *result, const scene *s, uint32_t cells) {
  int64_t *pixels = NEW(int64_t, cells + 1), *areas = NEW(int64_t, cells + 1);
  for (uint64_t i = 0; i < s->height * s->width; i++) pixels[s->labels[i]]++;
  uint64_t count = 0, total = 0, bytes = 0;
  GOOD(flowmask_result_polygon_count(result, &count));
  CHECK(count >= cells, "%d polygons", (int)count);
  GOOD(flowmask_result_copy(result, FLOWMASK_POLYGON_POINTS, NULL, 0, &bytes));
  uint32_t *all = NEW(uint32_t, bytes / 4), *labels = NEW(uint32_t, count);
  uint64_t *ends = NEW(uint64_t, count);
  GOOD(flowmask_result_copy(result, FLOWMASK_POLYGON_POINTS, all, bytes, NULL));
  GOOD(flowmask_result_copy(result, FLOWMASK_POLYGON_LABELS, labels, count * 4, NULL));
  GOOD(flowmask_result_copy(result, FLOWMASK_POLYGON_ENDS, ends, count * 8, NULL));
  for (uint64_t i = 0; i < count; i++) {
    uint32_t label = 0;
    const uint32_t *points = NULL;
    uint64_t n = 0;
    GOOD(flowmask_result_polygon(result, i, &label, &points, &n));
    CHECK(label >= 1 && label <= cells && n >= 4, "label %u, %d points", label, (int)n);
    areas[label] += doubled_area(points, n);
    CHECK(label == labels[i] && !memcmp(points, all + 2 * total, n * 8), "polygon %d was copied wrong", (int)i);
    total += n;
    CHECK(total == ends[i], "polygon %d ends at %d", (int)i, (int)ends[i]);
  }
  CHECK(total * 8 == bytes, "%d points", (int)total);
  for (uint32_t label = 1; label <= cells; label++)
    CHECK(areas[label] == 2 * pixels[label], "label %u", label);
  uint32_t label;
  const uint32_t *points;
  BAD(FLOWMASK_ERROR_ARGUMENT, "polygons", flowmask_result_polygon(result, count, &label, &points, &bytes));
  free(pixels), free(areas), free(all), free(labels), free(ends);
}

void test_results(flowmask_model *model, const scene *s) {
  flowmask_session *session = NULL;
  GOOD(flowmask_session_new(model, &session));
  flowmask_image image = image_of(s->pixels, FLOWMASK_U8, s->height, s->width, 1);
  flowmask_options options = options_of(DIAMETER);
  flowmask_result *result = NULL;
  GOOD(flowmask_segment(session, &image, &options, &result));
  flowmask_result_info info;
  info.size = sizeof info;
  GOOD(flowmask_result_describe(result, &info));
  uint64_t n = s->height * s->width;
  CHECK(info.diameter == DIAMETER && info.flows_height == s->height && info.flows_width == s->width, "another size");
  const float *flows = NULL, *cellprob = NULL, *style = NULL;
  const uint32_t *labels = NULL;
  GOOD(flowmask_result_labels(result, &labels));
  GOOD(flowmask_result_flows(result, &flows));
  GOOD(flowmask_result_cellprob(result, &cellprob));
  GOOD(flowmask_result_style(result, &style));
  double norm = 0;
  for (uint64_t i = 0; i < info.style_length; i++) norm += style[i] * style[i];
  CHECK(norm > 0.999 && norm < 1.001, "a style of length %f", norm);

  // cellprob is high in cells and low outside.
  for (uint64_t i = 0; i < n; i += 97) CHECK(flows[i] == flows[i] && flows[n + i] == flows[n + i], "NaN at %d", (int)i);
  double inside = 0, outside = 0;
  for (uint64_t i = 0; i < n; i++) *(labels[i] ? &inside : &outside) += cellprob[i];
  CHECK(random_weights || (inside > 0 && outside < 0), "cell probabilities of %f and %f", inside, outside);

  const void *lent[4] = {labels, flows, cellprob, style};
  const uint64_t sizes[4] = {n * 4, n * 8, n * 4, info.style_length * 4};
  for (int32_t array = 0; array < 4; array++) {
    uint64_t needed = 0;
    GOOD(flowmask_result_copy(result, array, NULL, 0, &needed));
    CHECK(needed == sizes[array], "array %d has %d bytes", array, (int)needed);
    void *copy = malloc(needed);
    GOOD(flowmask_result_copy(result, array, copy, needed, &needed));
    CHECK(!memcmp(copy, lent[array], needed), "array %d was copied wrong", array);
    BAD(FLOWMASK_ERROR_BUFFER, "are needed", flowmask_result_copy(result, array, copy, needed - 1, NULL));
    free(copy);
  }
  check_polygons(result, s, info.cells);
  uint16_t *narrow = NEW(uint16_t, n);
  GOOD(flowmask_result_copy(result, FLOWMASK_LABELS_U16, narrow, n * 2, NULL));
  for (uint64_t i = 0; i < n; i++) CHECK(narrow[i] == labels[i], "pixel %d is %d", (int)i, narrow[i]);
  BAD(FLOWMASK_ERROR_BUFFER, "are needed", flowmask_result_copy(result, FLOWMASK_LABELS_U16, narrow, n * 2 - 1, NULL));
  free(narrow);

  // Maps alone.
  flowmask_result *maps = NULL;
  flowmask_options without = options;
  without.compute_masks = 0;
  GOOD(flowmask_segment(session, &image, &without, &maps));
  const uint32_t *none = labels;
  BAD(FLOWMASK_ERROR_ARGUMENT, "compute_masks was 0", flowmask_result_labels(maps, &none));
  CHECK(!none, "labels that are not there");
  BAD(FLOWMASK_ERROR_ARGUMENT, "compute_masks was 0", flowmask_save_labels("none.tif", &maps, 1, NULL));
  GOOD(flowmask_result_free(maps));

  // The same masks from the result's flows, with as many steps as the call took. 17 is the model's diam_mean.
  flowmask_result *again = NULL;
  flowmask_options after = options;
  after.niter = random_weights ? 130 : (int32_t)(200 * DIAMETER / 17);
  if (!random_weights) {
    GOOD(flowmask_masks_from_flows(session, flows, cellprob, s->height, s->width, &after, &again));
    check_labels(again, s);
    BAD(FLOWMASK_ERROR_ARGUMENT, "no flows", flowmask_result_flows(again, &flows));
    GOOD(flowmask_result_free(again));
    GOOD(flowmask_result_flows(result, &flows));
  }

  // A result outlives its session, and the style vector can be computed alone.
  flowmask_model_info about;
  about.size = sizeof about;
  GOOD(flowmask_model_describe(model, &about));
  CHECK(about.style_length == info.style_length && about.channels == 2, "another network");
  CHECK(random_weights || (about.diam_mean == 17 && about.estimates_diameter == 1), "%f", about.diam_mean);
  float *alone = NEW(float, about.style_length);
  GOOD(flowmask_style(session, &image, &options, alone, about.style_length));
  CHECK(!memcmp(alone, style, about.style_length * 4), "another style");
  BAD(FLOWMASK_ERROR_BUFFER, "style", flowmask_style(session, &image, &options, alone, about.style_length - 1));
  free(alone);
  GOOD(flowmask_session_free(session));
  check_labels(result, s);
  GOOD(flowmask_result_free(result));

  // Without flows, and with an estimated diameter.
  GOOD(flowmask_session_new(model, &session));
  options.diameter = FLOWMASK_DIAMETER_AUTO;
  if (!about.estimates_diameter) {
    BAD(FLOWMASK_ERROR_MODEL, "no size model", flowmask_segment(session, &image, &options, &result));
    options.diameter = DIAMETER;
  }
  options.flows = 0;
  GOOD(flowmask_segment(session, &image, &options, &result));
  GOOD(flowmask_result_describe(result, &info));
  CHECK(info.flows_height == 0 && info.diameter > 5 && info.diameter < 60, "%f", info.diameter);
  BAD(FLOWMASK_ERROR_ARGUMENT, "no flows", flowmask_result_flows(result, &flows));
  BAD(FLOWMASK_ERROR_ARGUMENT, "no flows", flowmask_result_cellprob(result, &cellprob));
  GOOD(flowmask_result_free(result));
  GOOD(flowmask_session_free(session));
}

// 0 where the system does not tell.
static int threads_of_this_process(void) {
  FILE *status = fopen("/proc/self/status", "r");
  char line[256];
  int threads = 0;
  while (status && fgets(line, sizeof line, status)) sscanf(line, "Threads: %d", &threads);
  if (status) fclose(status);
  return threads;
}

void test_models(const scene *s, const char *file) {
  // From memory, which is freed, and from a path.
  FILE *stream = fopen(file, "rb");
  CHECK(stream, "cannot open %s", file);
  fseek(stream, 0, SEEK_END);
  size_t length = (size_t)ftell(stream);
  rewind(stream);
  void *bytes = malloc(length);
  CHECK(fread(bytes, 1, length, stream) == length, "cannot read %s", file);
  fclose(stream);
  flowmask_model *models[2] = {NULL, NULL};
  GOOD(flowmask_model_load_bytes(bytes, length, NULL, NULL, &models[0]));
  BAD(FLOWMASK_ERROR_MODEL, "model half", flowmask_model_load_bytes(bytes, length / 2, "half", NULL, &models[1]));
  BAD(FLOWMASK_ERROR_MODEL, "in memory", flowmask_model_load_bytes(bytes, 0, NULL, NULL, &models[1]));
  free(bytes);
  GOOD(flowmask_model_load(file, NULL, &models[1]));
  for (int i = 0; i < 2; i++) {
    flowmask_session *session = NULL;
    GOOD(flowmask_session_new(models[i], &session));
    // The session keeps its model alive.
    GOOD(flowmask_model_free(models[i]));
    flowmask_image image = image_of(s->pixels, FLOWMASK_U8, s->height, s->width, 1);
    flowmask_options options = options_of(DIAMETER);
    flowmask_result *result = NULL;
    GOOD(flowmask_segment(session, &image, &options, &result));
    check_labels(result, s);
    GOOD(flowmask_session_free(session));
    GOOD(flowmask_result_free(result));
  }
  // Models that share their threads.
  flowmask_pool *pool = NULL;
  flowmask_model_options share;
  GOOD(flowmask_model_options_default(&share, sizeof share));
  GOOD(flowmask_pool_new(2, &pool));
  share.pool = pool;
  const int before = threads_of_this_process();
  for (int i = 0; i < 2; i++) GOOD(flowmask_model_load(file, &share, &models[i]));
  CHECK(threads_of_this_process() == before, "%d threads, then %d", before, threads_of_this_process());
  GOOD(flowmask_pool_free(pool));
  for (int i = 0; i < 2; i++) {
    flowmask_session *session = NULL;
    GOOD(flowmask_session_new(models[i], &session));
    flowmask_image image = image_of(s->pixels, FLOWMASK_U8, s->height, s->width, 1);
    flowmask_options options = options_of(DIAMETER);
    flowmask_result *result = NULL;
    GOOD(flowmask_segment(session, &image, &options, &result));
    check_labels(result, s);
    GOOD(flowmask_result_free(result));
    GOOD(flowmask_session_free(session));
    GOOD(flowmask_model_free(models[i]));
  }
  // The names of the built-in models.
  CHECK(!strcmp(flowmask_builtin_model(0), "cyto") && !strcmp(flowmask_builtin_model(1), "nuclei"), "other models");
  CHECK(!flowmask_builtin_model(2) && !flowmask_builtin_model(UINT32_MAX), "more models");
  // All devices of the machine.
  uint32_t count = 0;
  GOOD(flowmask_device_count(&count));
  CHECK(count >= 1, "no processor");
  for (uint32_t i = 0; i < count; i++) {
    flowmask_device device;
    device.size = sizeof device;
    GOOD(flowmask_device_describe(i, &device));
    CHECK(strlen(device.name) > 0 && device.units > 0 && !!device.memory == !!i, "%s", device.name);
    CHECK(i ? !strncmp(device.id, "cuda:", 5) : !strcmp(device.id, "cpu"), "%s", device.id);
  }
}
