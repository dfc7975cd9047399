//! Tests the generated launchers: wrong launches must not compile, and declarations that cannot be read are refused.

use std::fmt::Write;
use std::process::Command;

#[path = "../kernels/launchers/mod.rs"]
#[allow(dead_code, reason = "the build scripts use the rest")]
mod launchers;

use launchers::launchers;

/// A kernel file with every kind of parameter.
const KERNEL: &str = r#"
#include "shared.cuh"
namespace {
constexpr int BINS = 1 << 4, ALL = (BINS + 2) * SIDES - 1;
constexpr float LEAST = 1e-3f;
enum Way : int { UP, LEFT_DOWN = 5, RIGHT };
struct Sample { u32 size; double step; alignas(16) u32 counts[SIDES][BINS]; };
struct alignas(8) View { const float *data, *more; long long stride; };
template <class T> struct Sum { const T* from; T *to, *also; int count; };
struct Unread { int of() { return 1; } };   // of no launcher's concern
template <class T> DEV T twice(T v) { return v < v ? v : v + v; }
}  // namespace

// A comment with { and "quotes.
extern "C" __global__ void LAUNCH_BOUNDS(2 * 128, 1) work(const u32* in, float* out, const Sample* table, Sample one,
                                                        View view, int count, Way way) {
  if (count > 0) { out[0] = twice(1.f); }
}
EMU_KERNEL(work)
extern "C" __global__ void LAUNCH_BOUNDS(64, 1) add(Sum<half_t> sum) {}
EMU_KERNEL(add)
"#;

const HEADER: &str = "#pragma once\nconstexpr int SIDES = 3;\n";

/// The items of the library that launchers use, as stand-ins.
const LIBRARY: &str = r"
#![allow(unused, private_interfaces)]
use std::marker::PhantomData;
pub struct CudaSlice<T>(T);
pub trait PushKernelArg<T> { fn arg(&mut self, argument: T) -> &mut Self; }
pub struct LaunchArgs;
impl<T> PushKernelArg<&T> for LaunchArgs { fn arg(&mut self, _: &T) -> &mut Self { self } }
impl<T> PushKernelArg<&mut CudaSlice<T>> for LaunchArgs { fn arg(&mut self, _: &mut CudaSlice<T>) -> &mut Self { self } }
pub struct Function;
pub struct Stream;
impl Stream { fn launch_builder(&self, _: &Function) -> LaunchArgs { LaunchArgs } }
pub struct Gpu;
impl Gpu {
    fn kernel(&self, file: &str, name: &str, shared: u32) -> Result<Function> { Ok(Function) }
    fn stream(&self) -> &Stream { &Stream }
}
pub type Result<T> = std::result::Result<T, String>;
pub type Dim = (u32, u32, u32);
pub unsafe trait DeviceRepr {}
pub unsafe trait ValidAsZeroBits {}
pub unsafe trait Zeroable {}
#[derive(Clone, Copy, Debug)]
pub struct Address<T>(u64, PhantomData<*const T>);
pub struct Half(u16);
pub enum Way { Up = 0, LeftDown = 5, Right = 6 }
fn start(_: &Gpu, _: LaunchArgs, _: Dim, _: Dim, _: u32, _: u32) -> Result<()> { Ok(()) }
fn launch(gpu: &Gpu, words: &CudaSlice<u32>, numbers: &mut CudaSlice<f32>, table: &CudaSlice<example::Sample>,
          one: &example::Sample, view: &example::View, sum: &example::Sum<Half>, other: &example::Sum<f32>,
          whole: &example::Sum<u16>) -> Result<()> {
    let (grid, block) = ((1, 1, 1), (256, 1, 1));
";

fn sources(kernel: &str) -> Vec<(String, String)> {
    [("shared.cuh", HEADER), ("example.cu", kernel)].map(|(name, text)| (name.into(), text.into())).into()
}

/// Compiles the launchers, with these lines in a function that has arguments of all types. The error is the compiler's
/// message.
fn compile(rust: &str, lines: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("launch.rs");
    std::fs::write(&path, format!("{LIBRARY}{lines}\n}}\n{rust}")).unwrap();
    let compiler = std::env::var_os("RUSTC").unwrap_or("rustc".into());
    let mut command = Command::new(compiler);
    command.args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--out-dir"]).arg(folder.path());
    let output = command.arg(&path).output().expect("the compiler that built this test");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8(output.stderr).unwrap()) }
}

const RIGHT: &str = "example::work(gpu, grid, block, 0, words, numbers, table, one, view, 7, Way::LeftDown)?;
    example::add(gpu, grid, block, 0, sum)";

#[test]
fn a_launch_with_the_kernels_parameters_compiles() {
    let made = launchers(&sources(KERNEL)).unwrap();
    compile(&made.rust, RIGHT).unwrap_or_else(|said| panic!("{said}\n{}", made.rust));
    let constants =
        "const _: () = assert!(example::ALL == 53 && example::BINS == 16 && example::LEAST == 0.001);";
    compile(&made.rust, &format!("{constants}{RIGHT}")).unwrap();
}

#[test]
fn a_launch_with_other_arguments_does_not_compile() {
    let rust = launchers(&sources(KERNEL)).unwrap().rust;
    for (from, to, code) in [
        ("words, numbers", "words", "E0061"),            // one too few
        ("Way::LeftDown", "Way::LeftDown, 1", "E0061"),  // one too many
        ("words, numbers", "numbers, words", "E0308"),   // the wrong order
        ("table, one", "one, table", "E0308"),           // the same with structs
        ("words, numbers", "words, words", "E0308"),     // memory of another type
        ("words, numbers", "words, &*numbers", "E0308"), // memory that is not to be written
        (" 7,", " 7u32,", "E0308"),                      // a number of another type
        ("Way::LeftDown", "5", "E0308"),                 // a number for an enum
        ("0, sum", "0, other", "E0308"),                 // a struct of another precision
        ("0, sum", "0, whole", "E0308"),                 // whole numbers for half precision
        ("example::work(", "example::other(", "E0425"),  // no such kernel
    ] {
        assert!(RIGHT.contains(from), "{from}");
        let said = compile(&rust, &RIGHT.replace(from, to)).expect_err(to);
        assert!(said.contains(code), "{to}: {said}");
    }
}

#[test]
fn a_struct_or_an_enum_that_differs_in_rust_does_not_compile() {
    let rust = launchers(&sources(KERNEL)).unwrap().rust;
    for (from, to) in [
        ("pub size: u32,\n        pub step: f64,", "pub step: f64,\n        pub size: u32,"),
        ("pub counts: [[u32; 16]; 3]", "pub counts: [[u32; 16]; 4]"),
        ("pub stride: i64", "pub stride: [i64; 2]"),
        ("Way::LeftDown as i32 == 5", "Way::LeftDown as i32 == 4"),
    ] {
        assert!(rust.contains(from), "{from}\n{rust}");
        let said = compile(&rust.replace(from, to), RIGHT).expect_err(to);
        assert!(said.contains("E0080"), "{to}: {said}");
    }
}

#[test]
fn the_device_asserts_sizes_offsets_and_numbers() {
    let made = launchers(&sources(KERNEL)).unwrap();
    let [(name, assertions)] = &made.assertions[..] else { panic!("{:?}", made.assertions) };
    assert_eq!(name, "example.cu");
    let mut want = String::new();
    for (of, condition) in [
        ("Sample", "sizeof(Sample) == 208"),
        ("Sample", "OFFSET_OF(Sample, size) == 0"),
        ("Sample", "OFFSET_OF(Sample, step) == 8"),
        ("Sample", "OFFSET_OF(Sample, counts) == 16"),
        ("View", "sizeof(View) == 24"),
        ("View", "OFFSET_OF(View, data) == 0"),
        ("View", "OFFSET_OF(View, more) == 8"),
        ("View", "OFFSET_OF(View, stride) == 16"),
        ("Sum", "sizeof(Sum<half_t>) == 32"),
        ("Sum", "OFFSET_OF(Sum<half_t>, from) == 0"),
        ("Sum", "OFFSET_OF(Sum<half_t>, to) == 8"),
        ("Sum", "OFFSET_OF(Sum<half_t>, also) == 16"),
        ("Sum", "OFFSET_OF(Sum<half_t>, count) == 24"),
    ] {
        writeln!(want, "static_assert({condition}, \"{of} is laid out otherwise in Rust\");").unwrap();
    }
    for condition in ["UP == 0", "LEFT_DOWN == 5", "RIGHT == 6"] {
        writeln!(want, "static_assert({condition}, \"Way is numbered otherwise in Rust\");").unwrap();
    }
    assert_eq!(*assertions, want);
}

/// Compiles a kernel with its assertions as C++. The error is the compiler's message.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn compile_kernel(text: &str) -> Result<(), String> {
    const WORDS: &str = "typedef unsigned u32; typedef unsigned short u16; struct half_t { u16 x; };
#define __global__
#define LAUNCH_BOUNDS(threads, blocks)
#define DEV static inline
#define EMU_KERNEL(name)
#define OFFSET_OF(type, field) __builtin_offsetof(type, field)
";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shared.cuh"), HEADER).unwrap();
    let path = folder.path().join("example.cpp");
    std::fs::write(&path, format!("{WORDS}{text}")).unwrap();
    let mut command = Command::new(std::env::var_os("CXX").unwrap_or("c++".into()));
    let output =
        command.args(["-std=c++17", "-fsyntax-only"]).arg(&path).output().expect("a compiler for C++");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8(output.stderr).unwrap()) }
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn a_struct_or_an_enum_that_differs_on_the_device_does_not_compile() {
    let assertions = launchers(&sources(KERNEL)).unwrap().assertions.remove(0).1;
    compile_kernel(&format!("{KERNEL}{assertions}")).unwrap();
    for (from, to) in [
        ("u32 size; double step;", "double step; u32 size;"),
        ("struct Sample { u32", "struct Sample { int more; u32"),
        ("T *to, *also; int count;", "T *to; int count; T* also;"),
        ("LEFT_DOWN = 5", "LEFT_DOWN = 4"),
    ] {
        assert!(KERNEL.contains(from), "{from}");
        let said = compile_kernel(&format!("{}{assertions}", KERNEL.replace(from, to))).expect_err(to);
        assert!(said.contains("otherwise in Rust"), "{to}: {said}");
    }
}

#[test]
fn what_cannot_be_read_is_named_by_file_and_line() {
    let kernel = |parameters: &str| {
        format!("// 1\n\nextern \"C\" __global__ void LAUNCH_BOUNDS(256, 1)\nwork({parameters}) {{}}\n")
    };
    let with = |declared: &str, parameters: &str| format!("{declared} {}", kernel(parameters));
    for (text, line, reason) in [
        (kernel("const float& x"), 4, "`&` stands where the launchers need a name"),
        (kernel("float** x"), 4, "`*` stands"),
        (kernel("float x[4]"), 4, "`[` stands where the launchers need another parameter"),
        (kernel("float"), 4, "`)` stands where the launchers need a name"),
        (kernel("short x"), 3, "work: x: the launchers do not know the type short"),
        (kernel("const Missing* x"), 3, "work: x: the launchers do not know the type Missing"),
        (with("struct S { int a() { return 1; } };", "S x"), 1, "`(` stands where the launchers need ;"),
        (with("struct S { alignas(N) int a; };", "S* x"), 1, "S has an alignment that is no number"),
        (with("struct S { short a; };", "S* x"), 1, "S has a field `a` whose size the launchers do not know"),
        (with("constexpr int N = sizeof(int);", "int x"), 1, "cannot compute the constant N"),
        (with("constexpr short N = 1;", "int x"), 1, "do not know the type short"),
        ("extern \"C\" __global__ void work(int x) {}".into(), 1, "LAUNCH_BOUNDS"),
        ("extern \"C\" __global__ void LAUNCH_BOUNDS(N, 1) work(int x) {}".into(), 1, "launch bounds"),
        ("\nextern \"C\" __global__ void LAUNCH_BOUNDS(1, 1) work(int x) {".into(), 2, "the end stands"),
        ("\n__global__ void LAUNCH_BOUNDS(1, 1) work(int x) {}".into(), 2, "need a kernel as"),
        ("template <class T>\n__global__ void work(T x) {}".into(), 2, "need a kernel as"),
        ("extern \"C\" {\nint a();\n__global__ void work(int x) {} }".into(), 3, "need a kernel as"),
        ("extern \"C\" void\n__global__ work(int x);".into(), 2, "need a kernel as"),
        (
            "static int a() { return 1; }\n#define KERNEL extern \"C\" __global__".into(),
            2,
            "need a kernel as",
        ),
    ] {
        let said = launchers(&sources(&text)).expect_err(&text);
        assert!(
            said.contains(&format!("kernels/example.cu:{line}: ")) && said.contains(reason),
            "{text}\n{said}"
        );
    }
}
