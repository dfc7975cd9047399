//! Weights.
use crate::Result;
pub(crate) mod architecture;
pub mod network;
pub mod size;
pub mod tensors;
use std::sync::Arc;
/// model
#[derive(Clone, Debug)]
pub struct Model {
    name: String,
    network: Arc<network::Network>,
    diam_mean: f64,
    diam_labels: f64,
    size: Option<size::SizeModel>,
}
impl Model {
    /// named
    pub fn named(name: &str) -> Result<Self> {
        let bytes: &[u8] = if name == "nuclei" {
            include_bytes!("../../weights/nuclei.safetensors")
        } else {
            include_bytes!("../../weights/cyto.safetensors")
        };
        let t = tensors::Tensors::read(name, bytes)?;
        let g = |n: &str| t.map[n].data[0] as f64;
        let v = |n: &str| t.map[n].data.clone();
        Ok(Model {
            name: name.into(),
            network: Arc::new(network::Network::new(
                &t,
                &architecture::Architecture { nbase: vec![2, 32, 64, 128, 256], nout: 3 },
            )?),
            diam_mean: g("diam_mean"),
            diam_labels: g("diam_labels"),
            size: Some(size::SizeModel {
                a: v("size.A"),
                smean: v("size.smean"),
                ymean: g("size.ymean"),
                diam_mean: g("size.diam_mean"),
            }),
        })
    }
    /// name
    pub fn name(&self) -> &str {
        &self.name
    }
    /// n
    pub fn network(&self) -> &network::Network {
        &self.network
    }
    /// d
    pub fn diam_mean(&self) -> f64 {
        self.diam_mean
    }
    /// d
    pub fn diam_labels(&self) -> f64 {
        self.diam_labels
    }
    /// d
    pub fn size_model(&self) -> Option<&size::SizeModel> {
        self.size.as_ref()
    }
}
