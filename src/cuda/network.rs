//! The U-Net on a batch of tiles.
pub struct Unet;
impl Unet { pub fn new(_:&crate::cuda::Gpu,_:&crate::model::network::Network,_:crate::Precision)->crate::Result<Self>{Ok(Unet)} }
