//! The arguments for volumes.

use clap::Args;

use super::super::usage::utf8;
use super::steps::Together;
use super::values::smooth;

#[derive(Args)]
#[command(next_help_heading = "Volumes")]
pub struct Volumes {
    /// Find cells in three dimensions: the planes along Z are one volume, whose cells have one label in all planes. Left out,
    /// each plane is an image of its own
    #[arg(long, aliases = ["do_3d", "do-3D", "do_3D"])]
    pub do_3d: bool,
    /// How many times farther apart planes are than pixels, such as 2 when Z is sampled half as densely [default: 1]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    pub anisotropy: Option<f64>,
    /// Smooth the flows of a volume: the standard deviation of a Gaussian in voxels, or one each along z, y and x, such as
    /// 1,2,2 [default: 0]
    #[arg(
        long = "flow3d-smooth",
        aliases = ["flow3d_smooth", "flow3D-smooth", "flow3D_smooth"],
        value_name = "SIGMA",
        value_parser = smooth,
        allow_negative_numbers = true
    )]
    pub flow3d_smooth: Option<[f64; 3]>,
    /// The model that sees the planes across y and x of a volume, built like --model, which then sees only those across z
    /// [default: --model sees all]
    #[arg(
        long,
        aliases = ["pretrained_model_ortho", "model-ortho", "model_ortho"],
        value_name = "MODEL",
        value_parser = utf8()
    )]
    pub pretrained_model_ortho: Option<String>,
}

impl Volumes {
    /// The flags that are given and have no effect.
    fn unused(&self) -> Option<String> {
        let given = [
            ("--anisotropy", self.anisotropy.is_some()),
            ("--flow3d-smooth", self.flow3d_smooth.is_some()),
            ("--pretrained-model-ortho", self.pretrained_model_ortho.is_some()),
        ];
        let given: Vec<&str> = given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect();
        let unused = !self.do_3d && !given.is_empty();
        unused.then(|| {
            let change = if given.len() > 1 { "change" } else { "changes" };
            format!("without --do-3d there are no volumes, so {} {change} nothing", given.join(" and "))
        })
    }
}

impl super::Segment {
    /// The flags that are given and have no effect, a sentence each.
    pub fn unused(&self) -> Vec<String> {
        let stitched = self.cells.stitch_threshold != 0.0;
        let mut notes = Vec::new();
        if self.volumes.do_3d && stitched {
            let note = "with --do-3d planes are one volume already, so --stitch-threshold changes nothing";
            notes.push(note.into());
        }
        notes.extend(self.volumes.unused());
        let together = match (self.volumes.do_3d, self.cells.compat) {
            // Planes along Z are restored together.
            _ if self.restoration.restore.is_some() => Together::Chosen,
            (true, Some(_)) => Together::Always,
            (true, None) => Together::Chosen,
            (false, _) if stitched => Together::Chosen,
            (false, _) => Together::Never,
        };
        notes.extend(self.input.steps.unused(together).map(Into::into));
        notes
    }
}
