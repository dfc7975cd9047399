#[derive(Clone, Debug)]
pub struct SizeModel {
    pub a: Vec<f32>,
    pub smean: Vec<f32>,
    pub ymean: f64,
    pub diam_mean: f64,
}
impl SizeModel {
    pub fn diam_mean(&self) -> f64 {
        self.diam_mean
    }
    pub fn style_diameter(&self, style: &[f32]) -> f64 {
        let d: f64 =
            style.iter().zip(&self.smean).zip(&self.a).map(|((s, m), a)| f64::from(a * (s - m))).sum();
        (d + self.diam_mean.ln() + self.ymean).exp().max(5.0)
    }
}
