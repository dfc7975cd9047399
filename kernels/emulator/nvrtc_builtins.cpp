// What stands in for the library of built-in declarations that NVRTC opens when it compiles.
extern "C" __attribute__((visibility("default"))) const char* nvrtc_builtins() { return ""; }
