//! The original's models by their names, for the messages about those that cannot be loaded.

/// The U-Nets that cellpose 3 publishes (`MODEL_NAMES` in its `models.py`), without those that have the name of a built-in
/// model.
pub(super) const PUBLISHED: [&str; 10] = [
    "cyto3",
    "cyto2",
    "cyto2_cp3",
    "tissuenet_cp3",
    "livecell_cp3",
    "yeast_PhC_cp3",
    "yeast_BF_cp3",
    "bact_phase_cp3",
    "bact_fluor_cp3",
    "deepbacs_cp3",
];

/// U-Nets that cellpose 2 published.
const OLDER: [&str; 9] = ["CP", "CPx", "TN1", "TN2", "TN3", "LC1", "LC2", "LC3", "LC4"];

/// What a restoration model does: the words with which their names begin (`MODEL_NAMES` in `denoise.py`).
pub(super) const RESTORATION: [&str; 4] = ["denoise", "deblur", "upsample", "oneclick"];

/// Whether it is a U-Net that cellpose 1 to 3 downloads, other than those that have the name of a built-in model.
fn is_unet(name: &str) -> bool {
    PUBLISHED.contains(&name) || OLDER.contains(&name) || name.starts_with("neurips_")
}

/// Why a model of the original cannot be loaded though its file may be there; nothing for any other name.
pub(super) fn unsupported(name: &str) -> Option<&'static str> {
    if name.starts_with("cpsam") || name.starts_with("cpdino") {
        return Some("is a transformer of cellpose 4; flowmask runs only the U-Nets of cellpose 1 to 3");
    }
    if name.starts_with("transformer_") || name == "neurips_cellpose_transformer" {
        return Some("is a transformer of cellpose 3; flowmask runs only its U-Nets");
    }
    let begins = RESTORATION.contains(&name.split('_').next().unwrap_or_default());
    (begins && !restores(name)).then_some(
        "is no network of cellpose 3: those that restore images have names such as denoise_cyto3, deblur_cyto2 and upsample_nuclei",
    )
}

/// Whether it is a network of cellpose 3 that restores images.
pub(super) fn restores(name: &str) -> bool {
    let mut parts = name.split('_');
    let (does, last) = (parts.next().unwrap_or_default(), parts.next_back().unwrap_or_default());
    (RESTORATION.contains(&does) || does == "aniso") && ["cyto3", "cyto2", "nuclei"].contains(&last)
}

/// What to write for a model of the original that was named without `cellpose:`; nothing for any other name.
pub(super) fn prefix(name: &str) -> Option<String> {
    is_unet(name).then(|| format!("is a model of the original: write cellpose:{name}; {}", fetching(name)))
}

/// How the file of a model of the original comes to where flowmask looks for it. A model of the user's own does not.
pub(super) fn fetching(name: &str) -> String {
    #[cfg(feature = "pull")]
    if super::pull::published().iter().any(|known| known == name) {
        return format!("`flowmask models pull {name}` downloads it, or the original at its first use");
    }
    match is_unet(name) || restores(name) || ["cyto", "nuclei"].contains(&name) {
        true => "the original downloads it at its first use".into(),
        false => "`flowmask models` lists those that are there".into(),
    }
}
