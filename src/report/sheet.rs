//! Sheets of six by six panels.

use super::figure::{Anchor, Color, FAINT, Figure, GRID, shortened};
use super::outline::lines;
use super::panel::Panel;

/// Yellow and blue stand out on grey, and colour-blind people can tell them apart. The pages use the same colours.
const TRUTH: Color = [0xff, 0xd1, 0x1a];
const PREDICTION: Color = [0x1f, 0xa8, 0xff];

const COLUMNS: usize = 6;
const ROWS: usize = 6;
/// Height and width of a panel's picture, and the space around it.
const SIDE: f32 = 300.0;
const GAP: f32 = 16.0;
const CAPTION: f32 = 46.0;
const TITLE: f32 = 56.0;

/// Draws the sheets of one method. `shown` has the index and the text of each threshold in the captions.
pub(super) fn sheets(name: &str, method: usize, panels: &[Panel], shown: &[(usize, String)]) -> Vec<Figure> {
    let sheets = panels.chunks(COLUMNS * ROWS);
    let count = sheets.len();
    let title = |i: usize| match count {
        1 => shortened(name, 60),
        _ => format!("{}, {} of {count}", shortened(name, 60), i + 1),
    };
    sheets.enumerate().map(|(i, panels)| sheet(&title(i), method, panels, shown)).collect()
}

fn sheet(title: &str, method: usize, panels: &[Panel], shown: &[(usize, String)]) -> Figure {
    // A sheet with few panels is narrower, but has room for the title.
    let columns = panels.len().clamp(3, COLUMNS);
    let rows = panels.len().div_ceil(columns).max(1);
    let width = GAP + columns as f32 * (SIDE + GAP);
    let height = TITLE + rows as f32 * (SIDE + CAPTION + GAP);
    let mut figure = Figure::new(width as u32, height as u32);
    figure.text([GAP, 36.0], title, 24.0, Anchor::Start);
    for (i, (text, color)) in [("truth", TRUTH), ("prediction", PREDICTION)].into_iter().enumerate() {
        let x = width - GAP - 230.0 + 90.0 * i as f32;
        figure.rect([x, 25.0], [22.0, 6.0], color);
        figure.text([x + 30.0, 34.0], text, 18.0, Anchor::Start);
    }
    for (i, panel) in panels.iter().enumerate() {
        let (row, column) = ((i / columns) as f32, (i % columns) as f32);
        let at = [GAP + column * (SIDE + GAP), TITLE + row * (SIDE + CAPTION + GAP)];
        draw(&mut figure, panel, method, at, shown);
    }
    figure
}

fn draw(figure: &mut Figure, panel: &Panel, method: usize, [x, y]: [f32; 2], shown: &[(usize, String)]) {
    let (height, width) = panel.size();
    let scale = SIDE / height.max(width) as f32;
    let size = [width as f32 * scale, height as f32 * scale];
    let at = [x + (SIDE - size[0]) / 2.0, y + (SIDE - size[1]) / 2.0];
    figure.rect([x, y], [SIDE, SIDE], GRID);
    figure.picture(at, size, panel.picture.clone());
    figure.lines(lines(&panel.truth, at, scale), TRUTH, 2.6);
    let scores = match &panel.predictions[method] {
        Some(prediction) => {
            figure.lines(lines(&prediction.outline, at, scale), PREDICTION, 1.2);
            let score = |(i, t): &(usize, String)| format!("{t}: {:.2}", prediction.ap[*i]);
            format!("AP at {}", shown.iter().map(score).collect::<Vec<_>>().join("   "))
        }
        None => "no prediction".into(),
    };
    figure.text([x, y + SIDE + 19.0], shortened(&panel.name, 34), 16.0, Anchor::Start);
    figure.colored_text([x, y + SIDE + 39.0], scores, 15.0, Anchor::Start, FAINT);
}
