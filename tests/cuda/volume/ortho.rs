//! A second model, which sees the planes of a volume across y and x.

use flowmask::{Device, Diameter, Error, Image, Model, Options, Precision, Segmenter, VolumeSegmentation};

use super::pipeline::{ball, close, options};
use crate::device::gpu;
use crate::scene::tiny;

/// The segmenter of a model beside a second one.
fn segmenter(models: [Model; 2], device: Device, precision: Precision) -> Segmenter {
    let [model, ortho] = models;
    let builder = Segmenter::builder().model(model).model_ortho(ortho);
    builder.devices([device]).precision(precision).build().unwrap()
}

/// Another model that is built like [`tiny`].
pub fn other() -> Model {
    let mut params = tiny().params().unwrap();
    params.down[0].conv[1].conv.weight.reverse();
    params.output.conv.weight.reverse();
    Model::from_params("other", params, None).unwrap()
}

/// The built-in cyto as if it were made for cells of 17 pixels, as the built-in nuclei is.
fn cyto17() -> Model {
    let mut params = Model::named("cyto").unwrap().params().unwrap();
    params.others.get_mut("diam_mean").unwrap().data.fill(17.0);
    Model::from_params("cyto17", params, None).unwrap()
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn single_precision_finds_what_the_processor_finds() {
    gpu();
    let on = |models: [Model; 2], planes: &[Image], options: &Options| {
        [Device::Cpu, Device::Cuda(0)].map(|device| {
            segmenter(models.clone(), device, Precision::F32).segment_volume(planes, options).unwrap()
        })
    };
    let built_in = Options::default().diameter(Diameter::Pixels(17.0)).anisotropy(2.0).max_size_fraction(1.0);
    let nuclei = Model::named("nuclei").unwrap();
    let [want, got] = on([nuclei, cyto17()], &ball([3, 14, 18]), &built_in);
    close("built-in models", &got, &want);
    assert!(want.cells() > 0);
    for models in [[tiny(), other()], [other(), tiny()]] {
        let [want, got] = on(models.clone(), &ball([3, 9, 20]), &options());
        close(models[0].name(), &got, &want);
    }
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn each_model_sees_its_planes() {
    gpu();
    // A cell that leaves its middle in no direction has other flows along z, y and x.
    let planes = ball([4, 9, 20]);
    for precision in [Precision::F16, Precision::F32] {
        let run = |models: [Model; 2], batch: Option<usize>| -> VolumeSegmentation {
            let options = options().batch_size(batch);
            segmenter(models, Device::Cuda(0), precision).segment_volume(&planes, &options).unwrap()
        };
        let alone = |model: Model| {
            let builder = Segmenter::builder().model(model).devices([Device::Cuda(0)]).precision(precision);
            builder.build().unwrap().segment_volume(&planes, &options()).unwrap()
        };
        let (first, second, both) = (alone(tiny()), alone(other()), run([tiny(), other()], None));
        assert!(run([tiny(), tiny()], None) == first, "{precision:?}");
        // Planes across z have no flow along z, and the styles are those of the planes across x.
        let along_z = |found: &VolumeSegmentation| found.flows.index_axis(ndarray::Axis(0), 0).to_owned();
        assert!(along_z(&both) == along_z(&second) && along_z(&both) != along_z(&first), "{precision:?}");
        assert!(both.style == second.style && both.style != first.style, "{precision:?}");
        assert!(both.cellprob != second.cellprob && both.cellprob != first.cellprob, "{precision:?}");
        for batch in [1, 5] {
            assert!(run([tiny(), other()], Some(batch)) == both, "{precision:?}, batches of {batch}");
        }
    }
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn its_weights_are_planned_and_its_build_is_checked() {
    let gpu = gpu();
    let (planes, little) = (ball([3, 9, 20]), options().memory(Some(1)));
    for precision in [Precision::F16, Precision::F32] {
        let needed = |builder: flowmask::Builder| {
            let segmenter = builder.devices([Device::Cuda(0)]).precision(precision).build().unwrap();
            match segmenter.segment_volume(&planes, &little).unwrap_err() {
                Error::Memory { needed, limit: 1, .. } => needed,
                other => panic!("{other}"),
            }
        };
        let one = needed(Segmenter::builder().model(tiny()));
        let two = needed(Segmenter::builder().model(tiny()).model_ortho(other()));
        let weights = flowmask::cuda::network::Unet::new(&gpu, other().network(), precision).unwrap().bytes();
        assert_eq!(two - one, weights as u64);
    }
    let on = |device| {
        let builder = Segmenter::builder().model(tiny()).model_ortho(Model::named("nuclei").unwrap());
        builder.devices([device]).build().err().unwrap().to_string()
    };
    let error = on(Device::Cuda(0));
    assert!(error.contains("nuclei: is built otherwise") && error == on(Device::Cpu), "{error}");
}
