//! The pages: in a browser they run without an error and show a figure an image. With `FLOWMASK_REQUIRE_CHROMIUM=1` a
//! plain `cargo test` runs the tests in a browser too, and fails without one.

#[path = "common/required.rs"]
mod required;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowmask::Image;
use flowmask::report::{Curve, Gallery, StyleImage, StyleMap, TsneOptions, ap_curves};
use ndarray::{Array1, Array2};

/// The browser of the variable CHROME, or one by its usual name.
fn browser() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CHROME").filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    let dirs: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names.iter().flat_map(|name| dirs.iter().map(move |dir| dir.join(name))).find(|path| path.is_file())
}

/// The page after its script has run.
fn rendered(page: &Path) -> String {
    let browser = browser().expect("no Chromium is installed, and CHROME names none");
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && dom.contains("<html"), "{}", String::from_utf8_lossy(&output.stderr));
    dom
}

/// The tag that opens the document, on which the script leaves what it did.
fn root(dom: &str) -> &str {
    let start = dom.find("<html").unwrap();
    &dom[start..start + dom[start..].find('>').unwrap()]
}

/// A name that would be markup, or end the script, if it were not escaped.
const HOSTILE: &str = "<b>&\"</script><script>alert(1)</script>'<img src=x onerror=alert(1)>";

fn image(seed: usize) -> Image {
    let value = |(y, x): (usize, usize)| (y * 5 + x * seed) as u8;
    Image::from_gray(Array2::from_shape_fn((30, 40), value).view()).unwrap()
}

fn save_gallery(path: &Path, images: usize) {
    let thresholds = [0.5, 0.75, 0.9];
    let curve = Curve { name: HOSTILE, thresholds: &thresholds, ap: &[0.9, 0.5, 0.1] };
    let mut gallery = Gallery::new([HOSTILE, "other"], &thresholds, images);
    for i in 0..images {
        let labels = Array2::from_shape_fn((30, 40), |(y, x)| u32::from(y > 9 && y < 20 && x > i && x < 30));
        let name = format!("{HOSTILE} {i}");
        gallery.add_truth(&name, (i % 3 != 0).then(|| image(i)).as_ref(), labels.view()).unwrap();
        gallery.add_prediction(&name, 0, labels.view(), &[1.0, 1.0, 1.0]).unwrap();
        if i % 2 == 0 {
            gallery.add_prediction(&name, 1, labels.view(), &[0.5, 0.25, 0.0]).unwrap();
        }
    }
    gallery.save_html(path, HOSTILE, &ap_curves(&[curve])).unwrap();
}

fn save_map(path: &Path, images: usize) {
    let style = |i: usize| Array1::from_shape_fn(8, |j| ((i * 7 + j * 3) % 11) as f32 / 11.0);
    let one = |i: usize| StyleImage::new(format!("{HOSTILE} {i}"), HOSTILE, &image(i), style(i));
    let images: Vec<StyleImage> = (0..images).map(one).collect();
    StyleMap::new(&images, &TsneOptions::default()).unwrap().save_html(path, HOSTILE).unwrap();
}

#[test]
#[ignore = "takes Chromium: .ci/run runs it"]
fn pages_run_in_a_browser_and_show_every_image() {
    let dir = tempfile::tempdir().unwrap();
    for (name, images, save) in
        [("gallery.html", 7, save_gallery as fn(&Path, usize)), ("map.html", 9, save_map)]
    {
        let page = dir.path().join(name);
        save(&page, images);
        let dom = rendered(&page);
        let root = root(&dom);
        assert!(!root.contains("data-error"), "{name}: {root}");
        assert!(root.contains(&format!("data-figures=\"{images}\"")), "{name}: {root}");
        assert_eq!(dom.matches("<figure").count(), images, "{name}");
        assert_eq!(dom.matches("<img src=\"x\"").count() + dom.matches("<img src=x").count(), 0, "{name}");
    }
}

#[test]
#[ignore = "takes Chromium: .ci/run runs it"]
fn a_script_that_fails_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("gallery.html");
    save_gallery(&page, 3);
    let broken = fs::read_to_string(&page).unwrap().replace("id=\"sort\"", "id=\"lost\"");
    fs::write(&page, broken).unwrap();
    let dom = rendered(&page);
    assert!(root(&dom).contains("data-error"), "{}", root(&dom));
}

#[test]
fn without_a_browser_the_tests_that_take_it_fail() {
    let absent = [("CHROME", ""), ("PATH", "")];
    required::check("FLOWMASK_REQUIRE_CHROMIUM", &["--ignored"], &absent, "no Chromium is installed");
}

/// What a browser makes of text: the template escapes by numbers.
fn unescaped(text: &str) -> String {
    let mut parts = text.split("&#");
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        let (number, rest) = part.split_once(';').unwrap();
        plain.push(char::from_u32(number.parse().unwrap()).unwrap());
        plain.push_str(rest);
    }
    plain
}

/// All that stands between `before` and `after`.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    text.split(before).skip(1).map(|rest| rest.split_once(after).unwrap().0).collect()
}

#[test]
fn hostile_names_stay_text() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("page.html");
    for (save, name) in [(save_gallery as fn(&Path, usize), "<b>"), (save_map, "<figcaption>")] {
        save(&page, 4);
        let text = fs::read_to_string(&page).unwrap();
        // The data and the script of the page itself, and no other.
        assert_eq!((text.matches("<script").count(), text.matches("</script").count()), (2, 2));
        assert!(!text.contains("<img src=x") && !text.contains("<b><b>"));
        assert_eq!(unescaped(between(&text, "<title>", "</title>")[0]), HOSTILE);
        let end = if name == "<b>" { "</b>" } else { "</figcaption>" };
        let names: Vec<String> = between(&text, name, end).into_iter().map(unescaped).collect();
        let wanted: Vec<String> = (0..4).map(|i| format!("{HOSTILE} {i}")).collect();
        assert_eq!(names, wanted);
        let data = between(&text, "id=\"data\">", "</script>");
        let data: serde_json::Value = serde_json::from_str(data[0]).unwrap();
        if let Some(images) = data["images"].as_array() {
            assert_eq!(data["methods"][0], HOSTILE);
            assert!(images.iter().map(|image| &image["name"]).eq(&wanted));
            let alternatives = between(&text, "<img alt=\"", "\" src=");
            assert!(alternatives.into_iter().map(unescaped).eq(wanted));
        }
    }
}

/// Nothing is loaded from anywhere, with or without a browser.
#[test]
fn pages_name_no_other_file() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("page.html");
    for save in [save_gallery as fn(&Path, usize), save_map] {
        save(&page, 5);
        let text = fs::read_to_string(&page).unwrap();
        for attribute in ["src=\"", "href=\""] {
            let values = text.split(attribute).skip(1);
            assert!(values.clone().all(|value| value.starts_with("data:image/png;base64,")), "{attribute}");
        }
        // The one address is a name: that of SVG.
        assert_eq!(
            text.matches("http").count(),
            text.matches("http-equiv").count() + text.matches("xmlns=\"http").count()
        );
        assert!(text.contains("default-src 'none'"));
    }
}
