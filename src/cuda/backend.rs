//! placeholder
use crate::backend::*; use crate::*; use crate::options::*; use std::sync::Arc;
pub(crate) struct Cuda;
impl Cuda { pub fn new(_:super::Gpu,_:Arc<super::network::Unet>)->Result<Self>{Ok(Cuda)} pub fn batch(&self,_:&Options)->usize{1} }
impl Backend for Cuda { type Work=();
fn nchan(&self)->usize{2}
fn prepare(&mut self,_:&mut (),_:&Image,_:&Options)->Result<()> {Ok(())}
fn network(&mut self,_:&mut [&mut Job<()>],_:&Options)->Result<()> {Ok(())}
fn resize_maps(&mut self,_:&mut (),_:Size,_:Size)->Result<()> {Ok(())}
fn cluster(&mut self,_:&mut (),_:Size,_:u32,_:&Options)->Result<()> {Ok(())}
fn drop_bad_flows(&mut self,_:&mut (),_:Size,_:f64)->Result<()> {Ok(())}
fn resize_labels(&mut self,_:&mut (),_:Size,_:Size)->Result<()> {Ok(())}
fn fill_holes_and_drop_small(&mut self,_:&mut (),_:Size,_:usize,_:Compat)->Result<()> {Ok(())}
fn drop_edges(&mut self,_:&mut (),_:Size)->Result<()> {Ok(())}
fn diameter(&mut self,_:&mut (),_:Size)->Result<f64> {Ok(0.)}
fn style(&mut self,_:&mut ())->Result<Vec<f32>> {Ok(vec![])}
fn maps(&mut self,_:&mut (),_:Size)->Result<Vec<f32>> {Ok(vec![])}
fn labels(&mut self,_:&mut (),_:Size)->Result<Vec<u32>> {Ok(vec![])}
}
