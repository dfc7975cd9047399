// Tests reading image files with their axes, and writing label files over them.
#include "check.h"

static const char *folder;

static const char *in_folder(const char *name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static flowmask_read_options read_options(void) {
  flowmask_read_options options;
  GOOD(flowmask_read_options_default(&options, sizeof options));
  CHECK(options.channel_axis == FLOWMASK_AXIS_AUTO && options.z_axis == FLOWMASK_AXIS_AUTO, "not automatic");
  CHECK(!options.series && !options.axes, "not automatic");
  return options;
}

static flowmask_stack_info info_of(const flowmask_file *file, uint64_t stack) {
  flowmask_stack_info info;
  info.size = sizeof info;
  GOOD(flowmask_file_describe(file, stack, &info));
  return info;
}

// An array [2, 3, height, width] that has the scene at index 1 of its second axis, and zeros elsewhere.
static void write_npy(const char *name, const scene *s) {
  FILE *file = fopen(in_folder(name), "wb");
  CHECK(file, "cannot write %s", name);
  char header[118];
  int used = snprintf(header, sizeof header, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, %d, %d), }",
                      (int)s->height, (int)s->width);
  memset(header + used, ' ', sizeof header - (size_t)used);
  header[117] = '\n';
  fwrite("\x93NUMPY\1\0\x76\0", 1, 10, file);
  fwrite(header, 1, sizeof header, file);
  size_t n = (size_t)(s->height * s->width);
  uint8_t *zeros = NEW(uint8_t, n);
  for (int i = 0; i < 6; i++) fwrite(i % 3 == 1 ? s->pixels : zeros, 1, n, file);
  free(zeros);
  fclose(file);
}

static void put(FILE *file, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; i++) fputc((int)(value >> (8 * i) & 0xff), file);
}

// A TIFF of pages of 3 by 2 pixels, which have the number of their page, with a description.
static void write_tiff(const char *name, uint32_t pages, const char *description) {
  FILE *file = fopen(in_folder(name), "wb");
  CHECK(file, "cannot write %s", name);
  uint32_t text = (uint32_t)strlen(description) + 1, ifd = 8 + text + 6 * pages, length = 2 + 9 * 12 + 4;
  fwrite("II*\0", 1, 4, file);
  put(file, ifd, 4);
  fwrite(description, 1, text, file);
  for (uint32_t i = 0; i < 6 * pages; i++) put(file, i / 6, 1);
  for (uint32_t page = 0; page < pages; page++) {
    const uint32_t tags[9][4] = {{256, 3, 1, 3}, {257, 3, 1, 2}, {258, 3, 1, 8}, {259, 3, 1, 1}, {262, 3, 1, 1},
                                 {270, 2, text, 8}, {273, 4, 1, 8 + text + 6 * page}, {278, 3, 1, 2}, {279, 4, 1, 6}};
    put(file, 9, 2);
    for (int i = 0; i < 9; i++) put(file, tags[i][0], 2), put(file, tags[i][1], 2), put(file, tags[i][2], 4), put(file, tags[i][3], 4);
    put(file, page + 1 < pages ? ifd + (page + 1) * length : 0, 4);
  }
  fclose(file);
}

// The axes of an array, as they are guessed and as the options say.
static void test_axes(const scene *s) {
  flowmask_file *file = NULL;
  const char *text = NULL;
  uint32_t warning = 7;
  uint64_t stacks = 0;
  GOOD(flowmask_read(in_folder("array.npy"), NULL, &file));
  GOOD(flowmask_file_stacks(file, &stacks));
  flowmask_stack_info info = info_of(file, 0);
  CHECK(stacks == 1 && info.planes == 3 && info.channels == 2, "%d planes", (int)info.planes);
  CHECK(info.height == s->height && info.width == s->width && info.type == FLOWMASK_U8, "type %d", info.type);
  CHECK(!info.unit && !info.name && !info.series && info.pixel_width == 0 && info.plane_distance == 0, "of nothing");
  CHECK(info.notes == 1, "%u notes", info.notes);
  GOOD(flowmask_file_note(file, 0, 0, &text, &warning));
  CHECK(!warning && strlen(text) > 0, "%u %s", warning, text);
  GOOD(flowmask_file_free(file));

  flowmask_read_options options = read_options();
  options.channel_axis = -3;
  options.z_axis = 0;
  for (int named = 0; named < 2; named++) {
    if (named) options = read_options(), options.axes = "TCYX";
    GOOD(flowmask_read(in_folder("array.npy"), &options, &file));
    info = info_of(file, 0);
    CHECK(info.planes == 2 && info.channels == 3 && !info.notes, "%d planes", (int)info.planes);
    CHECK(info.axis_count == 1 && info.lengths[0] == 2 && !strcmp(info.axes, named ? "T" : "Z"), "%s", info.axes);
    GOOD(flowmask_file_free(file));
  }
}

// A file with two images, each of which is a stack, and a file whose description is not true.
static void test_stacks(void) {
  const char *one = "<OME><Image Name=\"left\"><Pixels DimensionOrder=\"XYZCT\" SizeZ=\"2\" PhysicalSizeX=\"0.5\" "
                    "PhysicalSizeY=\"0.25\" PhysicalSizeZ=\"3\"><TiffData IFD=\"2\" PlaneCount=\"2\"/></Pixels></Image>"
                    "<Image Name=\"right\"><Pixels DimensionOrder=\"XYZCT\" SizeT=\"2\">"
                    "<TiffData IFD=\"0\" PlaneCount=\"2\"/></Pixels></Image></OME>";
  write_tiff("two.tif", 4, one);
  flowmask_file *file = NULL;
  flowmask_image image;
  image.size = sizeof image;
  uint64_t stacks = 0;
  GOOD(flowmask_read(in_folder("two.tif"), NULL, &file));
  GOOD(flowmask_file_stacks(file, &stacks));
  CHECK(stacks == 2, "%d stacks", (int)stacks);
  flowmask_stack_info left = info_of(file, 0), right = info_of(file, 1);
  CHECK(!strcmp(left.name, "left") && !strcmp(right.name, "right"), "%s, %s", left.name, right.name);
  CHECK(left.series == 1 && right.series == 2, "%u, %u", left.series, right.series);
  CHECK(!strcmp(left.axes, "Z") && !strcmp(right.axes, "T"), "%s, %s", left.axes, right.axes);
  CHECK(left.pixel_width == 0.5 && left.pixel_height == 0.25 && left.plane_distance == 3, "%f", left.pixel_width);
  CHECK(left.unit && !strcmp(left.unit, "\xc2\xb5m") && right.pixel_width == 0, "%s", left.unit);
  for (uint64_t i = 0; i < 4; i++) {
    GOOD(flowmask_file_image(file, i / 2, i % 2, &image));
    CHECK(image.height == 2 && image.width == 3 && image.channels == 1 && image.type == FLOWMASK_U8, "plane %d", (int)i);
    CHECK(((const uint8_t *)image.data)[5] == (i + 2) % 4, "plane %d", (int)i);
  }
  GOOD(flowmask_file_free(file));

  flowmask_read_options options = read_options();
  options.series = 2;
  GOOD(flowmask_read(in_folder("two.tif"), &options, &file));
  GOOD(flowmask_file_stacks(file, &stacks));
  CHECK(stacks == 1 && info_of(file, 0).series == 2, "%d stacks", (int)stacks);
  GOOD(flowmask_file_free(file));
  options.series = 3;
  BAD(FLOWMASK_ERROR_FILE, "no image 3", flowmask_read(in_folder("two.tif"), &options, &file));

  write_tiff("cut.tif", 3, "<?xml version=\"1.0\"?><OME><Image><Pixels SizeT=");
  GOOD(flowmask_read(in_folder("cut.tif"), NULL, &file));
  const char *text = NULL;
  uint32_t warning = 0;
  CHECK(info_of(file, 0).notes >= 1, "no note");
  GOOD(flowmask_file_note(file, 0, 0, &text, &warning));
  CHECK(warning == 1 && strlen(text) > 0, "%u %s", warning, text);
  GOOD(flowmask_file_free(file));
}

// Planes of a file give the labels of Rust, and the label file has the axes of the image.
static void test_labels(flowmask_session *session, const scene *s) {
  flowmask_read_options reading = read_options();
  reading.axes = "TCYX";
  flowmask_file *file = NULL, *back = NULL;
  GOOD(flowmask_read(in_folder("array.npy"), &reading, &file));
  flowmask_image planes[2];
  const flowmask_image *images[2] = {&planes[0], &planes[1]};
  for (uint64_t i = 0; i < 2; i++) {
    planes[i].size = sizeof planes[i];
    GOOD(flowmask_file_image(file, 0, i, &planes[i]));
  }
  flowmask_options options = options_of(DIAMETER);
  options.channel = 2;
  flowmask_result *results[2];
  GOOD(flowmask_segment_many(session, images, 2, &options, results, NULL));
  for (int i = 0; i < 2; i++) check_labels(results[i], s);

  flowmask_save_options saving;
  GOOD(flowmask_save_options_default(&saving, sizeof saving));
  CHECK(saving.format == FLOWMASK_FORMAT_TIF && !saving.overwrite && !saving.file && !saving.stack, "other defaults");
  saving.file = file;
  // The second time, the file says that it is flowmask's.
  for (int i = 0; i < 2; i++) GOOD(flowmask_save_labels(in_folder("labels.tif"), results, 2, &saving));
  GOOD(flowmask_read(in_folder("labels.tif"), NULL, &back));
  flowmask_stack_info info = info_of(back, 0);
  CHECK(!strcmp(info.axes, "T") && info.planes == 2 && info.type == FLOWMASK_U16, "%s", info.axes);
  GOOD(flowmask_file_image(back, 0, 1, &planes[0]));
  for (uint64_t i = 0; i < s->height * s->width; i++)
    CHECK(((const uint16_t *)planes[0].data)[i] == s->labels[i], "pixel %d", (int)i);
  GOOD(flowmask_file_free(back));
  GOOD(flowmask_save_labels(in_folder("labels.tif"), results, 2, NULL));
  GOOD(flowmask_read(in_folder("labels.tif"), NULL, &back));
  CHECK(!strcmp(info_of(back, 0).axes, "Z"), "%s", info_of(back, 0).axes);
  GOOD(flowmask_file_free(back));

  const flowmask_status A = FLOWMASK_ERROR_ARGUMENT, F = FLOWMASK_ERROR_FILE, I = FLOWMASK_ERROR_IMAGE;
  BAD(A, "path: is NULL", flowmask_save_labels(NULL, results, 2, &saving));
  BAD(A, "results: is NULL", flowmask_save_labels(in_folder("x"), NULL, 2, &saving));
  BAD(A, "count", flowmask_save_labels(in_folder("x"), results, UINT64_MAX, &saving));
  BAD(I, "no labels", flowmask_save_labels(in_folder("x"), results, 0, &saving));
  BAD(I, "do not fill the axes", flowmask_save_labels(in_folder("x"), results, 1, &saving));
  BAD(F, "no folder", flowmask_save_labels(in_folder("no folder/x.tif"), results, 2, &saving));
  // What is there is not flowmask's.
  BAD(F, "cut.tif", flowmask_save_labels(in_folder("cut.tif"), results, 2, &saving));
  GOOD(flowmask_read(in_folder("cut.tif"), NULL, &back));
  CHECK(info_of(back, 0).height == 2, "cut.tif was replaced");
  GOOD(flowmask_file_free(back));
  saving.overwrite = 1;
  GOOD(flowmask_save_labels(in_folder("cut.tif"), results, 2, &saving));
  saving.format = FLOWMASK_FORMAT_PNG;
  BAD(F, "one plane", flowmask_save_labels(in_folder("x.png"), results, 2, &saving));
  saving.format = 3;
  BAD(A, "3 is not a flowmask_format", flowmask_save_labels(in_folder("x"), results, 2, &saving));
  saving.format = FLOWMASK_FORMAT_NPY;
  saving.stack = 1;
  BAD(A, "stack: is 1, but there are 1", flowmask_save_labels(in_folder("x"), results, 2, &saving));
  saving.stack = 0;
  saving.reserved = 1;
  BAD(A, "reserved is not 0", flowmask_save_labels(in_folder("x"), results, 2, &saving));
  saving.reserved = 0;
  saving.size = 31;
  BAD(A, "save_options: its field size", flowmask_save_labels(in_folder("x"), results, 2, &saving));
  BAD(A, "save_options: its field size", flowmask_save_options_default(&saving, 31));
  saving.size = sizeof saving;
  GOOD(flowmask_file_free(file));
  BAD(FLOWMASK_ERROR_HANDLE, "file: ", flowmask_save_labels(in_folder("x"), results, 2, &saving));
  for (int i = 0; i < 2; i++) GOOD(flowmask_result_free(results[i]));
  BAD(FLOWMASK_ERROR_HANDLE, "result: ", flowmask_save_labels(in_folder("x"), results, 2, NULL));
}

// Each wrong argument, option and file.
static void test_wrong(void) {
  const flowmask_status A = FLOWMASK_ERROR_ARGUMENT, F = FLOWMASK_ERROR_FILE, O = FLOWMASK_ERROR_OPTION;
  flowmask_file *file = NULL;
  const char *text = NULL;
  uint32_t warning = 0;
  uint64_t count = 7;
  flowmask_stack_info info;
  flowmask_image image;
  info.size = sizeof info, image.size = sizeof image;
  flowmask_read_options options = read_options();
  BAD(A, "path: is NULL", flowmask_read(NULL, NULL, &file));
  BAD(A, "file: is NULL", flowmask_read("x", NULL, NULL));
  BAD(F, "no such.tif", flowmask_read(in_folder("no such.tif"), NULL, &file));
  BAD(F, "\xef\xbf\xbd.tif", flowmask_read(in_folder("\xff.tif"), NULL, &file));
  BAD(F, "labels.raw", flowmask_read(in_folder("labels.raw"), NULL, &file));
  options.size = 23;
  BAD(A, "read_options: its field size", flowmask_read(in_folder("array.npy"), &options, &file));
  BAD(A, "read_options: its field size", flowmask_read_options_default(&options, 23));
  BAD(A, "read_options: is NULL", flowmask_read_options_default(NULL, 24));
  options = read_options();
  options.channel_axis = options.z_axis = 0;
  BAD(O, "option z_axis", flowmask_read(in_folder("array.npy"), &options, &file));
  options.axes = "TCYX";
  BAD(O, "option axes", flowmask_read(in_folder("array.npy"), &options, &file));
  options = read_options();
  options.axes = "TCYY";
  BAD(O, "option axes", flowmask_read(in_folder("array.npy"), &options, &file));
  options.axes = "\xff";
  BAD(A, "axes: is not UTF-8", flowmask_read(in_folder("array.npy"), &options, &file));
  options.axes = NULL;
  options.memory = 10;
  BAD(FLOWMASK_ERROR_MEMORY, "array.npy needs", flowmask_read(in_folder("array.npy"), &options, &file));
  options = read_options();
  options.axes = "CYX";
  BAD(F, "array.npy", flowmask_read(in_folder("array.npy"), &options, &file));
  options = read_options();
  options.channel_axis = 4;
  BAD(F, "array.npy", flowmask_read(in_folder("array.npy"), &options, &file));
  CHECK(!file, "a file");

  GOOD(flowmask_read(in_folder("array.npy"), NULL, &file));
  BAD(A, "count: is NULL", flowmask_file_stacks(file, NULL));
  BAD(A, "stack: is 1", flowmask_file_describe(file, 1, &info));
  BAD(A, "stack_info: is NULL", flowmask_file_describe(file, 0, NULL));
  info.size = 111;
  BAD(A, "stack_info: its field size", flowmask_file_describe(file, 0, &info));
  info.size = sizeof info;
  BAD(A, "stack: is 1", flowmask_file_note(file, 1, 0, &text, &warning));
  BAD(A, "note: is 1", flowmask_file_note(file, 0, 1, &text, &warning));
  BAD(A, "text: is NULL", flowmask_file_note(file, 0, 0, NULL, &warning));
  BAD(A, "warning: is NULL", flowmask_file_note(file, 0, 0, &text, NULL));
  BAD(A, "stack: is", flowmask_file_image(file, UINT64_MAX, 0, &image));
  BAD(A, "plane: is 3, but there are 3", flowmask_file_image(file, 0, 3, &image));
  BAD(A, "image: is NULL", flowmask_file_image(file, 0, 0, NULL));
  GOOD(flowmask_file_free(file));
  GOOD(flowmask_file_free(NULL));
  const flowmask_status H = FLOWMASK_ERROR_HANDLE;
  BAD(H, "freed before", flowmask_file_free(file));
  for (int i = 0; i < 2; i++) {
    const flowmask_file *wrong = i ? file : NULL;
    BAD(H, "file: ", flowmask_file_stacks(wrong, &count));
    BAD(H, "file: ", flowmask_file_describe(wrong, 0, &info));
    BAD(H, "file: ", flowmask_file_note(wrong, 0, 0, &text, &warning));
    BAD(H, "file: ", flowmask_file_image(wrong, 0, 0, &image));
  }
  CHECK(!count && !text, "an output was set");
}

void test_files(flowmask_model *model, const scene *s, const char *path) {
  folder = path;
  flowmask_session *session = NULL;
  GOOD(flowmask_session_new(model, &session));
  write_npy("array.npy", s);
  test_axes(s);
  test_stacks();
  test_labels(session, s);
  test_wrong();
  GOOD(flowmask_session_free(session));
}
