// flowmask for C++17. Destructors free handles, and errors are thrown. flowmask.h documents the functions and structs.
#ifndef FLOWMASK_HPP
#define FLOWMASK_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "flowmask.h"

namespace flowmask {

// The error of a call: its status, and its message as what().
struct Error : std::runtime_error {
  Error(flowmask_status status, const char *message) : std::runtime_error(message), status(status) {}
  flowmask_status status;
};

// The library was loaded with another header than this.
inline void check_version() {
  if (flowmask_abi_version() != FLOWMASK_ABI_VERSION)
    throw Error(FLOWMASK_ERROR_ARGUMENT, "the library and its header have different versions");
}

inline void check(flowmask_status status) {
  if (status != FLOWMASK_OK) throw Error(status, flowmask_last_error(nullptr));
}

template <auto Free> struct Deleter {
  template <class T> void operator()(T *handle) const { Free(handle); }
};

inline flowmask_options options() {
  flowmask_options made;
  check(flowmask_options_default(&made, sizeof made));
  return made;
}

inline flowmask_read_options read_options() {
  flowmask_read_options made;
  check(flowmask_read_options_default(&made, sizeof made));
  return made;
}

inline flowmask_save_options save_options() {
  flowmask_save_options made;
  check(flowmask_save_options_default(&made, sizeof made));
  return made;
}

inline flowmask_stitch_options stitch_options() {
  flowmask_stitch_options made;
  check(flowmask_stitch_options_default(&made, sizeof made));
  return made;
}

inline flowmask_model_options model_options() {
  flowmask_model_options made;
  check(flowmask_model_options_default(&made, sizeof made));
  return made;
}

// The names of the built-in models.
inline std::vector<std::string> builtin_models() {
  std::vector<std::string> names;
  for (std::uint32_t i = 0; flowmask_builtin_model(i); i++) names.emplace_back(flowmask_builtin_model(i));
  return names;
}

// The processor and the GPUs.
inline std::vector<flowmask_device> devices() {
  std::uint32_t count;
  check(flowmask_device_count(&count));
  std::vector<flowmask_device> all(count);
  for (std::uint32_t i = 0; i < count; i++) {
    all[i].size = sizeof all[i];
    check(flowmask_device_describe(i, &all[i]));
  }
  return all;
}

// The type of a C++ number. uint16_t holds no FLOWMASK_F16: set the field type of the image for that.
template <class T> constexpr int type_of() {
  if (std::is_same_v<T, std::uint8_t>) return FLOWMASK_U8;
  if (std::is_same_v<T, std::uint16_t>) return FLOWMASK_U16;
  if (std::is_same_v<T, std::int16_t>) return FLOWMASK_I16;
  if (std::is_same_v<T, float>) return FLOWMASK_F32;
  if (std::is_same_v<T, double>) return FLOWMASK_F64;
  return 0;
}

// An image of pixels [height, width, channels] without gaps. The pixels are not copied. For pixels on a GPU, this is a
// device pointer.
template <class T>
flowmask_image image(const T *pixels, std::uint64_t height, std::uint64_t width, std::uint64_t channels = 1) {
  static_assert(type_of<T>() != 0, "pixels are uint8_t, uint16_t, int16_t, float or double");
  return {sizeof(flowmask_image), type_of<T>(), pixels, height, width, channels, 0, 0, 0};
}

// The planes of a volume of pixels [depth, height, width, channels] without gaps. The pixels are not copied.
template <class T>
std::vector<flowmask_image> planes(const T *pixels, std::uint64_t depth, std::uint64_t height, std::uint64_t width,
                                   std::uint64_t channels = 1) {
  std::vector<flowmask_image> all;
  for (std::uint64_t z = 0; z < depth; z++)
    all.push_back(image(pixels + z * height * width * channels, height, width, channels));
  return all;
}

// A place for labels on a GPU, of uint32_t [height, width] without gaps.
inline flowmask_device_labels device_labels(std::uint32_t *labels) {
  return {sizeof(flowmask_device_labels), 0, labels, 0};
}

struct Polygon {
  std::uint32_t label;
  std::vector<std::array<std::uint32_t, 2>> points;  // x, y
};

class Result {
 public:
  explicit Result(flowmask_result *handle) : handle(handle) {}

  flowmask_result_info info() const {
    flowmask_result_info info;
    info.size = sizeof info;
    check(flowmask_result_describe(handle.get(), &info));
    return info;
  }
  std::uint32_t cells() const { return info().cells; }
  // These arrays are valid as long as the Result.
  const std::uint32_t *labels() const { return array(flowmask_result_labels); }
  const float *flows() const { return array(flowmask_result_flows); }
  const float *cellprob() const { return array(flowmask_result_cellprob); }
  const float *style() const { return array(flowmask_result_style); }
  // A copy of the labels; an Error when there are more than 65535 cells.
  std::vector<std::uint16_t> labels_u16() const {
    std::uint64_t bytes;
    check(flowmask_result_copy(handle.get(), FLOWMASK_LABELS_U16, nullptr, 0, &bytes));
    std::vector<std::uint16_t> labels(bytes / 2);
    check(flowmask_result_copy(handle.get(), FLOWMASK_LABELS_U16, labels.data(), bytes, nullptr));
    return labels;
  }

  std::vector<Polygon> polygons() const {
    std::uint64_t count;
    check(flowmask_result_polygon_count(handle.get(), &count));
    std::vector<Polygon> all(count);
    for (std::uint64_t i = 0; i < count; i++) {
      const std::uint32_t *points;
      std::uint64_t n;
      check(flowmask_result_polygon(handle.get(), i, &all[i].label, &points, &n));
      for (std::uint64_t k = 0; k < n; k++) all[i].points.push_back({points[2 * k], points[2 * k + 1]});
    }
    return all;
  }

  flowmask_result *get() const { return handle.get(); }

 private:
  template <class T> const T *array(flowmask_status (*lend)(const flowmask_result *, const T **)) const {
    const T *values;
    check(lend(handle.get(), &values));
    return values;
  }
  std::unique_ptr<flowmask_result, Deleter<flowmask_result_free>> handle;
};

// The stacks of an image file. Images, texts and lengths are valid as long as the File.
class File {
 public:
  struct Note {
    std::string text;
    bool warning;
  };

  explicit File(const std::string &path, const flowmask_read_options &options = read_options()) {
    flowmask_file *made;
    check(flowmask_read(path.c_str(), &options, &made));
    handle.reset(made);
  }

  std::uint64_t stacks() const {
    std::uint64_t count;
    check(flowmask_file_stacks(handle.get(), &count));
    return count;
  }
  flowmask_stack_info info(std::uint64_t stack = 0) const {
    flowmask_stack_info info;
    info.size = sizeof info;
    check(flowmask_file_describe(handle.get(), stack, &info));
    return info;
  }
  std::vector<Note> notes(std::uint64_t stack = 0) const {
    std::vector<Note> all;
    for (std::uint32_t i = 0, count = info(stack).notes; i < count; i++) {
      const char *text;
      std::uint32_t warning;
      check(flowmask_file_note(handle.get(), stack, i, &text, &warning));
      all.push_back({text, warning != 0});
    }
    return all;
  }
  flowmask_image image(std::uint64_t plane = 0, std::uint64_t stack = 0) const {
    flowmask_image image;
    image.size = sizeof image;
    check(flowmask_file_image(handle.get(), stack, plane, &image));
    return image;
  }
  // All planes of a stack.
  std::vector<flowmask_image> images(std::uint64_t stack = 0) const {
    std::vector<flowmask_image> all(info(stack).planes);
    for (std::uint64_t i = 0; i < all.size(); i++) all[i] = image(i, stack);
    return all;
  }
  flowmask_file *get() const { return handle.get(); }

 private:
  std::unique_ptr<flowmask_file, Deleter<flowmask_file_free>> handle;
};

// Writes the labels of results to one file, each as a plane. Set the field file of the options to get() of the File that
// they belong to.
inline void save_labels(const std::string &path, const std::vector<Result> &results,
                        const flowmask_save_options &options = save_options()) {
  std::vector<flowmask_result *> handles;
  for (const Result &one : results) handles.push_back(one.get());
  check(flowmask_save_labels(path.c_str(), handles.data(), handles.size(), &options));
}

// Writes labels [planes, height, width] without gaps to one file.
inline void save_labels(const std::string &path, const std::uint32_t *labels, std::uint64_t planes, std::uint64_t height,
                        std::uint64_t width, const flowmask_save_options &options = save_options()) {
  check(flowmask_save_label_array(path.c_str(), labels, planes, height, width, &options));
}

// Joins the masks of neighbouring planes in labels [planes, height, width] without gaps. Returns the number of cells.
inline std::uint32_t stitch(std::uint32_t *labels, std::uint64_t planes, std::uint64_t height, std::uint64_t width,
                            const flowmask_stitch_options &options = stitch_options()) {
  std::uint32_t cells;
  check(flowmask_stitch(labels, planes, height, width, &options, &cells));
  return cells;
}

// Threads that several models share: set the field pool of their options to get().
class Pool {
 public:
  explicit Pool(std::uint32_t threads = 0) {
    flowmask_pool *made;
    check(flowmask_pool_new(threads, &made));
    handle.reset(made);
  }
  flowmask_pool *get() const { return handle.get(); }

 private:
  std::unique_ptr<flowmask_pool, Deleter<flowmask_pool_free>> handle;
};

// Threads may share a model.
class Model {
 public:
  explicit Model(const std::string &name, const flowmask_model_options &options = model_options()) {
    flowmask_model *made;
    check(flowmask_model_load(name.c_str(), &options, &made));
    handle.reset(made);
  }
  Model(const void *bytes, std::uint64_t length, const flowmask_model_options &options = model_options(),
        const char *name = nullptr) {
    flowmask_model *made;
    check(flowmask_model_load_bytes(bytes, length, name, &options, &made));
    handle.reset(made);
  }

  flowmask_model_info info() const {
    flowmask_model_info info;
    info.size = sizeof info;
    check(flowmask_model_describe(handle.get(), &info));
    return info;
  }
  flowmask_model *get() const { return handle.get(); }

 private:
  std::unique_ptr<flowmask_model, Deleter<flowmask_model_free>> handle;
};

// Only one thread may use a session at a time: make one for each thread.
class Session {
 public:
  // Gets the part that is done, from 0 to 1, and returns whether to go on. An exception that it throws leaves the call.
  using Progress = std::function<bool(double)>;

  explicit Session(const Model &model) {
    flowmask_session *made;
    check(flowmask_session_new(model.get(), &made));
    handle.reset(made);
  }

  Result segment(const flowmask_image &image, flowmask_options options = flowmask::options(),
                 const Progress &progress = nullptr) {
    Watch watch(progress, options);
    flowmask_result *found;
    watch.check(flowmask_segment(handle.get(), &image, &options, &found));
    return Result(found);
  }

  // Segments all images, or throws the error of the first that fails. flowmask_segment_many gives each its own error.
  std::vector<Result> segment(const std::vector<flowmask_image> &images,
                              flowmask_options options = flowmask::options(), const Progress &progress = nullptr) {
    Watch watch(progress, options);
    const auto pointers = pointers_to(images);
    std::vector<flowmask_result *> handles(images.size());
    const flowmask_status status = flowmask_segment_many(handle.get(), pointers.data(), pointers.size(), &options,
                                                         handles.data(), nullptr);
    return results(handles, watch, status);
  }

  // An image of many: its result, or its status and the message of its error.
  struct Outcome {
    flowmask_status status;
    std::string error;
    std::optional<Result> result;
  };

  // Segments all images, each with its own result or error. What concerns no single image is thrown.
  std::vector<Outcome> segment_each(const std::vector<flowmask_image> &images,
                                    flowmask_options options = flowmask::options(),
                                    const Progress &progress = nullptr) {
    Watch watch(progress, options);
    const auto pointers = pointers_to(images);
    std::vector<flowmask_result *> handles(images.size());
    // No image has this status, so it stays only when the call failed as a whole.
    std::vector<flowmask_status> statuses(images.size(), static_cast<flowmask_status>(-1));
    const flowmask_status status = flowmask_segment_many(handle.get(), pointers.data(), pointers.size(), &options,
                                                         handles.data(), statuses.data());
    if (watch.thrown || images.empty() || statuses[0] == static_cast<flowmask_status>(-1)) {
      results(handles, watch, status);
      return {};
    }
    std::vector<Outcome> outcomes;
    for (std::size_t i = 0; i < handles.size(); i++) {
      outcomes.push_back({statuses[i], flowmask_image_error(handle.get(), i), std::nullopt});
      if (handles[i]) outcomes.back().result.emplace(handles[i]);
    }
    return outcomes;
  }

  // Segments images on a GPU; flowmask_segment_on_device explains device and stream. labels has a place for each image,
  // or is empty, and then the labels are in the results.
  std::vector<Result> segment_on_device(std::uint32_t device, void *stream, const std::vector<flowmask_image> &images,
                                        const std::vector<flowmask_device_labels> &labels = {},
                                        flowmask_options options = flowmask::options(),
                                        const Progress &progress = nullptr) {
    if (!labels.empty() && labels.size() != images.size())
      throw Error(FLOWMASK_ERROR_ARGUMENT, "labels: there must be one for each image, or none");
    Watch watch(progress, options);
    const auto pointers = pointers_to(images);
    const auto targets = pointers_to(labels);
    std::vector<flowmask_result *> handles(images.size());
    const flowmask_status status =
        flowmask_segment_on_device(handle.get(), device, stream, pointers.data(), labels.empty() ? nullptr : targets.data(),
                                   pointers.size(), &options, handles.data(), nullptr);
    return results(handles, watch, status);
  }

  // The cells in flows [2, height, width] and cellprob [height, width] that come from elsewhere.
  Result masks_from_flows(const float *flows, const float *cellprob, std::uint64_t height, std::uint64_t width,
                          flowmask_options options = flowmask::options(), const Progress &progress = nullptr) {
    Watch watch(progress, options);
    flowmask_result *found;
    watch.check(flowmask_masks_from_flows(handle.get(), flows, cellprob, height, width, &options, &found));
    return Result(found);
  }

  // The same in flows [3, depth, height, width] and cellprob [depth, height, width].
  Result masks_from_volume_flows(const float *flows, const float *cellprob, std::uint64_t depth, std::uint64_t height,
                                 std::uint64_t width, flowmask_options options = flowmask::options(),
                                 const Progress &progress = nullptr) {
    Watch watch(progress, options);
    flowmask_result *found;
    watch.check(
        flowmask_masks_from_volume_flows(handle.get(), flows, cellprob, depth, height, width, &options, &found));
    return Result(found);
  }

  // The cells of a volume in three dimensions, from its planes along z.
  Result segment_volume(const std::vector<flowmask_image> &planes, flowmask_options options = flowmask::options(),
                        const Progress &progress = nullptr) {
    Watch watch(progress, options);
    const auto pointers = pointers_to(planes);
    flowmask_result *found;
    watch.check(flowmask_segment_volume(handle.get(), pointers.data(), pointers.size(), &options, &found));
    return Result(found);
  }

  // The cells of a volume from the masks of its planes, joined where their intersection over union is at least threshold: a
  // result for each plane, with one label for a cell in all of them.
  std::vector<Result> segment_stack(const std::vector<flowmask_image> &planes, double threshold,
                                    flowmask_options options = flowmask::options(), const Progress &progress = nullptr) {
    Watch watch(progress, options);
    const auto pointers = pointers_to(planes);
    std::vector<flowmask_result *> handles(planes.size());
    const flowmask_status status = flowmask_segment_stack(handle.get(), pointers.data(), pointers.size(), threshold,
                                                          &options, handles.data());
    return results(handles, watch, status);
  }

  // The style vector alone. length is the style_length of the model's info.
  std::vector<float> style(const flowmask_image &image, std::uint64_t length,
                           flowmask_options options = flowmask::options()) {
    std::vector<float> style(length);
    check(flowmask_style(handle.get(), &image, &options, style.data(), length));
    return style;
  }

  flowmask_session *get() const { return handle.get(); }

 private:
  template <class T> static std::vector<const T *> pointers_to(const std::vector<T> &structs) {
    std::vector<const T *> pointers;
    for (const T &one : structs) pointers.push_back(&one);
    return pointers;
  }
  // Wraps a C++ function as a C callback.
  struct Watch {
    Watch(const Progress &progress, flowmask_options &options) : progress(progress) {
      if (!progress) return;
      options.progress = call;
      options.progress_user_data = this;
    }
    static std::int32_t call(void *self, double done) {
      Watch *watch = static_cast<Watch *>(self);
      try {
        return watch->progress(done);
      } catch (...) {
        watch->thrown = std::current_exception();
        return 0;
      }
    }
    void check(flowmask_status status) const {
      if (thrown) std::rethrow_exception(thrown);
      flowmask::check(status);
    }
    const Progress &progress;
    std::exception_ptr thrown;
  };
  static std::vector<Result> results(const std::vector<flowmask_result *> &handles, const Watch &watch,
                                     flowmask_status status) {
    std::vector<Result> found;
    found.reserve(handles.size());
    for (flowmask_result *one : handles) found.emplace_back(one);
    watch.check(status);
    return found;
  }
  std::unique_ptr<flowmask_session, Deleter<flowmask_session_free>> handle;
};

}  // namespace flowmask

#endif
