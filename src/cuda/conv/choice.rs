//! Which variant computes a convolution.

use super::variants::{Kind, VARIANTS, Variant};
use super::{Gpu, Layout, Size};
use crate::{Error, Result};

/// Which variant computes each convolution on a kind of card.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// The variant that was asked for by name. What it cannot do is computed as if nothing had been measured.
    pub(super) pinned: Option<&'static str>,
    /// Names of variants that gave wrong results or failed, with the reasons. They are never chosen.
    pub(super) refused: Vec<(&'static str, String)>,
    /// Names of variants that there are not on the card, with the reasons.
    pub(super) absent: Vec<(&'static str, String)>,
    /// What was measured.
    pub(super) times: Vec<Time>,
}

/// How long a variant took for a kind of convolution.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Time {
    pub kind: Kind,
    /// The tiles that it was measured with.
    pub size: Size,
    pub variant: &'static str,
    pub seconds: f64,
}

/// The times of all variants for a kind of convolution.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What is computed,
    pub kind: Kind,
    /// for these tiles.
    pub size: Size,
    /// The name of each variant that can, and its seconds for all tiles.
    pub seconds: Vec<(&'static str, f64)>,
    /// The name of the one that is chosen.
    pub chosen: &'static str,
}

impl Time {
    /// For each quarter of a strip, so that other sizes can be compared.
    fn of_quarter(&self) -> f64 {
        let quarters = Variant::named(self.variant).map_or(1, |variant| variant.quarters_of(self.size));
        self.seconds / (self.size.count * quarters).max(1) as f64
    }
}

impl Choice {
    /// The choice of this variant wherever it can compute a convolution.
    pub(super) fn pinned(variant: &'static Variant) -> Self {
        Choice { pinned: Some(variant.name), ..Choice::default() }
    }

    /// Whether variants were measured on the card.
    pub fn is_measured(&self) -> bool {
        !self.times.is_empty()
    }

    /// The names of variants that gave wrong results or failed, each with the reason. They are never chosen.
    pub fn refused(&self) -> &[(&'static str, String)] {
        &self.refused
    }

    /// The names of variants that are for other cards, or that the driver or NVRTC cannot make, each with the reason.
    pub fn absent(&self) -> &[(&'static str, String)] {
        &self.absent
    }

    /// What was measured, a row for each kind of convolution.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        for Time { kind, size, variant, seconds } in &self.times {
            match rows.iter_mut().find(|row| row.kind == *kind) {
                Some(row) => row.seconds.push((variant, *seconds)),
                None => {
                    let chosen = self.of(*kind, *size, VARIANTS.iter()).map_or("", |variant| variant.name);
                    rows.push(Row { kind: *kind, size: *size, seconds: vec![(variant, *seconds)], chosen });
                }
            }
        }
        rows
    }

    /// The choice itself, if the variant is right that can compute every convolution.
    pub(super) fn usable(self, gpu: &Gpu) -> Result<Self> {
        match self.refused.iter().find(|(name, _)| *name == VARIANTS[0].name) {
            Some((name, reason)) => {
                let reason =
                    format!("the kernels {name} are refused on this card ({reason}); take single precision");
                Err(Error::device(gpu.device(), reason))
            }
            None => Ok(self),
        }
    }

    /// Never chooses a variant from now on.
    pub(super) fn refuse(&mut self, variant: &'static Variant, reason: String) {
        if self.allows(variant.name) {
            self.refused.push((variant.name, reason));
        }
    }

    /// The variant that is chosen for a convolution among these. It does not depend on the number of tiles.
    pub(super) fn of<'a>(
        &self,
        kind: Kind,
        size: Size,
        among: impl Iterator<Item = &'a Variant> + Clone,
    ) -> Option<&'a Variant> {
        let allowed = among.filter(|variant| variant.can(kind, size) && self.allows(variant.name));
        let least = |cost: &dyn Fn(&Variant) -> Option<f64>| {
            let costs = allowed.clone().filter_map(|variant| {
                cost(variant).map(|cost| (variant, cost * variant.quarters_of(size) as f64))
            });
            // Of equal ones the last.
            costs.reduce(|a, b| if a.1 < b.1 { a } else { b }).map(|(variant, _)| variant)
        };
        let pinned = allowed.clone().find(|variant| self.pinned == Some(variant.name));
        pinned
            .or_else(|| least(&|variant| self.time(kind, variant)))
            .or_else(|| least(&|variant| variant.usual.then_some(variant.cost)))
            .or_else(|| least(&|variant| Some(variant.cost)))
    }

    /// The orders of weights that a convolution of so many stored outputs may be computed with.
    pub(super) fn layouts(&self, outputs: usize) -> Vec<Layout> {
        let measured = |variant: &Variant| self.times.iter().any(|time| time.variant == variant.name);
        let chosen =
            |variant: &&Variant| variant.usual || self.pinned == Some(variant.name) || measured(variant);
        let fitting = VARIANTS.iter().filter(|variant| outputs.is_multiple_of(variant.outputs));
        let mut layouts = Vec::new();
        for variant in fitting.filter(chosen).filter(|variant| self.allows(variant.name)) {
            if !layouts.contains(&variant.layout) {
                layouts.push(variant.layout);
            }
        }
        layouts
    }

    pub(super) fn allows(&self, name: &str) -> bool {
        self.refused.iter().all(|(refused, _)| *refused != name)
    }

    fn time(&self, kind: Kind, variant: &Variant) -> Option<f64> {
        let time = self.times.iter().find(|time| time.kind == kind && time.variant == variant.name);
        time.map(Time::of_quarter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(outputs: usize) -> Kind {
        Kind { inputs: 64, proj_inputs: 0, outputs, up: false, proj_up: false, act: true }
    }

    fn tile(height: usize, width: usize) -> Size {
        Size { count: 1, height, width }
    }

    fn chosen(choice: &Choice, kind: Kind, size: Size) -> &'static str {
        choice.of(kind, size, VARIANTS.iter()).unwrap().name
    }

    #[test]
    fn without_a_measurement_quarters_lie_apart_where_squares_waste_much() {
        let apart =
            |outputs, height, width| match chosen(&Choice::default(), kind(outputs), tile(height, width)) {
                "sm_80" => false,
                "sm_80_apart" => true,
                other => panic!("{other}"),
            };
        assert!(apart(64, 28, 28));
        assert!(!apart(32, 28, 28) && !apart(96, 28, 28), "there is no kernel for 32 channels");
        assert!(!apart(64, 56, 56) && !apart(64, 112, 112), "squares waste nothing");
        assert!(!apart(64, 60, 60), "225 quarters are 57 strips of 64");
        assert!(!apart(64, 12, 12), "9 quarters could be of three tiles");
        assert!(apart(64, 12, 28) && apart(64, 11, 25), "21 quarters, of 8 squares");
        let up = Kind { proj_inputs: 128, proj_up: true, ..kind(64) };
        assert_eq!(chosen(&Choice::default(), up, tile(28, 28)), "sm_80");
    }

    #[test]
    fn a_measurement_decides_for_its_kind_and_for_tiles_of_other_sizes() {
        let time = |variant, seconds| Time { kind: kind(64), size: tile(28, 28), variant, seconds };
        let times = vec![time("sm_80", 16.0), time("sm_80_apart", 20.0), time("sm_90a", 8.0)];
        let mut choice = Choice { times, ..Choice::default() };
        assert_eq!(chosen(&choice, kind(64), tile(28, 28)), "sm_90a");
        assert_eq!(chosen(&choice, kind(128), tile(28, 28)), "sm_80_apart", "that was not measured");
        assert_eq!(choice.layouts(64), [Layout::Lanes, Layout::Pieces]);
        assert_eq!(choice.layouts(96), [Layout::Lanes]);
        // A quarter takes 0.25 together and 0.41 apart; 4 × 36 pixels are 20 or 9 of them.
        choice.times.pop();
        assert_eq!(chosen(&choice, kind(64), tile(28, 28)), "sm_80");
        assert_eq!(chosen(&choice, kind(64), tile(4, 132)), "sm_80_apart");
        assert_eq!(choice.layouts(64), [Layout::Lanes]);
    }

    #[test]
    fn what_is_refused_is_never_chosen_and_what_is_pinned_wherever_it_can() {
        let refused = Choice { refused: vec![("sm_80_apart", "it is wrong".into())], ..Choice::default() };
        assert_eq!(chosen(&refused, kind(64), tile(28, 28)), "sm_80");
        for variant in VARIANTS {
            let choice = Choice::pinned(variant);
            assert_eq!(chosen(&choice, kind(64), tile(28, 28)), variant.name);
            let small = chosen(&choice, kind(32), tile(28, 28));
            assert_eq!(small, "sm_80", "{} cannot do that", variant.name);
            assert!(choice.layouts(64).contains(&variant.layout));
        }
    }
}
