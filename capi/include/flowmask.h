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
// Status. Every function that can fail returns a flowmask_status: FLOWMASK_OK, which is 0, or the kind of error.
// flowmask_last_error gives the error as a sentence, until the next call. Outputs are the last arguments, and are 0 or NULL
// after an error. The library prints nothing, and no panic leaves it.
//
// Forks. In a child process of the one that loaded a model, calls with that model and its sessions give
// FLOWMASK_ERROR_FORKED, since the child does not have their threads. Load the model again there. Results can be read and
// everything can be freed. A child that is forked while another thread is in a call of the library should not use it.
//
// Handles. Models, pools, sessions, files and results can be freed in any order; freeing NULL does nothing. Using a handle
// that was freed, or one of another type, gives FLOWMASK_ERROR_HANDLE.
//
// Memory. Pixels, names, options and bytes belong to the caller, who may free them when the call returns. Arrays of a
// result belong to the result, and are valid until it is freed; so do the pixels and texts of a file.
//
// Threads. Several threads may use a model, a file or a result at the same time. A session is for one thread at a time:
// make one for each thread, which costs nothing. When two threads use a session at the same time, one of them gets
// FLOWMASK_ERROR_BUSY. Handles can be freed at any time, but do not free a result while another thread reads its arrays.
// Callbacks must not throw, and must not use the session that calls them. Several sessions may call log at the same time.
//
// Versions. Structs begin with their size, and new fields are only ever added at their end. A struct of an older header
// gets the defaults for the fields that it lacks. A struct of a newer header is accepted when the fields that the library
// does not know are 0. No field is an enum, so that the size of every field is fixed. FLOWMASK_ABI_VERSION changes when
// anything else changes.


#ifndef FLOWMASK_H
#define FLOWMASK_H

#include <stdint.h>

// How the functions are declared. Programs that link the static library on Windows define FLOWMASK_STATIC.
#ifndef FLOWMASK_API
#if defined(_WIN32) && !defined(FLOWMASK_STATIC)
#define FLOWMASK_API __declspec(dllimport)
#elif defined(__GNUC__)
#define FLOWMASK_API __attribute__((visibility("default")))
#else
#define FLOWMASK_API
#endif
#endif


// The version of this interface. It rises when something existing changes, but not when functions or fields at the end of
// structs are added.
#define FLOWMASK_ABI_VERSION 2

// The version of this header and of the library that it belongs to. Before 1.0, a minor version may change what existed.
#define FLOWMASK_VERSION_MAJOR 0

// The second number of the version.
#define FLOWMASK_VERSION_MINOR 1

// The third number of the version.
#define FLOWMASK_VERSION_PATCH 0

// The diameter that stands for an estimate from the image.
#define FLOWMASK_DIAMETER_AUTO 0.0

// The diameter that stands for that of the model: of the cells that it was trained on, if its file tells, or else the one
// that images are scaled to.
#define FLOWMASK_DIAMETER_MODEL -1.0

// The axis that stands for the one that the file names or that its shape suggests.
#define FLOWMASK_AXIS_AUTO 2147483647

// The outcome of a call.
typedef enum {
  // The call succeeded.
  FLOWMASK_OK = 0,
  // A pointer is NULL or not aligned, a struct has a wrong size, or a number is not a value of its enum.
  FLOWMASK_ERROR_ARGUMENT = 1,
  // A handle was freed, or is of another type.
  FLOWMASK_ERROR_HANDLE = 2,
  // Another thread uses the session, or the call came from one of its callbacks.
  FLOWMASK_ERROR_BUSY = 3,
  // The caller's buffer is too small.
  FLOWMASK_ERROR_BUFFER = 4,
  // An option is out of its range.
  FLOWMASK_ERROR_OPTION = 5,
  // An image has no pixels, has a pixel that is not finite, or lacks the chosen channel.
  FLOWMASK_ERROR_IMAGE = 6,
  // A model was not found, or its file is damaged or not a model that can be used.
  FLOWMASK_ERROR_MODEL = 7,
  // A file cannot be read or written, or its axes do not fit.
  FLOWMASK_ERROR_FILE = 8,
  // A GPU, its driver or its compiler (NVRTC) is missing or failed.
  FLOWMASK_ERROR_DEVICE = 9,
  // The progress callback stopped the call.
  FLOWMASK_ERROR_CANCELLED = 10,
  // Threads cannot be started.
  FLOWMASK_ERROR_THREADS = 11,
  // There is a bug in the library.
  FLOWMASK_ERROR_INTERNAL = 12,
  // The model or the pool belongs to another process, of which this one is a fork: load the model again.
  FLOWMASK_ERROR_FORKED = 13,
  // There is too little memory for an image or a model. Another image or diameter may take less.
  FLOWMASK_ERROR_MEMORY = 14,
} flowmask_status;

// The type of the numbers in an image, in the byte order of the machine.
typedef enum {
  // 8-bit unsigned integers.
  FLOWMASK_U8 = 1,
  // 16-bit unsigned integers.
  FLOWMASK_U16 = 2,
  // 32-bit floats.
  FLOWMASK_F32 = 3,
  // 16-bit signed integers; on the host only.
  FLOWMASK_I16 = 4,
  // 16-bit floats (IEEE 754 binary16); on the host only.
  FLOWMASK_F16 = 5,
  // 64-bit floats, which are rounded to 32 bits; on the host only.
  FLOWMASK_F64 = 6,
} flowmask_type;

// How important a log message is.
typedef enum {
  // What was done with an image.
  FLOWMASK_LOG_DEBUG = 0,
  // A model was loaded, and onto which devices.
  FLOWMASK_LOG_INFO = 1,
  // One image of a call with several images failed.
  FLOWMASK_LOG_WARNING = 2,
} flowmask_log_level;

// How the flow at a point between pixels is read.
typedef enum {
  // Bilinear interpolation, as cellpose does in 2D on a CPU.
  FLOWMASK_SAMPLING_BILINEAR = 0,
  // Bilinear interpolation half a pixel off, as cellpose does on a GPU and in 3D.
  FLOWMASK_SAMPLING_GRID_SAMPLE = 1,
  // The flow of the pixel that contains the point.
  FLOWMASK_SAMPLING_NEAREST = 2,
} flowmask_sampling;

// Bugs of cellpose that are reproduced, for comparisons with it.
typedef enum {
  // None.
  FLOWMASK_COMPAT_NONE = 0,
  // Those of cellpose 3.1.1: after the flow check has dropped masks, its filter of small masks removes others than
  // the small ones; a mask may have several parts; a channel whose percentiles differ by at most 0.001 becomes
  // zeros; sharpening and smoothing stretch images that are not square; tiles that are normalised by themselves are
  // not inverted; a channel that is not there is scaled by lowhigh; norm3d has no effect on volumes; channels has none on
  // images of one channel.
  FLOWMASK_COMPAT_3_1_1 = 1,
} flowmask_compat;

// The number format in which a GPU computes the network.
typedef enum {
  // Half precision, with sums in single precision, on the tensor cores.
  FLOWMASK_PRECISION_F16 = 0,
  // Single precision throughout.
  FLOWMASK_PRECISION_F32 = 1,
} flowmask_precision;

// The arrays of a result, for flowmask_result_copy.
typedef enum {
  // uint32_t [height, width]; of a volume [depth, height, width].
  FLOWMASK_LABELS = 0,
  // float [2, flows_height, flows_width]; of a volume [3, flows_depth, flows_height, flows_width].
  FLOWMASK_FLOWS = 1,
  // float [flows_height, flows_width]; of a volume [flows_depth, flows_height, flows_width].
  FLOWMASK_CELLPROB = 2,
  // float [style_length]; of a volume [styles, style_length].
  FLOWMASK_STYLE = 3,
  // uint32_t [polygons]: the label of each polygon.
  FLOWMASK_POLYGON_LABELS = 4,
  // uint64_t [polygons]: the index at which the points of each polygon end, and those of the next begin.
  FLOWMASK_POLYGON_ENDS = 5,
  // uint32_t [points, 2]: x and y of the points of all polygons.
  FLOWMASK_POLYGON_POINTS = 6,
  // uint16_t: the labels; an error when there are more than 65535 cells.
  FLOWMASK_LABELS_U16 = 7,
} flowmask_array;

// The format of a label file.
typedef enum {
  // TIFF, one page for each plane; 16 bits, or 32 bits for labels above 65535.
  FLOWMASK_FORMAT_TIF = 0,
  // PNG with 16 bits: one plane, labels up to 65535.
  FLOWMASK_FORMAT_PNG = 1,
  // An array of NumPy; 16 bits, or 32 bits for labels above 65535.
  FLOWMASK_FORMAT_NPY = 2,
} flowmask_format;

// The pictures of an image file: one stack, or several if the file has several images. It never changes, so threads may
// share it.
typedef struct flowmask_file flowmask_file;

// A network with its weights, loaded onto its devices. Threads may share it.
typedef struct flowmask_model flowmask_model;

// Threads that several models compute on, so that they do not use more threads than the machine has.
typedef struct flowmask_pool flowmask_pool;

// What was found in an image or a volume. A result never changes, so threads may share it.
typedef struct flowmask_result flowmask_result;

// A session uses a model. Only one thread may use a session at a time: make one for each thread.
typedef struct flowmask_session flowmask_session;

// A device that a model can be loaded onto.
typedef struct {
  // sizeof(flowmask_device): set it before the call.
  uint32_t size;
  // Compute capability of a GPU, such as the 9 of 9.0; 0 for the processor.
  uint32_t capability_major;
  // The minor number of the compute capability, such as the 0 of 9.0; 0 for the processor.
  uint32_t capability_minor;
  // The number of multiprocessors of a GPU, or of threads of the processor.
  uint32_t units;
  // The memory of a GPU in bytes; 0 for the processor.
  uint64_t memory;
  // The device's name for flowmask_model_options.device, such as "cpu" or "cuda:0".
  char id[16];
  // The name of the GPU or, for the processor, of the instructions that the convolutions use.
  char name[112];
} flowmask_device;

// A function that gets the log messages. A message is valid until the function returns. level is a flowmask_log_level. The
// function runs in the thread that called the library, during the call, and must not throw.
typedef void (*flowmask_log_callback)(void *user_data, int32_t level, const char *message);

// Where and how a model runs. Call flowmask_model_options_default first, then set what differs.
typedef struct {
  // sizeof(flowmask_model_options).
  uint32_t size;
  // The number of threads; 0 takes the number in RAYON_NUM_THREADS, or one for each core. Default 0.
  uint32_t threads;
  // A flowmask_precision. Default FLOWMASK_PRECISION_F16.
  int32_t precision;
  // Must be 0.
  uint32_t reserved;
  // "cpu", "cuda" (the first GPU), "cuda:1", "cuda:0,cuda:1" or "auto" (all GPUs that can be used, or the processor if
  // there are none). NULL means "cpu". Default NULL.
  const char *device;
  // A function that gets the log messages of the model and its sessions; may be NULL. Default NULL.
  flowmask_log_callback log;
  // The first argument of log. Default NULL.
  void *log_user_data;
  // The threads to compute on, which other models may use too; threads is then not used. NULL starts threads for this
  // model alone. Default NULL.
  const flowmask_pool *pool;
  // The kernels of the convolutions in half precision on a GPU, by a name that `flowmask devices` shows, such as "sm_80".
  // NULL takes what is fastest on each kind of card; it is measured at the first use and kept. Default NULL.
  const char *kernels;
} flowmask_model_options;

// The properties of a model.
typedef struct {
  // sizeof(flowmask_model_info): set it before the call.
  uint32_t size;
  // The number of channels that the network takes: 1, or 2 if it also takes the nuclei.
  uint32_t channels;
  // The length of a style vector.
  uint32_t style_length;
  // 1 when the model can estimate the diameter (FLOWMASK_DIAMETER_AUTO), else 0.
  uint32_t estimates_diameter;
  // The diameter in pixels that cells have in the network's input; images are scaled to it.
  double diam_mean;
  // The mean diameter in pixels of the cells that the model was trained on.
  double diam_labels;
} flowmask_model_info;

// A function that gets the part of the call that is done, from 0 to 1. It is called at least ten times a second, and at
// last with 1. It returns 0 to stop the call, which takes no more than 100 ms, and anything else to go on. It may be called
// in a thread of the library while the call waits, but never in two threads at the same time. It must not throw, and must
// not leave with longjmp.
typedef int32_t (*flowmask_progress_callback)(void *user_data, double done);

// The options of a call, with the names and defaults of cellpose 3.1.1. Call flowmask_options_default first, then set what
// differs.
typedef struct {
  // sizeof(flowmask_options).
  uint32_t size;
  // The channel to segment, counted from 1; 0 means the mean of all channels. Default 0.
  uint32_t channel;
  // The channel of the nuclei, counted from 1; 0 means none. Default 0.
  uint32_t channel_nuclei;
  // A flowmask_sampling. Default FLOWMASK_SAMPLING_BILINEAR.
  int32_t sampling;
  // A flowmask_compat. Default FLOWMASK_COMPAT_NONE.
  int32_t compat;
  // How many tiles go through the network together; 0 lets the library choose. The result does not depend on it.
  // Default 0.
  uint32_t batch_size;
  // Height and width of a tile in pixels: a multiple of 16, from 32 to 4096. Default 224.
  uint32_t bsize;
  // Steps along the flows; 0 lets the library choose. Default 0.
  int32_t niter;
  // Masks of fewer pixels than this are dropped; 0 drops none. Default 15.
  uint64_t min_size;
  // Median diameter of the cells in pixels. FLOWMASK_DIAMETER_AUTO, which is 0, estimates it; FLOWMASK_DIAMETER_MODEL
  // takes the model's. Default FLOWMASK_DIAMETER_MODEL.
  double diameter;
  // The percentile of each channel that becomes 0. Default 1.
  double percentile_low;
  // The percentile of each channel that becomes 1. Default 99.
  double percentile_high;
  // A mask is dropped when the mean squared difference between the flows that follow from its shape and the network's
  // flows exceeds this; 0 drops none. Default 0.4.
  double flow_threshold;
  // Pixels whose cellprob (a logit, about -6 to 6) exceeds this are in a cell. Default 0.
  double cellprob_threshold;
  // Masks that cover more than this fraction of the image are dropped. Default 0.4.
  double max_size_fraction;
  // The fraction of a tile that overlaps the next tile, from 0.05 to 0.5. Default 0.1.
  double tile_overlap;
  // Whether intensities are scaled so that the percentiles become 0 and 1. Default 1.
  uint32_t normalize;
  // Whether the cells are dark on a bright background. Default 0.
  uint32_t invert;
  // Whether flows are followed at the size of the image (1) or of the network's input (0). Default 1.
  uint32_t resample;
  // Whether masks that touch the border of the image are dropped. Default 0.
  uint32_t exclude_on_edges;
  // Whether to average the network over flipped tiles that overlap by half, which is slower. Default 0.
  uint32_t augment;
  // Whether the result has the flows and cellprob. Default 1.
  uint32_t flows;
  // A function that gets the progress of the call, and can stop it; may be NULL. Default NULL.
  flowmask_progress_callback progress;
  // The first argument of progress. Default NULL.
  void *progress_user_data;
  // Whether a label keeps all its parts when they do not touch; else it becomes its largest part. Default 0.
  uint32_t keep_parts;
  // Must be 0.
  uint32_t reserved;
  // How many bytes of memory the call may use; what needs more is FLOWMASK_ERROR_MEMORY. 0 takes what the machine has
  // free. Default 0.
  uint64_t memory;
  // Of volumes: how many times farther apart planes are than pixels, from 0.01 to 100. Default 1.
  double anisotropy;
  // Of volumes: the standard deviations in voxels, along z, y and x, by which the flows are smoothed before they are
  // followed; 0 leaves them as they are. Default 0 each.
  double flow3d_smooth[3];
  // Of volumes: as flow_threshold, which has no effect on them; 0 drops none. Default 0.
  double flow3d_threshold;
  // In place of percentiles, the intensities that become 0 and 1: of the channel to segment, then of that of the
  // nuclei. When the last two numbers are equal, such as 0 and 0, the first two are for both channels; when each two
  // are equal, they stand for percentiles. The first two alone must not be equal. Default 0 each.
  double lowhigh[4];
  // Sharpens: the standard deviation in pixels of the Gaussian whose surround is subtracted; 0 does not. Default 0.
  double sharpen_radius;
  // Smooths: the standard deviation of the Gaussian in pixels; 0 does not. Default 0.
  double smooth_radius;
  // The height and width in pixels of blocks that have percentiles of their own; 0 takes those of the channel. Default 0.
  uint64_t tile_norm_blocksize;
  // The standard deviation, in blocks along y, by which the percentiles of blocks are smoothed once more. Default 1.
  double tile_norm_smooth3d;
  // The factor by which the image is scaled for the network; diameter must be FLOWMASK_DIAMETER_MODEL then. 0 scales by
  // the diameter. Default 0.
  double rescale;
  // Of volumes and stitched stacks: whether percentiles are those of all planes together. Default 1.
  uint32_t norm3d;
  // Whether the network gets the channels of the image as they are; channel and channel_nuclei have no effect then.
  // Default 0.
  uint32_t all_channels;
  // Whether labels are computed; 0 leaves them out, so that a result has the flows, cellprob and style only. Default 1.
  uint32_t compute_masks;
  // Must be 0.
  uint32_t reserved2;
} flowmask_options;

// Pixels that the caller owns. They are read during a call, and not kept.
//
// The number at row y, column x and channel c is at data + y * stride_y + x * stride_x + c * stride_c. Strides are in
// bytes. They need no alignment, and may be negative. A stride of 0 means no gaps: leave all three 0 for a dense array
// [height, width, channels], and set only stride_y for padded rows. For one plane after the other, one for each channel,
// set stride_x and stride_c.
typedef struct {
  // sizeof(flowmask_image).
  uint32_t size;
  // A flowmask_type.
  int32_t type;
  // The first number of the first pixel.
  const void *data;
  // The number of rows, at least 1.
  uint64_t height;
  // The number of columns, at least 1.
  uint64_t width;
  // The number of channels, at least 1.
  uint64_t channels;
  // Bytes from one row to the next.
  int64_t stride_y;
  // Bytes from one pixel to the next in the same row.
  int64_t stride_x;
  // Bytes from one channel to the next of the same pixel.
  int64_t stride_c;
} flowmask_image;

// Where the labels of an image go in the memory of a GPU: uint32_t [height, width].
typedef struct {
  // sizeof(flowmask_device_labels).
  uint32_t size;
  // Must be 0.
  uint32_t reserved;
  // A device pointer to the first label.
  uint32_t *data;
  // Bytes from one row to the next; 0 means rows without gaps.
  int64_t stride_y;
} flowmask_device_labels;

// The sizes of a result's arrays, the number of cells and the diameter.
typedef struct {
  // sizeof(flowmask_result_info): set it before the call.
  uint32_t size;
  // The number of cells. Their labels are 1 to this number.
  uint32_t cells;
  // The number of rows of the labels.
  uint64_t height;
  // The number of columns of the labels.
  uint64_t width;
  // The number of rows of the flows: that of the image or, with resample = 0, of the network's input; 0 without flows.
  uint64_t flows_height;
  // The number of columns of the flows.
  uint64_t flows_width;
  // The length of the style vector.
  uint64_t style_length;
  // The diameter of the cells in pixels that the image was scaled by.
  double diameter;
  // The number of planes of a volume; 0 for an image.
  uint64_t depth;
  // The number of planes of the flows of a volume; 0 for an image, and without flows.
  uint64_t flows_depth;
  // The number of style vectors: 1 for an image, and one for each plane across x of a volume; 0 without any.
  uint64_t styles;
} flowmask_result_info;

// What an image file does not say itself, or says wrongly. Call flowmask_read_options_default first, then set what differs.
//
// Axes are those of the whole array as tifffile and NumPy show it: first the axes over which the pages of a TIFF run, then
// rows and columns, then the samples of a pixel if there are several (before the rows if each sample has a plane of its
// own). Numbers of axes count from 0, negative ones from the end.
typedef struct {
  // sizeof(flowmask_read_options).
  uint32_t size;
  // The axis of the channels, which overrules what the file says. Default FLOWMASK_AXIS_AUTO.
  int32_t channel_axis;
  // The axis of depth, which overrules what the file says. Default FLOWMASK_AXIS_AUTO.
  int32_t z_axis;
  // Which image of a file that has several, counted from 1; 0 takes all. Default 0.
  uint32_t series;
  // A letter for each axis, slowest first, such as "TZCYX" or "YXC": Y, X, C or S for channels, Z, T, and others over
  // which planes run too. It overrules what the file says; channel_axis and z_axis must then be FLOWMASK_AXIS_AUTO. NULL
  // leaves it to the file. Default NULL.
  const char *axes;
  // The most memory for the content of a file, and for the pixels of its images, in bytes each; what needs more gives
  // FLOWMASK_ERROR_MEMORY. 0 takes what is free. Default 0.
  uint64_t memory;
} flowmask_read_options;

// A stack of planes that have the same size and type, and what the file says about it. The pointers are valid until the
// file is freed.
typedef struct {
  // sizeof(flowmask_stack_info): set it before the call.
  uint32_t size;
  // The flowmask_type of the pixels: FLOWMASK_U8, FLOWMASK_U16, or FLOWMASK_F32 for all others that a file can have.
  int32_t type;
  // The number of planes, at least 1.
  uint64_t planes;
  // The number of rows of a plane.
  uint64_t height;
  // The number of columns of a plane.
  uint64_t width;
  // The number of channels of a plane.
  uint64_t channels;
  // The width of a pixel, in unit; 0 when the file does not say it.
  double pixel_width;
  // The height of a pixel, in unit; 0 when the file does not say it.
  double pixel_height;
  // The distance of neighbouring planes along z, in unit; 0 when the file does not say it.
  double plane_distance;
  // The unit of length as the file has it, such as "µm" or "inch"; NULL when the file does not say it.
  const char *unit;
  // The name that the file gives to this image; NULL if there is none.
  const char *name;
  // A letter for each axis over which the planes run, slowest first, such as "TZ": T for time, Z for depth, Q where
  // nothing says what it is. It is empty for one plane.
  const char *axes;
  // The number of steps along each of these axes; their product is planes. NULL for one plane.
  const uint64_t *lengths;
  // The number of axes over which the planes run.
  uint32_t axis_count;
  // The number of this image in its file, counted from 1; 0 if the file has no other.
  uint32_t series;
  // The number of notes, for flowmask_file_note.
  uint32_t notes;
  // 0.
  uint32_t reserved;
} flowmask_stack_info;

// How labels are written to a file. Call flowmask_save_options_default first, then set what differs.
typedef struct {
  // sizeof(flowmask_save_options).
  uint32_t size;
  // A flowmask_format. Default FLOWMASK_FORMAT_TIF.
  int32_t format;
  // Whether any file that is there is replaced (1), or only one that says that flowmask wrote it (0). Default 0.
  uint32_t overwrite;
  // Must be 0.
  uint32_t reserved;
  // The file that the labels belong to: they get the axes and the pixel size of its stack, so that they lie over the
  // image in Fiji and QuPath. NULL writes several planes as depth, of unknown size. Default NULL.
  const flowmask_file *file;
  // The stack of that file, by its index from 0. Default 0.
  uint64_t stack;
} flowmask_save_options;

// How the masks of neighbouring planes are joined. Call flowmask_stitch_options_default first, then set what differs.
typedef struct {
  // sizeof(flowmask_stitch_options).
  uint32_t size;
  // A flowmask_compat: FLOWMASK_COMPAT_3_1_1 numbers labels as cellpose does, where they may begin anew after an empty
  // plane. Default FLOWMASK_COMPAT_NONE.
  int32_t compat;
  // Masks of neighbouring planes become one if their intersection over union is at least this, from 0 to 1. Default 0.25.
  double threshold;
  // Cells of fewer pixels than this in all planes together are dropped, and the others are numbered anew; 0 leaves the
  // labels as they are. Default 0.
  uint64_t min_size;
  // The most memory beside the labels, in bytes; what needs more gives FLOWMASK_ERROR_MEMORY. 0 takes what is free.
  // Default 0.
  uint64_t memory;
  // The threads to use; NULL starts one for each core, for this call. Default NULL.
  const flowmask_pool *pool;
} flowmask_stitch_options;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The FLOWMASK_ABI_VERSION of the loaded library. Check that it is equal to that of the header.
FLOWMASK_API uint32_t flowmask_abi_version(void);

// The version of the library, such as "0.1.0". The string is valid while the library is loaded.
FLOWMASK_API const char *flowmask_version(void);

// The name of a status, such as "FLOWMASK_ERROR_MODEL". It is never NULL.
FLOWMASK_API const char *flowmask_status_name(int32_t status);

// Why the last call failed: the last call with this session or, when session is NULL, the last call in this thread. It is
// a sentence in UTF-8, empty when the call succeeded, and never NULL. It is valid until the next call with the session, or
// in the thread. Functions that free a handle leave it as it is, unless they fail.
//
// When successive calls may run in different threads (virtual threads, async), use the message of the session.
FLOWMASK_API
const char *flowmask_last_error(const flowmask_session *session);

// The error message of one image in the last flowmask_segment_many or flowmask_segment_on_device of this session; empty
// when the image has no error.
FLOWMASK_API
const char *flowmask_image_error(const flowmask_session *session,
                                 uint64_t image);

// Counts the devices: the processor, which is the first, and the GPUs that the driver finds. After a count of 1,
// flowmask_last_error(NULL) says why there are no GPUs.
FLOWMASK_API
flowmask_status flowmask_device_count(uint32_t *count);

// Describes the device with this index, from 0. A GPU is not opened for this.
FLOWMASK_API flowmask_status flowmask_device_describe(uint32_t index, flowmask_device *device);

// Starts threads for the pool of flowmask_model_options; 0 takes the number in RAYON_NUM_THREADS, or one for each core.
FLOWMASK_API
flowmask_status flowmask_pool_new(uint32_t threads,
                                  flowmask_pool **pool);

// Frees a pool; NULL does nothing. Its threads end when the last model that uses it is freed.
FLOWMASK_API flowmask_status flowmask_pool_free(flowmask_pool *pool);

// Sets all fields to their defaults. size is sizeof(flowmask_model_options), so that a newer library writes no more than
// the caller has.
FLOWMASK_API
flowmask_status flowmask_model_options_default(flowmask_model_options *options,
                                               uint32_t size);

// The name of a built-in model, by its index from 0; NULL when there are no more. The string is valid while the library is
// loaded.
FLOWMASK_API
const char *flowmask_builtin_model(uint32_t index);

// Loads a model. name is in UTF-8: "cyto" or "nuclei" for the built-in models, "cellpose:NAME" for a model that cellpose
// has downloaded, or the path of a safetensors or PyTorch file. options may be NULL for the defaults. The first time on a
// GPU, kernels are compiled, which takes seconds.
FLOWMASK_API
flowmask_status flowmask_model_load(const char *name,
                                    const flowmask_model_options *options,
                                    flowmask_model **model);

// Loads a model from the bytes of such a file. They are not kept. name is used in messages, and may be NULL.
FLOWMASK_API
flowmask_status flowmask_model_load_bytes(const void *bytes,
                                          uint64_t length,
                                          const char *name,
                                          const flowmask_model_options *options,
                                          flowmask_model **model);

// Describes a model.
FLOWMASK_API flowmask_status flowmask_model_describe(const flowmask_model *model, flowmask_model_info *info);

// Frees a model; NULL does nothing. Its sessions can still be used until they are freed.
FLOWMASK_API flowmask_status flowmask_model_free(flowmask_model *model);

// Sets all fields to their defaults. size is sizeof(flowmask_options), so that a newer library writes no more than the
// caller has.
FLOWMASK_API
flowmask_status flowmask_options_default(flowmask_options *options,
                                         uint32_t size);

// Makes a session for a model.
FLOWMASK_API flowmask_status flowmask_session_new(const flowmask_model *model, flowmask_session **session);

// Frees a session; NULL does nothing. Its results stay valid.
FLOWMASK_API flowmask_status flowmask_session_free(flowmask_session *session);

// Finds the cells of one image. options may be NULL for the defaults. The caller frees result with flowmask_result_free;
// it is NULL after an error.
FLOWMASK_API
flowmask_status flowmask_segment(flowmask_session *session,
                                 const flowmask_image *image,
                                 const flowmask_options *options,
                                 flowmask_result **result);

// Computes only the style vector of one image, which is faster than finding its cells. style has room for length numbers,
// and length must be the style_length of flowmask_model_describe.
FLOWMASK_API
flowmask_status flowmask_style(flowmask_session *session,
                               const flowmask_image *image,
                               const flowmask_options *options,
                               float *style,
                               uint64_t length);

// Finds the cells of count images of any sizes and types, in the shortest time: tiles of several images go through the
// network together, and several GPUs share the images. Each image gets the labels that flowmask_segment would give it.
//
// images has a pointer to each image. results has room for a handle for each image, which the caller frees. statuses has
// room for a status for each image, or is NULL. When an image fails, the others are still segmented: its result is NULL,
// flowmask_image_error gives its message, and the call returns the status of the first image that failed.
//
// The progress callback of the options gets the part of all images that is done. When it stops the call, the images that
// are not done fail with FLOWMASK_ERROR_CANCELLED.
FLOWMASK_API
flowmask_status flowmask_segment_many(flowmask_session *session,
                                      const flowmask_image *const *images,
                                      uint64_t count,
                                      const flowmask_options *options,
                                      flowmask_result **results,
                                      flowmask_status *statuses);

// Finds the cells in flows and cellprob that come from elsewhere, such as a network of your own (cellpose's compute_masks).
// flows is float [2, height, width]: along y, then along x, in cells about five times a unit vector. cellprob is float
// [height, width]. Both are without gaps.
//
// Of the options, niter, cellprob_threshold, flow_threshold, sampling, min_size, max_size_fraction, keep_parts,
// exclude_on_edges, compat and progress have an effect. With niter = 0, 200 steps are taken. The result has the labels;
// it has no flows and no style vector, and its diameter is 0. It is computed on the processor.
FLOWMASK_API
flowmask_status flowmask_masks_from_flows(flowmask_session *session,
                                          const float *flows,
                                          const float *cellprob,
                                          uint64_t height,
                                          uint64_t width,
                                          const flowmask_options *options,
                                          flowmask_result **result);

// Finds the cells of a volume in three dimensions (cellpose's do_3D): the network sees the planes across z, y and x, and the
// flows of all of them are followed together.
//
// planes has a pointer to each of count planes along z, at least two, of one size and number of channels. A plane may lie
// anywhere: that at index z of an array [depth, height, width, channels] has data + z * stride_z, and flowmask_file_image
// lends the planes of a file. Each time point of a movie is a volume of its own.
//
// Of the options, anisotropy, flow3d_smooth and flow3d_threshold are for volumes. flow_threshold has no effect, and of the
// samplings only FLOWMASK_SAMPLING_NEAREST differs; min_size counts voxels. FLOWMASK_DIAMETER_AUTO gives
// FLOWMASK_ERROR_OPTION. The result has depth, and no polygons. The caller frees it with flowmask_result_free; it is NULL
// after an error.
FLOWMASK_API
flowmask_status flowmask_segment_volume(flowmask_session *session,
                                        const flowmask_image *const *planes,
                                        uint64_t count,
                                        const flowmask_options *options,
                                        flowmask_result **result);

// Finds the cells of a volume from the masks of its planes (cellpose's stitch_threshold): intensities are scaled over all
// planes, each plane is segmented, and masks of neighbouring planes become one if their intersection over union is at least
// threshold, from 0 to 1. min_size counts the pixels of a cell in all planes.
//
// planes is as for flowmask_segment_volume. results has room for a handle for each plane, which the caller frees; all are
// NULL after an error. A cell has one label in all results, and the field cells of each of them counts the cells of the whole
// volume. flowmask_save_labels writes them to one file. progress gets the part of all planes that is done.
FLOWMASK_API
flowmask_status flowmask_segment_stack(flowmask_session *session,
                                       const flowmask_image *const *planes,
                                       uint64_t count,
                                       double threshold,
                                       const flowmask_options *options,
                                       flowmask_result **results);

// Finds the cells of a volume in flows and cellprob that come from elsewhere, as flowmask_masks_from_flows does for an image.
// flows is float [3, depth, height, width]: along z, y and x. cellprob is float [depth, height, width]. Both are without
// gaps, and there are at least two planes. flow3d_smooth and flow3d_threshold have an effect too.
FLOWMASK_API
flowmask_status flowmask_masks_from_volume_flows(flowmask_session *session,
                                                 const float *flows,
                                                 const float *cellprob,
                                                 uint64_t depth,
                                                 uint64_t height,
                                                 uint64_t width,
                                                 const flowmask_options *options,
                                                 flowmask_result **result);

// Finds the cells of count images whose pixels are in the memory of a GPU, without copying the pixels to the host. The
// field data of each image is a device pointer. It and the strides must be multiples of the size of a number.
//
// device is the index of the GPU, such as the 1 of "cuda:1"; the model must have been loaded onto it. stream is a
// CUstream or cudaStream_t of the GPU's primary context, or NULL for the default stream. The pixels are read after all
// work that is already in the stream. Work that is put into the stream after the call runs after the labels are written.
//
// labels has a pointer for each image, which says where its labels go. When labels or such a pointer is NULL, the labels
// are copied to the result. A result whose labels are on the device has everything else. With the option flows = 0, only
// the style vector and the number of cells are copied to the host.
//
// For results, statuses and errors see flowmask_segment_many. progress gets the part of all images that is done.
FLOWMASK_API
flowmask_status flowmask_segment_on_device(flowmask_session *session,
                                           uint32_t device,
                                           void *stream,
                                           const flowmask_image *const *images,
                                           const flowmask_device_labels *const *labels,
                                           uint64_t count,
                                           const flowmask_options *options,
                                           flowmask_result **results,
                                           flowmask_status *statuses);

// Describes a result.
FLOWMASK_API
flowmask_status flowmask_result_describe(const flowmask_result *result,
                                         flowmask_result_info *info);

// The labels, [height, width] without gaps: 0 is background, cells are numbered 1 to n in row-major order of their first
// pixels. Those of a volume are [depth, height, width]. The array is valid until the result is freed.
FLOWMASK_API
flowmask_status flowmask_result_labels(const flowmask_result *result,
                                       const uint32_t **labels);

// The network's flows along y and along x, [2, flows_height, flows_width]; in cells, about five times a unit vector. Those
// of a volume are along z, y and x, [3, flows_depth, flows_height, flows_width], each the sum over the two orientations that
// see it. The array is valid until the result is freed.
FLOWMASK_API
flowmask_status flowmask_result_flows(const flowmask_result *result,
                                      const float **flows);

// The logit of the probability that a pixel is in a cell, [flows_height, flows_width]; of a volume [flows_depth,
// flows_height, flows_width], the sum over the three orientations. The array is valid until the result is freed.
FLOWMASK_API
flowmask_status flowmask_result_cellprob(const flowmask_result *result,
                                         const float **cellprob);

// The style vector: style_length numbers, of unit length together. Of a volume, one for each plane across x, [styles,
// style_length]. The array is valid until the result is freed.
FLOWMASK_API
flowmask_status flowmask_result_style(const flowmask_result *result,
                                      const float **style);

// The number of polygons that outline the cells: one for each part of a cell, and one for each hole. The first call traces
// them.
FLOWMASK_API
flowmask_status flowmask_result_polygon_count(const flowmask_result *result,
                                              uint64_t *count);

// The polygon with this index: its cell's label, and x and y of count points. The last point is joined to the first. Pixel
// (x, y) covers the square from (x, y) to (x + 1, y + 1). Outer borders go clockwise on the screen, borders of holes
// counterclockwise. When the polygons of a cell are filled together, the result is its mask. The points are valid until
// the result is freed.
FLOWMASK_API
flowmask_status flowmask_result_polygon(const flowmask_result *result,
                                        uint64_t index,
                                        uint32_t *label,
                                        const uint32_t **points,
                                        uint64_t *count);

// Copies an array, a flowmask_array, to a buffer of capacity bytes. needed gets the number of bytes of the array, and may
// be NULL. With a NULL buffer and a capacity of 0, nothing is copied.
FLOWMASK_API
flowmask_status flowmask_result_copy(const flowmask_result *result,
                                     int32_t array,
                                     void *buffer,
                                     uint64_t capacity,
                                     uint64_t *needed);

// Frees a result; NULL does nothing. A model on GPUs keeps the arrays of a few freed results for its next results.
FLOWMASK_API
flowmask_status flowmask_result_free(flowmask_result *result);

// Sets all fields to their defaults. size is sizeof(flowmask_read_options), so that a newer library writes no more than
// the caller has.
FLOWMASK_API
flowmask_status flowmask_read_options_default(flowmask_read_options *options,
                                              uint32_t size);

// Reads an image file: TIFF (also BigTIFF, OME-TIFF and ImageJ stacks), PNG, JPEG, BMP or NPY, which is recognised by its
// content. path is in UTF-8; on Unix, it may have any bytes. options may be NULL for the defaults. A file that cannot be
// read, or whose axes do not fit the options or cannot be guessed, gives FLOWMASK_ERROR_FILE; options that are wrong for any
// file give FLOWMASK_ERROR_OPTION. The caller frees file with flowmask_file_free; it is NULL after an error.
FLOWMASK_API
flowmask_status flowmask_read(const char *path,
                              const flowmask_read_options *options,
                              flowmask_file **file);

// The number of stacks of a file, at least 1.
FLOWMASK_API flowmask_status flowmask_file_stacks(const flowmask_file *file, uint64_t *count);

// Describes a stack, by its index from 0.
FLOWMASK_API
flowmask_status flowmask_file_describe(const flowmask_file *file,
                                       uint64_t stack,
                                       flowmask_stack_info *info);

// A note on how a stack was read, by its index from 0: a sentence, and 1 if it is a warning (what the file has and is not
// in the stack, or what it says and is not true) or 0 if it is a remark (what was guessed). The text is valid until the
// file is freed.
FLOWMASK_API
flowmask_status flowmask_file_note(const flowmask_file *file,
                                   uint64_t stack,
                                   uint64_t note,
                                   const char **text,
                                   uint32_t *warning);

// The pixels of a plane of a stack, both by their index from 0, as an image for flowmask_segment and the like. Set
// image->size to sizeof(flowmask_image) before the call. The pixels stay in the file, and are valid until it is freed.
FLOWMASK_API
flowmask_status flowmask_file_image(const flowmask_file *file,
                                    uint64_t stack,
                                    uint64_t plane,
                                    flowmask_image *image);

// Frees a file; NULL does nothing. The images of its planes must not be used any more.
FLOWMASK_API flowmask_status flowmask_file_free(flowmask_file *file);

// Sets all fields to their defaults. size is sizeof(flowmask_save_options), so that a newer library writes no more than
// the caller has.
FLOWMASK_API
flowmask_status flowmask_save_options_default(flowmask_save_options *options,
                                              uint32_t size);

// Writes the labels of count results to one file, each as a plane, in the order of the planes of their stack. A volume gives
// all its planes; time points, each a volume, follow each other. path is in
// UTF-8; on Unix, it may have any bytes. options may be NULL for the defaults. The file is written under a temporary name
// and then renamed; after an error, a file that was there is unchanged. A file that cannot be written or must not be
// replaced, and labels that the format cannot hold, give FLOWMASK_ERROR_FILE; planes of different sizes, or that do not
// fill the axes, give FLOWMASK_ERROR_IMAGE.
FLOWMASK_API
flowmask_status flowmask_save_labels(const char *path,
                                     flowmask_result *const *results,
                                     uint64_t count,
                                     const flowmask_save_options *options);

// Writes labels of the caller's, uint32_t [planes, height, width] without gaps, to one file, such as those that
// flowmask_stitch has joined. All else is as for flowmask_save_labels.
FLOWMASK_API
flowmask_status flowmask_save_label_array(const char *path,
                                          const uint32_t *labels,
                                          uint64_t planes,
                                          uint64_t height,
                                          uint64_t width,
                                          const flowmask_save_options *options);

// Sets all fields to their defaults. size is sizeof(flowmask_stitch_options), so that a newer library writes no more than
// the caller has.
FLOWMASK_API
flowmask_status flowmask_stitch_options_default(flowmask_stitch_options *options,
                                                uint32_t size);

// Joins masks that exist: labels, uint32_t [planes, height, width] without gaps, are those of planes that were segmented
// one by one, from the first to the last of a volume, with 0 for background. Afterwards a cell has one label in all planes
// (cellpose's stitch3D); after an error, labels are unchanged. Each time point of a movie is a volume of its own. cells gets
// the number of cells, and may be NULL. options may be NULL for the defaults. Fewer than two planes give
// FLOWMASK_ERROR_IMAGE.
FLOWMASK_API
flowmask_status flowmask_stitch(uint32_t *labels,
                                uint64_t planes,
                                uint64_t height,
                                uint64_t width,
                                const flowmask_stitch_options *options,
                                uint32_t *cells);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FLOWMASK_H */
