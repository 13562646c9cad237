//! The plots of a report, as SVG: a panel for each figure, a group of bars for each case, on a logarithmic scale.
//!
//! The background is opaque, so that the text is readable on light and on dark pages.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::report::{self, Report, Row};
use crate::subject::Contestant;
use crate::text::figure;
use crate::view::{self, Column, View};

const BACKGROUND: RGBColor = RGBColor(0xff, 0xff, 0xff);
const TEXT: RGBColor = RGBColor(0x22, 0x22, 0x22);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);

/// The width of a plot, and of its column of labels.
const WIDTH: u32 = 1_200;
const LABELS: u32 = 270;
/// The height of the legend, of a bar, and of everything else in a panel.
const LEGEND: u32 = 30;
const BAR: u32 = 14;
const FRAME: u32 = 70;
/// The most panels of a plot.
const PANELS: usize = 3;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// All plots of a report, each with the name of its file.
pub(crate) fn all(report: &Report<'_>) -> Result<Vec<(&'static str, String)>, Box<dyn Error>> {
    let mut plots = Vec::new();
    for view in &view::ALL {
        let rows = report.rows(view);
        if let Some(name) = view.plot
            && !rows.is_empty()
        {
            plots.push((name, plot(view, &report.contestants(view), &rows)?));
        }
    }
    Ok(plots)
}

fn plot(view: &View, contestants: &[&str], rows: &[Row]) -> Result<String, Box<dyn Error>> {
    // One place for each bar, and an empty one after each case.
    let places = u32::try_from(rows.len() * (contestants.len() + 1))?;
    let height = LEGEND + FRAME + places * BAR;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        root.fill(&BACKGROUND)?;
        let (top, below) = root.split_vertically(LEGEND);
        legend(&top, view, contestants)?;

        let (_, right) = below.split_horizontally(LABELS);
        let columns: Vec<&Column> = view.figures.iter().take(PANELS).collect();
        let panels = right.split_evenly((1, columns.len()));
        for (number, (panel, column)) in panels.iter().zip(columns).enumerate() {
            let places = draw_panel(panel, column, contestants, rows)?;
            if number == 0 {
                label_cases(&root, rows, &places)?;
            }
        }
        root.present()?;
    }
    Ok(svg)
}

/// Draws the bars of a figure, and returns the height at which each case is.
fn draw_panel(
    panel: &Area<'_>,
    column: &Column,
    contestants: &[&str],
    rows: &[Row],
) -> Result<Vec<i32>, Box<dyn Error>> {
    let values = rows.iter().flat_map(|row| &row.summaries);
    let values = values.filter_map(|summary| report::value(summary, column));
    let (low, high) = decades(values);
    let group = contestants.len() + 1;
    let bottom = (rows.len() * group) as f64;

    let mut chart = ChartBuilder::on(panel)
        .margin_right(36)
        .caption(column.words, text_style(16))
        .x_label_area_size(26)
        .build_cartesian_2d((low..high).log_scale(), 0.0..bottom)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(6)
        .x_label_formatter(&|value| axis_label(*value))
        .label_style(text_style(13))
        .axis_style(GRID)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .draw()?;

    for (number, row) in rows.iter().enumerate() {
        for (place, (contestant, summary)) in contestants.iter().zip(&row.summaries).enumerate() {
            let top = bottom - (number * group + place) as f64;
            let middle = top - 0.5;
            let Some(value) = report::value(summary, column) else { continue };
            let corners = [(low, top - 0.08), (value.max(low), top - 0.92)];
            chart.plotting_area().draw(&Rectangle::new(corners, color(contestant).filled()))?;
            let style = text_style(12).pos(Pos::new(HPos::Left, VPos::Center));
            let beside = EmptyElement::at((value.max(low), middle))
                + Text::new(figure(value), (4, 0), style);
            chart.plotting_area().draw(&beside)?;
        }
    }

    let half = contestants.len() as f64 / 2.0;
    let middles = (0..rows.len()).map(|number| bottom - (number * group) as f64 - half);
    Ok(middles.map(|middle| chart.backend_coord(&(low, middle)).1).collect())
}

/// Writes the names of the cases beside the first panel.
fn label_cases(root: &Area<'_>, rows: &[Row], heights: &[i32]) -> Result<(), Box<dyn Error>> {
    let right = i32::try_from(LABELS)? - 8;
    for (row, height) in rows.iter().zip(heights) {
        let style = text_style(15).pos(Pos::new(HPos::Right, VPos::Center));
        root.draw(&Text::new(row.case.clone(), (right, *height), style))?;
    }
    Ok(())
}

fn legend(top: &Area<'_>, view: &View, contestants: &[&str]) -> Result<(), Box<dyn Error>> {
    let middle = i32::try_from(LEGEND / 2)?;
    let left = text_style(17).pos(Pos::new(HPos::Left, VPos::Center));
    top.draw(&Text::new(view.heading, (10, middle), left))?;

    let mut x = i32::try_from(LABELS)?;
    for contestant in contestants {
        let corners = [(x, middle - 5), (x + 12, middle + 5)];
        top.draw(&Rectangle::new(corners, color(contestant).filled()))?;
        let style = text_style(15).pos(Pos::new(HPos::Left, VPos::Center));
        top.draw(&Text::new((*contestant).to_owned(), (x + 18, middle), style))?;
        x += 100;
    }
    Ok(())
}

fn text_style(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&TEXT)
}

/// Colours that people with any colour vision can tell apart (Okabe and Ito).
fn color(contestant: &str) -> RGBColor {
    match Contestant::ALL.iter().position(|one| one.name() == contestant) {
        Some(0) => RGBColor(0x00, 0x72, 0xb2),
        Some(1) => RGBColor(0xe6, 0x9f, 0x00),
        Some(2) => RGBColor(0x00, 0x9e, 0x73),
        Some(3) => RGBColor(0xcc, 0x79, 0xa7),
        Some(4) => RGBColor(0x56, 0xb4, 0xe9),
        _ => RGBColor(0x99, 0x99, 0x99),
    }
}

/// The powers of ten around all positive values.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let positive = values.filter(|value| *value > 0.0);
    let (least, most) = positive
        .fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
    if most == 0.0 {
        return (0.1, 1.0);
    }
    // A bar at the very edge would not be visible.
    let low = 10_f64.powf((least * 0.8).log10().floor());
    let high = 10_f64.powf(most.log10().ceil());
    (low, if high > low { high } else { low * 10.0 })
}

/// A power of ten without needless digits: `0.001`, `1`, `100`.
fn axis_label(value: f64) -> String {
    if value >= 1.0 { format!("{value:.0}") } else { format!("{value}") }
}

#[cfg(test)]
mod tests {
    use crate::sample::Sample;

    use super::*;

    fn sample(case: &str, contestant: &str, seconds: f64) -> Sample {
        Sample::of_tests(case, contestant, &[("seconds", seconds)])
    }

    #[test]
    fn a_plot_names_cases_and_contestants_and_has_a_bar_for_each_value() {
        let samples =
            [sample("100,000, one set", "BIRD", 0.088), sample("100,000, one set", "FRR", 1.24)];
        let plots = all(&Report::new(&samples)).unwrap();
        let [(name, svg)] = &plots[..] else { panic!("one plot") };
        assert_eq!(*name, "sending.svg");
        for text in ["100,000, one set", "BIRD", "FRR", "0.088", "1.24"] {
            assert!(svg.contains(text), "{text}");
        }
        // In the legend and in the panel.
        assert_eq!(svg.matches("fill=\"#E69F00\"").count(), 2);
    }

    #[test]
    fn a_figure_that_is_zero_or_missing_leaves_the_scale_finite() {
        let mut none = sample("idle", "BIRD", 0.0);
        none.figures.insert("cpu".to_owned(), 0.0);
        assert!(all(&Report::new(&[none])).unwrap()[0].1.contains("idle"));
    }

    #[test]
    fn the_scale_has_whole_decades_around_the_values() {
        let (low, high) = decades([0.088, 0.0, 1.24].into_iter());
        assert!((low - 0.01).abs() < 1e-9 && (high - 10.0).abs() < 1e-9, "{low} {high}");
        let (low, high) = decades([5.0].into_iter());
        assert!((low - 1.0).abs() < 1e-9 && (high - 10.0).abs() < 1e-9, "{low} {high}");
    }

    #[test]
    fn labels_of_the_axis_are_short() {
        assert_eq!([0.001, 1.0, 100.0].map(axis_label), ["0.001", "1", "100"]);
    }
}
