//! `flowmask models pull`, from a server on this machine.

use std::fs;
use std::process::{Command, Stdio};

use super::scene::{BIN, Run, Scene, repository};
use super::server::{Manner, Server};

/// flowmask's own networks in the format of the original, which stand in for the original's.
fn published(network: &str, scene: &Scene) -> Vec<(&'static str, Vec<u8>)> {
    let file = scene.path("converted.pth");
    let weights = repository(&format!("weights/{network}.safetensors"));
    let convert = Command::new(BIN).arg("convert").arg(weights).arg(&file).status().unwrap();
    assert!(convert.success());
    let size = scene.path("converted.pth_size.npy");
    let files = vec![("cyto3", fs::read(&file).unwrap()), ("size_cyto3.npy", fs::read(&size).unwrap())];
    fs::remove_file(file).unwrap();
    fs::remove_file(size).unwrap();
    files
}

fn run(scene: &Scene, server: &str, words: &str) -> Run {
    let mut command = Command::new(BIN);
    command
        .args(words.split_whitespace())
        .stdin(Stdio::null())
        .env("FLOWMASK_MODELS_URL", server)
        .env("CELLPOSE_LOCAL_MODELS_PATH", scene.path("models"))
        .env("NO_PROXY", "*");
    scene.output(&mut command)
}

#[test]
fn a_pulled_model_is_used_and_checked_at_each_use() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    let server = Server::start(published("cyto", &scene), Manner::Cuts(9_000_000));
    // Nobody can be asked here, so the licence is shown and nothing happens.
    let asked = run(&scene, &server.address, "models pull cyto3");
    assert!(asked.code == Some(2) && asked.stderr.contains("non-commercial"), "{asked:?}");
    assert!(asked.stderr.contains("--yes") && server.requests().is_empty(), "{asked:?}");

    let pulled = run(&scene, &server.address, "models pull cyto3 --yes");
    assert_eq!((pulled.code, pulled.stdout.lines().count()), (Some(0), 2), "{pulled:?}");
    assert!(server.requests().iter().any(|request| request.ends_with("Some(9000000)")));
    assert_eq!(scene.names("models"), [".cyto3.sha256", ".size_cyto3.npy.sha256", "cyto3", "size_cyto3.npy"]);
    assert!(run(&scene, "", "models").stdout.contains("cellpose:cyto3"));

    let segmented = run(&scene, "", "segment a.png --model cellpose:cyto3 --diameter auto --json");
    let ours = run(&scene, "", "segment a.png --model cyto --diameter auto --json -o ours");
    assert_eq!(segmented.done().json()[0]["cells"], ours.done().json()[0]["cells"]);

    let model = scene.path("models/cyto3");
    let mut bytes = fs::read(&model).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&model, bytes).unwrap();
    let changed = run(&scene, "", "segment a.png --model cellpose:cyto3 -o changed");
    changed.failed(2, "not the file that was downloaded");
}

#[test]
fn another_network_than_its_name_says_is_refused() {
    let scene = Scene::new();
    let server = Server::start(published("nuclei", &scene), Manner::Good);
    run(&scene, &server.address, "models pull cyto3 --yes --quiet").failed(1, "17 pixels");
    assert!(scene.names("models").is_empty());
    // A wrong name or address is told before anything is asked or downloaded.
    let asked = server.requests().len();
    for name in ["cyto4", "nuclei cyto4"] {
        let wrong = run(&scene, &server.address, &format!("models pull {name}")).failed(2, "livecell_cp3");
        assert_eq!(wrong.stderr.lines().count(), 1, "{wrong:?}");
    }
    run(&scene, "nonsense", "models pull nuclei --yes --quiet").failed(1, "must begin with https://");
    assert_eq!(server.requests().len(), asked);
}
