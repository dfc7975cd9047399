use flowmask::*;
use ndarray::Array3;
use std::time::Instant;
fn main() {
    let side: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let model = std::env::args().nth(2).unwrap();
    let dec = png::Decoder::new(std::io::BufReader::new(
        std::fs::File::open("/work/shared/images/test/dsb2018_2a1a294e.png").unwrap(),
    ));
    let mut r = dec.read_info().unwrap();
    let mut buf = vec![0; r.output_buffer_size().unwrap()];
    let i = r.next_frame(&mut buf).unwrap();
    let (w, h, c) = (i.width as usize, i.height as usize, i.color_type.samples());
    println!("{w}x{h}x{c}");
    let a = Array3::from_shape_fn((side, side, 1), |(y, x, _)| buf[((y % h) * w + x % w) * c]);
    let im = Image::from_channels(a.view()).unwrap();
    let t = Instant::now();
    let s = Segmenter::builder().model(Model::named(&model).unwrap()).build().unwrap();
    println!("load {:?}", t.elapsed());
    let d = std::env::args().nth(3).map(|d| Diameter::Pixels(d.parse().unwrap())).unwrap_or_default();
    for _ in 0..2 {
        let t = Instant::now();
        let f = s.segment(&im, &Options { diameter: d, ..Options::default() }).unwrap();
        println!("{} cells {:?}", f.cells(), t.elapsed());
        if side > 2000 {
            break;
        }
    }
}
