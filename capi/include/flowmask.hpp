// flowmask for C++17. Destructors free handles, and errors are thrown. flowmask.h documents the functions and structs.
#ifndef FLOWMASK_HPP
#define FLOWMASK_HPP

#include <array>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
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

inline flowmask_model_options model_options() {
  flowmask_model_options made;
  check(flowmask_model_options_default(&made, sizeof made));
  return made;
}

// An image of pixels [height, width, channels] without gaps, of uint8_t, uint16_t or float. The pixels are not copied.
template <class T>
flowmask_image image(const T *pixels, std::uint64_t height, std::uint64_t width, std::uint64_t channels = 1) {
  constexpr bool u8 = std::is_same_v<T, std::uint8_t>, u16 = std::is_same_v<T, std::uint16_t>;
  static_assert(u8 || u16 || std::is_same_v<T, float>, "pixels are uint8_t, uint16_t or float");
  const int type = u8 ? FLOWMASK_U8 : u16 ? FLOWMASK_U16 : FLOWMASK_F32;
  return {sizeof(flowmask_image), type, pixels, height, width, channels, 0, 0, 0};
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

// Threads may share a model.
class Model {
 public:
  explicit Model(const std::string &name, const flowmask_model_options &options = model_options()) {
    flowmask_model *made;
    check(flowmask_model_load(name.c_str(), &options, &made));
    handle.reset(made);
  }
  Model(const void *bytes, std::uint64_t length, const flowmask_model_options &options = model_options()) {
    flowmask_model *made;
    check(flowmask_model_load_bytes(bytes, length, nullptr, &options, &made));
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
    std::vector<const flowmask_image *> pointers;
    for (const flowmask_image &image : images) pointers.push_back(&image);
    std::vector<flowmask_result *> handles(images.size());
    const flowmask_status status = flowmask_segment_many(handle.get(), pointers.data(), pointers.size(), &options,
                                                         handles.data(), nullptr);
    std::vector<Result> found;
    found.reserve(handles.size());
    for (flowmask_result *one : handles) found.emplace_back(one);
    watch.check(status);
    return found;
  }

  flowmask_session *get() const { return handle.get(); }

 private:
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
  std::unique_ptr<flowmask_session, Deleter<flowmask_session_free>> handle;
};

}  // namespace flowmask

#endif
