//! Counts the cells of an image that lies in memory: pixels in, masks out.

use std::path::Path;

use flowmask::{Diameter, Image, Model, Options, Result, Segmenter, npy};
use ndarray::{Array2, ArrayView2, Ix2};

/// The masks of an image of nuclei: 0 is background, and the cells are numbered from 1 on. `diameter` is in pixels.
fn segment(pixels: ArrayView2<u8>, diameter: f64) -> Result<Array2<u32>> {
    let segmenter = Segmenter::builder().model(Model::named("nuclei")?).build()?;
    let options = Options::default().diameter(Diameter::Pixels(diameter));
    Ok(segmenter.segment(&Image::from_gray(pixels)?, &options)?.masks)
}

fn pixels(path: &Path) -> Result<Array2<u8>> {
    let pixels = npy::read(path)?;
    Ok(pixels.into_dimensionality::<Ix2>().expect("an image of one channel"))
}

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).expect("the name of a file");
    let masks = segment(pixels(Path::new(&path))?.view(), 19.48)?;
    println!("{} cells", masks.iter().max().unwrap_or(&0));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PyTorch cellpose finds 37 too: `im0_diam` of `tests/data/golden/pipeline_nuclei`.
    #[test]
    fn the_cells_are_those_of_cellpose() {
        let pixels = pixels(&Path::new(env!("CARGO_MANIFEST_DIR")).join("nuclei.npy")).unwrap();
        let masks = segment(pixels.view(), 19.48).unwrap();
        assert_eq!(masks.dim(), pixels.dim());
        let cells = *masks.iter().max().unwrap();
        assert_eq!(cells, 37);
        assert!((1..=cells).all(|cell| masks.iter().any(|&label| label == cell)), "a number is left out");
    }
}
