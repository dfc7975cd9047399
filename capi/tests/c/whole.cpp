// Tests all of flowmask.hpp: whole FOLDER HEIGHT WIDTH MODEL, with the files of main.c.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <flowmask.hpp>
#include <iterator>

#define CHECK(condition) \
  if (!(condition)) std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), std::exit(1)

template <class T> static std::vector<T> read(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  const T *values = reinterpret_cast<const T *>(bytes.data());
  return {values, values + bytes.size() / sizeof(T)};
}

int main(int, char **argv) {
  using namespace flowmask;
  check_version();
  const std::string folder = argv[1];
  const std::uint64_t height = std::strtoull(argv[2], nullptr, 10), width = std::strtoull(argv[3], nullptr, 10);
  const auto pixels = read<std::uint8_t>(folder + "/pixels.raw");
  const auto labels = read<std::uint32_t>(folder + "/labels.raw");
  CHECK(pixels.size() == height * width && labels.size() == pixels.size());
  CHECK(builtin_models() == (std::vector<std::string>{"cyto", "nuclei"}));
  CHECK(devices().at(0).id == std::string("cpu"));

  const Pool pool(2);
  flowmask_model_options where = model_options();
  where.pool = pool.get();
  const Model model(argv[4], where), other(argv[4], where);
  flowmask_options wanted = options();
  wanted.diameter = 19.5;
  if (argv[4] != std::string("nuclei")) wanted.cellprob_threshold = -1e30, wanted.flow_threshold = 0, wanted.min_size = 1;

  Session session(model);
  double last = 0;
  const auto picture = image(pixels.data(), height, width);
  const Result found = session.segment(picture, wanted, [&](double done) { return last = done, true; });
  CHECK(last == 1);
  for (std::size_t i = 0; i < labels.size(); i++) CHECK(found.labels()[i] == labels[i]);
  const auto narrow = found.labels_u16();
  CHECK(std::vector<std::uint32_t>(narrow.begin(), narrow.end()) == labels);
  CHECK(found.polygons().size() >= found.cells());
  const std::uint64_t length = model.info().style_length;
  CHECK(session.style(picture, length, wanted) == std::vector<float>(found.style(), found.style() + length));

  const std::vector<double> doubles(pixels.begin(), pixels.end());
  const std::vector<std::int16_t> shorts(pixels.begin(), pixels.end());
  const auto both = session.segment({image(doubles.data(), height, width), image(shorts.data(), height, width)}, wanted);
  for (const Result &one : both) CHECK(one.labels_u16() == narrow);

  flowmask_image broken = picture;
  broken.type = 99;
  const auto outcomes = Session(other).segment_each({picture, broken}, wanted);
  CHECK(outcomes.at(0).status == FLOWMASK_OK && outcomes[0].result->labels_u16() == narrow);
  CHECK(outcomes.at(1).status == FLOWMASK_ERROR_ARGUMENT && !outcomes[1].result);
  CHECK(outcomes[1].error.find("99 is not a flowmask_type") != std::string::npos);

  flowmask_options after = wanted;
  after.niter = static_cast<std::int32_t>(200 * wanted.diameter / model.info().diam_mean);
  CHECK(session.masks_from_flows(found.flows(), found.cellprob(), height, width, after).labels_u16() == narrow);

  // A volume of six planes that lie in one another, and its planes joined.
  std::vector<std::uint8_t> voxels;
  for (int z = 0; z < 6; z++)
    for (int y = 0; y < 18; y++) voxels.insert(voxels.end(), &pixels[(z + y) * width], &pixels[(z + y) * width] + 20);
  flowmask_options deep = wanted;
  deep.bsize = 32, deep.cellprob_threshold = -1e30, deep.flow_threshold = 0, deep.min_size = 1, deep.max_size_fraction = 10;
  deep.anisotropy = 1.5, deep.flow3d_smooth[0] = 1, deep.flow3d_smooth[1] = 0.5;
  const auto six = planes(voxels.data(), 6, 18, 20);
  const Result volume = session.segment_volume(six, deep, [&](double done) { return last = done, true; });
  const auto want = read<std::uint32_t>(folder + "/volume.raw"), want_stack = read<std::uint32_t>(folder + "/stack.raw");
  CHECK(last == 1 && volume.info().depth == 6 && std::equal(want.begin(), want.end(), volume.labels()));
  const auto stitched = session.segment_stack(six, 0.25, deep);
  for (std::size_t z = 0; z < 6; z++)
    CHECK(std::equal(stitched[z].labels(), stitched[z].labels() + 360, want_stack.begin() + 360 * z));
  CHECK(session.masks_from_volume_flows(volume.flows(), volume.cellprob(), 6, 18, 20, deep).info().depth == 6);
  std::uint32_t two[] = {1, 1, 2, 1};
  CHECK(stitch(two, 2, 1, 2) == 1 && two[2] == 1);
  save_labels(folder + "/two.tif", two, 2, 1, 2);
  CHECK(File(folder + "/two.tif").info().planes == 2);

  // A label file is read again: 16 bits in two planes, which have the axis of depth.
  save_labels(folder + "/labels.tif", both);
  flowmask_read_options how = read_options();
  how.axes = "TYX";
  const File stack(folder + "/labels.tif"), movie(folder + "/labels.tif", how);
  CHECK(stack.stacks() == 1 && stack.info().axes == std::string("Z") && stack.notes().empty());
  const auto planes = movie.images();
  CHECK(planes.size() == 2 && movie.info().axes == std::string("T") && planes[1].type == FLOWMASK_U16);
  for (const flowmask_image &plane : planes)
    CHECK(std::equal(narrow.begin(), narrow.end(), static_cast<const std::uint16_t *>(plane.data)));
  flowmask_save_options over = save_options();
  over.file = movie.get();
  save_labels(folder + "/labels.tif", both, over);
  CHECK(File(folder + "/labels.tif").info().axes == std::string("T"));
  try {
    File("no such file");
    CHECK(false);
  } catch (const Error &error) {
    CHECK(error.status == FLOWMASK_ERROR_FILE);
  }

  // A function that stops, and one that throws.
  try {
    session.segment(picture, wanted, [](double) { return false; });
    CHECK(false);
  } catch (const Error &error) {
    CHECK(error.status == FLOWMASK_ERROR_CANCELLED);
  }
  try {
    session.segment_each({picture}, wanted, [](double) -> bool { throw 7; });
    CHECK(false);
  } catch (int thrown) {
    CHECK(thrown == 7);
  }
  try {
    session.segment_on_device(0, nullptr, {picture}, {device_labels(nullptr), device_labels(nullptr)});
    CHECK(false);
  } catch (const Error &error) {
    CHECK(error.status == FLOWMASK_ERROR_ARGUMENT);
  }
  try {
    session.segment_on_device(0, nullptr, {picture});
    CHECK(false);
  } catch (const Error &error) {
    CHECK(error.status == FLOWMASK_ERROR_DEVICE);
  }
  std::puts("flowmask.hpp is as it should be");
}
