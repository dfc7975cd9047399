//! Writes the generated code: a Rust module and C++ assertions for each file.

use std::fmt::Write;

use super::Result;
use super::layout::{Scope, Value, number};
use super::parse::{Access, Constant, Enum, Field, File, Kernel, Struct, Type};

/// The module of a file: `blend` for `blend.cu`, `conv_cuh` for `conv.cuh`. It also exports the declarations of the
/// file's headers.
///
/// # Errors
/// A launcher needs a declaration that is missing or cannot be read.
pub fn module(file: &File, scope: &Scope) -> Result<String> {
    let mut text = format!("/// The declarations of `kernels/{}`.\n", file.name);
    text += &format!(
        "#[allow(unused_imports, clippy::too_many_arguments)]\npub mod {} {{\n",
        name_of(&file.name)
    );
    text += "    use super::PushKernelArg as _;\n";
    for header in scope.headers() {
        text += &format!("    pub use super::{}::*;\n", name_of(&header.name));
    }
    for of in &file.constants {
        text += &constant(file, of, scope)?;
    }
    for of in &file.structs {
        // A struct that cannot be read is left out; if a launcher needs it, that is an error below.
        if number(&of.name).is_none() && scope.layout(of).is_ok() {
            text += &structure(of, scope)?;
        }
    }
    for of in enums(file, scope) {
        text += &enumeration(of);
    }
    for of in &file.kernels {
        text += &launcher(file, of, scope)?;
    }
    Ok(text + "}\n")
}

/// C++ assertions that the structs of a file and its headers are laid out as in Rust, and that the enums have the same
/// numbers.
///
/// # Errors
/// A struct cannot be read.
pub fn assertions(file: &File, scope: &Scope) -> Result<String> {
    let mut text = String::new();
    for (name, of) in structs(file, scope) {
        let layout = scope.layout(of)?;
        let mut parts = vec![format!("sizeof({name}) == {}", layout.size)];
        for (field, offset) in of.fields.iter().flatten().zip(&layout.offsets) {
            parts.push(format!("OFFSET_OF({name}, {}) == {offset}", field.name));
        }
        for part in parts {
            writeln!(text, "static_assert({part}, \"{} is laid out otherwise in Rust\");", of.name)
                .expect(TAKEN);
        }
    }
    for of in enums(file, scope) {
        for (value, number) in &of.values {
            writeln!(
                text,
                "static_assert({value} == {number}, \"{} is numbered otherwise in Rust\");",
                of.name
            )
            .expect(TAKEN);
        }
    }
    Ok(text)
}

const TAKEN: &str = "writing to a string does not fail";

fn name_of(file: &str) -> String {
    file.trim_end_matches(".cu").replace('.', "_")
}

/// The structs of a file and its headers. A struct template appears once for each type argument that a kernel uses.
fn structs<'a>(file: &'a File, scope: &Scope<'a>) -> Vec<(String, &'a Struct)> {
    let all = scope.headers().iter().copied().chain([file]).flat_map(|file| &file.structs);
    let plain = all.filter(|of| of.parameter.is_none() && scope.layout(of).is_ok());
    let mut structs: Vec<(String, &Struct)> = plain.map(|of| (of.name.clone(), of)).collect();
    for (_, kind) in file.kernels.iter().flat_map(|kernel| &kernel.parameters) {
        let Some(argument) = &kind.argument else { continue };
        let name = format!("{}<{argument}>", kind.name);
        if let Some(of) =
            scope.structure(&kind.name).filter(|_| !structs.iter().any(|(other, _)| *other == name))
        {
            structs.push((name, of));
        }
    }
    structs
}

/// The enums that are parameters of the file's kernels.
fn enums<'a>(file: &'a File, scope: &Scope<'a>) -> Vec<&'a Enum> {
    let parameters = file.kernels.iter().flat_map(|kernel| &kernel.parameters);
    let mut enums: Vec<&Enum> = parameters.filter_map(|(_, kind)| scope.enumeration(&kind.name)).collect();
    enums.dedup_by_key(|of| &of.name);
    enums
}

fn constant(file: &File, of: &Constant, scope: &Scope) -> Result<String> {
    let (Some((_, kind, ..)), value) = (number(&of.kind), scope.constant(&of.name)) else {
        return Err(format!(
            "kernels/{}:{}: the launchers do not know the type {}",
            file.name, of.line, of.kind
        ));
    };
    let value = match value {
        Value::Integer(value) if kind.starts_with('f') => format!("{value}.0"),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
    };
    Ok(format!("    #[allow(dead_code)]\n    pub const {}: {kind} = {value};\n", of.name))
}

fn structure(of: &Struct, scope: &Scope) -> Result<String> {
    let layout = scope.layout(of)?;
    let (declared, bound) = match &of.parameter {
        Some(parameter) => (format!("{}<{parameter}>", of.name), format!("<{parameter}>")),
        None => (of.name.clone(), String::new()),
    };
    let mut text = format!("    #[repr(C, align({}))]\n", layout.align);
    text += "    #[derive(Clone, Copy, Debug)]\n    #[allow(dead_code)]\n";
    text += &format!("    pub struct {declared} {{\n");
    for field in of.fields.iter().flatten() {
        writeln!(text, "        pub {}: {},", word(&field.name), field_type(field, of, scope)?).expect(TAKEN);
    }
    text += "    }\n";
    text += "    // SAFETY: only numbers and addresses, laid out as in the kernel; all zeros are a valid value.\n";
    for of in ["DeviceRepr", "ValidAsZeroBits", "Zeroable"] {
        writeln!(text, "    unsafe impl{bound} super::{of} for {declared} {{}}").expect(TAKEN);
    }
    // All pointers have the same size, so that any type argument will do.
    let name = declared.replace(&bound, if bound.is_empty() { "" } else { "<u8>" });
    writeln!(text, "    const _: () = assert!(size_of::<{name}>() == {});", layout.size).expect(TAKEN);
    for (field, offset) in of.fields.iter().flatten().zip(&layout.offsets) {
        writeln!(
            text,
            "    const _: () = assert!(std::mem::offset_of!({name}, {}) == {offset});",
            word(&field.name)
        )
        .expect(TAKEN);
    }
    Ok(text)
}

fn field_type(field: &Field, of: &Struct, scope: &Scope) -> Result<String> {
    let unknown = || format!("{}: the launchers do not know the type {}", of.place, field.kind.name);
    let kind = scope.rust(&field.kind, of.parameter.as_deref()).ok_or_else(unknown)?;
    let kind = if field.kind.pointer.is_some() { format!("super::Address<{kind}>") } else { kind };
    let sizes = field.sizes.iter().rev().filter_map(|size| scope.integer(size));
    Ok(sizes.fold(kind, |kind, size| format!("[{kind}; {size}]")))
}

/// Rust assertions that the enum of the same name has the numbers of the kernel's enum.
fn enumeration(of: &Enum) -> String {
    let mut text = String::new();
    for (value, number) in &of.values {
        let name = camel(value);
        writeln!(text, "    const _: () = assert!(super::{}::{name} as i32 == {number});", of.name)
            .expect(TAKEN);
    }
    text
}

/// `GRID_SAMPLE` as `GridSample`.
fn camel(name: &str) -> String {
    let words = name.split('_').map(|word| word[..1].to_uppercase() + &word[1..].to_lowercase());
    words.collect()
}

fn launcher(file: &File, of: &Kernel, scope: &Scope) -> Result<String> {
    let wrong = |what: String| format!("kernels/{}:{}: {}: {what}", file.name, of.line, of.name);
    let threads =
        scope.integer(&of.threads).ok_or_else(|| wrong("its launch bounds are no number".into()))?;
    let (mut parameters, mut arguments, mut numbers) = (String::new(), String::new(), String::new());
    for (name, kind) in &of.parameters {
        let name = &word(name);
        let rust = parameter(kind, scope).map_err(|e| wrong(format!("{name}: {e}")))?;
        write!(parameters, ", {name}: {rust}").expect(TAKEN);
        let by_reference = rust.starts_with('&');
        write!(arguments, ".arg({}{name})", if by_reference { "" } else { "&" }).expect(TAKEN);
        if scope.enumeration(&kind.name).is_some() {
            writeln!(numbers, "        let {name} = {name} as i32;").expect(TAKEN);
        }
    }
    let (name, stem) = (&of.name, name_of(&file.name));
    Ok(format!(
        "    /// Starts `{name}` of `kernels/{}`.\n    pub fn {name}(gpu: &super::Gpu, grid: super::Dim, block: \
         super::Dim, shared: u32{parameters}) -> super::Result<()> {{\n{numbers}        let function = \
         gpu.kernel(\"{stem}\", \"{name}\", shared)?;\n        let mut launch = \
         gpu.stream().launch_builder(&function);\n        launch{arguments};\n        super::start(gpu, launch, grid, \
         block, shared, {threads})\n    }}\n",
        file.name
    ))
}

/// A C++ name as a Rust identifier: keywords of Rust become raw identifiers.
fn word(name: &str) -> String {
    const OWN: [&str; 12] =
        ["as", "fn", "in", "let", "loop", "match", "mod", "move", "ref", "type", "use", "where"];
    if OWN.contains(&name) { format!("r#{name}") } else { name.into() }
}

/// The type of a launcher's parameter: memory and structs are passed by reference, numbers by value.
fn parameter(kind: &Type, scope: &Scope) -> std::result::Result<String, String> {
    let unknown = || format!("the launchers do not know the type {}", kind.name);
    let of = scope.structure(&kind.name).filter(|_| number(&kind.name).is_none());
    if let Some(of) = of {
        scope.layout(of)?;
    }
    let rust = scope.rust(kind, None).ok_or_else(unknown)?;
    Ok(match kind.pointer {
        Some(Access::Read) => format!("&super::CudaSlice<{rust}>"),
        Some(Access::Write) => format!("&mut super::CudaSlice<{rust}>"),
        None if of.is_some() => format!("&{rust}"),
        None => rust,
    })
}
