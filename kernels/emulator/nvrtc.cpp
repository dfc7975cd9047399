// A stand-in for NVRTC. The "compiled" program is only the name of the file: the emulator's driver does not read it,
// since all kernels are compiled into the driver.
// Like NVRTC 13.0.88, it opens the library of its built-in declarations when it compiles, and by the name alone.
//
// NVIDIA never made this version, so that no cache takes these programs for real ones.
#include <dlfcn.h>

#include <cstring>
#include <string>

namespace {

struct Program {
  std::string name, log;
};

constexpr int ARCHITECTURES[] = {80, 86, 89, 90, 100, 120};
constexpr int INVALID_INPUT = 3, BUILTIN_OPERATION_FAILURE = 7;

int give(const std::string& text, char* out) {
  memcpy(out, text.c_str(), text.size() + 1);
  return 0;
}

}  // namespace

#define API extern "C" __attribute__((visibility("default")))

API int nvrtcVersion(int* major, int* minor) {
  *major = 12;
  *minor = 99;
  return 0;
}
API int nvrtcGetNumSupportedArchs(int* count) {
  *count = sizeof ARCHITECTURES / sizeof *ARCHITECTURES;
  return 0;
}
API int nvrtcGetSupportedArchs(int* architectures) {
  memcpy(architectures, ARCHITECTURES, sizeof ARCHITECTURES);
  return 0;
}
API const char* nvrtcGetErrorString(int code) {
  if (code == BUILTIN_OPERATION_FAILURE) return "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE";
  return code ? "NVRTC_ERROR_INVALID_INPUT" : "NVRTC_SUCCESS";
}

API int nvrtcCreateProgram(Program** program, const char* text, const char* name, int, const char* const*,
                           const char* const*) {
  if (!text || !*text || !name) return INVALID_INPUT;
  *program = new Program{name, ""};
  return 0;
}
API int nvrtcCompileProgram(Program* program, int, const char* const*) {
  if (!program) return INVALID_INPUT;
  if (dlopen("libnvrtc-builtins.so.12.99", RTLD_LAZY)) return 0;
  program->log = "nvrtc: error: failed to open libnvrtc-builtins.so.12.99.\n  Make sure that it is installed correctly.";
  return BUILTIN_OPERATION_FAILURE;
}
API int nvrtcDestroyProgram(Program** program) {
  delete *program;
  *program = nullptr;
  return 0;
}
API int nvrtcGetProgramLogSize(Program* program, size_t* size) {
  *size = program->log.size() + 1;
  return 0;
}
API int nvrtcGetProgramLog(Program* program, char* log) { return give(program->log, log); }
API int nvrtcGetCUBINSize(Program* program, size_t* size) {
  *size = program->name.size() + 1;
  return 0;
}
API int nvrtcGetCUBIN(Program* program, char* image) { return give(program->name, image); }
API int nvrtcGetPTXSize(Program* program, size_t* size) { return nvrtcGetCUBINSize(program, size); }
API int nvrtcGetPTX(Program* program, char* image) { return nvrtcGetCUBIN(program, image); }
