// Tests volumes, stacks whose masks are joined, and labels that exist.
#include "check.h"

enum { DEPTH = 6, ROWS = 18, COLUMNS = 20, VOXELS = DEPTH * ROWS * COLUMNS };

static const char *folder;

static const char *in_folder(const char *name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

// What the library in Rust finds.
static void expected(const char *name, uint32_t *labels) {
  FILE *file = fopen(in_folder(name), "rb");
  CHECK(file && fread(labels, 4, VOXELS, file) == VOXELS, "cannot read %s", name);
  fclose(file);
}

// Six parts of the scene, each a row further down: planes of an array that lie in one another.
static void planes_of(const scene *s, flowmask_image *planes, const flowmask_image **pointers) {
  for (int z = 0; z < DEPTH; z++) {
    planes[z] = image_of(s->pixels + (uint64_t)z * s->width, FLOWMASK_U8, ROWS, COLUMNS, 1);
    planes[z].stride_y = (int64_t)s->width;
    pointers[z] = &planes[z];
  }
}

static flowmask_options volume_options(void) {
  flowmask_options options = options_of(DIAMETER);
  CHECK(options.anisotropy == 1 && options.flow3d_smooth[2] == 0 && options.flow3d_threshold == 0, "other defaults");
  options.bsize = 32;
  options.cellprob_threshold = -1e30;
  options.flow_threshold = 0;
  options.min_size = 1;
  options.max_size_fraction = 10;
  options.anisotropy = 1.5;
  options.flow3d_smooth[0] = 1;
  options.flow3d_smooth[1] = 0.5;
  return options;
}

static flowmask_result_info info_of(const flowmask_result *result) {
  flowmask_result_info info;
  info.size = sizeof info;
  GOOD(flowmask_result_describe(result, &info));
  return info;
}

static int32_t stop_at_once(void *user_data, double done) {
  *(double *)user_data = done;
  return 0;
}

static void test_volume(flowmask_session *session, const flowmask_image **planes) {
  static uint32_t want[VOXELS], got[VOXELS];
  expected("volume.raw", want);
  flowmask_options options = volume_options();
  flowmask_result *result = NULL, *again = NULL;
  GOOD(flowmask_segment_volume(session, planes, DEPTH, &options, &result));
  flowmask_result_info info = info_of(result);
  CHECK(info.depth == DEPTH && info.height == ROWS && info.width == COLUMNS, "%d planes", (int)info.depth);
  CHECK(info.flows_depth == DEPTH && info.flows_height == ROWS && info.flows_width == COLUMNS, "other flows");
  CHECK(info.styles > 1 && info.style_length > 1 && info.diameter == DIAMETER, "%d styles", (int)info.styles);
  const uint32_t *labels = NULL;
  const float *flows = NULL, *cellprob = NULL, *style = NULL;
  uint32_t most = 0;
  GOOD(flowmask_result_labels(result, &labels));
  for (int i = 0; i < VOXELS; i++) {
    CHECK(labels[i] == want[i], "voxel %d: %u, not %u", i, labels[i], want[i]);
    if (labels[i] > most) most = labels[i];
  }
  CHECK(info.cells == most && most > 0, "%u cells", info.cells);
  uint64_t bytes = 0, count = 0;
  GOOD(flowmask_result_copy(result, FLOWMASK_LABELS, got, sizeof got, &bytes));
  CHECK(bytes == sizeof got && !memcmp(got, want, sizeof got), "%d bytes", (int)bytes);
  GOOD(flowmask_result_copy(result, FLOWMASK_FLOWS, NULL, 0, &bytes));
  CHECK(bytes == 12 * VOXELS, "%d bytes of flows", (int)bytes);
  GOOD(flowmask_result_copy(result, FLOWMASK_STYLE, NULL, 0, &bytes));
  CHECK(bytes == 4 * info.styles * info.style_length, "%d bytes of styles", (int)bytes);
  GOOD(flowmask_result_style(result, &style));
  double sum = 0;
  for (uint64_t i = bytes / 4 - info.style_length; i < bytes / 4; i++) sum += style[i] * style[i];
  CHECK(sum > 0.99 && sum < 1.01, "a style vector of length %f", sum);
  BAD(FLOWMASK_ERROR_ARGUMENT, "is of a volume", flowmask_result_polygon_count(result, &count));

  // A caller with the struct of an older header gets the fields that it has.
  info.size = 56, info.depth = 77;
  GOOD(flowmask_result_describe(result, &info));
  CHECK(info.depth == 77 && info.height == ROWS, "wrote beyond the struct");

  // Its flows give the same masks.
  GOOD(flowmask_result_flows(result, &flows));
  GOOD(flowmask_result_cellprob(result, &cellprob));
  options.flow3d_smooth[0] = options.flow3d_smooth[1] = 0;
  options.niter = 200;
  GOOD(flowmask_masks_from_volume_flows(session, flows, cellprob, DEPTH, ROWS, COLUMNS, &options, &again));
  info = info_of(again);
  CHECK(info.depth == DEPTH && info.flows_depth == 0 && info.cells > 0 && info.diameter == 0, "%u cells", info.cells);
  GOOD(flowmask_result_free(again));

  // One file of all planes, which can be read again.
  flowmask_file *file = NULL;
  flowmask_image plane;
  plane.size = sizeof plane;
  GOOD(flowmask_save_labels(in_folder("volume.tif"), &result, 1, NULL));
  GOOD(flowmask_read(in_folder("volume.tif"), NULL, &file));
  flowmask_stack_info stack;
  stack.size = sizeof stack;
  GOOD(flowmask_file_describe(file, 0, &stack));
  CHECK(stack.planes == DEPTH && !strcmp(stack.axes, "Z"), "%s", stack.axes);
  GOOD(flowmask_file_image(file, 0, DEPTH - 1, &plane));
  for (int i = 0; i < ROWS * COLUMNS; i++)
    CHECK(((const uint16_t *)plane.data)[i] == want[(DEPTH - 1) * ROWS * COLUMNS + i], "pixel %d", i);
  GOOD(flowmask_file_free(file));
  GOOD(flowmask_result_free(result));
}

static void test_wrong(flowmask_session *session, const flowmask_image **planes) {
  const flowmask_status A = FLOWMASK_ERROR_ARGUMENT, I = FLOWMASK_ERROR_IMAGE, O = FLOWMASK_ERROR_OPTION;
  flowmask_options options = volume_options();
  flowmask_result *result = NULL, *results[DEPTH];
  double done = -1;
  BAD(A, "result: is NULL", flowmask_segment_volume(session, planes, DEPTH, &options, NULL));
  BAD(A, "planes: is NULL", flowmask_segment_volume(session, NULL, DEPTH, &options, &result));
  BAD(A, "count: is too large", flowmask_segment_volume(session, planes, UINT64_MAX, &options, &result));
  BAD(FLOWMASK_ERROR_HANDLE, "session", flowmask_segment_volume(NULL, planes, DEPTH, &options, &result));
  for (uint64_t count = 0; count < 2; count++) {
    BAD(I, "plane", flowmask_segment_volume(session, planes, count, &options, &result));
    BAD(I, "plane", flowmask_segment_stack(session, planes, count, 0.25, &options, results));
  }
  flowmask_image smaller = *planes[2];
  smaller.height--;
  const flowmask_image *uneven[3] = {planes[0], planes[1], &smaller};
  BAD(I, "plane 2 has 17 by 20", flowmask_segment_volume(session, uneven, 3, &options, &result));
  BAD(I, "different sizes", flowmask_segment_stack(session, uneven, 3, 0.25, &options, results));
  smaller.type = 99;
  BAD(A, "plane 2: image: 99 is not", flowmask_segment_volume(session, uneven, 3, &options, &result));
  float nan[ROWS * COLUMNS] = {0};
  nan[25] = (float)strtod("nan", NULL);
  smaller = image_of(nan, FLOWMASK_F32, ROWS, COLUMNS, 1);
  BAD(I, "in plane 2, the pixel at row 1, column 5", flowmask_segment_volume(session, uneven, 3, &options, &result));
  BAD(I, "in plane 2, the pixel at row 1, column 5", flowmask_segment_stack(session, uneven, 3, 0.25, &options, results));
  BAD(O, "stitch_threshold", flowmask_segment_stack(session, planes, DEPTH, 1.5, &options, results));
#define WRONG(field, value, status, words)                                                        \
  do {                                                                                            \
    options = volume_options();                                                                   \
    options.field = value;                                                                        \
    BAD(status, words, flowmask_segment_volume(session, planes, DEPTH, &options, &result));      \
    CHECK(!result, "a result");                                                                   \
  } while (0)
  WRONG(anisotropy, 0, O, "anisotropy");
  WRONG(anisotropy, -1, O, "anisotropy");
  WRONG(flow3d_smooth[1], -1, O, "flow3d_smooth");
  WRONG(flow3d_threshold, strtod("inf", NULL), O, "flow3d_threshold");
  WRONG(diameter, FLOWMASK_DIAMETER_AUTO, O, "diameter");
  WRONG(memory, 1000, FLOWMASK_ERROR_MEMORY, "a volume of 6 planes");
  // Options of a header that had no volumes.
  options = volume_options();
  options.size = 144, options.anisotropy = -1;
  GOOD(flowmask_segment_volume(session, planes, 2, &options, &result));
  GOOD(flowmask_result_free(result));
  options = volume_options();
  options.progress = stop_at_once, options.progress_user_data = &done;
  BAD(FLOWMASK_ERROR_CANCELLED, "cancelled", flowmask_segment_volume(session, planes, DEPTH, &options, &result));
  for (int i = 0; i < DEPTH; i++) results[i] = result = (flowmask_result *)16;
  BAD(FLOWMASK_ERROR_CANCELLED, "cancelled", flowmask_segment_stack(session, planes, DEPTH, 0.25, &options, results));
  for (int i = 0; i < DEPTH; i++) CHECK(!results[i] && done >= 0, "a result");
  float zeros[3 * 2] = {0};
  options = volume_options();
  BAD(A, "flows: is NULL", flowmask_masks_from_volume_flows(session, NULL, zeros, 2, 1, 1, &options, &result));
  BAD(I, "too many, or none", flowmask_masks_from_volume_flows(session, zeros, zeros, 0, 1, 1, &options, &result));
  BAD(I, "too many, or none", flowmask_masks_from_volume_flows(session, zeros, zeros, 1u << 31, 2, 1, &options, &result));
  CHECK(!result, "a result");
}

// The planes one by one, with one label for a cell in all of them.
static void test_stack(flowmask_session *session, const flowmask_image **planes) {
  static uint32_t want[VOXELS];
  expected("stack.raw", want);
  flowmask_options options = volume_options();
  flowmask_result *results[DEPTH];
  GOOD(flowmask_segment_stack(session, planes, DEPTH, 0.25, &options, results));
  uint32_t most = 0;
  for (int i = 0; i < VOXELS; i++)
    if (want[i] > most) most = want[i];
  for (int z = 0; z < DEPTH; z++) {
    const uint32_t *labels = NULL;
    GOOD(flowmask_result_labels(results[z], &labels));
    CHECK(!memcmp(labels, want + z * ROWS * COLUMNS, 4 * ROWS * COLUMNS), "plane %d", z);
    CHECK(info_of(results[z]).cells == most && info_of(results[z]).depth == 0, "plane %d", z);
  }
  GOOD(flowmask_save_labels(in_folder("stack.tif"), results, DEPTH, NULL));
  for (int z = 0; z < DEPTH; z++) GOOD(flowmask_result_free(results[z]));
}

static void test_stitch(void) {
  // A cell that goes on, one that ends, and one that is new: labels that every plane counts from 1.
  const uint32_t before[3][2][4] = {{{1, 1, 0, 2}, {1, 1, 0, 2}}, {{0, 0, 0, 0}, {1, 1, 0, 0}}, {{0, 0, 1, 1}, {2, 2, 1, 1}}};
  const uint32_t after[3][2][4] = {{{1, 1, 0, 2}, {1, 1, 0, 2}}, {{0, 0, 0, 0}, {1, 1, 0, 0}}, {{0, 0, 3, 3}, {1, 1, 3, 3}}};
  uint32_t labels[3][2][4], cells = 7;
  memcpy(labels, before, sizeof labels);
  GOOD(flowmask_stitch(&labels[0][0][0], 3, 2, 4, NULL, &cells));
  CHECK(cells == 3 && !memcmp(labels, after, sizeof labels), "%u cells", cells);
  flowmask_stitch_options options;
  GOOD(flowmask_stitch_options_default(&options, sizeof options));
  CHECK(options.threshold == 0.25 && !options.min_size && !options.pool && !options.memory, "other defaults");
  GOOD(flowmask_pool_new(2, (flowmask_pool **)&options.pool));
  // No masks overlap that much, and cells of fewer than four pixels are dropped.
  options.threshold = 0.6, options.min_size = 4;
  memcpy(labels, before, sizeof labels);
  GOOD(flowmask_stitch(&labels[0][0][0], 3, 2, 4, &options, &cells));
  CHECK(cells == 3 && labels[1][1][0] == 2 && labels[0][0][3] == 0 && labels[2][0][2] == 3, "%u cells", cells);
  GOOD(flowmask_save_label_array(in_folder("joined.tif"), &labels[0][0][0], 3, 2, 4, NULL));
  flowmask_file *file = NULL;
  GOOD(flowmask_read(in_folder("joined.tif"), NULL, &file));
  flowmask_image plane;
  plane.size = sizeof plane;
  GOOD(flowmask_file_image(file, 0, 2, &plane));
  CHECK(plane.width == 4 && ((const uint16_t *)plane.data)[2] == 3, "another label");
  GOOD(flowmask_file_free(file));

  const flowmask_status A = FLOWMASK_ERROR_ARGUMENT, I = FLOWMASK_ERROR_IMAGE, O = FLOWMASK_ERROR_OPTION;
  uint32_t *first = &labels[0][0][0];
  memcpy(labels, before, sizeof labels);
  BAD(A, "labels: is NULL", flowmask_stitch(NULL, 3, 2, 4, &options, &cells));
  BAD(A, "cells: is at an address", flowmask_stitch(first, 3, 2, 4, &options, (uint32_t *)((char *)&cells + 1)));
  BAD(I, "one plane", flowmask_stitch(first, 1, 6, 4, &options, &cells));
  BAD(I, "too many, or none", flowmask_stitch(first, 3, 0, 4, &options, &cells));
  BAD(I, "too many, or none", flowmask_stitch(first, UINT64_MAX, UINT64_MAX, 4, &options, &cells));
  options.threshold = -0.1;
  BAD(O, "stitch_threshold", flowmask_stitch(first, 3, 2, 4, &options, &cells));
  options.threshold = 0.25, options.compat = 9;
  BAD(O, "compat", flowmask_stitch(first, 3, 2, 4, &options, &cells));
  options.compat = 0, options.memory = 1;
  BAD(FLOWMASK_ERROR_MEMORY, "stitching 3 planes", flowmask_stitch(first, 3, 2, 4, &options, &cells));
  options.size = 39;
  BAD(A, "stitch_options: its field size", flowmask_stitch(first, 3, 2, 4, &options, &cells));
  BAD(A, "stitch_options: its field size", flowmask_stitch_options_default(&options, 39));
  options.size = sizeof options, options.memory = 0;
  CHECK(!cells && !memcmp(labels, before, sizeof labels), "labels were changed");
  GOOD(flowmask_pool_free((flowmask_pool *)options.pool));
  BAD(FLOWMASK_ERROR_HANDLE, "pool", flowmask_stitch(first, 3, 2, 4, &options, &cells));
  BAD(A, "labels: is NULL", flowmask_save_label_array(in_folder("x.tif"), NULL, 3, 2, 4, NULL));
  BAD(A, "path: is NULL", flowmask_save_label_array(NULL, first, 3, 2, 4, NULL));
  BAD(I, "too many, or none", flowmask_save_label_array(in_folder("x.tif"), first, 0, 2, 4, NULL));
}

void test_volumes(flowmask_model *model, const scene *s, const char *path) {
  folder = path;
  flowmask_image planes[DEPTH];
  const flowmask_image *pointers[DEPTH];
  planes_of(s, planes, pointers);
  flowmask_session *session = NULL;
  GOOD(flowmask_session_new(model, &session));
  test_volume(session, pointers);
  test_stack(session, pointers);
  test_wrong(session, pointers);
  test_stitch();
  GOOD(flowmask_session_free(session));
}
