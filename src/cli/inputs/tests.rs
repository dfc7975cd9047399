use super::*;

const DAPI: Choice = Choice { labels: false, suffix: Some("_dapi"), recursive: false };

/// A folder with empty files of these names.
pub fn dir_with(names: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    names.iter().for_each(|name| fs::write(dir.path().join(name), "").unwrap());
    dir
}

fn names(found: &Found) -> Vec<String> {
    found.images.iter().map(|i| i.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_folder_is_its_images_in_natural_order_without_outputs() {
    let dir = dir_with(&[
        "im10.png",
        "im2.PNG",
        "im1.tif",
        "im1_masks.tif",
        "im1_overlay.png",
        "im1_cp_masks.png",
        "im1_flows_0.tif",
        "im1_seg.npy",
        "._im1.png",
        "notes.txt",
    ]);
    fs::create_dir(dir.path().join("deeper.png")).unwrap();
    let found = find(&[dir.path().into()], Choice::default());
    assert_eq!(names(&found), ["im1.tif", "im2.PNG", "im10.png"]);
}

#[test]
fn of_label_files_those_that_are_named_so_are_taken_and_never_stitched_ones() {
    let labels = Choice { labels: true, ..Choice::default() };
    let dir = dir_with(&[
        "a.tif",
        "a_masks.tif",
        "a_masks_stitched.tif",
        "b_seg.npy",
        "c_masks.png",
        "._d_masks.tif",
    ]);
    assert_eq!(names(&find(&[dir.path().into()], labels)), ["a_masks.tif", "b_seg.npy"]);
    let dir = dir_with(&["1.tif", "1_stitched.tif", "2.npy", "notes.txt"]);
    assert_eq!(names(&find(&[dir.path().join("*")], labels)), ["1.tif", "2.npy"]);
    let found = find(&[dir_with(&["a.png"]).path().into()], labels);
    assert!(found.failed[0].1.to_string().contains("has no label files of stacks"), "{found:?}");
}

#[test]
fn a_pattern_and_a_filter_choose_by_name_and_nothing_is_taken_twice() {
    let dir = dir_with(&["a_dapi.png", "b_dapi.png", "b_gfp.png", "c_dapi_masks.png"]);
    let at = |name: &str| dir.path().join(name);
    assert_eq!(names(&find(&[at("b*.png")], Choice::default())), ["b_dapi.png", "b_gfp.png"]);
    assert_eq!(names(&find(&[dir.path().into()], DAPI)), ["a_dapi.png", "b_dapi.png"]);
    let twice = [at("b_gfp.png"), at("?_*.png"), dir.path().join(".").join("b_gfp.png")];
    assert_eq!(names(&find(&twice, Choice::default())), ["b_gfp.png", "a_dapi.png", "b_dapi.png"]);
}

#[test]
fn a_file_that_is_named_is_taken_even_when_it_looks_like_an_output() {
    let dir = dir_with(&["a_masks.tif", "b.xyz"]);
    let found = find(&[dir.path().join("a_masks.tif"), dir.path().join("b.xyz")], Choice::default());
    assert_eq!(names(&found), ["a_masks.tif", "b.xyz"]);
    assert!(find(&found.images, DAPI).images.is_empty());
}

#[test]
fn an_input_without_images_is_an_error_and_the_others_stay() {
    let dir = dir_with(&["a.png"]);
    let found = find(&[dir.path().join("missing.png"), dir.path().join("a.png")], Choice::default());
    assert_eq!(names(&found), ["a.png"]);
    assert!(found.failed[0].1.to_string().contains("missing.png"));
    for wrong in ["[", "*.tif", "x[.png"] {
        assert_eq!(find(&[dir.path().join(wrong)], Choice::default()).failed.len(), 1, "{wrong}");
    }
}

#[test]
fn files_of_formats_that_are_not_read_are_counted_in_one_line() {
    let dir = dir_with(&["b.ND2", "c.nd2", "d.czi", "notes.txt"]);
    let found = find(&[dir.path().into()], Choice::default());
    assert!(found.failed[0].1.to_string().ends_with("(1 .czi, 2 .nd2)"), "{found:?}");
    fs::write(dir.path().join("a.png"), "").unwrap();
    let found = find(&[dir.path().into()], Choice::default());
    assert!(found.failed.is_empty() && found.images.len() == 1, "{found:?}");
    assert!(found.notes.len() == 1 && found.notes[0].ends_with("(1 .czi, 2 .nd2)"), "{found:?}");
}

#[test]
fn a_list_has_a_name_on_each_line_or_between_zero_bytes() {
    let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
    assert_eq!(super::names(b"a b.tif\r\n\nc.tif").unwrap(), paths(&["a b.tif", "c.tif"]));
    assert_eq!(super::names(b"a\nb.tif\0c.tif\0").unwrap(), paths(&["a\nb.tif", "c.tif"]));
}
