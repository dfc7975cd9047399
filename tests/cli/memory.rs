//! Too little memory, and inputs that would take too much: an error of the image, never the end of the program.

use std::process::Command;

use super::scene::{BIN, NUCLEI, Run, Scene, repository};

/// Runs the program with at most `kilobytes` of address space.
fn limited(scene: &Scene, kilobytes: u64, words: &str) -> Run {
    let line = format!("ulimit -v {kilobytes}; exec {BIN} {words}");
    scene.output(Command::new("sh").arg("-c").arg(line))
}

#[test]
fn a_diameter_in_another_unit_is_an_error_of_each_image() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    scene.blank("b.png", 9, 300);
    let run = limited(&scene, 6_000_000, "segment a.png b.png --model nuclei --diameter 0.01 -o out");
    assert_eq!(run.code, Some(1), "{run:?}");
    let lines: Vec<&str> = run.stderr.lines().collect();
    for (image, size) in [("a.png", "256 by 256"), ("b.png", "300 by 9")] {
        let about = lines.iter().find(|line| line.contains(image)).unwrap();
        let words = [
            "an image of",
            size,
            "at a diameter of 0.01 pixels",
            "needs",
            "B of memory, but",
            "GB may be used",
        ];
        assert!(words.iter().all(|words| about.contains(words)), "{about}");
    }
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn an_image_that_does_not_fit_leaves_the_others_their_masks() {
    let scene = Scene::new();
    scene.nuclei("in/a.png");
    scene.blank("in/b.png", 8192, 8192);
    scene.nuclei("in/c.png");
    for words in
        ["segment in -o out --model nuclei --diameter 5", "styles in -o styles --model nuclei --diameter 5"]
    {
        limited(&scene, 4_000_000, words)
            .failed(1, "b.png: an image of 8192 by 8192 pixels at a diameter of 5 pixels");
    }
    assert_eq!(scene.names("out"), ["a_masks.tif", "c_masks.tif"]);
}

/// Without the check, all of the file is read before it is refused.
#[test]
fn a_file_beyond_the_memory_is_not_read() {
    let scene = Scene::new();
    scene.file("a.tif", b"II*\0");
    let file = std::fs::OpenOptions::new().write(true).open(scene.path("a.tif")).unwrap();
    file.set_len(2_000_000_000).unwrap();
    let run = scene.run("segment a.tif --memory 1GB").failed(1, "a.tif");
    assert!(run.stderr.contains("a.tif needs 2.0 GB of memory, but 1.0 GB may be used"), "{run:?}");
}

/// Images of equal pixels are packed to a thousandth: their pixels are refused before they are unpacked.
#[test]
fn pixels_beyond_the_memory_are_not_unpacked() {
    let scene = Scene::new();
    scene.blank("big.png", 8192, 8192);
    scene.nuclei("small.png");
    for command in ["segment", "styles"] {
        let words = format!("{command} big.png small.png --model nuclei --diameter 17 --memory 400MB");
        let run = scene.run(&words).failed(1, "big.png");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    }
    let run = scene.run("segment big.png --model nuclei --diameter 17 --memory 60MB");
    assert!(run.stderr.contains("big.png needs 67.1 MB of memory, but 60.0 MB may be used"), "{run:?}");
}

#[test]
fn the_memory_can_be_bounded() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    let words = format!("segment a.png {NUCLEI} --memory");
    scene.run(&format!("{words} 100MB")).failed(1, "MB of memory, but 100.0 MB may be used");
    scene.run(&format!("{words} 1GiB")).done();
    assert_eq!(scene.labels("a_masks.tif").1, 37);
    // Images that are loaded ahead count: up to two, taken to be as large.
    scene.blank("b.png", 2500, 2500);
    let bound = plan(&scene, "b.png", "--diameter 300") + 5_000_000;
    scene.run(&format!("segment b.png --model nuclei --diameter 300 --memory {bound}")).done();
    scene.blank("c.png", 2500, 2500);
    scene.blank("d.png", 2500, 2500);
    let run = scene.run(&format!("segment b.png c.png d.png --model nuclei --diameter 300 --memory {bound}"));
    assert_eq!((run.code, run.stderr.lines().count()), (Some(1), 3), "{run:?}");
}

/// The bytes that the program plans for an image, whose pixels themselves fit in the limit.
fn plan(scene: &Scene, image: &str, flags: &str) -> u64 {
    let run = scene.run(&format!("segment {image} --model nuclei {flags} --memory 20MB"));
    let (_, words) = run.stderr.split_once(" needs ").unwrap();
    let mut words = words.split(' ');
    let number: f64 = words.next().unwrap().parse().unwrap();
    (number * if words.next() == Some("GB") { 1e9 } else { 1e6 }) as u64
}

/// Whatever the limit is, the program ends with an exit code and a sentence. It takes a second for each limit.
#[test]
fn no_limit_of_the_address_space_aborts() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    let mut done = 0;
    // The program itself is 43 MB, which the system has to map before it runs.
    for megabytes in [50, 60, 80, 100, 150, 220, 300, 420, 900] {
        let run = limited(&scene, megabytes << 10, &format!("segment a.png {NUCLEI} --threads 2"));
        match run.code {
            Some(0) => done += 1,
            Some(1 | 2) => assert_eq!(run.stderr.lines().count(), 1, "{megabytes} MB: {run:?}"),
            _ => panic!("{megabytes} MB: {run:?}"),
        }
    }
    assert!(done > 0);
}

#[test]
#[ignore = "takes half a minute, and measures memory, on a machine that has 4 GB: .ci/run runs it"]
fn the_plan_is_what_is_used() {
    let scene = Scene::new();
    let cases = [
        (2048, "--diameter 17"),
        (2048, "--diameter 17 --no-resample"),
        (2048, "--diameter 40"),
        (1024, "--diameter 8"),
        (1024, "--diameter 17 --augment"),
        (1024, "--diameter 17 --bsize 512"),
        (1024, "--diameter 17 --batch-size 32"),
    ];
    let mut sound = true;
    for (side, flags) in cases {
        scene.tiled("big.png", side);
        let plan = plan(&scene, "big.png", flags) as f64;
        let used = peak(&scene, &format!("segment big.png --model nuclei {flags}")) as f64;
        println!("{side} {flags}: plan {:.0} MB, used {:.0} MB: {:.2}", plan / 1e6, used / 1e6, plan / used);
        sound &= (0.97..1.3).contains(&(plan / used));
    }
    assert!(sound);
}

/// The most memory that a run has, in bytes.
pub fn peak(scene: &Scene, words: &str) -> u64 {
    let mut child = Command::new(BIN).args(words.split(' ')).current_dir(scene.path("")).spawn().unwrap();
    let (status, mut most) = (format!("/proc/{}/status", child.id()), 0);
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        most = most.max(kilobytes.unwrap_or(0) << 10);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    most
}

#[test]
fn absurd_numbers_are_refused_before_any_image() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    for command in ["segment a.png", "styles a.png"] {
        for diameter in ["1e-30", "1e-320", "0.009", "1e30"] {
            scene.run(&format!("{command} --diameter {diameter}")).failed(2, "from 0.01 to 100000 pixels");
        }
        scene.run(&format!("{command} --threads 4000")).failed(2, "is 4000, but must be at most 1024");
    }
    let endless = "segment a.png --niter 4294967295 --no-interp";
    scene.run(endless).failed(2, "niter: must be at most 1000000");
    assert_eq!(scene.names(""), ["a.png"]);
}

/// Files of nothing but empty tuples: each byte would become a value of a hundred bytes.
#[test]
fn a_pickle_of_nested_lists_is_bounded() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    let bomb = vec![b')'; 20_000_000];
    scene.file("bomb.pth", [&magic[..], b"\x80\x02", &bomb].concat());
    scene.file("truth/x_seg.npy", [npy_of_object().as_slice(), b"\x80\x02", &bomb].concat());
    scene.file("pred/x_masks.png", std::fs::read(repository("tests/data/nuclei.png")).unwrap());
    limited(&scene, 1_500_000, "segment a.png --model bomb.pth").failed(2, "its pickle has more than");
    let run = limited(&scene, 1_500_000, "evaluate --truth truth --pred pred");
    assert!(matches!(run.code, Some(1 | 2)), "{run:?}");
    assert!(run.stderr.contains("x_seg.npy") && run.stderr.contains("its pickle has more than"), "{run:?}");
}

/// The header of a dictionary that NumPy has pickled.
fn npy_of_object() -> Vec<u8> {
    let mut header = b"\x93NUMPY\x01\0\x76\0{'descr': '|O', 'fortran_order': False, 'shape': (), }".to_vec();
    header.resize(127, b' ');
    header.push(b'\n');
    header
}

/// Rows of short runs: their table is larger than the labels.
#[cfg(target_os = "linux")]
#[test]
fn stitching_with_too_little_memory_is_an_error_of_its_file() {
    let scene = Scene::new();
    let side = 1000;
    let labels: Vec<u8> = (0..20 * side * side).flat_map(|i| [(i % 2) as u8, 0]).collect();
    scene.npy("z.npy", "<u2", &format!("(20, {side}, {side})"), &labels);
    for kilobytes in (100_000..1_500_000).step_by(200_000) {
        let run = limited(&scene, kilobytes, "stitch z.npy --axes ZYX -o out");
        assert_eq!(run.code, Some(1), "{kilobytes}: {run:?}");
        assert!(run.stderr.contains("z.npy") && run.stderr.contains("memory"), "{run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    }
}
