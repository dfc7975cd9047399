// Compares the C interface with the Rust library: main FOLDER HEIGHT WIDTH MODEL FILE, with pixels.raw (uint8_t) and
// labels.raw (uint32_t) in the folder. MODEL is a name or a path, and FILE has the same model.
#include "check.h"

const double DIAMETER = 19.5;
const char *model_name;
int random_weights;

static void *read_file(const char *folder, const char *name, size_t bytes) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  CHECK(file, "cannot open %s", path);
  void *data = malloc(bytes);
  CHECK(fread(data, 1, bytes, file) == bytes && fgetc(file) == EOF, "%s has not %zu bytes", path, bytes);
  fclose(file);
  return data;
}

flowmask_image image_of(const void *pixels, int32_t type, uint64_t height, uint64_t width, uint64_t channels) {
  flowmask_image image = {sizeof image, type, pixels, height, width, channels, 0, 0, 0};
  return image;
}

flowmask_options options_of(double diameter) {
  flowmask_options options;
  GOOD(flowmask_options_default(&options, sizeof options));
  options.diameter = diameter;
  if (random_weights) {
    // With random weights there are masks only when nothing is dropped.
    options.cellprob_threshold = -1e30;
    options.flow_threshold = 0;
    options.min_size = 1;
  }
  return options;
}

void check_labels(const flowmask_result *result, const scene *s) {
  flowmask_result_info info;
  info.size = sizeof info;
  GOOD(flowmask_result_describe(result, &info));
  CHECK(info.height == s->height && info.width == s->width, "%d by %d", (int)info.height, (int)info.width);
  const uint32_t *labels = NULL;
  GOOD(flowmask_result_labels(result, &labels));
  uint32_t most = 0;
  for (uint64_t i = 0; i < s->height * s->width; i++) {
    CHECK(labels[i] == s->labels[i], "pixel %d is %u and should be %u", (int)i, labels[i], s->labels[i]);
    most = labels[i] > most ? labels[i] : most;
  }
  CHECK(most == info.cells && most > 0, "%u cells, the last is %u", info.cells, most);
}

static void log_line(void *user_data, int32_t level, const char *message) {
  CHECK(level >= FLOWMASK_LOG_DEBUG && level <= FLOWMASK_LOG_WARNING, "level %d", level);
  CHECK(strlen(message) > 0, "nothing said");
  *(int *)user_data += 1;
}

int main(int argc, char **argv) {
  CHECK(argc == 6, "FOLDER HEIGHT WIDTH MODEL FILE");
  model_name = argv[4];
  random_weights = strcmp(model_name, "nuclei") != 0;
  scene s = {strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), NULL, NULL};
  s.pixels = (uint8_t *)read_file(argv[1], "pixels.raw", s.height * s.width);
  s.labels = (uint32_t *)read_file(argv[1], "labels.raw", s.height * s.width * 4);
  CHECK(flowmask_abi_version() == FLOWMASK_ABI_VERSION, "another header");
  char version[64];
  snprintf(version, sizeof version, "%d.%d.%d", FLOWMASK_VERSION_MAJOR, FLOWMASK_VERSION_MINOR, FLOWMASK_VERSION_PATCH);
  CHECK(!strcmp(flowmask_version(), version), "%s, not %s", flowmask_version(), version);

  int lines = 0;
  flowmask_model_options options;
  GOOD(flowmask_model_options_default(&options, sizeof options));
  options.log = log_line;
  options.log_user_data = &lines;
  options.threads = 2;
  flowmask_model *model = NULL;
  // The name may be freed after the call.
  char *name = strdup(model_name);
  GOOD(flowmask_model_load(name, &options, &model));
  free(name);
  CHECK(lines == 1, "%d lines", lines);
  test_images(model, &s);
  CHECK(lines > 1, "%d lines", lines);
  test_results(model, &s);
  test_many(model, &s);
  test_callbacks(model, &s);
  test_misuse(model, &s);
  test_files(model, &s, argv[1]);
  test_volumes(model, &s, argv[1]);
  options.log = NULL;
  flowmask_model *quiet = NULL;
  GOOD(flowmask_model_load(model_name, &options, &quiet));
  test_threads(quiet, &s);
  GOOD(flowmask_model_free(quiet));
  GOOD(flowmask_model_free(model));
  test_fork(&s);
  test_models(&s, argv[5]);
  free(s.pixels);
  free(s.labels);
  printf("the C interface is as it should be\n");
  return 0;
}
