// flowmask: finds every cell in a microscope image, with the network of Cellpose 1 to 3.
//
//   flowmask_model *model = NULL;
//   flowmask_session *session = NULL;
//   flowmask_result *result = NULL;
//   flowmask_image image = {sizeof image, FLOWMASK_U16, pixels, height, width, 1, 0, 0, 0};
//   const uint32_t *labels = NULL;
//   if (flowmask_model_load("nuclei", NULL, &model) || flowmask_session_new(model, &session) ||
//       flowmask_segment(session, &image, NULL, &result) || flowmask_result_labels(result, &labels))
//     fprintf(stderr, "%s\n", flowmask_last_error(NULL));
//   flowmask_result_free(result);
//   flowmask_session_free(session);
//   flowmask_model_free(model);
//
// Status. Every function that can fail returns FLOWMASK_OK, which is 0, or says why not; flowmask_last_error has the
// sentence. Outputs come last, and are 0 or NULL after a failure. Nothing is printed, and no panic leaves the library.
//
// Handles. Models, sessions and results are freed in any order; NULL is freed without effect. A handle that was freed
// before, or is one of another type, is FLOWMASK_ERROR_HANDLE.
//
// Memory. Pixels, names, options and bytes belong to the caller, who may free them when the call returns. Arrays of a
// result belong to the result.
//
// Threads. A model and a result may be used by all threads at the same time, a session by one: each thread makes its
// own, which costs nothing. A session in two threads is FLOWMASK_ERROR_BUSY in one of them. Freeing is safe at any time,
// but for arrays of a result that another thread still reads. Callbacks must not throw, and must not use their own
// session; log may be called by several sessions at the same time.
//
// Versions. Structs begin with their size, and fields are only ever added at their end: one of an older header is
// taken, with the defaults for the rest, and one of a later header when the rest is 0. No field is an enum, so that its
// size is known. FLOWMASK_ABI_VERSION changes when anything else does.


#ifndef FLOWMASK_H
#define FLOWMASK_H

#include <stdint.h>

// The version of this interface. It rises when something that was there changes; functions, and fields at the end of
// structs, are added without.
#define FLOWMASK_ABI_VERSION 1

// A diameter that is estimated from the image.
#define FLOWMASK_DIAMETER_AUTO -1.0

// What became of a call.
typedef enum {
  // Done.
  FLOWMASK_OK = 0,
  // A pointer is NULL or not aligned, a struct has a wrong size, or a number stands for nothing.
  FLOWMASK_ERROR_ARGUMENT = 1,
  // A handle was freed, or is one of something else.
  FLOWMASK_ERROR_HANDLE = 2,
  // The session is at work in another thread, or the call came from its callback.
  FLOWMASK_ERROR_BUSY = 3,
  // The caller's buffer is too small.
  FLOWMASK_ERROR_BUFFER = 4,
  // An option is out of its range.
  FLOWMASK_ERROR_OPTION = 5,
  // An image has no pixels, a pixel that is not finite, or not the channel that was asked for.
  FLOWMASK_ERROR_IMAGE = 6,
  // A model is not there, damaged, or of another kind.
  FLOWMASK_ERROR_MODEL = 7,
  // A file cannot be read.
  FLOWMASK_ERROR_FILE = 8,
  // A GPU, its driver or its compiler is missing, or failed.
  FLOWMASK_ERROR_DEVICE = 9,
  // A callback said to stop.
  FLOWMASK_ERROR_CANCELLED = 10,
  // Threads cannot be started.
  FLOWMASK_ERROR_THREADS = 11,
  // A fault of the library.
  FLOWMASK_ERROR_INTERNAL = 12,
} flowmask_status;

// The type of a pixel's numbers, in the byte order of the machine.
typedef enum {
  // 8-bit unsigned integers.
  FLOWMASK_U8 = 1,
  // 16-bit unsigned integers.
  FLOWMASK_U16 = 2,
  // 32-bit floats.
  FLOWMASK_F32 = 3,
} flowmask_type;

// How much a message matters.
typedef enum {
  // What was done with an image.
  FLOWMASK_LOG_DEBUG = 0,
  // A model was loaded, and onto what.
  FLOWMASK_LOG_INFO = 1,
  // An image of several failed.
  FLOWMASK_LOG_WARNING = 2,
} flowmask_log_level;

// How a point reads the flow under it.
typedef enum {
  // Bilinear, as cellpose does in 2D on a CPU.
  FLOWMASK_SAMPLING_BILINEAR = 0,
  // Half a pixel off, as cellpose does on a GPU and in 3D.
  FLOWMASK_SAMPLING_GRID_SAMPLE = 1,
  // The flow of the pixel that the point is in.
  FLOWMASK_SAMPLING_NEAREST = 2,
} flowmask_sampling;

// Faults of the original that are reproduced.
typedef enum {
  // None.
  FLOWMASK_COMPAT_NONE = 0,
  // The small-mask filter of cellpose 3.1.1.
  FLOWMASK_COMPAT_3_1_1 = 1,
} flowmask_compat;

// In what a GPU computes the network.
typedef enum {
  // Half precision with sums in single precision, on the tensor cores.
  FLOWMASK_PRECISION_F16 = 0,
  // Single precision.
  FLOWMASK_PRECISION_F32 = 1,
} flowmask_precision;

// The arrays of a result, for flowmask_result_copy.
typedef enum {
  // uint32_t [height, width].
  FLOWMASK_LABELS = 0,
  // float [2, flows_height, flows_width].
  FLOWMASK_FLOWS = 1,
  // float [flows_height, flows_width].
  FLOWMASK_CELLPROB = 2,
  // float: style_length of them.
  FLOWMASK_STYLE = 3,
  // uint32_t [polygons]: the label of each.
  FLOWMASK_POLYGON_LABELS = 4,
  // uint64_t [polygons]: where the points of each end, and those of the next begin.
  FLOWMASK_POLYGON_ENDS = 5,
  // uint32_t [points, 2]: x and y of each point of all polygons.
  FLOWMASK_POLYGON_POINTS = 6,
} flowmask_array;

// A network with its weights, ready to run on its devices. Threads may share it.
typedef struct flowmask_model flowmask_model;

// What was found in an image. It does not change: threads may share it.
typedef struct flowmask_result flowmask_result;

// A user of a model. Only one thread may use it at a time: make one for each.
typedef struct flowmask_session flowmask_session;

// A device that a model can be loaded onto.
typedef struct {
  // sizeof(flowmask_device): set it before the call.
  uint32_t size;
  // Compute capability of a GPU: 9 of 9.0; 0 for the processor.
  uint32_t capability_major;
  // 0 of 9.0.
  uint32_t capability_minor;
  // Multiprocessors of a GPU, threads of the processor.
  uint32_t units;
  // Bytes of a GPU's memory; 0 for the processor.
  uint64_t memory;
  // What device of flowmask_model_options takes: "cpu", "cuda:0".
  char id[16];
  // The name of the card; the instructions that the processor's convolutions use.
  char name[112];
} flowmask_device;

// Is given a message, which is there until it returns. It is called in the thread that called the library, in its
// midst, and must not throw.
typedef void (*flowmask_log_callback)(void *user_data, int32_t level, const char *message);

// Where and how a model runs. Begin with flowmask_model_options_default.
typedef struct {
  // sizeof(flowmask_model_options).
  uint32_t size;
  // Threads of the processor; 0 takes RAYON_NUM_THREADS, or one a core. Default 0.
  uint32_t threads;
  // A flowmask_precision. Default FLOWMASK_PRECISION_F16.
  int32_t precision;
  // 0.
  uint32_t reserved;
  // "cpu", "cuda", "cuda:1", "cuda:0,cuda:1", or "auto": all GPUs that can be used, or else the processor. NULL is
  // "cpu". Default NULL.
  const char *device;
  // Is told what happens to the model and in its sessions; may be NULL. The library itself prints nothing.
  flowmask_log_callback log;
  // The first argument of log.
  void *log_user_data;
} flowmask_model_options;

// What a model is.
typedef struct {
  // sizeof(flowmask_model_info): set it before the call.
  uint32_t size;
  // Channels that the network takes: 1, or 2 with the nuclei.
  uint32_t channels;
  // Numbers of a style vector.
  uint32_t style_length;
  // 1 when FLOWMASK_DIAMETER_AUTO can be used.
  uint32_t estimates_diameter;
  // The diameter in pixels to which the network expects cells to be scaled.
  double diam_mean;
  // The mean diameter in pixels of the cells that it was trained on.
  double diam_labels;
} flowmask_model_info;

// Is told the part of the work that is done, from 0 to 1; 0 stops the work, anything else goes on. It may be called in
// a thread of the library while the call waits, never twice at the same time, and must neither throw nor jump out.
typedef int32_t (*flowmask_progress_callback)(void *user_data, double done);

// What can be chosen for a call, with the names and defaults of cellpose 3.1.1. Begin with flowmask_options_default.
typedef struct {
  // sizeof(flowmask_options).
  uint32_t size;
  // The channel to segment: 0 is the mean of all, 1 the first. Default 0.
  uint32_t channel;
  // The channel of the nuclei: 0 is none, 1 the first. Default 0.
  uint32_t channel_nuclei;
  // A flowmask_sampling. Default FLOWMASK_SAMPLING_BILINEAR.
  int32_t sampling;
  // A flowmask_compat. Default FLOWMASK_COMPAT_NONE.
  int32_t compat;
  // Tiles that go through the network together; 0 chooses. Has no effect on the result. Default 0.
  uint32_t batch_size;
  // Side of a tile in pixels, a multiple of 16. Default 224.
  uint32_t bsize;
  // Steps along the flows; -1 chooses. Default -1.
  int32_t niter;
  // Masks of fewer pixels are dropped; 0 drops none. Default 15.
  uint64_t min_size;
  // Median diameter of the cells in pixels; 0 is the model's own, FLOWMASK_DIAMETER_AUTO estimates it. Default 0.
  double diameter;
  // The percentile of the intensities that becomes 0. Default 1.
  double percentile_low;
  // The percentile that becomes 1. Default 99.
  double percentile_high;
  // A mask is dropped when its flows differ more from the network's; 0 drops none. Default 0.4.
  double flow_threshold;
  // Pixels whose cell probability, a logit, exceeds this are in a cell. Default 0.
  double cellprob_threshold;
  // Masks that cover more than this part of the image are dropped. Default 0.4.
  double max_size_fraction;
  // Part of a tile that overlaps the next one, from 0.05 to 0.5. Default 0.1.
  double tile_overlap;
  // Whether intensities are brought to a common range. Default 1.
  uint32_t normalize;
  // Whether cells are dark on a bright ground. Default 0.
  uint32_t invert;
  // Whether flows are followed at the image's scale rather than at the network's. Default 1.
  uint32_t resample;
  // Whether masks that touch the border of the image are dropped. Default 0.
  uint32_t exclude_on_edges;
  // Whether to average over flipped tiles that overlap by half. Default 0.
  uint32_t augment;
  // Whether the result has the flows and the cell probability. Default 1.
  uint32_t flows;
  // Is told how far the work is, and can stop it; may be NULL. Default NULL.
  flowmask_progress_callback progress;
  // The first argument of progress. Default NULL.
  void *progress_user_data;
} flowmask_options;

// Pixels that the caller owns: they are read during a call, and not kept.
//
// The number at row y, column x and channel c is at data + y * stride_y + x * stride_x + c * stride_c. Strides are in
// bytes, of any alignment, and may be negative. One of 0 stands for rows, pixels and channels that follow each other
// without gaps: all three for [height, width, channels] as it is, stride_y alone for padded rows. Planes, one a
// channel, take stride_x and stride_c.
typedef struct {
  // sizeof(flowmask_image).
  uint32_t size;
  // A flowmask_type.
  int32_t type;
  // The first number of the first pixel.
  const void *data;
  // Rows, at least 1.
  uint64_t height;
  // Columns, at least 1.
  uint64_t width;
  // Channels, at least 1.
  uint64_t channels;
  // Bytes from a row to the next.
  int64_t stride_y;
  // Bytes from a pixel to the next in its row.
  int64_t stride_x;
  // Bytes from a channel to the next.
  int64_t stride_c;
} flowmask_image;

// Where the labels of an image go in the memory of a GPU: uint32_t [height, width].
typedef struct {
  // sizeof(flowmask_device_labels).
  uint32_t size;
  // 0.
  uint32_t reserved;
  // A device pointer to the first label.
  uint32_t *data;
  // Bytes from a row to the next; 0 stands for rows without gaps.
  int64_t stride_y;
} flowmask_device_labels;

// Numbers of a result.
typedef struct {
  // sizeof(flowmask_result_info): set it before the call.
  uint32_t size;
  // How many cells: labels are 1 to so many.
  uint32_t cells;
  // Rows of the labels.
  uint64_t height;
  // Columns of the labels.
  uint64_t width;
  // Rows of the flows: those of the image or, without resample, of the network's input; 0 without flows.
  uint64_t flows_height;
  // Columns of the flows.
  uint64_t flows_width;
  // Numbers of the style vector.
  uint64_t style_length;
  // The diameter in pixels by which the image was scaled.
  double diameter;
} flowmask_result_info;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The FLOWMASK_ABI_VERSION of the library that is running: check that it is the header's.
uint32_t flowmask_abi_version(void);

// The version of the library, such as "0.1.0". It is there for as long as the library is.
const char *flowmask_version(void);

// The name of a status, such as "FLOWMASK_ERROR_MODEL"; never NULL.
const char *flowmask_status_name(int32_t status);

// What went wrong last: in calls with this session or, for NULL, in this thread. A sentence in UTF-8, empty when
// nothing did; never NULL. It is there until the next call with the session, or in the thread.
//
// Where a thread is not known to be the same from one call to the next (virtual threads, async), use the session's.
const char *flowmask_last_error(const flowmask_session *session);

// What went wrong with one image of the last flowmask_segment_many or flowmask_segment_on_device of this session; empty
// when nothing did.
const char *flowmask_image_error(const flowmask_session *session,
                                 uint64_t image);

// How many devices there are: the processor, which comes first, and the GPUs that the driver shows. Why there are none
// of these is in flowmask_last_error(NULL) after a count of 1.
flowmask_status flowmask_device_count(uint32_t *count);

// Describes a device, counted from 0. A GPU is not opened for it.
flowmask_status flowmask_device_describe(uint32_t index, flowmask_device *device);

// Sets all fields to their defaults; size is sizeof(flowmask_model_options).
flowmask_status flowmask_model_options_default(flowmask_model_options *options, uint32_t size);

// Loads a model: "cyto" or "nuclei", which are in the library, "cellpose:NAME", which cellpose has downloaded, or the
// path of a file of safetensors or of PyTorch, in UTF-8. options may be NULL for the defaults. On a GPU, kernels may
// have to be compiled, which takes a while at the first time.
flowmask_status flowmask_model_load(const char *name,
                                    const flowmask_model_options *options,
                                    flowmask_model **model);

// Loads a model from the content of a file; name, which may be NULL, is for messages. The bytes are not kept.
flowmask_status flowmask_model_load_bytes(const void *bytes,
                                          uint64_t length,
                                          const char *name,
                                          const flowmask_model_options *options,
                                          flowmask_model **model);

// Says what a model is.
flowmask_status flowmask_model_describe(const flowmask_model *model, flowmask_model_info *info);

// Frees a model, or does nothing for NULL. Its sessions go on until they are freed.
flowmask_status flowmask_model_free(flowmask_model *model);

// Sets all fields to their defaults. size is sizeof(flowmask_options), so that a library of a later version writes
// no more than the caller has.
flowmask_status flowmask_options_default(flowmask_options *options,
                                         uint32_t size);

// Makes a session.
flowmask_status flowmask_session_new(const flowmask_model *model, flowmask_session **session);

// Frees a session, or does nothing for NULL. Its results stay.
flowmask_status flowmask_session_free(flowmask_session *session);

// Finds the cells of one image. options may be NULL for the defaults. result is to be freed with
// flowmask_result_free; it is NULL when the call fails.
flowmask_status flowmask_segment(flowmask_session *session,
                                 const flowmask_image *image,
                                 const flowmask_options *options,
                                 flowmask_result **result);

// The style vector of one image, without the work for the masks: length numbers, which is style_length of
// flowmask_model_describe.
flowmask_status flowmask_style(flowmask_session *session,
                               const flowmask_image *image,
                               const flowmask_options *options,
                               float *style,
                               uint64_t length);

// Finds the cells of count images of any sizes and types, in the shortest time: the tiles of several images go
// through the network together, and GPUs share the images. Each gets the labels that flowmask_segment gives it.
//
// images are pointers to the images, results has room for as many handles, each of which is to be freed, and
// statuses, unless it is NULL, for as many statuses. An image that fails does not stop the others: its result is
// NULL, and the call returns the status of the first that failed. flowmask_image_error has the message of each.
//
// progress of the options is called after each image; when it stops the work, the images that are not done fail with
// FLOWMASK_ERROR_CANCELLED.
flowmask_status flowmask_segment_many(flowmask_session *session,
                                      const flowmask_image *const *images,
                                      uint64_t count,
                                      const flowmask_options *options,
                                      flowmask_result **results,
                                      flowmask_status *statuses);

// Finds the cells of `count` images whose pixels are on a GPU, without a way through the host. data of the images are
// device pointers; they and the strides are multiples of the number's size.
//
// `device` is the 1 of "cuda:1", on which the model must have been loaded. `stream` is a CUstream or cudaStream_t of
// its primary context, or NULL for the default stream: pixels are read after the work that is in it, and what is put
// into it after the call comes after the labels.
//
// `labels` are pointers to where the labels go, one for each image: where it is NULL, or one of them is, they come to
// the result. A result whose labels are on the device has all the rest. Without flows in the options nothing but the
// style vector and the number of cells comes to the host.
//
// For `results`, `statuses` and errors see flowmask_segment_many. progress is called after each batch of tiles.
flowmask_status flowmask_segment_on_device(flowmask_session *session,
                                           uint32_t device,
                                           void *stream,
                                           const flowmask_image *const *images,
                                           const flowmask_device_labels *const *labels,
                                           uint64_t count,
                                           const flowmask_options *options,
                                           flowmask_result **results,
                                           flowmask_status *statuses);

// Says how large the arrays of a result are, and how many cells there are.
flowmask_status flowmask_result_describe(const flowmask_result *result, flowmask_result_info *info);

// The labels, [height, width] without gaps: 0 is background, cells are 1 to n in the order in which their first pixel
// comes in memory. They are there until the result is freed.
flowmask_status flowmask_result_labels(const flowmask_result *result,
                                       const uint32_t **labels);

// The flows, [2, flows_height, flows_width]: along y and along x, five times a unit vector. They are there until the
// result is freed.
flowmask_status flowmask_result_flows(const flowmask_result *result,
                                      const float **flows);

// The logit of being in a cell, [flows_height, flows_width]. It is there until the result is freed.
flowmask_status flowmask_result_cellprob(const flowmask_result *result, const float **cellprob);

// The style vector, style_length numbers of unit length. It is there until the result is freed.
flowmask_status flowmask_result_style(const flowmask_result *result, const float **style);

// How many polygons the outlines of the cells are: one for each part of a cell, and one for each hole. They are traced
// at the first call.
flowmask_status flowmask_result_polygon_count(const flowmask_result *result,
                                              uint64_t *count);

// A polygon: the cell's label, and x and y of count points, the last of which is joined to the first. Pixel (x, y)
// covers the square from (x, y) to (x + 1, y + 1); outer borders go clockwise on the screen, those of holes
// counterclockwise. Filled, the polygons of a cell are its pixels. The points are there until the result is freed.
flowmask_status flowmask_result_polygon(const flowmask_result *result,
                                        uint64_t index,
                                        uint32_t *label,
                                        const uint32_t **points,
                                        uint64_t *count);

// Copies an array, a flowmask_array, to a buffer of capacity bytes, and says how many it needed, which may be NULL.
// With a buffer of NULL and a capacity of 0 it only says that.
flowmask_status flowmask_result_copy(const flowmask_result *result,
                                     int32_t array,
                                     void *buffer,
                                     uint64_t capacity,
                                     uint64_t *needed);

// Frees a result, or does nothing for NULL.
flowmask_status flowmask_result_free(flowmask_result *result);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FLOWMASK_H */
