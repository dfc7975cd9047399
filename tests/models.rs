//! Model files: what is read, what is written, and what is refused.

use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use flowmask::Model;
use flowmask::model::convert;
use flowmask::model::params::Params;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

const FIRST: &str = "downsample.down.res_down_0.conv.conv_0.2.weight";

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models").join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(data(name)).unwrap()
}

/// What the library has read, as the safetensors file that it writes of it.
fn written(model: &Model, half: bool) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path, half).unwrap();
    std::fs::read(path).unwrap()
}

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn tensors(bytes: &[u8]) -> Tensors {
    let file = SafeTensors::deserialize(bytes).unwrap();
    file.iter()
        .map(|(name, view)| (name.into(), (view.dtype(), view.shape().into(), view.data().into())))
        .collect()
}

/// A safetensors file, by the library of that name.
fn file_of(tensors: &Tensors) -> Vec<u8> {
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, data))| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

/// The plain network with a change, as the message that refuses it.
fn refused(change: impl FnOnce(&mut Tensors)) -> String {
    let mut all = tensors(&written(&Model::open(data("plain.pth")).unwrap(), false));
    change(&mut all);
    Model::from_bytes("m", &file_of(&all)).unwrap_err().to_string()
}

#[test]
fn the_originals_network_for_nuclei_is_known_by_its_name() {
    let mut all = tensors(&written(&Model::open(data("plain.pth")).unwrap(), false));
    all.retain(|name, _| !name.starts_with("diam_"));
    for (name, diameter) in
        [("models/nucleitorch_0", 17.0), ("cellpose:nuclei", 17.0), ("cellpose:cyto", 30.0)]
    {
        let model = Model::from_bytes(name, &file_of(&all)).unwrap();
        assert_eq!((model.diam_mean(), model.diam_labels()), (diameter, diameter), "{name}");
    }
}

fn zip_of(pickle: &[u8]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("m/data.pkl", SimpleFileOptions::default()).unwrap();
    archive.write_all(pickle).unwrap();
    archive.finish().unwrap().into_inner()
}

#[test]
fn a_network_is_the_same_after_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["tiny.pth", "tiny_1in_1out.pth", "plain.pth"] {
        let model = Model::open(data(name)).unwrap();
        let bytes = written(&model, false);
        let pth = folder.path().join(name);
        let safetensors = pth.with_extension("safetensors");
        model.save(&pth, false).unwrap();
        convert(pth.to_str().unwrap(), &safetensors, false, None).unwrap();
        let again = written(&Model::open(&safetensors).unwrap(), false);
        assert!(again == bytes, "{name}");
        assert!(!folder.path().join(format!("{name}_size.npy")).exists());
    }
}

#[test]
fn parameters_are_what_the_file_holds_and_give_the_same_file() {
    for name in ["tiny.pth", "tiny_1in_1out.pth", "plain.pth"] {
        let model = Model::open(data(name)).unwrap();
        let bytes = written(&model, false);
        let mut params = model.params().unwrap();
        let others = params.others.clone();
        let of_params = params.parameters().into_iter().map(|p| (p.name, p.shape, p.values.clone()));
        let of_others = others.into_iter().map(|(name, tensor)| (name, tensor.shape, tensor.data));
        let entry = |(name, shape, values): (String, Vec<usize>, Vec<f32>)| {
            (name, (Dtype::F32, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect()))
        };
        let all: Tensors = of_params.chain(of_others).map(entry).collect();
        assert!(all == tensors(&bytes), "{name}");
        let again = Model::from_params(name, model.params().unwrap(), model.size_model().cloned()).unwrap();
        assert!(written(&again, false) == bytes, "{name}");
        assert!(again.network() == model.network(), "{name}");
        assert_eq!((again.diam_mean(), again.diam_labels()), (model.diam_mean(), model.diam_labels()));
    }
    let nuclei = Model::named("nuclei").unwrap();
    let again = Model::from_params("n", nuclei.params().unwrap(), nuclei.size_model().cloned()).unwrap();
    assert_eq!(again.size_model(), nuclei.size_model());
    assert!(again.network() == nuclei.network());
}

#[test]
fn a_changed_parameter_changes_the_network_by_the_formula() {
    let model = Model::open(data("tiny.pth")).unwrap();
    let plain = model.network();
    let params = || model.params().unwrap();
    let folded = |params: Params| Model::from_params("m", params, None).unwrap().network().clone();
    let close = |a: f32, b: f32| assert!((a - b).abs() <= 1e-5 * a.abs().max(1.0), "{a} {b}");

    // A batch norm before a ReLU stays an affine map.
    let norm = params().down[1].conv[2].norm.clone();
    for (c, scale) in plain.down[1].before2.scale.iter().enumerate() {
        let by_hand = norm.weight[c] / (norm.running_var[c] + 1e-5).sqrt();
        close(*scale, by_hand);
        close(plain.down[1].before2.shift[c], norm.bias[c] - norm.running_mean[c] * by_hand);
    }
    // One after a convolution scales its weights, bias and what of it comes from the style.
    let mut changed = params();
    for norm in [&mut changed.down[0].conv[3].norm, &mut changed.up[0].styled[2].layer.norm] {
        norm.weight.iter_mut().for_each(|w| *w *= 2.0);
    }
    let changed = folded(changed);
    assert_eq!(
        changed.down[0].conv2.weight,
        plain.down[0].conv2.weight.iter().map(|w| 2.0 * w).collect::<Vec<_>>()
    );
    assert_eq!(
        changed.up[0].conv2.weight,
        plain.up[0].conv2.weight.iter().map(|w| 2.0 * w).collect::<Vec<_>>()
    );
    assert_eq!(
        changed.up[0].shift3.weight,
        plain.up[0].shift3.weight.iter().map(|w| 2.0 * w).collect::<Vec<_>>()
    );
    // The bias of the projection is one with that of the convolution it is added to.
    let mut changed = params();
    changed.down[0].proj.conv.bias[1] += 0.5;
    let changed = folded(changed);
    close(changed.down[0].conv1.bias[1], plain.down[0].conv1.bias[1] + 0.5);
    assert_eq!(changed.down[0].conv1.bias[0], plain.down[0].conv1.bias[0]);
    // Nothing else moved.
    assert!(changed.down[1..] == plain.down[1..] && changed.up == plain.up && changed.output == plain.output);
}

#[test]
fn parameters_that_are_no_network_are_refused_by_name() {
    let model = Model::open(data("tiny.pth")).unwrap();
    let refused = |change: fn(&mut Params)| {
        let mut params = model.params().unwrap();
        change(&mut params);
        Model::from_params("m", params, None).unwrap_err().to_string()
    };
    let error = refused(|params| params.output.conv.bias[0] = f32::NAN);
    assert_eq!(error, "model m: tensor output.2.bias: has an element that is not a finite f32");
    let error = refused(|params| params.up[1].styled[0].full.bias.push(0.0));
    assert!(error.contains("upsample.up.res_up_1.conv.conv_1.full.bias"), "{error}");
    let error = refused(|params| params.down[0].proj.norm.running_var[0] = -1.0);
    assert!(error.contains("downsample.down.res_down_0.proj.0.running_var"), "{error}");
    let error = refused(|params| params.down.clear());
    assert!(error.contains("downsample.down.res_down_0"), "{error}");
    let size = Model::named("nuclei").unwrap().size_model().cloned();
    let error = Model::from_params("m", model.params().unwrap(), size).unwrap_err().to_string();
    assert!(error.contains("styles of 256 numbers"), "{error}");
}

#[test]
fn the_tensors_are_those_in_the_archive() {
    let all = tensors(&written(&Model::open(data("tiny.pth")).unwrap(), false));
    let mut archive = ZipArchive::new(Cursor::new(read("tiny.pth"))).unwrap();
    let mut storage = |key: &str| {
        let mut content = Vec::new();
        archive.by_name(&format!("tiny/data/{key}")).unwrap().read_to_end(&mut content).unwrap();
        content
    };
    assert_eq!(all.len(), 313 - 41); // of the full network, without its counters
    assert_eq!(all["diam_mean"], (Dtype::F32, vec![1], storage("0")));
    assert_eq!(all[FIRST], (Dtype::F32, vec![4, 2, 3, 3], storage("7")));
    assert_eq!(all["output.2.bias"], (Dtype::F32, vec![3], storage("312")));
}

#[test]
fn the_old_format_is_read_too() {
    let [new, old] = ["plain.pth", "legacy.pth"].map(|name| Model::open(data(name)).unwrap());
    assert!(written(&old, false) == written(&new, false));
    let bytes = read("legacy.pth");
    for length in 0..bytes.len() {
        assert!(Model::from_bytes("m", &bytes[..length]).is_err(), "{length}");
    }
    for at in (0..bytes.len()).step_by(3) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0xff;
        let _ = Model::from_bytes("m", &flipped);
    }
}

#[test]
fn dtypes_strides_and_wrappers_of_torch_are_understood() {
    let [plain, odd] = ["plain.pth", "odd.pth"].map(|name| Model::open(data(name)).unwrap());
    assert!(written(&odd, false) == written(&plain, false));
    assert_eq!((odd.diam_mean(), odd.diam_labels()), (17.0, 17.0));
}

#[test]
fn half_precision_of_the_built_in_model_is_the_shipped_file() {
    let shipped = include_bytes!("../weights/nuclei.safetensors");
    let model = Model::named("nuclei").unwrap();
    assert!(tensors(&written(&model, true)) == tensors(shipped));
    let single = written(&model, false);
    assert!(tensors(&single).values().all(|(dtype, ..)| *dtype == Dtype::F32));
    // And through a file of PyTorch in half precision, with the size model beside it.
    let folder = tempfile::tempdir().unwrap();
    let pth = folder.path().join("n.pth");
    convert("nuclei", &pth, true, None).unwrap();
    assert!(tensors(&written(&Model::open(&pth).unwrap(), true)) == tensors(shipped));
}

#[test]
fn metadata_tells_the_network() {
    let bytes = written(&Model::open(data("tiny.pth")).unwrap(), false);
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let expected = [
        ("architecture", "cellpose-unet"),
        ("format", "pt"),
        ("name", "model"),
        ("nbase", "2,4,8,16,32"),
        ("nout", "3"),
    ];
    let expected: HashMap<String, String> = expected.map(|(key, value)| (key.into(), value.into())).into();
    assert_eq!(header.metadata(), &Some(expected));
}

#[test]
fn size_models_come_from_the_file_from_beside_it_or_by_name() {
    let model = Model::named("nuclei").unwrap();
    let size = model.size_model().unwrap().clone();
    assert_eq!((model.diam_mean(), size.diam_mean(), size.style_len()), (17.0, 17.0, 256));
    // NumPy's file holds ymean in double precision.
    let from_file = model.clone().with_size_file(data("nuclei_size.npy")).unwrap();
    let style = vec![0.0625; 256];
    let [a, b] = [&size, from_file.size_model().unwrap()].map(|size| size.style_diameter(&style));
    assert!((a - b).abs() < 1e-4 * a && a != 17.0, "{a} {b}");

    let folder = tempfile::tempdir().unwrap();
    let pth = folder.path().join("n.pth");
    model.save(&pth, false).unwrap();
    assert!(folder.path().join("n.pth_size.npy").exists());
    assert_eq!(Model::open(&pth).unwrap().size_model(), Some(&size));

    let tiny = Model::open(data("tiny.pth")).unwrap();
    assert!(tiny.size_model().is_none());
    let error = tiny.with_size_file(data("nuclei_size.npy")).unwrap_err().to_string();
    assert!(error.contains("nuclei_size.npy") && error.contains("256") && error.contains("32"), "{error}");
    assert!(Model::named("nuclei").unwrap().with_size_file(data("plain.pth")).is_err());
}

#[test]
fn every_tensor_is_needed_in_its_shape() {
    let all = tensors(&written(&Model::open(data("plain.pth")).unwrap(), false));
    for name in all.keys() {
        let mut less = all.clone();
        less.remove(name);
        let model = Model::from_bytes("m", &file_of(&less));
        if name.starts_with("diam_") {
            assert!(model.is_ok(), "{name}");
            continue;
        }
        let error = model.unwrap_err().to_string();
        assert!(error.contains(name.as_str()), "{name}: {error}");

        let mut wrong = all.clone();
        let (_, shape, _) = wrong.get_mut(name).unwrap();
        shape.insert(0, 1);
        let error = Model::from_bytes("m", &file_of(&wrong)).unwrap_err().to_string();
        assert!(error.starts_with("model m: "), "{name}: {error}");
        assert!(
            error.contains(name.as_str()) || shape_decides(name) || error.contains("3D"),
            "{name}: {error}"
        );
    }
}

/// The tensors whose shapes are the measure for those of others.
fn shape_decides(name: &str) -> bool {
    name == FIRST || name == "output.2.weight"
}

#[test]
fn bad_values_are_refused_by_name() {
    let bias = "output.2.bias";
    let set = |bytes: &[u8]| {
        let bytes = bytes.to_vec();
        refused(move |all| all.get_mut(bias).unwrap().2[..bytes.len()].copy_from_slice(&bytes))
    };
    assert!(
        set(&f32::NAN.to_le_bytes()).contains("tensor output.2.bias: has an element that is not a finite")
    );
    let negative = refused(|all| {
        all.get_mut("output.0.running_var").unwrap().2[..4].copy_from_slice(&(-1f32).to_le_bytes());
    });
    assert!(negative.contains("output.0.running_var"), "{negative}");
    let integers = refused(|all| all.get_mut(bias).unwrap().0 = Dtype::I32);
    assert!(integers.contains(bias) && integers.contains("I32"), "{integers}");
    let several = refused(|all| all.values_mut().for_each(|(_, _, data)| data.fill(0xff)));
    assert!(several.contains("tensor diam_labels: has an element that is not a finite"), "{several}");
    let diameter = refused(|all| all.get_mut("diam_mean").unwrap().2.fill(0));
    assert!(diameter.contains("diam_mean"), "{diameter}");
    for name in ["diam_mean", "diam_labels"] {
        for absurd in [1e30f32, 1e-30, -17.0] {
            let error = refused(|all| all.get_mut(name).unwrap().2 = absurd.to_le_bytes().into());
            let words = format!(
                "tensor {name}: is {absurd:?}, but the diameter of a cell is from 0.01 to 100000 pixels"
            );
            assert!(error.contains(&words), "{error}");
        }
    }
    let size = refused(|all| drop(all.insert("size.A".into(), (Dtype::F32, vec![1], vec![0; 4]))));
    assert!(size.contains("size.smean"), "{size}");
}

#[test]
fn weights_beyond_half_precision_are_not_written_as_such() {
    let mut all = tensors(&written(&Model::open(data("plain.pth")).unwrap(), false));
    all.get_mut(FIRST).unwrap().2[..4].copy_from_slice(&70000f32.to_le_bytes());
    let model = Model::from_bytes("m", &file_of(&all)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for ending in ["safetensors", "pth"] {
        let path = folder.path().join("m").with_extension(ending);
        assert!(model.save(&path, true).unwrap_err().to_string().contains(FIRST));
        assert!(!path.exists());
        model.save(&path, false).unwrap();
    }
    assert!(
        model
            .save(&folder.path().join("m.pt"), false)
            .unwrap_err()
            .to_string()
            .contains(".safetensors or .pth")
    );
}

#[test]
fn other_networks_are_called_what_they_are() {
    let add = |name: &str, shape: &[usize]| {
        let (name, shape) = (name.to_owned(), shape.to_vec());
        let bytes = vec![0; 4 * shape.iter().product::<usize>()];
        refused(move |all| drop(all.insert(name, (Dtype::F32, shape, bytes))))
    };
    assert!(add("encoder.pos_embed", &[1]).contains("transformer"));
    assert!(add(FIRST, &[4, 2, 3, 3, 3]).contains("3D network"));
    assert!(add("downsample.down.conv_down_0.conv_0.0.bias", &[2]).contains("without residual blocks"));
    assert!(add("upsample.up.res_up_0.conv.conv_1.full.weight", &[8, 4]).contains("concatenates"));
    assert!(refused(|all| all.clear()).contains("not a network of cellpose"));
}

#[test]
fn other_files_are_refused() {
    for bytes in [&b""[..], b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"\x08\0\0\0\0\0\0\0{}", b"\x80\x04N."] {
        assert!(Model::from_bytes("m", bytes).is_err(), "{bytes:?}");
    }
    assert!(Model::open(data("README.md")).unwrap_err().to_string().contains("README.md"));
    assert!(Model::open(data("missing.pth")).unwrap_err().to_string().contains("missing.pth"));
    let none = Model::from_bytes("m", &zip_of(b"\x80\x02N.")).unwrap_err().to_string();
    assert!(none.contains("not a state dict"), "{none}");
}

#[test]
fn a_pickle_that_calls_something_is_refused_and_calls_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("called");
    let command = format!("touch {}", mark.display());
    let mut system = b"\x80\x02cposix\nsystem\nX".to_vec();
    system.extend((command.len() as u32).to_le_bytes());
    system.extend(command.as_bytes());
    system.extend(b"\x85R.");
    let error = Model::from_bytes("m", &zip_of(&system)).unwrap_err().to_string();
    assert!(error.contains("posix.system"), "{error}");
    assert!(!mark.exists());

    let eval = b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.";
    let error = Model::from_bytes("m", &zip_of(eval)).unwrap_err().to_string();
    assert!(error.contains("builtins.eval"), "{error}");
    let instance = b"(S'true'\nios\nsystem\n.";
    let error = Model::from_bytes("m", &zip_of(instance)).unwrap_err().to_string();
    assert!(error.contains("opcode STRING"), "{error}");

    let size = folder.path().join("m_size.npy");
    let mut npy = read("nuclei_size.npy")[..128].to_vec();
    npy.extend(&system);
    std::fs::write(&size, npy).unwrap();
    let error = Model::named("nuclei").unwrap().with_size_file(&size).unwrap_err().to_string();
    assert!(error.contains("posix.system") && error.contains("m_size.npy"), "{error}");
    assert!(!mark.exists());
}

#[test]
fn no_damage_to_an_archive_panics() {
    let bytes = read("odd.pth");
    for length in (0..bytes.len()).step_by(7).chain(bytes.len() - 100..bytes.len()) {
        assert!(Model::from_bytes("m", &bytes[..length]).is_err(), "{length}");
    }
    // A flipped byte may be one that nothing reads, so only the check sums of what is read promise an error.
    for at in (0..bytes.len()).step_by(5) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0xff;
        let _ = Model::from_bytes("m", &flipped);
    }
}

#[test]
fn no_damage_to_a_pickle_panics() {
    let bytes = read("odd.pth");
    let mut archive = ZipArchive::new(Cursor::new(&bytes[..])).unwrap();
    let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        entries.push((entry.name().unwrap().into_owned(), content));
    }
    let load = |pickle: &[u8]| {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in &entries {
            archive.start_file(name, SimpleFileOptions::default()).unwrap();
            archive.write_all(if name.ends_with("data.pkl") { pickle } else { content }).unwrap();
        }
        Model::from_bytes("m", &archive.finish().unwrap().into_inner())
    };
    let pickle = &entries.iter().find(|(name, _)| name.ends_with("data.pkl")).unwrap().1;
    load(pickle).unwrap();
    for length in (0..pickle.len()).step_by(23) {
        assert!(load(&pickle[..length]).is_err(), "{length}");
    }
    for at in (0..pickle.len()).step_by(11) {
        for mask in [0xff, 0x01, 0x80] {
            let mut flipped = pickle.clone();
            flipped[at] ^= mask;
            let _ = load(&flipped);
        }
    }
}

#[test]
fn no_damage_to_a_safetensors_file_panics() {
    let bytes = written(&Model::open(data("plain.pth")).unwrap(), false);
    for length in (0..bytes.len()).step_by(13) {
        assert!(Model::from_bytes("m", &bytes[..length]).is_err(), "{length}");
    }
    for at in 0..bytes.len().min(4000) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x21;
        let _ = Model::from_bytes("m", &flipped);
    }
}
