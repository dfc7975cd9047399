#[derive(Clone, Debug)]
pub(crate) struct Architecture {
    pub nbase: Vec<usize>,
    pub nout: usize,
}
