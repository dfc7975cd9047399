//! The original's models by their names, for the messages about those that cannot be loaded.

/// U-Nets that cellpose 1 to 3 downloads, without those that have the name of a built-in model.
const UNETS: [&str; 19] = [
    "cyto2",
    "cyto3",
    "cyto2_cp3",
    "tissuenet_cp3",
    "livecell_cp3",
    "yeast_PhC_cp3",
    "yeast_BF_cp3",
    "bact_phase_cp3",
    "bact_fluor_cp3",
    "deepbacs_cp3",
    "CP",
    "CPx",
    "TN1",
    "TN2",
    "TN3",
    "LC1",
    "LC2",
    "LC3",
    "LC4",
];

/// How the names of the restoration models begin.
const RESTORATION: [&str; 4] = ["denoise_", "deblur_", "upsample_", "oneclick_"];

/// Why a model of the original cannot be loaded though its file may be there; nothing for any other name.
pub(super) fn unsupported(name: &str) -> Option<&'static str> {
    if name.starts_with("cpsam") || name.starts_with("cpdino") {
        return Some("is a transformer of cellpose 4; flowmask runs only the U-Nets of cellpose 1 to 3");
    }
    if name.starts_with("transformer_") || name == "neurips_cellpose_transformer" {
        return Some("is a transformer of cellpose 3; flowmask runs only its U-Nets");
    }
    let restores = RESTORATION.iter().any(|begin| name.starts_with(begin));
    restores.then_some("is a network of cellpose 3 that restores images, which is not there yet")
}

/// What to write for a model of the original that was named without `cellpose:`; nothing for any other name.
pub(super) fn prefix(name: &str) -> Option<String> {
    let known = UNETS.contains(&name) || name.starts_with("neurips_");
    known.then(|| format!("is a model of the original: write cellpose:{name}; {}", fetching(name)))
}

/// How the file of a model of the original comes to where flowmask looks for it. A model of the user's own does not.
pub(super) fn fetching(name: &str) -> String {
    #[cfg(feature = "pull")]
    if super::pull::published().iter().any(|known| known == name) {
        return format!("`flowmask models pull {name}` downloads it, or the original at its first use");
    }
    match UNETS.contains(&name) || ["cyto", "nuclei"].contains(&name) || name.starts_with("neurips_") {
        true => "the original downloads it at its first use".into(),
        false => "`flowmask models` lists those that are there".into(),
    }
}
