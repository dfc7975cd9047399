use crate::{Error, Result};
use std::collections::BTreeMap;
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}
#[derive(Clone, Debug)]
pub struct Tensors {
    pub name: String,
    pub map: BTreeMap<String, Tensor>,
}
impl Tensors {
    pub fn tensor(&self, n: &str, shape: &[usize]) -> Result<&[f32]> {
        match self.map.get(n) {
            Some(t) if t.shape == shape => Ok(&t.data),
            Some(t) => Err(Error::tensor(&self.name, n, format!("shape {:?} expected {:?}", t.shape, shape))),
            None => Err(Error::tensor(&self.name, n, "missing")),
        }
    }
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self> {
        let s = safetensors::SafeTensors::deserialize(bytes).map_err(|e| Error::model(name, e))?;
        let mut map = BTreeMap::new();
        for (n, t) in s.tensors() {
            let d = t.data();
            let data = match t.dtype() {
                safetensors::Dtype::F16 => {
                    d.chunks(2).map(|c| half::f16::from_le_bytes([c[0], c[1]]).to_f32()).collect()
                }
                safetensors::Dtype::F32 => {
                    d.chunks(4).map(|c| f32::from_le_bytes(c.try_into().unwrap())).collect()
                }
                _ => vec![],
            };
            map.insert(n.to_string(), Tensor { shape: t.shape().to_vec(), data });
        }
        Ok(Tensors { name: name.into(), map })
    }
}
