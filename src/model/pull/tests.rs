//! Downloads from a server that is slow, cuts and lies.

use std::path::Path;

use super::*;
use server::{Manner, Server};

#[path = "../../../tests/common/server.rs"]
mod server;

const FILE: &str = "size_cyto3.npy";

fn size_model() -> Vec<u8> {
    include_bytes!("../../../tests/data/models/nuclei_size.npy").to_vec()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Downloads the file from a server of this manner into `folder`.
fn from(server: &Server, folder: &Path) -> Result<Pulled> {
    ensure(folder, FILE, &server.address, &check_size, &mut |_| true)
}

fn serve(manner: Manner) -> Server {
    Server::start(vec![(FILE, size_model())], manner)
}

#[test]
fn a_file_comes_whole_and_its_hash_stays_with_it() {
    for manner in [Manner::Good, Manner::Slow(20), Manner::Cuts(100)] {
        let folder = tempfile::tempdir().unwrap();
        let server = serve(manner);
        let first = from(&server, folder.path()).unwrap();
        assert!(!first.was_there && std::fs::read(&first.path).unwrap() == size_model(), "{manner:?}");
        assert_eq!(names(folder.path()), [".size_cyto3.npy.sha256", FILE], "{manner:?}");
        let asked = server.requests().len();
        let second = from(&server, folder.path()).unwrap();
        assert!(second.was_there && second.sha256 == first.sha256 && server.requests().len() == asked);

        std::fs::write(&first.path, b"something else").unwrap();
        let error = from(&server, folder.path()).unwrap_err().to_string();
        assert!(error.contains("not the file that was downloaded") && error.contains(FILE), "{error}");
    }
}

#[test]
fn a_cut_download_goes_on_where_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(Manner::Cuts(1000));
    let mut told = Vec::new();
    ensure(folder.path(), FILE, &server.address, &check_size, &mut |pulling| {
        told.push((pulling.done, pulling.total));
        true
    })
    .unwrap();
    let length = size_model().len();
    let ranges: Vec<_> = server.requests().iter().map(|r| r.rsplit(' ').next().unwrap().to_owned()).collect();
    let wanted: Vec<_> = (0..length.div_ceil(1000))
        .map(|i| if i == 0 { "None".into() } else { format!("Some({})", 1000 * i) })
        .collect();
    assert_eq!(ranges, wanted);
    assert_eq!(told.last(), Some(&(length as u64, Some(length as u64))));
}

#[test]
fn a_later_call_goes_on_too_and_never_joins_two_versions() {
    let folder = tempfile::tempdir().unwrap();
    let stop = |pulling: &Pulling| pulling.done < 1000;
    // Nothing is sent after the first bytes, so the caller stops.
    let server = serve(Manner::Slow(50));
    let error = ensure(folder.path(), FILE, &server.address, &check_size, &mut { stop }).unwrap_err();
    assert!(matches!(error, Error::Cancelled));
    assert_eq!(names(folder.path()), [".size_cyto3.npy.part", ".size_cyto3.npy.part.tag"]);
    let server = serve(Manner::Good);
    from(&server, folder.path()).unwrap();
    assert!(server.requests()[0].contains("Some("), "{:?}", server.requests());

    let folder = tempfile::tempdir().unwrap();
    let error = from(&serve(Manner::Changes(1000)), folder.path()).unwrap_err().to_string();
    assert!(error.contains("cut after 1000 bytes"), "{error}");
}

#[test]
fn what_a_server_does_wrong_is_an_error_and_leaves_no_file() {
    let page = b"<html>Sign in to this network</html>".to_vec();
    for (manner, reason) in [
        (Manner::Forgets(1000), "cut after 1000 bytes"),
        (Manner::Shifts(1000), "another part"),
        (Manner::Status(404), "no such file"),
        (Manner::Status(503), "status 503"),
        (Manner::Status(403), "status 403"),
        (Manner::Circles, "without end"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let error = from(&serve(manner), folder.path()).unwrap_err();
        assert!(matches!(error, Error::Download { .. }), "{error}");
        assert!(
            error.to_string().contains(reason) && error.to_string().contains(FILE),
            "{manner:?}: {error}"
        );
        assert!(!folder.path().join(FILE).exists());
    }
    let folder = tempfile::tempdir().unwrap();
    let error = from(&Server::start(vec![(FILE, page)], Manner::Good), folder.path()).unwrap_err();
    assert!(error.to_string().contains("not what its name says"), "{error}");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_server_that_stalls_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(Manner::Stalls(0));
    let path = folder.path().join(FILE);
    let mut download = Download::open(&path, &format!("{}/{FILE}", server.address)).unwrap();
    let start = std::time::Instant::now();
    let error = download.run(std::time::Duration::from_millis(50), &mut |_| true).unwrap_err();
    assert!(matches!(error, Error::Download { .. }), "{error}");
    assert!(start.elapsed().as_secs() < 15);
    // Meanwhile nobody else may write into the same file.
    let error = Download::open(&path, "").err().unwrap().to_string();
    assert!(error.contains("another process"), "{error}");
}

#[test]
fn nobody_answers() {
    let folder = tempfile::tempdir().unwrap();
    // Port 9 of this machine takes no connections.
    let error = ensure(folder.path(), FILE, "http://127.0.0.1:9", &check_size, &mut |_| true).unwrap_err();
    assert!(matches!(error, Error::Download { .. }), "{error}");
}

#[test]
fn names_are_those_of_the_original() {
    let names = published();
    assert_eq!(names.len(), 12 + 4 + 2 * (4 * 4 + 1));
    for name in ["cyto3", "denoise_cyto3", "oneclick_rec_nuclei", "aniso_cyto2"] {
        assert!(names.iter().any(|known| known == name), "{name}");
        check(name).unwrap();
    }
    assert!(check("cyto4").unwrap_err().to_string().contains("livecell_cp3"));
    assert!(check("cpsam").unwrap_err().to_string().contains("transformer"));
    assert!(check("../cyto3").is_err());
}

#[test]
fn a_mirror_has_the_address_of_a_server() {
    assert_eq!(address("https://models.example/a/").unwrap(), "https://models.example/a");
    let error = address("nonsense").unwrap_err().to_string();
    assert_eq!(error, "cannot download nonsense: FLOWMASK_MODELS_URL must begin with https:// or http://");
}

#[test]
fn a_network_is_the_one_that_its_name_says() {
    let path = Path::new("file");
    let tiny = include_bytes!("../../../tests/data/models/tiny_1in_1out.pth");
    check_network("denoise_cyto3", path, tiny).unwrap();
    let error = check_network("cyto3", path, tiny).unwrap_err().to_string();
    assert!(error.contains("1 inputs and 1 outputs"), "{error}");
}
